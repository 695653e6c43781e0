"""What the authentication filters cost (see benchmarks/signatures)."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import dkim

from tamis.contract.ask import answered
from tamis.contract.filter import Filter, Message
from tamis.filters.arc import ARC
from tamis.filters.dkim import DKIM
from tamis.filters.dmarc import DMARC
from tamis.filters.newsletter import Newsletter
from tamis.message.mail import Mail
from tests.answering import from_dns
from tests.builders import message
from tests.services.dns.resolving import WrittenDNS
from tests.signing import RECORDS, sealed, signed

CORPUS = Path("corpus/spamassassin")
AUTHOR = "example.net"
DNS = WrittenDNS(
    {f"{name}._domainkey.{AUTHOR} TXT": [record] for name, record in RECORDS.items()}
    | {f"_dmarc.{AUTHOR} TXT": ["v=DMARC1; p=reject"]}
)
FILTERS: Sequence[Filter[Any]] = (DKIM(), ARC(), DMARC(), Newsletter())
KINDS: Mapping[str, Callable[[bytes], bytes]] = {
    "as they are": lambda raw: raw,
    "rsa, 2048 bits": lambda raw: signed(raw, selector="rsa", domain=AUTHOR),
    "ed25519": lambda raw: signed(raw, selector="ed", domain=AUTHOR),
    "sealed twice": lambda raw: _sealed(_sealed(raw)),
}


def _sealed(raw: bytes) -> bytes:
    return sealed(raw, domain=AUTHOR, results="spf=none; arc=pass" if b"ARC-Seal" in raw[:8] else "spf=none")


def read(path: Path) -> bytes:
    """A corpus message as it was on the wire, from an author whose keys we have."""
    raw = path.read_bytes()
    if raw.startswith(b"From "):
        raw = raw.partition(b"\n")[2]
    raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return b"From: Author <author@example.net>\r\nX-Was-" + raw.replace(b"\r\nFrom:", b"\r\nX-Was-From:")


def asked(raw: bytes) -> Message:
    """What the filters are given."""
    one = message(raw)
    one.mail = Mail(raw)
    return one


def cost(raws: Sequence[bytes]) -> dict[str, float]:
    """CPU ms a message by filter, in the order of the chain: who asks first pays for what is shared."""
    messages = [asked(raw) for raw in raws]

    spent: dict[str, float] = {}
    for one in FILTERS:
        begun = time.thread_time()
        for told in messages:
            steps: Any = one.examine(told)
            answered(steps, from_dns(DNS))
        spent[one.name] = 1000 * (time.thread_time() - begun) / len(raws)
    return spent


def dkimpys(raws: Sequence[bytes]) -> float:
    """CPU ms a message of dkimpy's verification."""

    def key(name: bytes, timeout: int = 5) -> bytes:
        return RECORDS[name.partition(b".")[0].decode()].encode()

    begun = time.thread_time()
    for raw in raws:
        assert dkim.DKIM(raw).verify(dnsfunc=key)
    return 1000 * (time.thread_time() - begun) / len(raws)


@click.command()
@click.option("--messages", default=300, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(messages: int, rounds: int) -> None:
    """Alternating rounds; medians over them, with the least and the most."""
    paths = sorted(CORPUS.glob("*/*.txt"))
    random.Random(1).shuffle(paths)
    originals = [read(path) for path in paths[:messages]]
    copies = {kind: [change(raw) for raw in originals] for kind, change in KINDS.items()}
    spent: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for kind, raws in copies.items():
            for name, ms in cost(raws).items():
                spent.setdefault((kind, name), []).append(ms)
            if kind in ("rsa, 2048 bits", "ed25519"):
                spent.setdefault((kind, "dkimpy"), []).append(dkimpys(raws))
    size = statistics.median(map(len, originals))
    print(f"{messages} messages, median {size:.0f} octets; CPU ms a message, median (least-most)")
    for (kind, name), values in spent.items():
        print(f"{kind:16}{name:12}{statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})")


if __name__ == "__main__":
    main()

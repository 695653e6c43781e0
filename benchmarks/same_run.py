"""Two checkouts on the same messages (see benchmarks/same)."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.made_up_dns import MadeUpDNS, World
from benchmarks.measuring import ROOT, corpus_paths, envelopes_of, spread
from tests.filters.golden import cases

LESSONS = 220
"""Ham and spam that the statistical filter learns before."""

_PIECE = 20
"""Messages that a checkout examines before it is the other's turn, where the cost is measured."""
_RECIPIENTS = ("marie@example.com", "paul@example.com", "anna@example.org")
_PROGRAM = Path(__file__).parent / "same_one.py"
_NAMED, _LISTED, _URI, _PROTECTED, _DOMAINS = 200, 64, 20, 128, 240  # of 256


@dataclass
class ChancyWorld(World):
    """Says of each name what its own hash decides, the same on every machine and in every order."""

    def answer(self, name: str, rdtype: str) -> Sequence[str] | None:
        """The records' data; None: there is no such name."""
        chance = hashlib.sha256(f"{name} {rdtype}".encode()).digest()[0]
        base = hashlib.sha256(name.encode()).digest()[0]
        if name == "com":
            return ["ns.example.net."] if rdtype == "NS" else []
        if any(f".{zone}" in f".{name}" for zone in ("spamhaus", "spamcop", "sorbs", "barracudacentral")):
            return ["127.0.0.2"] if rdtype == "A" and base < _LISTED else None
        if any(zone in name for zone in ("surbl", "uribl", "dbl", "rbl", "dnsbl", "bl.")):
            return ["127.0.0.2"] if rdtype == "A" and base < _URI else None
        if name.endswith((".in-addr.arpa", ".ip6.arpa")):
            return [f"host{base}.example.net."] if rdtype == "PTR" and base < _NAMED else None
        if name.startswith("_dmarc."):
            policy = ("none", "quarantine", "reject")[base % 3]
            return [f'"v=DMARC1; p={policy}"'] if rdtype == "TXT" and base < _PROTECTED else None
        if base >= _DOMAINS:
            return None
        told = {
            "MX": [f"10 mail.{name}.", f"20 mail2.{name}."],
            "A": ["198.51.100.7"],
            "TXT": [f'"v=spf1 mx include:_spf.{name} ip4:192.0.2.0/24 {"~-?"[base % 3]}all"'],
        }
        return told.get(rdtype, []) if chance < _DOMAINS else []


def messages(number: int) -> Iterator[Mapping[str, Any]]:
    """What is examined: the message's file and its envelope."""
    for case in cases():
        for step in case.steps:
            yield {
                "path": str(step.message),
                "ip": step.envelope.client_ip,
                "helo": step.envelope.helo,
                "sender": step.envelope.sender,
                "login": step.envelope.login,
                "recipients": [one.address for one in step.envelope.recipients],
            }
    paths = spread(corpus_paths(), number) if number else corpus_paths()
    for at, (path, one) in enumerate(zip(paths, envelopes_of(paths), strict=True)):
        assert one.client is not None
        yield {
            "path": str(path),
            "ip": one.client.addr,
            "helo": f"mail.{one.sender.rpartition('@')[2]}",
            "sender": "" if at % 20 == 0 else one.sender,
            "login": "",
            "recipients": list(_RECIPIENTS[: 1 + at % 3]),
        }


def configuration(folder: Path, dns: str, off: Sequence[str] = ()) -> Path:
    """Every filter on that needs no server of its own but those that are `off`, in a fresh state directory."""
    config = folder / "tamis.toml"
    on = ("greylisting", "rate_limit", "message_checksum", "cyrillic", "sinograms", "authenticated_whitelist")
    states = "".join(f'[policy.filters.{name}]\nstate = "on"\n' for name in on if name not in off)
    states += "".join(f'[policy.filters.{name}]\nstate = "off"\n' for name in off)
    (folder / "rules.toml").write_text(
        "[[rule]]\nname = 'click'\nmatch = ['click here']\nwhere = ['text']\naction = 'score'\npoints = 1.0\n"
        "[[rule]]\nname = 'both'\nwhen = 'click and not sender_whitelist'\naction = 'score'\npoints = 0.5\n"
    )
    config.write_text(
        f'state_directory = "{folder}/state"\nrun_directory = "{folder}/state/run"\n'
        '[platform]\ndomains = ["example.com", "example.org"]\nhoneypots = ["trap@example.com"]\n'
        f'[dns]\nservers = ["{dns}"]\n[images]\nocr = false\n[rules]\nfiles = ["{folder}/rules.toml"]\n'
        f'[learning]\nminimum = {LESSONS // 2}\n[policy]\noutcome = "tag"\n{states}'
        '[policy.mailboxes."paul@example.com"]\nexamine_everything = true\noutcome = "junk"\n'
        '[policy.domains."example.org"]\nrequired = 2.0\noutcome = "quarantine"\n'
    )
    return config


def _own_code(checkout: Path) -> dict[str, str]:
    """An environment in which a checkout's programs import its own code, wherever they are started."""
    return os.environ | {"PYTHONPATH": str(checkout)}


def learn(checkout: Path, config: Path) -> None:
    """Teach the model what both have learned."""
    for kind in ("ham", "spam"):
        found = [path for path in corpus_paths() if f"-{kind}-" in path.parent.name]
        paths = [str(path) for path in spread(found[1:], LESSONS)]
        command = [str(checkout / ".venv/bin/tamis"), "--config", str(config), "learn", kind, *paths]
        subprocess.run(command, check=True, capture_output=True, env=_own_code(checkout))


@contextmanager
def examining(
    checkout: Path,
    asked: Sequence[Mapping[str, Any]],
    dns: MadeUpDNS,
    *,
    sessions: int,
    told: bool,
    off: Sequence[str] = (),
) -> Iterator[subprocess.Popen[str]]:
    """A process of a checkout that has learned and was given the messages; the program ends where it fails."""
    with tempfile.TemporaryDirectory(prefix="tamis-same-") as made, tempfile.TemporaryFile("w+") as errors:
        folder = Path(made)
        there = [name for name in off if (checkout / f"filters/{name}.py").exists()]
        config = configuration(folder, dns.address, there)
        (folder / "state").mkdir()
        learn(checkout, config)
        job = {"config": str(config), "messages": list(asked), "sessions": sessions, "told": told}
        process = subprocess.Popen(
            [str(checkout / ".venv/bin/python"), str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=checkout,
            env=_own_code(checkout),
        )
        with process:
            assert process.stdin is not None
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            yield process
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{checkout}: {errors.read()[-3000:]}")


def examine(
    checkout: Path, asked: Sequence[Mapping[str, Any]], dns: MadeUpDNS, off: Sequence[str]
) -> list[str]:
    """What a checkout says of each message, as a line of JSON."""
    with examining(checkout, asked, dns, sessions=1, told=True, off=off) as process:
        assert process.stdout is not None
        return process.stdout.read().splitlines()


def differences(before: str, after: str) -> list[str]:
    """What differs of one message, by place."""
    found: list[str] = []

    def look(place: str, old: Any, new: Any) -> None:
        if old == new:
            return
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted({*old, *new}):
                look(f"{place}.{key}", old.get(key), new.get(key))
        else:
            found.append(f"{place.lstrip('.')}: {str(old)[:300]} -> {str(new)[:300]}")

    look("", json.loads(before), json.loads(after))
    return found


@click.command()
@click.argument("checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--messages", "number", default=2000, help="Messages of the corpus; 0: all.")
@click.option("--cost", "rounds", default=0, help="Rounds in which processor time is measured instead.")
@click.option("--sessions", default=1, help="Threads that examine at the same time, when it is measured.")
@click.option("--shown", default=20, help="Differences that are shown.")
@click.option("--off", multiple=True, help="A filter that is off, in a checkout that has it.")
def main(checkout: Path, number: int, rounds: int, sessions: int, shown: int, off: Sequence[str]) -> None:
    """Compare, or measure."""
    asked = list(messages(number))
    other = checkout.resolve()
    with MadeUpDNS(ChancyWorld()) as dns:
        if rounds:
            _measure(other, asked, dns, rounds, sessions, off)
            return
        before, after = (examine(one, asked, dns, off) for one in (other, ROOT))
    differing = {at: found for at in range(len(asked)) if (found := differences(before[at], after[at]))}
    places: Counter[str] = Counter()
    for found in differing.values():
        places.update({line.partition(":")[0] for line in found})
    click.echo(f"{len(asked)} messages, {len(differing)} differ")
    for place, count in places.most_common(shown):
        click.echo(f"  {count:>6}  {place}")
    for at in list(differing)[:shown]:
        click.echo(f"{asked[at]['path']}")
        for line in differing[at][:5]:
            click.echo(f"    {line}")
    sys.exit(bool(differing))


def _measure(
    other: Path,
    asked: Sequence[Mapping[str, Any]],
    dns: MadeUpDNS,
    rounds: int,
    sessions: int,
    off: Sequence[str],
) -> None:
    """Piece by piece in turn, so that what else the machine does slows down both alike; the first pass warms up."""
    pieces = [(at, min(at + _PIECE, len(asked))) for at in range(0, len(asked), _PIECE)]
    least = {piece: [float("inf")] * 2 for piece in pieces}
    ratios = []
    with ExitStack() as stack:
        processes = [
            stack.enter_context(examining(one, asked, dns, sessions=sessions, told=False, off=off))
            for one in (other, ROOT)
        ]
        for number in range(rounds + 1):
            sums = [0.0, 0.0]
            for at, piece in enumerate(pieces):
                for which in (0, 1) if at % 2 else (1, 0):
                    cost = _cost(processes[which], piece)
                    sums[which] += cost
                    if number:
                        least[piece][which] = min(least[piece][which], cost)
            if number:
                ratios.append(sums[1] / sums[0])
    for which, checkout in enumerate((other, ROOT)):
        cost = sum(one[which] for one in least.values()) / len(asked) * 1000
        click.echo(f"{cost:8.3f} CPU ms a message, least of {rounds} for each piece  {checkout}")
    click.echo(
        f"{statistics.median(ratios):8.3f} of it ({min(ratios):.3f}-{max(ratios):.3f}), round by round"
    )


def _cost(process: subprocess.Popen[str], piece: tuple[int, int]) -> float:
    """CPU seconds that a process takes for a piece of its messages."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{piece[0]} {piece[1]}\n")
    process.stdin.flush()
    return float(process.stdout.readline() or "nan")


if __name__ == "__main__":
    main()

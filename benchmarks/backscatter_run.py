"""`benchmarks/backscatter`: every spam of the corpus is held, from its original sender; who would be written to?

The messages come evenly over one day, through the real chain without a DNS, into a real store, and are decided about as
the background process does it. What SPF said of these senders when the mail was new nobody can know any more, so the
trial is made for the two ends: nobody is authenticated, and everybody is.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tamis.background.asking import decision
from tamis.chain.registry import load_filters
from tamis.chain.road import Road
from tamis.challenge.challenge_records import Challenge
from tamis.contract.finding import Finding, Status
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.quarantine.records import HeldMessage
from tamis.services.runner import Runner
from tamis.settings import NoticeSettings, SettingsFile
from tamis.store import Store

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "corpus" / "spamassassin"
RECIPIENT = "marie@example.com"
BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
STEP = timedelta(minutes=10)  # between two rounds of decisions
NO_BUDGETS = {
    "per_sender_day": 10_000,
    "per_sender_domain_day": 1_000_000,
    "per_domain_day": 1_000_000,
    "per_hour": 1_000_000,
    "per_day": 10_000_000,
}


@dataclass(frozen=True)
class Message:
    """One message: what it was sent as, and what the chain found in it."""

    sender: str
    raw: bytes
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Trial:
    """What came of one assumption: notices by mail, and why others were not mailed."""

    name: str
    asked: int
    senders: int
    reasons: Mapping[str, int]


def sender_of(mail: Mail) -> str:
    """The envelope sender that the message's header tells: Return-Path ("" for <>), else the address in From."""
    path = mail.headers.first("return-path")
    found = re.search(r"<([^<>\s]*)>", path or "")
    if found:
        return found[1]
    return mail.from_addresses[0].address if mail.from_addresses else ""


def read(paths: Sequence[Path], site: Site) -> Iterator[Message]:
    """The messages with their findings, examined without DNS and without shared state."""
    runner = Runner()
    for path in paths:
        raw = path.read_bytes()
        if raw.startswith(b"From "):
            raw = raw[raw.index(b"\n") + 1 :]
        mail = Mail(raw)
        sender = sender_of(mail)
        envelope = Envelope(client_ip="198.51.100.7", sender=sender, recipients=(Recipient(RECIPIENT),))
        examined = Road(site, runner).end_of_message(envelope, mail)
        yield Message(sender, raw, tuple(examined.findings.values()))


def spf(result: str, sender: str) -> Finding:
    """SPF's finding of a message with this MAIL FROM."""
    facts = {"result": result, "identity": "mailfrom", "domain": sender.rpartition("@")[2]}
    return Finding("spf", Status.CLEAR, result, facts)


def decided(
    site: Site, messages: Sequence[Message], result: str, folder: Path, *, keep_spf: bool = False
) -> tuple[Challenge, ...]:
    """What becomes of the messages, in a store of their own, when SPF says this of every sender; with `keep_spf` only
    of those about whom it has not failed."""
    with Store(f"sqlite:///{folder / 'tamis.sqlite'}") as store:
        store.migrate()
        wait = timedelta(seconds=site.settings.notices.wait)
        due = BEGIN + STEP
        for number, message in enumerate(messages):
            now = BEGIN + number * timedelta(days=1) / len(messages)
            while now >= due:
                decide(site, store, due)
                due += STEP
            known = {finding.filter: finding for finding in message.findings}
            if not (keep_spf and known["spf"].status is Status.HIT):
                known["spf"] = spf(result, message.sender)
            copy = HeldMessage(
                transaction=f"t{number}",
                recipients=(Recipient(RECIPIENT),),
                mailbox=RECIPIENT,
                envelope=Envelope(sender=message.sender, received_at=now),
                findings=[finding.to_dict() for finding in known.values()],
            )
            store.quarantine.hold(copy, message.raw, now=now)
        decide(site, store, due + wait)
        return store.challenges.list(limit=len(messages))


def decide(site: Site, store: Store, now: datetime) -> None:
    """As the background process does (tamis.background.asking), at a moment of the trial."""
    while found := store.challenges.undecided(
        held_before=now - timedelta(seconds=site.settings.notices.wait)
    ):
        decisions = [decision(site, copy, now) for copy in found]
        store.challenges.decide(decisions, site.settings.notices, now=now)


def trial(name: str, challenges: Sequence[Challenge]) -> Trial:
    """Count what was decided."""
    asked = [one for one in challenges if not one.reason]
    reasons = Counter(one.reason for one in challenges if one.reason)
    return Trial(name, len(asked), len({one.sender for one in asked}), dict(reasons.most_common()))


def main() -> None:
    """Run the trials and print them."""
    parser = argparse.ArgumentParser(prog="benchmarks/backscatter", description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=2000, help="at most so many [default: 2000]")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    arguments = parser.parse_args()
    paths = sorted(CORPUS.glob("spam-*/*.txt"))[: arguments.messages]
    file = SettingsFile(None, 'web.url = "https://mail.example.com"')
    base = Site.build(file, load_filters(), Snapshot())
    messages = list(read(paths, base))
    trials = []
    for name, result, changes in (
        ("nobody authenticated (default settings)", "none", {}),
        ('nobody authenticated, evidence = "unless-failed"', "none", {"evidence": "unless-failed"}),
        (
            'nobody authenticated, "unless-failed", no budgets',
            "none",
            {"evidence": "unless-failed", **NO_BUDGETS},
        ),
        ("everybody authenticated (default settings)", "pass", {}),
        ("everybody authenticated, no budgets", "pass", NO_BUDGETS),
        ("SPF fails for everybody", "fail", {"evidence": "unless-failed", **NO_BUDGETS}),
    ):
        settings = file.settings.model_copy(update={"notices": NoticeSettings.model_validate(changes)})
        with tempfile.TemporaryDirectory() as folder:
            trials.append(
                trial(name, decided(replace(base, settings=settings), messages, result, Path(folder)))
            )
    if arguments.json:
        print(json.dumps([one.__dict__ for one in trials], indent=2))
        return
    print(f"{len(messages)} spam messages of the SpamAssassin corpus, held, over one day\n")
    for one in trials:
        print(f"{one.name}: {one.asked} notices to {one.senders} senders")
        print(
            "    not asked: " + (", ".join(f"{n} {reason}" for reason, n in one.reasons.items()) or "nobody")
        )


if __name__ == "__main__":
    main()

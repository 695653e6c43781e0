"""Replay held against the road: real messages recorded under one policy, and sent again under another.

Both runs go through Postfix, with the same DNS and the same statistical model, which learns nothing meanwhile. So what
replay says of the first run under the second's policy must be what the second recorded, to the last digit and word.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tamis.chain.registry import load_filters
from tamis.cli.replay import OverrideType
from tamis.judging.replay import Replay
from tamis.judging.site import policy_book
from tamis.judging.story import Story, Told
from tamis.settings import read_settings
from tests.real import PrivateDNS, wait_until
from tests.real.support import private_directory
from tests.road.installation import Installation
from tests.road.test_corpus import RECIPIENTS, envelope

ZONES = {
    ".": (
        "* MX 10 mail.example.net.\n*.in-addr.arpa PTR mail.example.net.\n*.10.in-addr.arpa HINFO no name\n"
        "mail.example.net A 192.0.2.7\nexample.net TXT \"v=spf1 ip4:192.0.2.0/24 ~all\"\n"
    ),
    "com": "* MX 10 mail.example.net.\n",
    "a.lists.example.org": "*.64 A 127.0.0.2\n*.66 A 127.0.0.2\n*.194 A 127.0.0.2\n*.net A 127.0.0.2\n",
    "b.lists.example.org": "*.64 A 127.0.0.4\n*.194 A 127.0.0.2\n*.216 A 127.0.0.2\n*.org A 127.0.0.2\n",
    "c.lists.example.org": "*.216 A 127.255.255.254\n*.211 A 127.0.0.2\n",
}  # fmt: skip
"""A DNS that lists some networks and top-level domains, so that all its filters have something to say."""

LISTS = ("a.lists.example.org", "b.lists.example.org", "c.lists.example.org")
POLICY: Mapping[str, Any] = {
    "required": 6.0,
    "filters": {"cyrillic": {"state": "on"}, "sinograms": {"state": "on", "share": 0.1}},
    "mailboxes": {who: {"outcome": who.partition("@")[0]} for who in RECIPIENTS},
}
CHANGES = (
    "required=4",
    "filters.dnsbl.share=100",
    "filters.statistics.level=4.5",
    "filters.malformed.state=shadow",
    "filters.sinograms.state=shadow",
    "filters.uribl.effect=score",
    "example.com:filters.reverse_dns.state=shadow",
    "example.org:filters.spf.softfail=true",
    "tag@example.com:outcome=junk",
    "quarantine@example.org:required=9",
)
"""Another policy: limits, switches, effects and outcomes, of the platform, of domains and of mailboxes."""

OVERRIDES = tuple(OverrideType().convert(change, None, None) for change in CHANGES)

_QUEUED = re.compile(r"queued as (\w+)")
Verdicts = dict[tuple[int, str], Told]
"""(message's number, recipient) -> what came of it."""


@dataclass
class Compared:
    """`unknown` copies depend on findings that the first run did not make; the others are held against the second."""

    copies: int = 0
    same_in_force: int = 0
    moved: int = 0
    changed: int = 0
    unknown: int = 0
    equal: int = 0
    differing: list[tuple[int, str, Told, Told]] = field(default_factory=list)
    filters: Counter[str] = field(default_factory=Counter)
    stories: list[Story] = field(default_factory=list)
    """What the first run recorded."""

    def lines(self) -> list[str]:
        """As people read it."""
        known = self.equal + len(self.differing)
        return [
            f"{self.copies} copies recorded",
            f"policy in force: {self.same_in_force} replayed with the very verdict that was recorded",
            f"changed policy:  {self.changed} with another verdict, {self.moved} of them with another outcome",
            f"                 {self.unknown} depend on findings that nobody made: "
            + (", ".join(f"{name} {count}" for name, count in sorted(self.filters.items())) or "none"),
            f"                 {self.equal} of the other {known} are as the messages sent again under it",
        ]


def compare(messages: Sequence[Path], learned: Mapping[str, Sequence[Path]], *, everything: bool) -> Compared:
    """Record `messages` under POLICY, replay them, send them again under POLICY with CHANGES, compare.

    `learned` are the messages ("ham", "spam") that the statistical model is taught before; `everything` has all filters
    look at every message, in both runs.
    """
    policy = {**POLICY, "examine_everything": everything}
    folder = private_directory("model")
    try:
        with PrivateDNS(ZONES) as nameserver:
            with _installed(policy, nameserver) as first:
                _teach(first, learned, folder)
                numbers = _send(first, messages)
                result, said = _replayed(first, numbers)
            with _installed(policy, nameserver) as second:
                shutil.copytree(folder, _model(second), dirs_exist_ok=True)
                _change(second)
                recorded = _recorded(second, _send(second, messages))
    finally:
        shutil.rmtree(folder)
    for key, told in said.items():
        if told == recorded[key]:
            result.equal += 1
        else:
            result.differing.append((*key, told, recorded[key]))
    return result


def _installed(policy: Mapping[str, Any], nameserver: PrivateDNS) -> Installation:
    platform = {"domains": ["example.com", "example.org"], "dnsbl": LISTS, "rhsbl": (), "uribl": LISTS}
    settings = {
        "platform": platform,
        "dns": {"servers": [nameserver.address]},
        "learning": {"minimum": 50, "evident": False},  # the model stays as it was recorded
    }
    return Installation(policy=policy, settings=settings, main={"enable_long_queue_ids": "yes"})


def _model(installation: Installation) -> Path:
    return installation.state_directory / "model"


def _teach(installation: Installation, learned: Mapping[str, Sequence[Path]], folder: Path) -> None:
    """Teach the model, and keep a copy: from here on nobody teaches it more."""
    given = [word for label, paths in learned.items() for word in (label, *map(str, paths))]
    installation.tamis("learn", *given)
    wanted = {label: len(paths) for label, paths in learned.items()}

    def done() -> bool:
        about = installation.tamis("model", "status", "--json")
        return bool(about["deciding"]) and not about["waiting"] and {k: about[k] for k in wanted} == wanted

    wait_until(done, timeout=120, what="the model to be taught and measured")
    shutil.copytree(_model(installation), folder, dirs_exist_ok=True)


def _change(installation: Installation) -> None:
    with installation.store() as store:
        for one in OVERRIDES:
            store.overrides.set(one.scope, one.key, one.value, by="test", check=lambda *_: None)
    installation.in_force()


def _send(installation: Installation, messages: Sequence[Path]) -> dict[str, int]:
    """The messages' numbers by the queue ids that they got; the first has one recipient, the next two, up to four."""
    envelopes = [
        replace(envelope(n, path), recipients=tuple(RECIPIENTS[k % 4] for k in range(n, n + 1 + n % 4)))
        for n, path in enumerate(messages)
    ]
    sent = installation.postfix.send_many(envelopes, sessions=8, attempts=10)
    numbers = {}
    for number, one in enumerate(sent):
        found = _QUEUED.search(one.reply.text)
        assert found, one.reply
        numbers[found[1]] = number
    assert len(numbers) == len(messages)
    with installation.store() as store:
        copies = sum(len(one.recipients) for one in envelopes)
        wait_until(lambda: store.history.count() == copies, timeout=120, what="all stories")
    return numbers


def _recorded(installation: Installation, numbers: Mapping[str, int]) -> Verdicts:
    with installation.store() as store:
        kept = store.history.find(limit=len(numbers))
        return {
            (numbers[one.story.queue_id], who): told for one in kept for who, told in one.story.recipients
        }


def _replayed(installation: Installation, numbers: Mapping[str, int]) -> tuple[Compared, Verdicts]:
    """Counts, and what replay says of every copy under the changed policy, but for those it can't know."""
    file, filters = read_settings(installation.daemon.config), load_filters()
    in_force = Replay(policy_book(file, filters, ()))
    changed = Replay(policy_book(file, filters, OVERRIDES), in_force.memory)
    result, said = Compared(), dict[tuple[int, str], Told]()
    with installation.store() as store:
        number_of = {one.id: numbers[one.story.queue_id] for one in store.history.find(limit=len(numbers))}
        result.stories = [
            one.story for number in sorted(number_of) for one in store.history.show(str(number))
        ]
        for one in store.history.packed():
            memory = in_force.memory
            memory.learn(store.history.contents(memory.missing([one.findings])))
            now, _ = in_force.tell(one.recipient, one.findings, author=one.author)
            told, unknown = changed.tell(one.recipient, one.findings, author=one.author)
            result.copies += 1
            result.same_in_force += now == one.told
            result.changed += _verdict(told) != _verdict(one.told)
            result.moved += told.outcome != one.told.outcome
            result.filters.update(unknown)
            if unknown:
                result.unknown += 1
            else:
                said[number_of[one.message], one.recipient] = told
    return result, said


def _verdict(told: Told) -> tuple[str, str, str, float]:
    return told.decision, told.outcome, told.decided_by, told.score

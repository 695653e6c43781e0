"""The golden cases: a message, its envelope, policy, lists and DNS, and what comes of it, each in a folder of `cases/`.

`dns.toml` has what the DNS says apart from the ordinary (WrittenDNS); without one it speaks against nobody.

`expect.toml` is exact: a filter that it does not name must have seen nothing, and must do nothing to anybody. The
exceptions are score_tags, which speaks about every message, and knowledge, whose rules and points come and go with its
base: they are named only where that is the point, and the verdicts are exact all the same. Where Postfix
changes the message before anybody sees it, a table `[road]` says so: its `reason`, and the `filters` and `recipients`
that take the place of the others there.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tamis.base.errors import ServiceError
from tamis.chain.road import Examined, Road
from tamis.contract.filter import Effect, Message, Opinion
from tamis.contract.finding import Status
from tamis.contract.lists import ListEntry
from tamis.contract.marked_sketches import MarkedSketch, sketches_key, written_sketches
from tamis.contract.recording import Recording
from tamis.contract.service_protocols import Reading, Services, SharedState
from tamis.contract.state_keys import BLOCKED
from tamis.filters.automatic_whitelist import sender_key, sender_value
from tamis.filters.ip_complaints import CONDEMNED
from tamis.filters.marked_spam import marked_key
from tamis.filters.sender_complaints import GENERATION, entry_key
from tamis.filters.temporary_blacklist import entry as entry_of
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.message.mail.likeness import sketch_of, written
from tamis.services.runner import Runner
from tests.builders import FILTERS, entry, envelope, site
from tests.chain.told_services import told_services
from tests.memory_state import MemoryState
from tests.services.dns.resolving import WrittenDNS

CASES = Path(__file__).parent / "cases"
TAGS = "score_tags"
KNOWLEDGE = "knowledge"
UNNAMED = frozenset({TAGS, KNOWLEDGE})
"""Filters that may hit without being named."""
_OUTGOING = {one.name for one in FILTERS if one.outgoing}
_EXPENSIVE = {one.name for one in FILTERS if one.expensive}
_UNTAUGHT = {"statistics", "antivirus", "antivirus_second", "spamassassin"}
"""Filters that have nothing to go by where a case does not name it."""


@dataclass(frozen=True)
class Model:
    """A statistical model that says of every message what the case tells it to."""

    told: Mapping[str, Any]

    def read(self, envelope: Envelope, mail: Mail) -> Reading | None:
        """The case's reading."""
        if "error" in self.told:
            raise ServiceError(self.told["error"])
        return Reading(**self.told)

    def reasons(self, envelope: Envelope, mail: Mail, limit: int) -> tuple[tuple[str, str, float], ...]:
        """None."""
        return ()


@dataclass(frozen=True)
class Step:
    """One message that is sent: the case's own, which is the last, or one before it."""

    envelope: Envelope
    message: Path


@dataclass(frozen=True)
class Case:
    """One folder."""

    path: Path

    def __str__(self) -> str:
        return self.path.name

    @property
    def number(self) -> str:
        """By which it is named."""
        return str(self).partition("-")[0]

    @cached_property
    def expected(self) -> dict[str, Any]:
        """expect.toml."""
        return tomllib.loads((self.path / "expect.toml").read_text())

    @cached_property
    def told(self) -> dict[str, Any]:
        """envelope.toml."""
        return tomllib.loads((self.path / "envelope.toml").read_text())

    @property
    def settings(self) -> str:
        """The tables of a settings file that it has."""
        tables = ("\n" + (self.path / "envelope.toml").read_text()).split("\n[")[1:]
        return "".join(f"[{table}\n" for table in tables if table.startswith(("platform", "policy")))

    @property
    def entries(self) -> list[ListEntry]:
        """Its lists."""
        return [entry(**one, number=number) for number, one in enumerate(self.told.get("lists", ()), 1)]

    @property
    def rules(self) -> str:
        """Its rule file's text."""
        path = self.path / "rules.toml"
        return path.read_text() if path.is_file() else ""

    @property
    def at(self) -> datetime:
        """When its message comes."""
        moment = self.told["received_at"]
        assert isinstance(moment, datetime)
        return moment

    @property
    def steps(self) -> list[Step]:
        """All messages in the order in which they come."""
        told = self.told
        last = envelope(
            *told["recipients"],
            client_ip=told["ip"],
            helo=told["helo"],
            sender=told["sender"],
            login=told.get("login", ""),
            received_at=self.at,
        )
        steps = []
        for before in told.get("before", ()):
            earlier = replace(
                last,
                received_at=self.at - timedelta(seconds=before["ago"]),
                sender=before.get("sender", last.sender),
                client_ip=before.get("ip", last.client_ip),
                recipients=tuple(Recipient(r) for r in before.get("recipients", told["recipients"])),
            )
            step = Step(earlier, self.path / before.get("message", "message.eml"))
            steps += [step] * before.get("times", 1)
        return [*steps, Step(last, self.path / "message.eml")]

    @cached_property
    def dns(self) -> WrittenDNS:
        """What the DNS says; it remembers what it was asked."""
        return WrittenDNS.read(self.path / "dns.toml", self.told["ip"])

    @cached_property
    def recording(self) -> Recording:
        """What was asked and answered while its message was examined; filled by `examined`."""
        return Recording()

    @cached_property
    def examined(self) -> Examined:
        """What the road makes of it, as the milter and `tamis scan` go it."""
        told, state = self.told, MemoryState()
        services = replace(
            told_services(told.get("services", {})),
            state=Services().state if told.get("state_lost") else state,
            dns=self.dns,
            statistics=Model(told["reading"]) if "reading" in told else Services().statistics,
        )
        made = site(self.settings, entries=self.entries, rules=self.rules)
        runner = Runner()
        state.now = self.at.timestamp()
        asyncio.run(self.prepare(state))
        *before, last = self.steps
        for step in before:
            state.now = step.envelope.received_at.timestamp()
            Road(made, runner, services).end_of_message(step.envelope, Mail(step.message.read_bytes()))
        state.now = last.envelope.received_at.timestamp()
        road = Road(made, runner, services, recording=self.recording)
        return road.end_of_message(last.envelope, Mail(last.message.read_bytes()))

    def asked_about(self) -> Message:
        """What its filters are given, without any service: for playing what was recorded."""
        made = site(self.settings, entries=self.entries, rules=self.rules)
        last = self.steps[-1]
        policies = made.book.policies([one.address for one in last.envelope.recipients])
        return Road(made, Runner()).message(last.envelope, Mail(last.message.read_bytes()), policies)

    async def prepare(self, state: SharedState) -> None:
        """Put into the state what operators and the background process have put there."""
        for one in self.told.get("blocked", ()):
            await state.put(BLOCKED + one["client"], entry_of(one["why"], "operator"), one["seconds"])
        for one in self.told.get("marked", ()):
            await state.put(marked_key(one["fingerprint"]), json.dumps(one["marks"]), 3600)
        for one in self.told.get("marked_alike", ()):
            sketch = sketch_of(Mail((self.path / one["message"]).read_bytes()))
            assert sketch is not None
            until = (self.at + timedelta(hours=1)).timestamp()
            kept = MarkedSketch(one.get("answering", ""), written(sketch), one["marks"], until)
            await state.put(sketches_key(one["client"]), written_sketches([kept]), 3600)
        for client in self.told.get("condemned", ()):
            await state.put(CONDEMNED + client, "complaints", 3600)
        for pattern in self.told.get("complaints", ()):
            await state.put(GENERATION, "now", 3600)
            await state.put(entry_key("now", pattern), "cert.example", 3600)
        for one in self.told.get("senders", ()):
            told = sender_value(
                one["validations"], one["complaints"], written_to=one["written_to"], works=one.get("works", 0)
            )
            await state.put(sender_key(one["domain"], one["address"]), told, 3600)

    def expects(self, *, road: bool = False) -> Mapping[str, Any]:
        """expect.toml as it counts in the chain, or behind Postfix."""
        behind = self.expected.get("road", {}) if road else {}
        return {"filters": {}, **self.expected, **behind}

    def surprises(
        self, statuses: Mapping[str, str], *, road: bool = False, refused: Collection[str] = ()
    ) -> list[str]:
        """Which findings are not as expected; recipients who were `refused` before the message had no filter look."""
        expected = self.expects(road=road)["filters"]
        tags = expected.get(TAGS, {"status": "hit"})
        if not self.expected.get("examined", True):
            return [f"{name} was examined" for name in statuses if name not in _OUTGOING]
        found = [
            f"{name} did not look"
            for name, one in expected.items()
            if name not in statuses and not (refused and set(one.get("effects", {})) <= set(refused))
        ]
        for name, status in statuses.items():
            if name == TAGS:
                allowed = {tags["status"]}
            elif name == KNOWLEDGE and name not in expected:
                allowed = {"hit", "clear"}
            elif name in expected:
                allowed = {expected[name]["status"]}
            elif self.told.get("login") and name in _OUTGOING:
                continue  # a user's mail is looked at by the filters for outgoing mail alone (O8)
            elif name in _UNTAUGHT:
                allowed = {"skipped"}
            else:
                allowed = {"clear", "skipped"} if name in _EXPENSIVE else {"clear"}
            if status not in allowed:
                found.append(f"{name} is {status}, not {' or '.join(sorted(allowed))}")
        return found

    def effects(self, *, road: bool = False) -> dict[str, dict[str, str | float]]:
        """What each filter does to whom."""
        return {name: one.get("effects", {}) for name, one in self.expects(road=road)["filters"].items()}

    def kinds(self) -> Iterable[tuple[str, str]]:
        """(filter, kind) for each filter that expect.toml names: "hit", it does something to somebody; "clear", it
        looked and does nothing to somebody; "unavailable", it could not look."""
        for name, one in self.expected.get("filters", {}).items():
            effects = one.get("effects", {})
            if effects:
                yield name, "hit"
            if one["status"] in (Status.HIT, Status.CLEAR) and set(self.expected["recipients"]) - set(
                effects
            ):
                yield name, "clear"
            if one["status"] == Status.UNAVAILABLE:
                yield name, "unavailable"


@cache
def cases() -> tuple[Case, ...]:
    """All of them, by number."""
    found = [Case(path) for path in CASES.iterdir() if (path / "expect.toml").is_file()]
    return tuple(sorted(found, key=lambda case: (int(case.number), str(case))))


def effect_of(opinion: Opinion) -> str | float | None:
    """What an opinion does, in the words of expect.toml; of a test string what it asks for."""
    if opinion.effect is Effect.SCORE:
        return opinion.points
    return opinion.asked or (opinion.effect and str(opinion.effect))

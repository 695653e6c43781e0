"""The golden cases: a message, its envelope, policy, lists and DNS, and what comes of it, each in a folder of `cases/`.

`dns.toml` has what the DNS says apart from the ordinary (WrittenDNS); without one it speaks against nobody.

`expect.toml` is exact: a filter that it does not name must have seen nothing, and must do nothing to anybody. The
one exception is score_tags, which speaks about every message and is named only where that is the point.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

from tamis.envelope import Envelope, Recipient
from tamis.filter import Effect, Opinion
from tamis.filters.automatic_whitelist import sender_key, sender_value
from tamis.filters.ip_complaints import CONDEMNED
from tamis.filters.keys import BLOCKED
from tamis.filters.marked_spam import marked_key
from tamis.filters.road import Examined, Road
from tamis.filters.runner import Runner
from tamis.filters.sender_complaints import GENERATION, entry_key
from tamis.filters.temporary_blacklist import entry as entry_of
from tamis.finding import Status
from tamis.mail import Mail
from tamis.services import Reading, Services
from tests.builders import FILTERS, entry, envelope, site
from tests.filters.cases.tricky import MESSAGES
from tests.filters.resolving import WrittenDNS
from tests.filters.told_services import told_services
from tests.memory_state import MemoryState

CASES = Path(__file__).parent / "cases"
TAGS = "score_tags"
OUTGOING = {one.name for one in FILTERS if one.outgoing}
MAY_STAND_BACK = {one.name: ("skipped",) for one in FILTERS if one.dear}
"""What costs much is left where the others have decided."""
UNTAUGHT = dict.fromkeys(("statistics", "antivirus", "antivirus_second", "spamassassin"), "skipped")
"""What a filter says that has nothing to go by, where a case does not name it."""


@dataclass(frozen=True)
class Model:
    """A statistical model that says of every message what the case tells it to."""

    reading: Reading

    def read(self, envelope: Envelope, mail: Mail) -> Reading | None:
        return self.reading

    def reasons(self, envelope: Envelope, mail: Mail, limit: int) -> tuple[tuple[str, str, float], ...]:
        return ()


@dataclass(frozen=True)
class Case:
    """One folder."""

    path: Path

    def __str__(self) -> str:
        return self.path.name

    @cached_property
    def expected(self) -> dict[str, Any]:
        return tomllib.loads((self.path / "expect.toml").read_text())

    @cached_property
    def told(self) -> dict[str, Any]:
        return tomllib.loads((self.path / "envelope.toml").read_text())

    @cached_property
    def examined(self) -> Examined:
        """What the road makes of it, as the milter and `tamis scan` go it."""
        told = self.told
        tables = ("\n" + (self.path / "envelope.toml").read_text()).split("\n[")[1:]
        settings = "".join(f"[{table}\n" for table in tables if table.startswith(("platform", "policy")))
        lists = [entry(**one, number=number) for number, one in enumerate(told.get("lists", ()), 1)]
        transaction = envelope(
            *told["recipients"],
            client_ip=told["ip"],
            helo=told["helo"],
            sender=told["sender"],
            login=told.get("login", ""),
            received_at=told["received_at"],
        )
        mail = Mail((self.path / "message.eml").read_bytes())
        state = MemoryState()
        services = replace(
            told_services(told.get("services", {})),
            state=Services().state if told.get("state_lost") else state,
            dns=WrittenDNS.read(self.path / "dns.toml", told["ip"]),
            statistics=Model(Reading(**told["reading"])) if "reading" in told else Services().statistics,
        )
        rules = self.path / "rules.toml"
        text = rules.read_text() if rules.is_file() else ""
        made, runner = site(settings, entries=lists, rules=text), Runner()
        asyncio.run(self._prepare(state))
        for before in told.get("before", ()):
            at = told["received_at"] - timedelta(seconds=before["ago"])
            state.now = at.timestamp()
            earlier = replace(
                transaction,
                received_at=at,
                sender=before.get("sender", transaction.sender),
                client_ip=before.get("ip", transaction.client_ip),
                recipients=tuple(Recipient(r) for r in before.get("recipients", told["recipients"])),
            )
            other = self.path / before.get("message", "message.eml")
            for _ in range(before.get("times", 1)):
                Road(made, runner, services).end_of_message(earlier, Mail(other.read_bytes()))
        state.now = told["received_at"].timestamp()
        return Road(made, runner, services).end_of_message(transaction, mail)

    async def _prepare(self, state: MemoryState) -> None:
        """What operators and the background process have put into the state."""
        state.now = self.told["received_at"].timestamp()
        for one in self.told.get("blocked", ()):
            await state.put(BLOCKED + one["client"], entry_of(one["why"], "operator"), one["seconds"])
        for one in self.told.get("marked", ()):
            await state.put(marked_key(one["fingerprint"]), json.dumps(one["marks"]), 3600)
        for client in self.told.get("condemned", ()):
            await state.put(CONDEMNED + client, "complaints", 3600)
        for pattern in self.told.get("complaints", ()):
            await state.put(GENERATION, "now", 3600)
            await state.put(entry_key("now", pattern), "cert.example", 3600)
        for one in self.told.get("senders", ()):
            told = sender_value(one["validations"], one["complaints"], written_to=one["written_to"])
            await state.put(sender_key(one["domain"], one["address"]), told, 3600)


@cache
def cases() -> tuple[Case, ...]:
    return tuple(Case(path) for path in sorted(CASES.iterdir()) if (path / "expect.toml").is_file())


def effect_of(opinion: Opinion) -> str | float | None:
    """What an opinion does, in the words of expect.toml."""
    return opinion.points if opinion.effect is Effect.SCORE else opinion.effect and str(opinion.effect)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_findings_and_what_they_do(case: Case) -> None:
    expected = case.expected.get("filters", {})
    own = bool(
        case.told.get("login")
    )  # a user's mail is looked at by the filters for outgoing mail alone (O8)
    seen = {
        name: str(one.status)
        for name, one in case.examined.findings.items()
        if not (own and name in OUTGOING and name not in expected)
    }
    assert (seen != {}) is case.expected.get("examined", True)
    tags = expected.get(TAGS, {"status": "hit"})
    for name, status in seen.items():
        if name != TAGS and name not in expected:
            assert status in (
                {UNTAUGHT[name]} if name in UNTAUGHT else {"clear", *MAY_STAND_BACK.get(name, ())}
            ), name
        else:
            assert status == (tags if name == TAGS else expected[name])["status"], name
    assert set(expected) <= set(seen)

    effects: dict[str, dict[str, str | float]] = {name: {} for name in expected}
    for one in case.examined.judged:
        for opinion in one.verdict.opinions:
            effect = effect_of(opinion)
            if effect is not None and (opinion.filter != TAGS or TAGS in expected):
                effects.setdefault(opinion.filter, {})[one.verdict.recipient] = effect
    assert effects == {name: wanted.get("effects", {}) for name, wanted in expected.items()}


@pytest.mark.parametrize("case", cases(), ids=str)
def test_verdicts(case: Case) -> None:
    found = {
        one.verdict.recipient: {
            "verdict": str(one.verdict.decision),
            "outcome": str(one.outcome),
            **({"decided_by": one.verdict.decided_by} if one.verdict.decided_by else {}),
            **({"because": one.verdict.because} if "because" in wanted else {}),
        }
        for one in case.examined.judged
        for wanted in [case.expected["recipients"].get(one.verdict.recipient, {})]
    }
    assert found == case.expected["recipients"]


def test_every_case_says_what_it_is_for() -> None:
    reasons = [case.expected["reason"] for case in cases()]
    assert all(len(reason) > 10 for reason in reasons)
    assert len(set(reasons)) == len(reasons)
    assert len({str(case).partition("-")[0] for case in cases()}) == len(reasons)  # from 101 on: the DNS


@pytest.mark.parametrize("name", [one.name for one in FILTERS])
def test_every_filter_has_a_hit_and_a_clear_case(name: str) -> None:
    """A hit does something to somebody; clear is a finding, or for score_tags, which always speaks, its absence."""
    opinions = [o for case in cases() for one in case.examined.judged for o in one.verdict.opinions]
    assert any(o.filter == name and o.effect is not None for o in opinions)
    findings = [case.examined.findings.get(name) for case in cases()]
    if name == TAGS:
        assert any(
            all(o.filter != TAGS for o in one.verdict.opinions) for c in cases() for one in c.examined.judged
        )
    else:
        assert any(one is not None and one.status is Status.CLEAR for one in findings)


WAITING = (
    "spf",
    "dkim",
    "arc",
    "dmarc",
    "reverse_dns",
    "sender_mx",
    "dnsbl",
    "uribl",
    "helo",
    "newsletter",
    "authenticated_whitelist",
)


@pytest.mark.parametrize("name", WAITING)
def test_every_filter_that_waits_has_an_unavailable_case(name: str) -> None:
    found = [case.examined.findings.get(name) for case in cases()]
    assert any(one is not None and one.status is Status.UNAVAILABLE for one in found)


def test_only_names_and_addresses_for_documentation() -> None:
    allowed = (
        "example.com",
        "example.net",
        "example.org",
        ".example",
        "192.0.2.",
        "198.51.100.",
        "2001:db8:",
    )
    for case in cases():
        names = [case.told["ip"], case.told["helo"], case.told["sender"], *case.told["recipients"]]
        assert all(not name or any(part in name.lower() for part in allowed) for name in names), case


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_that_no_editor_writes_are_as_the_script_makes_them(name: str) -> None:
    assert (CASES / name / "message.eml").read_bytes() == MESSAGES[name]

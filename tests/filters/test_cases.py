"""The golden cases through the chain; tests/road/test_golden.py has them through Postfix with real services."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import pytest

from tamis.base.errors import ServiceError
from tamis.contract.filter import Filter
from tamis.contract.finding import ALREADY_DECIDED, Finding, Revealed
from tamis.contract.service_protocols import NAMES, Services
from tests.builders import FILTERS
from tests.filters.cases.tricky import MESSAGES
from tests.filters.golden import CASES, UNNAMED, Case, cases, effect_of


@pytest.mark.parametrize("case", cases(), ids=str)
def test_findings_and_what_they_do(case: Case) -> None:
    examined = case.examined
    assert case.surprises({name: str(one.status) for name, one in examined.findings.items()}) == []
    wanted = case.effects()
    effects: dict[str, dict[str, str | float]] = {name: {} for name in wanted}
    for one in examined.judged:
        for opinion in one.verdict.opinions:
            effect = effect_of(opinion)
            if effect is not None and (opinion.filter not in UNNAMED or opinion.filter in wanted):
                effects.setdefault(opinion.filter, {})[one.verdict.recipient] = effect
    assert effects == wanted


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


@pytest.mark.parametrize("case", cases(), ids=str)
def test_what_was_recorded_gives_the_same_findings_again(case: Case) -> None:
    """Each filter is a function of message and answers: played again without services, loop or clock."""
    examined, recording, told = case.examined, case.recording, case.asked_about()
    differing: dict[str, tuple[Finding, Finding]] = {}
    for one in FILTERS:
        found = examined.findings.get(one.name)
        if found is None or found.because == ALREADY_DECIDED:
            continue
        try:
            played = recording.play(one, told)
        except ServiceError as error:
            played = one.unavailable("{error}", error=str(error))
        played = played.finding if isinstance(played, Revealed) else played
        if replace(played, seconds=0.0) != replace(found, seconds=0.0):
            differing[one.name] = played, found
    assert differing == {}


def test_every_case_says_what_it_is_for() -> None:
    reasons = [case.expected["reason"] for case in cases()]
    assert all(len(reason) > 10 for reason in reasons)
    assert len(set(reasons)) == len(reasons)
    assert len({str(case).partition("-")[0] for case in cases()}) == len(reasons)  # from 101 on: the DNS


@pytest.mark.parametrize("one", FILTERS, ids=lambda one: one.name)
def test_every_filter_has_its_kinds_of_cases(one: Filter[Any]) -> None:
    """Named in expect.toml where it hits somebody, where it is clear, and where the service that it asks is gone."""
    kinds = {kind for case in cases() for name, kind in case.kinds() if name == one.name}
    assert kinds == {"hit", "clear", *(("unavailable",) if one.asks else ())}


def test_filters_ask_no_service_but_those_that_they_name() -> None:
    """One may be named and not seen asked: of what several filters want to know, the first one asks."""
    asked: dict[str, set[str]] = defaultdict(set)
    for case in cases():
        assert case.examined.judged is not None
        for one in FILTERS:
            asked[one.name] |= case.recording.services(one.name)
    assert {one.name: sorted(asked[one.name] - set(one.asks)) for one in FILTERS} == {
        one.name: [] for one in FILTERS
    }


def test_services_have_names() -> None:
    """All but the breakers, which leave others out, and what looks into attachments, which is this process's own."""
    assert {*NAMES, "breakers", "attachments"} == {one.name for one in fields(Services)}


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

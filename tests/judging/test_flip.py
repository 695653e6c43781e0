"""What would have been needed for another verdict."""

from __future__ import annotations

import pytest

from tamis.judging.flip import flips
from tamis.judging.verdict import Decision, judge
from tests.builders import MARIE, book, finding
from tests.filters.golden import Case, cases


def told(policy: str, *names: str) -> list[str]:
    findings = {name: finding(name) for name in names}
    resolved = book(policy).policy(MARIE)
    return flips(judge(findings, resolved), findings, resolved)


def test_a_filter_that_decided() -> None:
    assert told("", "empty") == ['filters.empty.state = "off"']


def test_points() -> None:
    policy = '[filters.empty]\neffect = "score"\nscore = 5.0\n[filters.same_address]\neffect = "score"\nscore = 3.0\n'
    assert told(policy, "empty") == ["required = 5 (it is 7.5)"]
    assert told(f"required = 4.0\n{policy}", "empty") == [
        "required = 5.1 (it is 4)",
        'filters.empty.state = "off"',
    ]


def test_shadow() -> None:
    assert told('[filters.empty]\nstate = "shadow"\n', "empty") == ['filters.empty.state = "on"']


def test_nothing_spoke() -> None:
    assert told("") == []
    assert told("", "score_tags") == []


@pytest.mark.parametrize("case", cases(), ids=str)
def test_every_golden_case_has_changes_that_policy_knows(case: Case) -> None:
    """Of every golden case what is said is true."""
    for one in case.examined.judged:
        for change in flips(one.verdict, case.examined.findings, one.policy):
            assert change.startswith(("required = ", "filters."))
            assert one.verdict.decision is not Decision.DEFER

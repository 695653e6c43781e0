"""What would have been needed for another verdict."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.filter import FilterOptions
from tamis.contract.finding import Finding, Status
from tamis.judging.flip import MAX_CHANGES, Flip, FlipSender, flips
from tamis.judging.policy import Policy, PolicyBook
from tamis.judging.verdict import Decision, judge
from tests.builders import FILTERS, MARIE, PROPERTY, book, entry, finding, message
from tests.filters.golden import Case, cases

GARAGE = "contact@garage.example.net"


def changes(policy: str, *names: str, sender: FlipSender | None = None, **more: Finding) -> list[Flip]:
    findings = {name: finding(name) for name in names} | more
    findings |= {
        name: finding(name, Status.CLEAR, "not on the list") for name in LISTS if name not in findings
    }
    resolved = book(policy).policy(MARIE)
    return flips(judge(findings, resolved), findings, resolved, sender or FlipSender())


LISTS = ("sender_whitelist", "sender_blacklist", "ip_whitelist", "ip_blacklist")


def told(policy: str, *names: str, **more: Any) -> list[str]:
    return [one.setting for one in changes(policy, *names, **more)]


def test_a_filter_that_decided() -> None:
    (one,) = changes("", "empty")
    assert one.setting == 'filters.empty.state = "off"'
    assert (one.scope, one.key, one.value, one.is_policy) == (MARIE, "filters.empty.state", "off", True)
    assert one.text() == "empty were switched off"


def test_points() -> None:
    policy = '[filters.empty]\neffect = "score"\nscore = 5.0\n[filters.same_address]\neffect = "score"\nscore = 3.0\n'
    assert told(policy, "empty") == ["required = 5 (it is 7.5)", "filters.empty.score = 7.5"]
    assert told(f"required = 4.0\n{policy}", "empty") == [
        "required = 5.1 (it is 4)",
        'filters.empty.state = "off"',
        "filters.empty.score = 3.9",
    ]


def test_shadow() -> None:
    assert told('[filters.empty]\nstate = "shadow"\n', "empty") == ['filters.empty.state = "on"']


def test_nothing_spoke() -> None:
    assert told("") == []
    assert told("", "score_tags") == []


@pytest.mark.parametrize(
    ("sender", "allowed"),
    [
        (FlipSender(GARAGE, f"Garage <{GARAGE}>"), GARAGE),
        (FlipSender("bounce@bulk.example.net", f"Garage <{GARAGE}>"), GARAGE),
        (FlipSender(GARAGE, ""), GARAGE),
        (FlipSender("", ""), ""),
        (FlipSender(GARAGE, "Marie <marie@example.com>", frozenset({"example.com"})), GARAGE),
        (FlipSender("", "Marie <marie@example.com>", frozenset({"example.com"})), ""),
        (FlipSender("a*b@example.net", ""), ""),
    ],
)
def test_the_sender_on_the_white_list(sender: FlipSender, allowed: str) -> None:
    found = [one for one in changes("", "empty", sender=sender) if not one.is_policy]
    assert [(one.key, one.value, one.scope) for one in found] == [("lists.white", allowed, MARIE)] * bool(
        allowed
    )
    if allowed:
        assert found[0].text() == f"mail from {allowed} were always allowed"


def test_a_white_entry_is_not_told_where_it_would_change_nothing() -> None:
    """The header From is not looked up there, or the list is off."""
    forged = FlipSender("bounce@bulk.example.net", f"Garage <{GARAGE}>")
    for option in ("header_from = false", 'state = "off"'):
        policy = f"[filters.sender_whitelist]\n{option}\n"
        assert not any("white" in one for one in told(policy, "empty", sender=forged))


def test_a_nearer_white_entry_overrules_a_black_one() -> None:
    met = message(lists=[entry("garage.example.net", "black")], sender=GARAGE)
    (black,) = [one for one in FILTERS if one.name == "sender_blacklist"]
    seen = black.examine(met)
    assert isinstance(seen, Finding)
    assert "lists.white" in [one.key for one in changes("", sender=FlipSender(GARAGE), sender_blacklist=seen)]


def test_two_filters_of_which_each_was_enough() -> None:
    (one,) = changes("", "empty", "reverse_dns")
    assert {one.key, one.also.key if one.also else ""} == {
        "filters.empty.state",
        "filters.reverse_dns.state",
    }
    assert not one.is_policy
    assert one.setting == 'filters.reverse_dns.state = "off" and filters.empty.state = "off"'
    assert one.text() == "reverse dns were switched off, and empty were switched off"
    assert one.in_scope("example.com").also == replace(one.also or one, scope="example.com")
    assert one.to_dict()["also"]["key"] == "filters.empty.state"


def test_a_white_entry_that_is_not_enough_alone() -> None:
    """The virus scanner stands before the lists; another filter behind it would have spoken as well."""
    found = changes("", "antivirus", "empty", sender=FlipSender(GARAGE))
    assert [one.setting for one in found] == [
        f'{GARAGE} on the white list and filters.antivirus.state = "off"',
    ]
    assert found[0].text() == f"mail from {GARAGE} were always allowed, and antivirus were switched off"
    assert "white" not in "".join(told("", "antivirus", sender=FlipSender(GARAGE))), "one is enough"


def test_mail_that_came_through_would_have_been_held_with_a_black_entry() -> None:
    assert told("", sender=FlipSender(GARAGE)) == [f"{GARAGE} on the black list"]


def on_lists(listed: int, answered: int) -> Finding:
    zones = [f"bl{n}.example" for n in range(answered)]
    subjects = {
        "192.0.2.7": {"answered": zones, "listed": [[z, 1.0, []] for z in zones[:listed]], "silent": []}
    }
    return finding("dnsbl", because="{shown}", shown="192.0.2.7", subjects=subjects)


def test_a_share_of_lists() -> None:
    found = {one.key: one for one in changes("", dnsbl=on_lists(3, 5))}
    assert found["filters.dnsbl.share"].value == 60.1
    assert found["filters.dnsbl.share"].text() == "“share” of dnsbl were 60.1 instead of 50"
    assert found["filters.dnsbl.least"].value == 4
    found = {one.key: one for one in changes("", dnsbl=on_lists(1, 5))}
    assert found["filters.dnsbl.share"].value == 20, "milder mail is let through: what would have held it"


@PROPERTY
@given(
    st.integers(0, 8),
    st.integers(1, 8),
    st.floats(0.5, 99.5),
    st.integers(1, 9),
    st.booleans(),
    st.floats(1, 20),
)
def test_whatever_is_told_turns_the_verdict(
    listed: int, answered: int, share: float, least: int, points: bool, score: float
) -> None:
    """Judged anew under a policy file that says so, whatever the numbers were."""
    effect = "score" if points else "spam"
    policy = {
        "filters": {
            "dnsbl": {"share": share, "least": least, "effect": effect, "score": score},
            "empty": {"effect": "score", "score": 2.0},
        }
    }
    findings = {"dnsbl": on_lists(min(listed, answered), answered), "empty": finding("empty")}
    before = _judged(policy, findings)
    found = flips(before[0], findings, before[1])
    assert len(found) <= MAX_CHANGES
    for one in found:
        assert _judged(_with(policy, one), findings)[0].decision is not before[0].decision, one


def _judged(policy: dict[str, Any], findings: dict[str, Finding]) -> tuple[Any, Policy]:
    resolved = PolicyBook(FILTERS, {"platform": policy}).policy(MARIE)
    return judge(findings, resolved), resolved


def _with(policy: dict[str, Any], one: Flip) -> dict[str, Any]:
    changed: dict[str, Any] = {"filters": {name: dict(own) for name, own in policy["filters"].items()}}
    *path, key = one.key.split(".")
    node = changed
    for step in path:
        node = node.setdefault(step, {})
    node[key] = one.value
    return changed


@pytest.mark.parametrize("case", cases(), ids=str)
def test_every_golden_case_has_changes_that_policy_knows(case: Case) -> None:
    """Of every golden case what is said is a setting that its filter takes."""
    options: dict[str, type[FilterOptions]] = {one.name: one.options for one in FILTERS}
    for one in case.examined.judged:
        found = flips(one.verdict, case.examined.findings, one.policy)
        seconds = [change.also for change in found if change.also is not None]
        for change in [*(replace(change, also=None) for change in found), *seconds]:
            assert one.verdict.decision is not Decision.DEFER
            assert change.scope == one.policy.mailbox
            if change.key.startswith("filters."):
                _, name, option = change.key.split(".")
                if option != "state":
                    now = next(r.options for r in one.policy.rules if r.filter.name == name).model_dump()
                    options[name].model_validate(now | {option: change.value})
                assert tomllib.loads(change.setting)
            else:
                assert change.key == "required"

"""What "always allow" can't promise."""

from __future__ import annotations

import pytest

from tamis.contract.finding import Status
from tamis.judging.flip import FlipSender
from tamis.judging.promise import NOT_ENOUGH, findings_of, held_despite, why_held_despite
from tamis.judging.verdict import SCORE
from tests.builders import FILTERS, MARIE, book, finding

GARAGE = FlipSender("contact@garage.example.net", "Garage <contact@garage.example.net>")
LISTS = ("sender_whitelist", "authenticated_whitelist")


def despite(policy: str, *names: str, sender: FlipSender = GARAGE) -> str:
    failed = finding("spf", result="fail", identity="mailfrom", domain="garage.example.net")
    found = {name: failed if name == "spf" else finding(name) for name in names}
    if "spf" not in names:  # with it all is decided before anybody looks at lists
        found |= {name: finding(name, Status.CLEAR, "not on the list") for name in LISTS}
    return held_despite(found, book(policy).policy(MARIE), sender)


def test_what_stands_behind_the_lists_is_overruled() -> None:
    assert despite("", "empty", "reverse_dns") == ""


@pytest.mark.parametrize("name", ["spf", "antivirus"])
def test_what_stands_before_them_is_not(name: str) -> None:
    assert despite("", name, "empty") == name


def test_lists_that_nobody_looked_at_count_as_well() -> None:
    assert held_despite({"empty": finding("empty")}, book("").policy(MARIE), GARAGE) == ""


def test_a_list_that_is_off_helps_nobody() -> None:
    off = '[filters.sender_whitelist]\nstate = "off"\n[filters.authenticated_whitelist]\nstate = "off"\n'
    assert despite(off, "empty") == "empty"
    points = '[filters.empty]\neffect = "score"\nscore = 9.0\n'
    assert despite(off + points, "empty") == SCORE


def test_a_sender_that_no_entry_can_name_was_promised_nothing() -> None:
    assert despite("", "spf", sender=FlipSender("")) == ""


def test_people_are_told_why() -> None:
    recorded = [finding("antivirus").to_dict()]
    why = why_held_despite(recorded, book("").policy(MARIE), GARAGE, FILTERS)
    assert NOT_ENOUGH.format(reason=why) == (
        "“Always allow” is not enough here: mail like this would still be held, "
        "because a virus scanner raised the alarm."
    )
    assert why_held_despite([finding("empty").to_dict()], book("").policy(MARIE), GARAGE, FILTERS) == ""


def test_findings_of_another_version_are_left_out() -> None:
    good = finding("empty").to_dict()
    assert list(findings_of([good, {"filter": "spf"}, {}, {**good, "status": "of another version"}])) == [
        "empty"
    ]

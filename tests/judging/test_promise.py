"""What "always allow" can't promise."""

from __future__ import annotations

import pytest

from tamis.contract.finding import Status
from tamis.judging.flip import FlipSender
from tamis.judging.promise import findings_of, held_despite
from tamis.judging.verdict import SCORE
from tests.builders import MARIE, book, finding

GARAGE = FlipSender("contact@garage.example.net", "Garage <contact@garage.example.net>")
LISTS = ("sender_whitelist", "authenticated_whitelist")


def despite(policy: str, *names: str, sender: FlipSender = GARAGE) -> str:
    found = {name: finding(name) for name in names}
    found |= {name: finding(name, Status.CLEAR, "not on the list") for name in LISTS}
    return held_despite(found, book(policy).policy(MARIE), sender)


def test_what_stands_behind_the_lists_is_overruled() -> None:
    assert despite("", "empty", "reverse_dns") == ""


@pytest.mark.parametrize("name", ["spf", "antivirus"])
def test_what_stands_before_them_is_not(name: str) -> None:
    assert despite("", name, "empty") == name


def test_a_list_that_is_off_helps_nobody() -> None:
    off = '[filters.sender_whitelist]\nstate = "off"\n[filters.authenticated_whitelist]\nstate = "off"\n'
    assert despite(off, "empty") == "empty"
    points = '[filters.empty]\neffect = "score"\nscore = 9.0\n'
    assert despite(off + points, "empty") == SCORE


def test_a_sender_that_no_entry_can_name_was_promised_nothing() -> None:
    assert despite("", "spf", sender=FlipSender("")) == ""


def test_findings_of_another_version_are_left_out() -> None:
    good = finding("empty").to_dict()
    assert list(findings_of([good, {"filter": "spf"}, {}, {**good, "status": "of another version"}])) == [
        "empty"
    ]

"""What is sure by other evidence than the statistics, and what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tamis.contract.filter import Effect, Opinion
from tamis.contract.finding import Finding, Status
from tamis.handover.evidence import evident
from tests.handover.sure import judged_as, said

LISTED = said("dnsbl", effect=Effect.SPAM)
URIS = said("uribl", effect=Effect.SPAM)
HELO = said("helo", 2.0)
REPLY = said("reply_to", 1.5)
SPF = {"spf": Finding("spf", Status.CLEAR, "", {"result": "pass"})}


@pytest.mark.parametrize(
    ("opinions", "label"),
    [
        ([LISTED, URIS, HELO], "spam"),
        ([LISTED, HELO, said("keywords", 6.0)], "spam"),
        ([LISTED, URIS], None),  # lists alone
        ([HELO, REPLY, said("keywords", 20.0)], None),  # no list
        ([LISTED, HELO, REPLY], None),  # not much more than what is required
        ([LISTED, URIS, said("helo", 2.0, shadow=True)], None),
        ([LISTED, URIS, said("helo", -2.0)], None),
        ([LISTED, said("statistics", 30.0), HELO], None),  # its own opinion counts for nothing
        ([LISTED, said("spamassassin", 30.0), HELO], None),
        ([LISTED, URIS, said("newsletter", effect=Effect.TAG)], None),
        ([], None),
    ],
)
def test_spam_by_lists_and_others_together(opinions: Sequence[Opinion], label: str | None) -> None:
    assert evident([judged_as(opinions)], {}) == label


def test_spam_is_spam_for_all_and_not_what_a_list_of_ours_lets_in() -> None:
    spam, other = judged_as([LISTED, URIS, HELO]), judged_as([LISTED])
    assert evident([spam, spam], {}) == "spam"
    assert evident([spam, other], {}) is None
    assert evident([judged_as([LISTED, URIS, HELO], accepted_by="ip_whitelist")], SPF) is None
    assert evident([], SPF) is None


def test_ham_from_who_earned_his_place_and_is_it() -> None:
    earned = judged_as([], accepted_by="automatic_whitelist")
    assert evident([earned], SPF) == "ham"
    assert evident([earned], {}) is None
    assert evident([earned], {"spf": Finding("spf", Status.HIT, "", {"result": "softfail"})}) is None
    assert evident([judged_as([HELO], accepted_by="automatic_whitelist")], SPF) is None
    assert evident([judged_as([], accepted_by="sender_whitelist")], SPF) is None
    assert evident([earned, judged_as([])], SPF) is None


def test_what_the_statistics_say_of_ham_changes_nothing() -> None:
    assert evident([judged_as([said("statistics", 15.0)], accepted_by="automatic_whitelist")], SPF) == "ham"

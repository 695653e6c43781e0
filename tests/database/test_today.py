"""Counts of today, on each of the databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tamis.contract.finding import Finding, Status
from tamis.database.today import CopyCount, HeldNow, Traffic
from tamis.judging.story import Story, Told
from tamis.store import Store
from tests.quarantine.samples import CONTENT, NOW, held

MARIE, HUGO = "marie@example.com", "hugo@example.org"
SPAM, HAM = (
    Told(*verdict, "", 9.0, 7.5, "") for verdict in (("spam", "junk", "dnsbl"), ("ham", "inbox", ""))
)
DEAF = Finding("clamav", Status.UNAVAILABLE, "no answer")


@pytest.mark.parametrize("domain", ["", "example.com", "example.org", "example.net"])
def test_copies_are_counted_for_all_and_for_a_domain(store: Store, domain: str) -> None:
    for number, (days, recipients) in enumerate(
        ((0, ((MARIE, SPAM), (HUGO, HAM))), (0, ((MARIE, SPAM),)), (2, ((MARIE, SPAM), (HUGO, HAM))))
    ):
        at = NOW - timedelta(days=days)
        one = Story(at, "Q", "", "192.0.2.7", "mx", "", "", 9, (DEAF,), recipients)
        store.history.add([(f"a:{number}", one)])
    store.quarantine.hold(held("t1", MARIE), CONTENT, now=NOW)
    spam = [CopyCount("in", "spam", "junk", False, "dnsbl", 2)] if domain in ("", "example.com") else []
    ham = [CopyCount("in", "ham", "inbox", False, "", 1)] if domain in ("", "example.org") else []
    messages = {"": 2, "example.com": 2, "example.org": 1, "example.net": 0}[domain]
    found = store.today.traffic(NOW - timedelta(days=1), domain)
    ordered = sorted(found.copies, key=lambda one: one.decision, reverse=True)
    assert Traffic(found.messages, ordered) == Traffic({"in": messages} if messages else {}, [*spam, *ham])
    told = store.today.unavailable(NOW - timedelta(days=1), domain)
    assert told == ({"clamav": messages} if messages else {})
    is_theirs = domain in ("", "example.com")
    assert store.today.held([], NOW, domain) == HeldNow(int(is_theirs), len(CONTENT) * is_theirs, 0)

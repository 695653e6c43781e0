"""The history in the store, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from tamis.contract.finding import Finding, Status
from tamis.database.history import Wanted
from tamis.database.schema import FindingRow
from tamis.judging.story import Story, Told
from tamis.store import Store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HAM = Told("ham", "inbox", "", "", 0.0, 7.5, "")
SPAM = Told("spam", "quarantine", "cyrillic", "Cyrillic", 1.25, 7.5, "cyrillic=spam,malformed=1.25")


def story(number: int = 1, *, at: datetime = NOW, share: float = 0.5) -> Story:
    findings = (
        Finding("cyrillic", Status.HIT, "{share}", {"share": share}, 0.25),
        Finding("empty", Status.CLEAR, "has content", {}, 0.5),
    )
    recipients = (("Marie+x@Example.COM", SPAM), ("paul@example.org", HAM))
    sender = f"s{number}@example.net"
    return Story(at, f"Q{number}", sender, "192.0.2.7", "mx", "", f"<{number}@x>", 9, findings, recipients)


def findings_kept(store: Store) -> int:
    with store._database.read() as session:
        return session.scalar(select(func.count()).select_from(FindingRow)) or 0


def test_what_is_kept_is_what_is_told(store: Store) -> None:
    assert store.history.add([("a:0", story(1)), ("a:1", story(2, share=0.75))]) == 2
    assert store.history.add([("a:1", story(2)), ("a:2", story(3))]) == 1, "a record counts once"
    assert findings_kept(store) == 3
    for number, share in ((1, 0.5), (2, 0.75), (3, 0.5)):
        (kept,) = store.history.show(f"Q{number}")
        assert kept.story == story(number, share=share)
        assert store.history.show(str(kept.id)) == [kept]
        assert kept.to_dict(findings=True)["findings"][0]["text"] == str(share)
    assert store.history.show("nothing") == []


@pytest.mark.parametrize(
    ("wanted", "recipients"),
    [
        (Wanted(), 2),
        (Wanted(scope="example.com"), 1),
        (Wanted(scope="marie@example.com"), 1),
        (Wanted(scope="nobody@example.com"), 0),
        (Wanted(sender="S1@example.NET"), 2),
        (Wanted(sender="example.net"), 2),
        (Wanted(sender="e%.net"), 0),
        (Wanted(since=NOW), 2),
        (Wanted(since=NOW + timedelta(seconds=1)), 0),
        (Wanted(decision="spam"), 1),
        (Wanted(decided_by="cyrillic", scope="example.org"), 0),
    ],
)
def test_what_is_asked_for(store: Store, wanted: Wanted, recipients: int) -> None:
    store.history.add([("a:0", story())])
    assert sum(len(kept.story.recipients) for kept in store.history.find(wanted)) == recipients
    assert store.history.count(wanted) == recipients
    packed = list(store.history.packed(wanted))
    assert len(packed) == recipients
    assert {one.author for one in packed} <= {None}


def test_old_stories_go_with_the_findings_that_only_they_had(store: Store) -> None:
    old = story(1, at=NOW - timedelta(days=40), share=0.25)
    store.history.add([("a:0", old), ("a:1", story(2, at=NOW - timedelta(days=2))), ("a:2", story(3))])
    assert findings_kept(store) == 3
    assert store.history.expire(NOW, days=30, most=1000) == 1
    assert [kept.story.queue_id for kept in store.history.find()] == ["Q3", "Q2"]
    assert findings_kept(store) == 2
    store.history.add([("b:0", replace(old, at=NOW))])
    assert findings_kept(store) == 3, "one that was forgotten can come back"
    assert store.history.expire(NOW, days=30, most=2) == 1
    assert {kept.story.queue_id for kept in store.history.find()} == {"Q1", "Q3"}


def test_hostile_texts(store: Store) -> None:
    bad = "\0\ud800" + "x" * 5000
    one = replace(
        story(), sender=bad, helo=bad, message_id=bad, recipients=(("a\0b\udcff@example.com", HAM),)
    )
    one = replace(one, findings=(Finding("cyrillic", Status.HIT, "{text}", {"text": bad}, 0.0),))
    assert store.history.add([("a:0", one)]) == 1
    (kept,) = store.history.show("Q1")
    assert kept.story.findings == one.findings
    assert len(kept.story.sender) <= 1000

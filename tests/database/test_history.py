"""The history in the store, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import MetaData, func, insert, select

from tamis.contract.finding import Finding, Status
from tamis.database.history import SentAgain
from tamis.database.history_search import Wanted
from tamis.database.schema import FindingRow
from tamis.judging.story import Story, Told
from tamis.store import Store
from tests.quarantine.samples import held

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


def written(number: int, **changes: Any) -> Story:
    """A story with what the history can be searched for."""
    shown = {
        "transaction": f"t{number}",
        "subject": "Résultats d'été",
        "header_from": "Zoé <zoe@example.net>",
    }
    return replace(story(number), **(shown | {"host": "mx1"} | changes))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(sender="S1@Example.NET"), ["Q1"]),
        (Wanted(sender="example.net"), ["Q2", "Q1"]),
        (Wanted(sender="<>"), ["Q3"]),
        (Wanted(recipient="paul@example.org"), ["Q3", "Q2", "Q1"]),
        (Wanted(recipient="paul@example.com"), []),
        (Wanted(subject="resultats"), ["Q2", "Q1"]),
        (Wanted(subject="ETE d RÉSULTATS"), ["Q2", "Q1"]),
        (Wanted(subject="zoe"), []),
        (Wanted(subject='"*^ -- : ('), []),
        (Wanted(subject='devis" OR "x'), []),
        (Wanted(subject="100%"), ["Q3"]),
        (Wanted(message_id="2@x"), ["Q2"]),
        (Wanted(message_id="<2@x>"), ["Q2"]),
        (Wanted(queue_id="Q1"), ["Q1"]),
        (Wanted(queue_id="SECOND"), ["Q2"]),
        (Wanted(client_ip="192.0.2.7"), ["Q3", "Q2", "Q1"]),
        (Wanted(client_ip="192.0.2.70"), []),
        (Wanted(sender="example.net", recipient="paul@example.org", decision="spam"), []),
        (Wanted(sender="example.net", scope="example.com", since=NOW), ["Q2", "Q1"]),
        (Wanted(since=NOW), ["Q3", "Q2", "Q1"]),
        (Wanted(since=NOW + timedelta(days=1)), []),
    ],
)
def test_messages_are_found_by_what_one_knows_of_them(store: Store, wanted: Wanted, found: list[str]) -> None:
    third = written(3, sender="", subject="100 % sûr")
    store.history.add([("a:0", written(1)), ("a:1", written(2)), ("a:2", third)])
    store.notes.done("t2", "paul@example.org", "SECOND", now=NOW)
    kept = store.history.find(wanted)
    assert [one.story.queue_id for one in kept] == found
    assert store.history.count(wanted) == sum(len(one.story.recipients) for one in kept)


def test_a_message_is_shown_by_each_of_its_names(store: Store) -> None:
    store.history.add([("a:0", written(1)), ("a:1", written(2))])
    store.notes.done("t2", "paul@example.org", "SECOND", now=NOW)
    (kept,) = store.history.show("Q2")
    assert kept.copies == (SentAgain("SECOND", "paul@example.org", NOW),)
    assert kept.story == written(2)
    for name in (str(kept.id), "<2@x>", "2@x", "t2", "SECOND", " SECOND "):
        assert store.history.show(name) == [kept]
    for name in ("", "second", "%", "t", "\0"):
        assert store.history.show(name) == []


def test_words_are_forgotten_with_their_messages(store: Store) -> None:
    store.history.add([("a:0", written(1, at=NOW - timedelta(days=40))), ("a:1", written(2))])
    store.notes.done("t1", "paul@example.org", "SECOND", now=NOW - timedelta(days=40))
    store.history.expire(NOW, days=30, most=1000)
    assert [one.story.queue_id for one in store.history.find(Wanted(subject="ete"))] == ["Q2"]
    assert store.history.show("SECOND") == []


def test_outgoing_mail_is_its_authors(store: Store) -> None:
    """A copy that goes outside; a colleague's is the colleague's."""
    both = (("a@gmail.example", HAM), ("paul@example.org", HAM))
    sent = replace(story(), login="marie", sender="Marie+list@Example.com", recipients=both)
    store.history.add([("a:0", sent)], {"paul@example.org": "paul@example.org"})
    assert len(store.history.find(Wanted(scope="example.org"))) == 1
    assert store.history.find(Wanted(scope="gmail.example")) == []
    for scope in ("marie@example.com", "example.com"):
        (kept,) = store.history.find(Wanted(scope=scope))
        assert kept.to_dict(findings=False)["side"] == "out"
    assert store.history.find(Wanted(recipient="a@gmail.example"))


def test_what_was_recorded_before_is_found_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migration 0013: from the story, and from the held copy where there still is one."""
    upgrade = command.upgrade
    with Store(url) as store:
        with monkeypatch.context() as old:
            old.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, "0012"))
            store.migrate()
        message = held(subject="Résultats", header_from="Zoé <zoe@example.net>")
        row = {"helo": "", "size": 1, "findings": b"", "seconds": b"", "client_ip": "192.0.2.7"}
        at = message.envelope.received_at
        known = row | {
            "record": "a",
            "at": at,
            "sender": message.envelope.sender,
            "message_id": message.message_id,
        }
        sent = row | {"record": "b", "at": at, "sender": "Marie@example.com", "message_id": ""}
        told = {name: getattr(HAM, name) for name in Told.__slots__} | {
            "place": 0,
            "recipient": "a@gmail.example",
        }
        store.quarantine.hold(message, b"x", now=at)
        with store._database.write() as session:
            tables = MetaData()
            tables.reflect(session.connection(), only=["history_messages", "history_verdicts"])
            for number, (values, login) in enumerate(((known, ""), (sent, "marie")), 1):
                more = {"id": number, "queue_id": f"Q{number}", "login": login}
                session.execute(insert(tables.tables["history_messages"]), values | more)
                owner = {"message": number, "mailbox": "a@gmail.example", "domain": "gmail.example"}
                session.execute(insert(tables.tables["history_verdicts"]), told | owner)
        store.migrate()
        found = store.history.find(Wanted(subject="resultats"))
        assert [(one.id, one.story.transaction) for one in found] == [(1, message.transaction)]
        assert [one.id for one in store.history.find(Wanted(scope="marie@example.com"))] == [2]
        assert [one.id for one in store.history.find(Wanted(sender="marie@example.com"))] == [2]

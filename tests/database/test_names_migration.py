"""Keys that were stored in the spelling of IDNA 2003 get that of today (migration 0009)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import column, insert, select, table

from tamis.contract.list_index import ListIndex
from tamis.database.connection import Database
from tamis.database.migrate import migrate
from tamis.database.schema import (
    ChallengeRow,
    EntryRow,
    MailingRow,
    MarkRow,
    Moment,
    OverrideRow,
    RevisionRow,
    SenderRow,
    StoryRow,
    ToldRow,
    WebSessionRow,
)
from tamis.message.address import domain_key
from tamis.message.mail import Mail
from tamis.store import Store
from tests.builders import NOW, envelope

LATER = NOW + timedelta(days=1)
OLD, NEW = "\u05d01.example", "xn--1-zhc.example"
"""What the old codec refused stood there as it was written."""
WRONG, RIGHT = "xn--23f749d.example", "xn--b1a157r.example"
"""Letters that it did not map."""


@pytest.fixture
def before(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database of the version before."""
    upgrade = command.upgrade
    with closing(Database(url)) as database:
        with monkeypatch.context() as old:
            old.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, "0008"))
            migrate(database)
        yield database


MAILINGS = table("mailings", *map(column, ("mailbox", "kind")), column("sent_at", Moment()), column("upto"))
"""As they were then."""


def rows(database: Database, into: Any, *columns: Any) -> list[tuple[Any, ...]]:
    with database.read() as session:
        return sorted(tuple(row) for row in session.execute(select(*columns).select_from(into)))


def entry_row(scope: str, pattern: str, **more: Any) -> Mapping[str, Any]:
    given = {"scope": scope, "pattern": pattern, "colour": "white", "subject": "sender", "origin": "manual"}
    return {**given, "author": "", "note": "", "created": NOW, "expires": None, "hits": 0} | more


def put(database: Database, into: Any, *values: Mapping[str, Any]) -> None:
    with database.write() as session:
        session.execute(insert(into), [dict(one) for one in values])


def test_the_spellings_of_these_tests() -> None:
    with pytest.raises(UnicodeError):
        OLD.encode("idna")
    assert "\u2c81\u1c80.example".encode("idna").decode() == WRONG
    assert [domain_key(OLD), domain_key("\u2c81\u1c80.example")] == [NEW, RIGHT]


def test_lists_and_overrides(before: Database) -> None:
    put(
        before,
        EntryRow,
        entry_row("platform", f"ann@{OLD}", hits=2),
        entry_row("platform", f"*.{WRONG}"),
        entry_row(OLD, "strasse.example"),
        entry_row("platform", "192.0.2.1", subject="ip"),
        entry_row("platform", "example.net", hits=3, expires=LATER),
        entry_row("platform", f"bob@{OLD}", hits=4, expires=NOW),
        entry_row("platform", f"bob@{NEW}", hits=3, expires=LATER),
        entry_row("platform", f"eve@{OLD}", hits=1),
        entry_row("platform", f"eve@{NEW}", hits=1, expires=LATER),
    )
    put(
        before,
        OverrideRow,
        *(
            {"scope": scope, "key": "required", "value": value, "author": "", "at": at}
            for scope, value, at in ((OLD, 5, LATER), (NEW, 6, NOW), (f"marie@{OLD}", 7, NOW))
        ),
    )
    with before.write() as session:
        (was,) = session.scalars(select(RevisionRow.value))
    migrate(before)
    assert rows(
        before, EntryRow, EntryRow.scope, EntryRow.pattern, EntryRow.hits, EntryRow.expires
    ) == sorted(
        [
            ("platform", f"ann@{NEW}", 2, None),
            ("platform", f"*.{RIGHT}", 0, None),
            (NEW, "strasse.example", 0, None),
            ("platform", "192.0.2.1", 0, None),
            ("platform", "example.net", 3, LATER),
            ("platform", f"bob@{NEW}", 7, LATER),
            ("platform", f"eve@{NEW}", 2, None),
        ],
        key=lambda row: row[:2],
    )
    assert rows(before, OverrideRow, OverrideRow.scope, OverrideRow.value) == [
        (f"marie@{NEW}", 7),
        (NEW, 5),
    ]
    assert rows(before, RevisionRow, RevisionRow.value) == [(was + 1,)]


def test_an_entry_meets_its_sender_again(url: str, before: Database) -> None:
    put(before, EntryRow, entry_row("platform", f"ann@{OLD}"))
    with Store(url) as store:
        store.migrate()
        index = ListIndex(store.snapshot().entries)
    met = index.matches(envelope(sender=f"Ann@{OLD}"), Mail(b"\n"), frozenset({"platform"}))
    assert [one.pattern for one in met] == [f"ann@{NEW}"]


def test_people_senders_and_challenges(before: Database) -> None:
    earned = {"validations": 1, "complaints": 2, "author": ""}
    put(
        before,
        SenderRow,
        {
            "domain": "example.com",
            "address": f"ann@{OLD}",
            "at": LATER,
            **earned,
            "author": "marie@example.com",
        },
        {"domain": "example.com", "address": f"ann@{NEW}", "at": NOW, **earned},
        {"domain": OLD, "address": '"bob"@example.net', "at": NOW, **earned},
    )
    mark = {"kind": "image", "fingerprint": "f", "message": "m", "spam": True}
    put(
        before,
        MarkRow,
        {**mark, "scope": OLD, "reporter": f"marie@{OLD}", "expires": LATER, "spam": False},
        {**mark, "scope": NEW, "reporter": f"marie@{NEW}", "expires": NOW},
    )
    put(before, WebSessionRow, {"id": "s", "address": f"marie@{OLD}", "created_at": NOW, "expires_at": LATER})
    put(
        before,
        MAILINGS,
        {"mailbox": f"marie@{OLD}", "kind": "digest", "sent_at": LATER, "upto": "b"},
        {"mailbox": f"marie@{NEW}", "kind": "digest", "sent_at": NOW, "upto": "a"},
    )
    asked = {"transaction": "t", "transport": "", "state": "unasked", "reason": "", "authenticated": False}
    asked |= {"whitelisted": False, "language": "en", "at": NOW, "attempts": 0, "expires_at": LATER}
    put(
        before,
        ChallengeRow,
        {**asked, "id": "c", "domain": OLD, "sender": f"ann@{OLD}", "sender_domain": OLD},
    )
    migrate(before)
    assert rows(before, SenderRow, *SenderRow.__table__.columns) == [
        ("example.com", f"ann@{NEW}", 2, 0, 4, "marie@example.com", LATER),
        (NEW, "bob@example.net", 1, 0, 2, "", NOW),
    ]
    assert rows(before, MarkRow, MarkRow.scope, MarkRow.reporter, MarkRow.spam) == [
        (NEW, f"marie@{NEW}", False)
    ]
    assert rows(before, WebSessionRow, WebSessionRow.address) == [(f"marie@{NEW}",)]
    assert rows(before, MailingRow, MailingRow.mailbox, MailingRow.sent_at) == [(f"marie@{NEW}", LATER)]
    assert rows(
        before, ChallengeRow, ChallengeRow.domain, ChallengeRow.sender, ChallengeRow.sender_domain
    ) == [(NEW, f"ann@{NEW}", NEW)]


def test_held_mail_and_the_history_follow_the_recipient_as_it_was_written(before: Database) -> None:
    """Its old key had lost the difference between `stra\u00dfe` and `strasse`."""
    story = {
        "record": "r",
        "queue_id": "",
        "sender": "",
        "client_ip": "",
        "helo": "",
        "login": "",
        "message_id": "",
    }
    put(before, StoryRow, {**story, "id": 1, "at": NOW, "size": 1, "findings": b"", "seconds": b""})
    told = {"message": 1, "decision": "ham", "outcome": "inbox", "decided_by": "", "because": "", "spoke": ""}
    told |= {"score": 0.0, "required": 5.0, "mailbox": "marie@strasse.example", "domain": "strasse.example"}
    put(
        before,
        ToldRow,
        {**told, "place": 0, "recipient": "Marie+x@stra\u00dfe.example"},
        {**told, "place": 1, "recipient": "marie@strasse.example"},
    )
    migrate(before)
    assert rows(before, ToldRow, ToldRow.place, ToldRow.mailbox, ToldRow.domain) == [
        (0, "marie@xn--strae-oqa.example", "xn--strae-oqa.example"),
        (1, "marie@strasse.example", "strasse.example"),
    ]


def test_once_is_enough(url: str, before: Database) -> None:
    put(before, EntryRow, entry_row("platform", f"ann@{OLD}"))
    migrate(before)
    once = rows(before, EntryRow, EntryRow.pattern)
    migrate(before)
    assert rows(before, EntryRow, EntryRow.pattern) == once

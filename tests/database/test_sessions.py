"""Sessions and single-use tokens, and the trail that people read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from tamis.database.connection import Database
from tamis.database.schema import SpentTokenRow, WebSessionRow
from tamis.database.sessions import WebSession
from tamis.store import Store
from tests.quarantine.samples import NOW

HOUR = timedelta(hours=1)


def address_of(found: WebSession | None) -> str:
    return found.address if found else ""


def test_a_session_lasts_its_time(store: Store) -> None:
    secret = store.sessions.begin("Marie@Example.COM", HOUR, how="link", now=NOW)
    assert address_of(store.sessions.find(secret, now=NOW)) == "marie@example.com"
    assert store.sessions.find(secret, now=NOW + HOUR) is None
    for wrong in ("", secret[:-1], secret + "x", "\0", "\ud800", "x" * 100_000):
        assert store.sessions.find(wrong, now=NOW) is None


def test_signing_out_here_and_everywhere(store: Store) -> None:
    here, there, other = (
        store.sessions.begin(a, HOUR, how="link", now=NOW)
        for a in ("m@a.example", "M@a.example", "o@a.example")
    )
    store.sessions.end(here)
    assert store.sessions.find(here, now=NOW) is None
    assert address_of(store.sessions.find(there, now=NOW)) == "m@a.example"
    store.sessions.end_all("m@a.example")
    assert store.sessions.find(there, now=NOW) is None
    assert address_of(store.sessions.find(other, now=NOW)) == "o@a.example"


def test_the_store_holds_no_secret(store: Store, url: str) -> None:
    secret = store.sessions.begin("m@a.example", HOUR, how="link", now=NOW)
    with closing(Database(url)) as database, database.read() as session:
        (row,) = session.execute(select(WebSessionRow.id, WebSessionRow.address)).all()
    assert secret not in repr(row)


def test_a_token_is_spent_once_however_many_try(store: Store) -> None:
    until = datetime.now(UTC) + HOUR
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: store.sessions.spend("token", until), range(8))) == 1
    assert store.sessions.spend("another", until)


def test_what_is_over_goes(store: Store, url: str) -> None:
    store.sessions.begin("m@a.example", HOUR, how="link", now=NOW)
    store.sessions.spend("token", NOW + HOUR)
    store.expiry.run(NOW + HOUR - timedelta(seconds=1))
    assert not store.sessions.spend("token", NOW + HOUR)
    store.expiry.run(NOW + HOUR)
    with closing(Database(url)) as database, database.read() as session:
        assert session.scalars(select(WebSessionRow.id)).all() == []
        assert session.scalars(select(SpentTokenRow.id)).all() == []


def test_the_trail_tells_who_looked_and_who_did(store: Store) -> None:
    store.trail.note("admin@example.com", "preview", "01ABC")
    store.trail.note("marie@example.com", "preview", "01ABD", {"formatted": True})
    store.trail.note("marie@example.com", "delete", "01ABC")
    assert [(d.who, d.action) for d in store.trail.about("01ABC")] == [
        ("marie@example.com", "delete"),
        ("admin@example.com", "preview"),
    ]
    assert store.trail.about("01ABD")[0].details == {"formatted": True}
    assert store.trail.about("nothing") == ()

"""Who may do what where: the rules themselves, and the same rules as a condition of SQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, select

from tamis.database.schema import EntryRow, ToldRow
from tamis.database.seen_rows import seen, seen_scopes
from tamis.message.address import PLATFORM, domain_of
from tamis.people.rights import (
    BUNDLES,
    OWN,
    PERSONAL,
    Grant,
    Holder,
    Locks,
    Reach,
    Right,
    gives_too_much,
    may,
    upwards,
    visible,
)

MARIE, JEAN, ANNE = "marie@example.com", "jean@example.com", "anne@example.org"
BOXES = (MARIE, JEAN, ANNE, "eve@example.net")
SCOPES = (PLATFORM, "example.com", "example.org", MARIE, ANNE)
OWNER = Holder(ANNE, (Grant("example.com", BUNDLES["owner"]),))
scopes_of_somebody = st.builds(
    Reach,
    st.frozensets(st.sampled_from(SCOPES)),
    st.sampled_from(("", *BOXES)),
    st.builds(Locks, st.dictionaries(st.sampled_from(SCOPES), st.booleans())),
)


def test_the_own_mailbox_is_ones_own() -> None:
    nobody = Holder(MARIE)
    assert all(may(nobody, right, MARIE, Locks({MARIE: True})) == (right in OWN) for right in Right)
    assert not any(may(nobody, right, JEAN) for right in Right)
    assert not any(may(nobody, right, "example.com") for right in Right)
    assert not any(may(Holder(), right, "") for right in Right)


def test_a_grant_holds_below_its_scope_and_nowhere_else() -> None:
    for right in BUNDLES["owner"] - {Right.PLATFORM}:
        assert may(OWNER, right, "example.com")
        assert may(OWNER, right, MARIE)
        assert not may(OWNER, right, "example.org")
        assert not may(OWNER, right, "sub.example.com")
        assert not may(OWNER, right, PLATFORM)
    assert not may(OWNER, Right.PLATFORM, "example.com")
    assert may(Holder("", (Grant(PLATFORM, BUNDLES["owner"]),)), Right.PLATFORM, PLATFORM)


@pytest.mark.parametrize(
    "locks", [Locks({MARIE: True}), Locks({"example.com": True}), Locks({PLATFORM: True})]
)
def test_a_locked_mailbox_is_closed_to_its_domains_owner(locks: Locks) -> None:
    for right in BUNDLES["owner"] - {Right.PLATFORM}:
        assert may(OWNER, right, MARIE, locks) == (right not in PERSONAL)
        assert visible(OWNER, right, locks).covers(MARIE) == (right not in PERSONAL | {Right.STATISTICS})
    opened = Locks({**locks.said, JEAN: False})
    assert may(OWNER, Right.HISTORY, JEAN, opened)


def test_nobody_gives_what_he_has_not() -> None:
    manager = Holder(ANNE, (Grant("example.com", BUNDLES["manager"]),))
    assert gives_too_much(manager, Grant("example.com", BUNDLES["observer"])) == BUNDLES["observer"]
    assert not gives_too_much(OWNER, Grant("example.com", BUNDLES["owner"]))
    assert not gives_too_much(OWNER, Grant(MARIE, BUNDLES["helper"]))
    for above in (PLATFORM, "example.org", ANNE):
        assert gives_too_much(OWNER, Grant(above, BUNDLES["observer"]))


def test_bundles_grow() -> None:
    for smaller, larger in itertools.pairwise(BUNDLES.values()):
        assert smaller < larger


@given(scopes_of_somebody, st.sampled_from(("example.com", "example.org", MARIE, JEAN, PLATFORM)))
def test_what_one_looks_at_only_narrows(scopes: Reach, scope: str) -> None:
    for box in BOXES:
        inside = scope in (PLATFORM, box, domain_of(box))
        assert scopes.within(scope).covers(box) == (inside and scopes.covers(box))


@contextmanager
def emptied() -> Iterator[Connection]:
    """An empty database in memory, closed behind the test: Python 3.13 warns otherwise."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@given(scopes_of_somebody)
def test_sql_says_the_same(scopes: Reach) -> None:
    with emptied() as connection:
        connection.exec_driver_sql("create table boxes (mailbox text, domain text)")
        for box in BOXES:
            connection.exec_driver_sql("insert into boxes values (?, ?)", (box, domain_of(box)))
        rows = select(ToldRow.mailbox).where(seen(scopes, ToldRow.mailbox, ToldRow.domain))
        found = connection.exec_driver_sql(
            str(rows.compile(connection, compile_kwargs={"literal_binds": True})).replace(
                ToldRow.__tablename__, "boxes"
            )
        )
        assert {row[0] for row in found} == {box for box in BOXES if scopes.covers(box)}


@given(scopes_of_somebody)
def test_sql_sees_what_stands_in_scopes_alike(scopes: Reach) -> None:
    def sees(scope: str) -> bool:
        granted = any(one in scopes.scopes for one in upwards(scope))
        return scope == scopes.own or (granted and not ("@" in scope and scopes.closed.closes(scope)))

    everywhere = (PLATFORM, "example.com", "example.org", "sub.example.com", "examplexcom", *BOXES)
    with emptied() as connection:
        connection.exec_driver_sql("create table places (scope text)")
        for one in everywhere:
            connection.exec_driver_sql("insert into places values (?)", (one,))
        rows = select(EntryRow.scope).where(seen_scopes(scopes, EntryRow.scope))
        written = str(rows.compile(connection, compile_kwargs={"literal_binds": True}))
        found = connection.exec_driver_sql(written.replace(EntryRow.__tablename__, "places"))
        assert {row[0] for row in found} == {one for one in everywhere if sees(one)}

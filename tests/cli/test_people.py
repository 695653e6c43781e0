"""`tamis people`."""

from __future__ import annotations

import os

from tamis.people.rights import BUNDLES, Grant, Right
from tamis.store import Store
from tests.cli.conftest import Run

ROOT, ANNE = "root@example.com", "anne@example.com"


def test_the_first_person_owns_the_platform(run: Run, store: Store) -> None:
    assert "tamis people add" in run("people", "show").out
    told = run("people", "add", "Root+x@Example.com", "--owner", "platform").out
    assert told.startswith(ROOT)
    assert "/admin" in told
    assert store.people.grants_of(ROOT) == (Grant("platform", BUNDLES["owner"]),)


def test_rights_are_given_and_taken_back(run: Run, store: Store) -> None:
    run("people", "grant", ANNE, "EXAMPLE.com", "observer", "held", "--expires", "2w", "--by", "me")
    (given,) = run("people", "show", ANNE, "--json").data["people"][0]["grants"]
    assert (given["scope"], given["by"], given["rights"]) == (
        "example.com",
        "me",
        ["held", "history", "statistics"],
    )
    assert given["expires"] > given["at"]
    assert "not enrolled" in run("people", "show").out
    assert run("people", "revoke", str(given["id"])).status == 0
    assert run("people", "revoke", str(given["id"])).status == os.EX_NOINPUT
    assert store.people.grants_of(ANNE) == ()


def test_what_makes_no_sense_is_refused(run: Run, store: Store) -> None:
    assert run("people", "grant", ANNE, "example.com", "helpr").status == os.EX_CONFIG
    assert run("people", "grant", ANNE, "nowhere", "helper").status == os.EX_CONFIG
    assert run("people", "add", "nobody").status == os.EX_NOUSER
    for deed in ("suspend", "reset-factors", "remove"):
        assert run("people", deed, ANNE).status == os.EX_NOINPUT
    assert store.people.list() == ()


def test_who_is_suspended_may_nothing(run: Run, store: Store) -> None:
    run("people", "grant", ANNE, "example.com", "held")
    assert run("people", "suspend", ANNE).status == 0
    assert store.people.grants_of(ANNE) == ()
    assert "suspended" in run("people", "show").out
    assert run("people", "suspend", ANNE, "--end").status == 0
    assert store.people.grants_of(ANNE) == (Grant("example.com", frozenset({Right.HELD})),)
    assert run("people", "remove", ANNE).status == 0
    assert store.people.find(ANNE) is None

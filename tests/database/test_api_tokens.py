"""Tokens of the API, and the answers that are kept for who asks again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from tamis.base.errors import ConfigError
from tamis.database.api_answers import GIVEN_UP, KEPT, Begun, KeptAnswer
from tamis.database.connection import TOKEN, Database
from tamis.database.schema import ApiTokenRow
from tamis.people.token_scopes import Token, TokenScope
from tamis.quarantine.expiry import TOKENS_SHOWN
from tamis.store import Store
from tests.quarantine.samples import NOW

DAY = timedelta(days=1)
ANSWER = KeptAnswer(200, "application/json", b'{"done": true}')


def make(store: Store, *scopes: TokenScope, lasting: timedelta = DAY) -> tuple[Token, str]:
    wanted = scopes or (TokenScope.HELD_READ,)
    return store.api_tokens.make(
        "Anne@Example.com", wanted, ["Example.COM"], name=" backup ", lasting=lasting, by="root", now=NOW
    )


def test_a_token_lasts_its_time_and_its_secret_is_nowhere(store: Store, url: str) -> None:
    made, written = make(store)
    assert (made.maker, made.domains, made.name) == ("anne@example.com", ("example.com",), "backup")
    assert store.api_tokens.find(written, now=NOW) == made
    assert store.api_tokens.find(written, now=NOW + DAY) is None
    for wrong in ("", written[:-1], written + "0", written.upper(), "tms_\0_", "\ud800", "x" * 100_000):
        assert store.api_tokens.find(wrong, now=NOW) is None
    other = make(store)[1]
    assert store.api_tokens.find(f"tms_{made.id}_{other.rpartition('_')[2]}", now=NOW) is None
    database = Database(url)
    with database.read() as session:
        kept = session.scalars(select(ApiTokenRow.secret)).all()
    database.close()
    assert not any(one in written or one in other for one in kept)


def test_what_a_token_can_not_be_made_for(store: Store) -> None:
    for scopes, lasting in (
        ((TokenScope.HELD_READ,), timedelta(days=366)),
        ((TokenScope.HELD_READ,), timedelta(0)),
        ((TokenScope.HELD_READ, TokenScope.PEOPLE_ADMIN), timedelta(days=2)),
    ):
        with pytest.raises(ConfigError):
            make(store, *scopes, lasting=lasting)
    with pytest.raises(ConfigError):
        store.api_tokens.make("a@b.example", [], ["b.example"], name="", lasting=DAY, by="root")
    with pytest.raises(ConfigError):
        store.api_tokens.make("a@b.example", TokenScope, ["nowhere"], name="", lasting=DAY, by="root")


def test_when_it_was_used_is_known_to_the_minute(store: Store) -> None:
    made, written = make(store)
    store.api_tokens.used(made, now=NOW)
    seen = store.api_tokens.find(written, now=NOW)
    assert seen is not None
    assert seen.used_at == NOW
    store.api_tokens.used(seen, now=NOW + timedelta(seconds=59))
    store.api_tokens.used(seen, now=NOW + timedelta(seconds=60))
    assert store.api_tokens.list("anne@example.com")[0].used_at == NOW + timedelta(seconds=60)


def test_a_revoked_token_is_none_and_only_its_maker_revokes_it(store: Store) -> None:
    made, written = make(store)
    assert not store.api_tokens.revoke(made.id, by="eve", maker="eve@example.com")
    assert store.api_tokens.revoke(made.id, by="anne", maker="anne@example.com")
    assert store.api_tokens.find(written, now=NOW) is None
    assert not store.api_tokens.revoke(made.id, by="anne")
    assert [one.action for one in store.trail.about(made.id)] == ["token revoke", "token make"]


def test_what_is_done_by_a_token_says_so(store: Store) -> None:
    before = TOKEN.set("0123456789ab")
    try:
        store.trail.note("anne@example.com", "preview", "1")
    finally:
        TOKEN.reset(before)
    assert store.trail.about("1")[0].token == "0123456789ab"


def test_what_is_over_goes(store: Store) -> None:
    make(store)
    store.api_answers.begin("t", "k", b"", now=NOW)
    store.expiry.run(NOW + DAY + TOKENS_SHOWN - timedelta(seconds=1))
    assert store.api_tokens.list()
    store.expiry.run(NOW + DAY + TOKENS_SHOWN)
    assert not store.api_tokens.list()
    assert store.api_answers.begin("t", "k", b"another", now=NOW) is Begun.FRESH


def test_asking_again_gives_the_same_answer(store: Store) -> None:
    answers = store.api_answers
    assert answers.begin("t", "key", b"one", now=NOW) is Begun.FRESH
    assert answers.begin("t", "key", b"one", now=NOW) is Begun.UNDER_WAY
    answers.finish("t", "key", ANSWER)
    assert answers.begin("t", "key", b"one", now=NOW) == ANSWER
    assert answers.begin("t", "key", b"other", now=NOW) is Begun.OTHER
    assert answers.begin("u", "key", b"other", now=NOW) is Begun.FRESH
    assert answers.begin("t", "key", b"other", now=NOW + KEPT) is Begun.FRESH


def test_what_was_not_done_may_be_asked_again(store: Store) -> None:
    answers = store.api_answers
    assert answers.begin("t", "refused", b"", now=NOW) is Begun.FRESH
    answers.forget("t", "refused")
    assert answers.begin("t", "refused", b"", now=NOW) is Begun.FRESH
    assert answers.begin("t", "refused", b"", now=NOW + GIVEN_UP) is Begun.FRESH, "taken for crashed"


def test_a_token_keeps_so_many_answers_and_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.database.api_answers.MOST", 2)
    begun = [store.api_answers.begin("t", str(number), b"", now=NOW) for number in range(3)]
    assert begun == [Begun.FRESH, Begun.FRESH, Begun.TOO_MANY]
    assert store.api_answers.begin("u", "1", b"", now=NOW) is Begun.FRESH


def test_of_many_who_ask_at_once_one_does_it(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: store.api_answers.begin("t", "k", b"", now=NOW), range(16)))
    assert sorted(one.name for one in begun if isinstance(one, Begun)) == ["FRESH", *["UNDER_WAY"] * 15]

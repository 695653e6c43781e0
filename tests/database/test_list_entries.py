"""Lists, overrides and the snapshot, on both databases."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from tamis.base.errors import ConfigError
from tamis.contract.filter import Filter, FilterOptions, Message
from tamis.contract.finding import Finding
from tamis.contract.list_index import ListIndex
from tamis.contract.lists import Colour, ListEntry, Subject, normalise_pattern
from tamis.database.list_entries import Added, MetLately, NewEntry
from tamis.database.overrides import checker, parse_value
from tamis.database.scope import parse_scope
from tamis.judging.stored_policy import Override
from tamis.message.address import PLATFORM, mailbox_of
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail
from tamis.settings import SettingsFile
from tamis.store import Store
from tests.quarantine.samples import NOW


def sender(pattern: str, scope: str = PLATFORM, **more: Any) -> NewEntry:
    return NewEntry(colour=Colour.WHITE, subject=Subject.SENDER, pattern=pattern, scope=scope, **more)


def good(_scope: str, _overrides: Sequence[Override], _new: Sequence[Override]) -> None:
    pass


class PickyOptions(FilterOptions):
    """Two numbers that must fit together."""

    least: int = Field(1, description="least")
    most: int = Field(9, description="most")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.least > self.most:
            raise ValueError("least is more than most")
        return self


class Picky(Filter[PickyOptions]):
    """A filter whose options are good or bad together."""

    name = "picky"
    spec_id = "S99"
    summary = "nothing"
    options = PickyOptions

    def examine(self, message: Message) -> Finding:
        """Nothing."""
        return self.clear()


def test_entries_are_normalised_and_merged(store: Store) -> None:
    assert store.lists.add([sender("@Example.NET."), sender("example.net")]) == Added(1, 0)
    later = NOW + timedelta(days=1)
    again = sender("EXAMPLE.net", note="again", author="marie", expires=later)
    assert store.lists.add([again, sender("*.example.org", "Example.COM")], now=NOW) == Added(1, 1)
    first, second = store.lists.find()
    assert (first.pattern, first.note, first.author, first.expires) == (
        "example.net",
        "again",
        "marie",
        later,
    )
    assert (second.pattern, second.scope, second.created) == ("*.example.org", "example.com", NOW)
    assert store.lists.find(scope="example.com") == (second,)
    assert store.lists.find(pattern="example.net", colour=Colour.WHITE, subject=Subject.SENDER) == (first,)
    assert store.lists.find(colour=Colour.BLACK) == store.lists.find(subject=Subject.IP) == ()


def test_one_bad_pattern_and_nothing_is_added(store: Store) -> None:
    before = store.revision()
    for bad in (sender("a b"), sender("example.net", "plattform")):
        with pytest.raises(ConfigError):
            store.lists.add([sender("good.example.net"), bad])
    assert (store.lists.find(), store.revision()) == ((), before)


def test_remove_tells_what_went(store: Store) -> None:
    store.lists.add([sender("a.example.net"), sender("b.example.net")])
    first, second = store.lists.find()
    assert store.lists.remove([first.id, 999], by="root") == (first,)
    assert store.lists.remove([first.id], by="root") == ()
    assert store.lists.find() == (second,)
    store.lists.add([sender("c.example.net")])
    assert store.lists.find()[1].id > second.id  # a removed entry's id is never another's


def test_hits_are_known_by_days(store: Store) -> None:
    store.lists.add([sender("a.example.net"), sender("b.example.net"), sender("c.example.net")])
    first, second, third = (one.id for one in store.lists.find())
    for back, hits in (
        (100, {first: 7}),
        (40, {second: 5}),
        (29, {first: 2}),
        (0, {first: 3}),
        (0, {first: 1}),
    ):
        store.lists.count_hits(hits, now=NOW - timedelta(days=back))
    store.lists.expire_hits(now=NOW)
    met = store.lists.met([first, second, third], now=NOW)
    assert met == {
        first: MetLately(6, NOW.date()),
        second: MetLately(0, (NOW - timedelta(days=40)).date()),
    }
    assert store.lists.met([third], now=NOW) == {}
    assert [one.hits for one in store.lists.find()] == [13, 5, 0]
    store.lists.expire_hits(now=NOW + timedelta(days=60))
    assert store.lists.met([second], now=NOW) == {}


def test_every_change_moves_the_revision_and_nothing_else_does(store: Store) -> None:
    seen = [store.revision()]

    def moved() -> bool:
        seen.append(store.revision())
        return seen[-1] > seen[-2]

    store.lists.add([sender("a.example.net")])
    assert moved()
    entry = store.lists.find()[0].id
    store.lists.count_hits({entry: 3, 999: 1})
    store.lists.count_hits({})
    assert not moved()
    assert store.lists.find()[0].hits == 3
    store.overrides.set(PLATFORM, "required", 5, by="root", check=good)
    assert moved()
    assert store.overrides.unset(PLATFORM, "required", by="root", check=good)
    assert moved()
    assert not store.overrides.unset(PLATFORM, "required", by="root", check=good)
    assert not moved()
    store.lists.remove([entry], by="root")
    assert moved()
    store.lists.remove([entry], by="root")
    store.expiry.run()
    assert not moved()


def test_changes_from_many_threads_are_all_counted(store: Store) -> None:
    def change(n: int) -> None:
        store.lists.add([sender(f"d{n}.example.net"), sender("same.example.net")])
        store.overrides.set(f"d{n}.example.com", "required", n, by="root", check=good)
        store.lists.count_hits({1: 1, 2: 1})

    before = store.revision()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(24)))
    assert store.revision() == before + 48
    assert len(store.lists.find()) == 25
    assert len(store.overrides.list()) == 24


def test_over_entries_are_cleaned_up(store: Store) -> None:
    store.lists.add([sender("a.example.net", expires=NOW), sender("b.example.net")])
    before = store.revision()
    store.expiry.run(NOW)
    assert [entry.pattern for entry in store.lists.find()] == ["b.example.net"]
    assert store.revision() > before


def test_an_override_that_does_not_compile_is_not_stored(store: Store) -> None:
    file = SettingsFile(None, "")
    check = checker(file, ())
    with pytest.raises(ConfigError, match="did you mean 'required'"):
        store.overrides.set("example.com", "requierd", 5, by="root", check=check)
    with pytest.raises(ConfigError, match="greater than 0"):
        store.overrides.set("example.com", "required", -1, by="root", check=check)
    for key in ("", "a..b", ".", "a\nb"):
        with pytest.raises(ConfigError):
            store.overrides.set(PLATFORM, key, 1, by="root", check=check)
    assert (store.overrides.list(), store.revision()) == ((), 0)
    store.overrides.set("Example.COM", "required", 5, by="root", check=check, now=NOW)
    store.overrides.set("example.com", "required", 6.5, by="marie", check=check, now=NOW)
    (stored,) = store.overrides.list()
    assert (stored.override, stored.author, stored.at) == (
        Override("example.com", "required", 6.5),
        "marie",
        NOW,
    )


def test_a_change_reads_what_it_has_to_be_good_with(store: Store) -> None:
    """The rows that are read while nobody else may write: the scope's and the platform's, not all there are."""
    for number in range(40):
        store.overrides.set(f"d{number}.example.com", "required", 5, by="root", check=good)
    store.overrides.set(PLATFORM, "required", 6, by="root", check=good)
    read: list[int] = []

    def check(scope: str, overrides: Sequence[Override], _new: Sequence[Override]) -> None:
        assert {one.scope for one in overrides} <= {scope, PLATFORM} or scope == PLATFORM
        read.append(len(overrides))

    store.overrides.set("d7.example.com", "outcome", "junk", by="root", check=check)
    assert store.overrides.unset("d7.example.com", "outcome", by="root", check=check)
    assert read == [3, 3, 2]
    read.clear()
    store.overrides.set(PLATFORM, "outcome", "junk", by="root", check=check)
    assert read == [42]


def test_a_setting_of_the_platform_is_held_against_every_scope(store: Store) -> None:
    """And one of a scope against the file's own layer of it."""
    file = SettingsFile(None, '[policy.domains."example.com".filters.picky]\nmost = 3\n')
    check = checker(file, [Picky()])
    store.overrides.set("example.org", "filters.picky.most", 2, by="root", check=check)
    with pytest.raises(ConfigError, match=r"example\.org.*least"):
        store.overrides.set(PLATFORM, "filters.picky.least", 3, by="root", check=check)
    with pytest.raises(ConfigError, match=r"example\.com.*least"):
        store.overrides.set("example.com", "filters.picky.least", 4, by="root", check=check)
    store.overrides.set("example.com", "filters.picky.least", 3, by="root", check=check)


def test_a_broken_override_can_be_taken_back(store: Store) -> None:
    for key in ("gone", "gone2"):
        store.overrides.set(PLATFORM, key, 1, by="root", check=good)
    check = checker(SettingsFile(None, ""), ())
    assert store.overrides.unset(PLATFORM, "gone", by="root", check=check)
    assert store.overrides.unset(PLATFORM, "gone2", by="root", check=check)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7.5", 7.5),
        ("3", 3),
        ("true", True),
        ('"x"', "x"),
        ("junk", "junk"),
        ("SPAM: ", "SPAM: "),
        ('["a", "b"]', ["a", "b"]),
        ("True", "True"),
    ],
)
def test_values_are_toml(text: str, value: object) -> None:
    parsed = parse_value(text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    "text", ["", '"open', "[1", "{a = 1}", "[{a = 1}]", "1\nother = 2", "nan", "-inf", "2026-01-01", "[nan]"]
)
def test_values_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_value(text)


def test_scopes() -> None:
    assert parse_scope(" Platform ".lower()) == PLATFORM
    assert parse_scope("Example.COM.") == "example.com"
    assert parse_scope("Marie@Example.COM") == "marie@example.com"
    for wrong in ("", "plattform", "@example.com", "a@", "a b@example.com", "a@b", "x\0.example.com", "a.b@"):
        with pytest.raises(ConfigError):
            parse_scope(wrong)
    assert mailbox_of("Marie+News@Example.com") == "marie@example.com"
    assert mailbox_of("marie@example.com", "-") == "marie@example.com"
    assert (mailbox_of("postmaster"), mailbox_of("+x@example.com")) == ("postmaster", "+x@example.com")


LABEL = st.text("abcXYZ019-*?", min_size=1, max_size=8)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
PATTERN = st.one_of(
    DOMAIN, st.tuples(LABEL, DOMAIN).map("@".join), st.text(st.characters(codec="ascii"), max_size=20)
)


@given(PATTERN)
def test_a_normal_pattern_is_its_own_normal_form(text: str) -> None:
    try:
        once = normalise_pattern(Subject.SENDER, text)
    except ConfigError:
        return
    assert normalise_pattern(Subject.SENDER, once) == once


@given(st.ip_addresses(), st.integers(0, 32))
def test_a_network_matches_its_own_addresses(address: Any, prefix: int) -> None:
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    pattern = normalise_pattern(Subject.IP, str(network))
    entry = ListEntry(
        id=1, scope=PLATFORM, colour=Colour.WHITE, subject=Subject.IP, pattern=pattern, created=NOW
    )
    envelope = Envelope(client_ip=str(address), received_at=datetime.now(UTC))
    mapped = getattr(address, "ipv4_mapped", None)
    met = ListIndex([entry]).matches(envelope, Mail(b"\r\n"), frozenset({PLATFORM}))
    assert len(met) == (0 if mapped else 1)

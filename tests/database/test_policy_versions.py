"""Every change of policy is a version: taken back whole, never over somebody else's change. On both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.base.errors import ChangedSinceError, ConfigError
from tamis.database.overrides import MAX_CHANGES, checker
from tamis.database.policy_versions import EVERYWHERE, PolicyChange
from tamis.judging.stored_policy import Override
from tamis.message.address import PLATFORM
from tamis.people.rights import Reach
from tamis.settings import SettingsFile
from tamis.store import Store
from tests.builders import FILTERS, PROPERTY
from tests.fresh_store import new_store
from tests.quarantine.samples import NOW

MARIE = "marie@example.com"


def good(_scope: str, _overrides: Sequence[Override], _new: Sequence[Override]) -> None:
    pass


def as_it_is(store: Store) -> dict[tuple[str, str], object]:
    return {(one.override.scope, one.override.key): one.override.value for one in store.overrides.list()}


def test_a_change_is_one_version_with_all_its_settings(store: Store) -> None:
    changes = [
        Override(PLATFORM, "required", 6.0),
        Override("Example.COM", "outcome", "junk"),
        Override(MARIE, "tag", "X"),
    ]
    made = store.overrides.change(changes, by="root", check=good, note="  milder ", now=NOW)
    assert made is not None
    assert (made.who, made.note, made.at, made.undoes) == ("root", "milder", NOW, None)
    assert made.changes == (
        PolicyChange(PLATFORM, "required", None, 6.0),
        PolicyChange("example.com", "outcome", None, "junk"),
        PolicyChange(MARIE, "tag", None, "X"),
    )
    assert store.overrides.versions.find() == (made,)
    assert store.overrides.versions.newest() == made.id
    (deed,) = store.trail.about(f"version {made.id} of example.com, {MARIE}, platform")
    assert (deed.who, deed.details["note"]) == ("root", "milder")


def test_what_stands_so_already_is_no_version(store: Store) -> None:
    store.overrides.change([Override(PLATFORM, "required", 6.0)], by="root", check=good)
    before = store.revision()
    same = [Override(PLATFORM, "required", 6.0), Override(PLATFORM, "tag", None)]
    assert store.overrides.change(same, by="root", check=good) is None
    assert store.revision() == before
    assert len(store.overrides.versions.find()) == 1
    assert store.overrides.change([Override(PLATFORM, "required", True)], by="root", check=good)


def test_one_bad_setting_and_nothing_is_changed(store: Store) -> None:
    check = checker(SettingsFile(None, ""), FILTERS)
    for bad in (
        Override("example.com", "requierd", 5),
        Override(MARIE, "required", -1),
        Override("x", "a", 1),
    ):
        with pytest.raises(ConfigError):
            store.overrides.change([Override(PLATFORM, "required", 6.0), bad], by="root", check=check)
    many = [Override(PLATFORM, f"k{n}", n) for n in range(MAX_CHANGES + 1)]
    with pytest.raises(ConfigError, match="at most 1000"):
        store.overrides.change(many, by="root", check=good)
    assert (as_it_is(store), store.revision(), store.overrides.versions.find()) == ({}, 0, ())


def test_settings_of_two_scopes_are_checked_together(store: Store) -> None:
    """A domain's change is held against the platform's of the same version."""
    check = checker(SettingsFile(None, ""), FILTERS)
    fixing = [Override(PLATFORM, "fixed", ["required"]), Override("example.com", "required", 5.0)]
    with pytest.raises(ConfigError, match=r"example\.com required: is fixed by platform"):
        store.overrides.change(fixing, by="root", check=check)
    assert as_it_is(store) == {}


def test_undo_is_a_version_of_its_own_and_can_be_undone(store: Store) -> None:
    store.overrides.change([Override(PLATFORM, "required", 6.0)], by="root", check=good)
    made = store.overrides.change(
        [Override(PLATFORM, "required", 5.0), Override(PLATFORM, "tag", "X")], by="anne", check=good
    )
    assert made is not None
    undone = store.overrides.undo(made.id, by="paul", check=good, note="too strict")
    assert undone is not None
    assert (undone.undoes, undone.who) == (made.id, "paul")
    assert as_it_is(store) == {(PLATFORM, "required"): 6.0}
    again = store.overrides.undo(undone.id, by="anne", check=good)
    assert again is not None
    assert as_it_is(store) == {(PLATFORM, "required"): 5.0, (PLATFORM, "tag"): "X"}
    with pytest.raises(ConfigError, match="no such version"):
        store.overrides.undo(999, by="anne", check=good)


def test_undo_never_goes_over_a_later_change(store: Store) -> None:
    first = store.overrides.change(
        [Override(PLATFORM, "required", 6.0), Override(MARIE, "tag", "X")], by="a", check=good
    )
    store.overrides.change([Override(MARIE, "tag", "Y")], by="b", check=good)
    store.overrides.change([Override(PLATFORM, "outcome", "junk")], by="b", check=good)
    assert first is not None
    before = as_it_is(store)
    with pytest.raises(ChangedSinceError) as refused:
        store.overrides.undo(first.id, by="a", check=good)
    assert refused.value.keys == (f"{MARIE} tag",)
    assert as_it_is(store) == before


def test_a_change_made_of_an_older_version_is_refused(store: Store) -> None:
    base = store.overrides.versions.newest()
    store.overrides.change([Override(PLATFORM, "required", 6.0)], by="a", check=good, base=base)
    with pytest.raises(ChangedSinceError):
        store.overrides.change([Override(PLATFORM, "required", 5.0)], by="b", check=good, base=base)
    assert store.overrides.change([Override(PLATFORM, "tag", "X")], by="b", check=good, base=base)


def test_who_sees_which_versions(store: Store) -> None:
    """By scope, in SQL; of a version that touches several, each sees the own part."""
    store.overrides.change([Override(PLATFORM, "required", 6.0)], by="root", check=good)
    store.overrides.change(
        [
            Override("example.com", "tag", "X"),
            Override("example.org", "tag", "Y"),
            Override(MARIE, "tag", "Z"),
        ],
        by="root",
        check=good,
    )
    seen = {
        reach: [
            [one.scope for one in version.changes] for version in store.overrides.versions.find(Reach(reach))
        ]
        for reach in (frozenset({"example.com"}), frozenset({MARIE}), frozenset({PLATFORM}), frozenset())
    }
    assert list(seen.values()) == [
        [["example.com", MARIE]],
        [[MARIE]],
        [["example.com", "example.org", MARIE], [PLATFORM]],
        [],
    ]
    assert store.overrides.versions.get(1, Reach(frozenset({"example.com"}))) is None
    assert len(store.overrides.versions.find(scope=MARIE)) == 1
    assert [one.id for one in store.overrides.versions.find(before=2)] == [1]


def test_the_settings_file_has_versions_too(store: Store) -> None:
    def noted(text: str) -> tuple[PolicyChange, ...]:
        made = store.overrides.versions.note_file(SettingsFile(None, text).layers)
        return made.changes if made else ()

    assert noted("[policy]\nrequired = 5\n") == ()  # the first time there is nothing to compare it with
    assert noted("[policy]\nrequired = 5\n") == ()
    assert noted('[policy]\nrequired = 6\n[policy.domains."example.com".filters.spf]\nstate = "off"\n') == (
        PolicyChange("example.com", "filters.spf.state", None, "off"),
        PolicyChange(PLATFORM, "required", 5, 6),
    )
    (version,) = store.overrides.versions.find(EVERYWHERE)
    assert (version.who, version.from_file) == ("file", True)
    with pytest.raises(ConfigError, match="settings file"):
        store.overrides.undo(version.id, by="root", check=good)
    assert noted("") == (
        PolicyChange("example.com", "filters.spf.state", "off", None),
        PolicyChange(PLATFORM, "required", 6, None),
    )


def test_what_is_fixed_above_cannot_be_set_below(store: Store) -> None:
    """By an option, by a whole filter, by a term; and a mailbox's domain fixes as well."""
    text = '[policy]\nfixed = ["filters.spf", "filters.helo.state"]\n[policy.domains."example.com"]\nfixed = ["tag"]\n'
    check = checker(SettingsFile(None, text), FILTERS)
    for scope, key in (
        ("example.com", "filters.spf.state"),
        (MARIE, "filters.spf.softfail"),
        ("example.org", "filters.helo.state"),
    ):
        with pytest.raises(ConfigError, match="is fixed by platform"):
            store.overrides.change([Override(scope, key, "on")], by="a", check=check)
    for scope, key, value in (
        ("example.com", "filters.helo.score", 1.0),
        ("example.com", "tag", "X"),
        (PLATFORM, "filters.spf.state", "off"),
    ):
        assert store.overrides.change([Override(scope, key, value)], by="a", check=check)
    with pytest.raises(ConfigError, match=r"fixed: no such setting.*did you mean 'required'"):
        store.overrides.change([Override(PLATFORM, "fixed", ["requierd"])], by="a", check=check)


_VALUES = st.sampled_from([None, 5.0, 6.0, 7.0])
_CHANGES = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from([PLATFORM, "example.com", MARIE]), st.sampled_from(["required", "score"])),
        _VALUES,
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that all examples change in turn."""
    with new_store(tmp_path_factory.mktemp("versions") / "tamis.sqlite") as opened:
        yield opened


@settings(PROPERTY, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_CHANGES)
def test_undoing_all_versions_the_newest_first_leads_back(
    changing: Store, steps: list[dict[tuple[str, str], object]]
) -> None:
    before, begun = as_it_is(changing), changing.overrides.versions.newest()
    for step in steps:
        changing.overrides.change([Override(*at, value) for at, value in step.items()], by="a", check=good)
    made = changing.overrides.versions.find(after=begun)
    for version in made:
        assert changing.overrides.undo(version.id, by="b", check=good).undoes == version.id
    assert as_it_is(changing) == before
    assert changing.overrides.versions.newest() == begun + 2 * len(made)


def test_versions_keep_their_moments(store: Store) -> None:
    for days in (1, 2):
        at = NOW + timedelta(days=days)
        store.overrides.change([Override(PLATFORM, "required", float(days))], by="a", check=good, now=at)
    assert [one.at for one in store.overrides.versions.find()] == [NOW + timedelta(days=n) for n in (2, 1)]

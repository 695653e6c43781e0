"""Hosts that share a model: whoever teaches what, and whoever is killed or away, all have the same weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.base.errors import StoreError
from tamis.contract.shared_steps import Act, Checkpoint
from tamis.models.features import FEATURE_VERSION, VIEWS, Features
from tamis.models.model_file import ModelError
from tamis.models.shared_place import PLACE, SharedPlace, is_behind
from tamis.models.shared_teaching import ASIDE, SharedTeacher
from tamis.models.teaching import Teacher
from tamis.store import Store
from tests.fresh_store import new_store

FILES = ("current.model", "levels.json")
REACH = 12


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "shared.db") as opened:
        yield opened


def message(number: int) -> str:
    return f"{number:032x}"


def features(number: int, *, spam: bool) -> Features:
    """Words of a message: some of its label, some of its own."""
    words = np.random.default_rng(number).integers(0, 1 << 20, 12, dtype=np.uint32)
    own = np.array([100 + number % 5 if spam else 200 + number % 5], dtype=np.uint32)
    indices = np.unique(np.concatenate([words, own]))
    counts = np.zeros(len(VIEWS), dtype=np.intp)
    counts[0] = len(indices)
    return Features(indices, counts)


class Hosts:
    """Some hosts with a folder each; one is opened for a moment only, as the background process does."""

    def __init__(self, folder: Path, store: Store, *, minimum: int = 6) -> None:
        self.folder, self.store, self.minimum = folder, store, minimum

    def open(self, host: str) -> SharedTeacher:
        return SharedTeacher(self.folder / host, self.store.model_steps, minimum=self.minimum, reach=REACH)

    def teach(self, host: str, *numbers: int, spam: bool) -> None:
        with self.open(host) as teacher:
            for number in numbers:
                teacher.teach(message(number), features(number, spam=spam), spam=spam)
            teacher.publish()

    def files(self, host: str) -> dict[str, bytes]:
        with self.open(host) as teacher:
            teacher.publish()
        return {
            name: (self.folder / host / name).read_bytes()
            for name in FILES
            if (self.folder / host / name).exists()
        }


@pytest.fixture
def hosts(tmp_path: Path, store: Store) -> Hosts:
    return Hosts(tmp_path, store)


def test_a_report_on_one_host_teaches_all(hosts: Hosts) -> None:
    hosts.teach("a", *range(10), spam=True)
    hosts.teach("b", *range(10, 20), spam=False)
    with hosts.open("a") as a:
        assert a.learned == (10, 10)
        assert a.known(message(15), spam=False)
    assert hosts.files("a") == hosts.files("b")


def test_what_one_host_takes_back_is_taken_back_everywhere(hosts: Hosts) -> None:
    hosts.teach("a", 1, 2, 3, spam=True)
    before = hosts.files("b")
    hosts.teach("a", 4, spam=True)
    with hosts.open("b") as b:
        assert b.forget(message(4))
        assert not b.forget(message(4))
    assert hosts.files("a") == hosts.files("b")
    assert hosts.files("a")["current.model"] != b"" != before["current.model"]
    with hosts.open("a") as a:
        assert a.learned == (0, 3)


def test_a_message_counts_once_whichever_hosts_report_it(hosts: Hosts) -> None:
    hosts.teach("a", 1, spam=True)
    with hosts.open("b") as b:
        assert not b.teach(message(1), features(1, spam=True), spam=True)
        assert b.teach(message(1), features(1, spam=True), spam=False)  # a person who knows better
        assert b.learned == (1, 0)
    assert hosts.files("a") == hosts.files("b")


def test_one_host_measures_for_all(hosts: Hosts) -> None:
    hosts.teach("a", *range(20), spam=True)
    hosts.teach("b", *range(20, 40), spam=False)
    with hosts.open("a") as a:
        assert a.measuring_due()
        assert a.measure() is not None
        assert not a.measuring_due()
    found = hosts.files("b")
    assert found == hosts.files("a")
    assert set(found) == set(FILES)
    with hosts.open("b") as b:
        assert not b.measuring_due()


def test_while_one_host_measures_another_does_not(hosts: Hosts, store: Store) -> None:
    hosts.teach("a", *range(20), spam=True)
    hosts.teach("a", *range(20, 40), spam=False)
    with store.model_steps.turn() as ours, hosts.open("b") as b:
        assert ours
        assert b.measure() is None


def test_a_host_that_is_new_or_was_away_joins_by_the_checkpoint(hosts: Hosts, store: Store) -> None:
    hosts.teach("a", *range(4), spam=True)
    hosts.teach("b", *range(4, 8), spam=False)
    with hosts.open("a") as a:
        for number in range(10, 10 + 5 * REACH):  # the base moves on
            a.teach(message(number), features(number, spam=number % 2 == 0), spam=number % 2 == 0)
    last = store.model_steps.checkpoint()
    assert last is not None
    place = SharedPlace.of(hosts.folder / "b")
    assert place is not None
    assert store.model_steps.after(place.lineage, place.number, 1) is None  # those steps are gone
    assert is_behind(hosts.folder / "b", store.model_steps)
    assert hosts.files("a") == hosts.files("b") == hosts.files("new")
    assert not is_behind(hosts.folder / "b", store.model_steps)


def test_a_model_of_ones_own_is_put_aside_by_who_joins(hosts: Hosts, tmp_path: Path) -> None:
    with Teacher(tmp_path / "b", minimum=6) as own:
        own.teach(message(99), features(99, spam=True), spam=True)
        own.publish()
    kept = (tmp_path / "b" / "current.model").read_bytes()
    with Teacher(tmp_path / "a", minimum=6) as own:
        own.teach(message(1), features(1, spam=True), spam=True)
    hosts.teach("a", 2, spam=True)  # the first: what it had learned alone is what hosts share
    assert hosts.files("a") == hosts.files("b")
    assert (tmp_path / "b" / ASIDE / "current.model").read_bytes() == kept
    with hosts.open("b") as b:
        assert b.learned == (0, 2)


def test_another_hosts_model_can_be_chosen(hosts: Hosts, tmp_path: Path, store: Store) -> None:
    hosts.teach("a", *range(5), spam=True)
    with Teacher(tmp_path / "c", minimum=6) as own:
        own.teach(message(50), features(50, spam=False), spam=False)
    with SharedTeacher(tmp_path / "c", store.model_steps, minimum=6, reach=REACH, joins=False) as c:
        c.share()
    with hosts.open("a") as a:
        assert a.learned == (1, 0)
    assert hosts.files("a") == hosts.files("c")
    hosts.teach("a", 60, spam=True)
    assert hosts.files("a") == hosts.files("c")


def test_a_model_of_other_features_is_not_taken_over(hosts: Hosts, store: Store) -> None:
    store.model_steps.publish(Checkpoint("x", 5, FEATURE_VERSION + 1), {})
    with pytest.raises(ModelError, match="once all hosts are upgraded"):
        hosts.open("a")


def test_who_comes_while_another_begins_to_share_waits_for_it(hosts: Hosts, store: Store) -> None:
    with store.model_steps.turn(), pytest.raises(StoreError, match="about to share"):
        hosts.open("b")
    hosts.teach("b", 1, spam=True)


def test_a_damaged_checkpoint_is_not_joined(hosts: Hosts, store: Store, tmp_path: Path) -> None:
    with Teacher(tmp_path / "a", minimum=6) as own:
        own.teach(message(1), features(1, spam=True), spam=True)
    store.model_steps.publish(Checkpoint("x", 5, FEATURE_VERSION), {"base.model": b"no zstd"})
    with pytest.raises(StoreError, match="damaged in the store"):
        hosts.open("a")
    with Teacher(tmp_path / "a", minimum=6) as own:
        assert own.known(message(1), spam=True)


def test_a_step_of_a_model_that_is_gone_is_refused(hosts: Hosts, store: Store) -> None:
    hosts.teach("a", 1, spam=True)
    with pytest.raises(StoreError, match="another model"):
        store.model_steps.append("gone", Act.BALANCE)


ACTS = st.one_of(
    st.tuples(st.just("teach"), st.sampled_from("abc"), st.integers(0, 40), st.booleans()),
    st.tuples(st.just("forget"), st.sampled_from("abc"), st.integers(0, 40), st.booleans()),
    st.tuples(st.just("measure"), st.sampled_from("abc"), st.just(0), st.booleans()),
    st.tuples(st.just("kill"), st.sampled_from("abc"), st.integers(0, 2), st.booleans()),
)


@given(st.lists(ACTS, min_size=5, max_size=25))
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_all_hosts_have_the_same_weights(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, int, bool]]
) -> None:
    """A kill is a folder as it was some acts ago, or without what says how far it is: files are written in an order in
    which each such moment can be met."""
    folder = tmp_path_factory.mktemp("hosts")
    with new_store(folder / "shared.db") as store:
        hosts = Hosts(folder, store)
        for act, host, number, spam in acts:
            if act == "kill":
                _kill(folder / host, how=number)
                continue
            with hosts.open(host) as teacher:
                if act == "teach":
                    teacher.teach(message(number), features(number, spam=spam), spam=spam)
                elif act == "forget":
                    teacher.forget(message(number))
                else:
                    teacher.measure()
        found = [hosts.files(host) for host in "abc"]
    assert found[0] == found[1] == found[2]


def _kill(folder: Path, *, how: int) -> None:
    """As a kill leaves the folder: the place not written yet; the ids not synced; a checkpoint half put in."""
    place = SharedPlace.of(folder)
    if place is None:
        return
    if how == 0:
        SharedPlace(place.lineage, max(0, place.number - 20)).keep(folder)
    elif how == 1:
        ids = folder / "learned.ids"
        ids.write_bytes(ids.read_bytes()[:-17])
    else:
        (folder / PLACE).unlink()
        shutil.rmtree(folder / ASIDE, ignore_errors=True)

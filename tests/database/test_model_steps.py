"""The log of the model that hosts share, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tamis.base.errors import StoreError
from tamis.contract.shared_steps import Act, Checkpoint
from tamis.store import Store


def test_steps_have_numbers_without_gaps_whoever_adds_them(store: Store) -> None:
    steps = store.model_steps
    assert steps.checkpoint() is None
    assert steps.after("x", 0, 10) is None
    steps.publish(Checkpoint("x", 40, 2), {"base.model": b"a" * (3 << 20), "journal": b""})
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda n: steps.append("x", Act.LESSON, b"%d" % n), range(40)):
            pass
    found = steps.after("x", 40, 100)
    assert found is not None
    assert [step.number for step in found] == list(range(41, 81))
    assert {step.content for step in found} == {b"%d" % n for n in range(40)}
    assert [step.number for step in steps.after("x", 78, 100) or ()] == [79, 80]
    assert len(steps.after("x", 40, 7) or ()) == 7


def test_a_checkpoint_takes_the_place_of_the_steps_in_it(store: Store) -> None:
    steps = store.model_steps
    first = Checkpoint("x", 0, 2)
    steps.publish(first, {"base.model": b"a" * (3 << 20), "journal": b""})
    assert steps.parts(first) == {"base.model": b"a" * (3 << 20), "journal": b""}
    for _ in range(5):
        steps.append("x", Act.BALANCE)
    second = Checkpoint("x", 3, 2)
    steps.publish(second, {"journal": b"b"})
    assert steps.checkpoint() == second
    assert steps.parts(second) == {"journal": b"b"}
    with pytest.raises(StoreError, match="newer checkpoint"):
        steps.parts(first)
    assert steps.after("x", 2, 10) is None  # they are gone
    assert [step.number for step in steps.after("x", 3, 10) or ()] == [4, 5]
    steps.publish(Checkpoint("y", 3, 2), {})
    assert steps.after("y", 3, 10) == []
    with pytest.raises(StoreError, match="another model"):
        steps.append("x", Act.BALANCE)


def test_one_host_at_a_time_has_the_turn(store: Store) -> None:
    with store.model_steps.turn() as first, store.model_steps.turn() as second:
        assert (first, second) == (True, False)

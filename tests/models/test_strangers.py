"""Lessons that strangers gave: held out together, and taken back where they contradict a model without them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.models.strangers import doubted, held_together, stranger_of

OWN = frozenset({"example.com"})


@pytest.mark.parametrize(
    ("reporter", "stranger"),
    [
        ("bob@mail.shop.example", "shop.example"),
        ("bob2@shop.example", "shop.example"),
        ("marie@example.com", "marie@example.com"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_a_domain_answers_for_all_of_its_addresses(reporter: str, stranger: str) -> None:
    assert stranger_of(reporter, OWN) == stranger


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=120))
def test_what_a_stranger_taught_is_held_out_together(lessons: list[tuple[bool, int]]) -> None:
    labels = np.array([spam for spam, _ in lessons])
    strangers = np.array([0 if spam else stranger for spam, stranger in lessons], dtype=np.int64)
    folds = held_together(labels, strangers, 5)
    assert ((folds >= 0) & (folds < 5)).all()
    for stranger in set(strangers.tolist()) - {0}:
        assert len(set(folds[strangers == stranger].tolist())) == 1


def test_without_strangers_folds_are_blocks_of_equal_size_in_order_of_time() -> None:
    labels = np.arange(100) % 4 == 0
    folds = held_together(labels, np.zeros(100, dtype=np.int64), 5)
    for label in (False, True):
        assert (np.diff(folds[labels == label]) >= 0).all()
        assert len(set(np.bincount(folds[labels == label]).tolist())) == 1


def test_only_a_stranger_who_contradicts_much_of_the_time_is_doubted() -> None:
    #                    poisoner               who sends one odd letter    often right      a person
    strangers = np.array([7, 7, 7, 7, 8, 8, *[9] * 12, 0, 0, 0, 7])
    scores = np.array([5.0, 3.0, 2.5, -4, 4, 4, 3, 3, 3, *[-5] * 9, 6, 6, 6, 6])
    labels = np.array([False] * 21 + [True])
    assert np.flatnonzero(doubted(scores, labels, strangers)).tolist() == [0, 1, 2, 3]
    assert not doubted(scores, labels, np.zeros(22, dtype=np.int64)).any(), "a person's word stands"
    assert not doubted(scores, ~labels, strangers).any(), "only ham is held against the model"
    assert not doubted(scores[:0], labels[:0], strangers[:0]).any()

"""Lessons that strangers gave: held out together, and taken back where they contradict a model without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.models.strangers import Doubt, doubts, most_suspect, stranger_of, worst
from tamis.models.taken_back import Taken, TakenBack

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


def test_only_a_stranger_who_contradicts_much_of_the_time_is_doubted() -> None:
    #                    poisoner               who sends one odd letter    often right      a person
    strangers = np.array([7, 7, 7, 7, 8, 8, *[9] * 12, 0, 0, 0, 7])
    scores = np.array([5.0, 3.0, 2.5, -4, 4, 4, 3, 3, 3, *[-5] * 9, 6, 6, 6, 6])
    labels = np.array([False] * 21 + [True])
    assert doubts(scores, labels, strangers) == [Doubt(7, 4, 3)]
    assert not doubts(scores, labels, np.zeros(22, dtype=np.int64)), "a person's word stands"
    assert not doubts(scores, ~labels, strangers), "only ham is held against the model"
    assert not doubts(scores[:0], labels[:0], strangers[:0])
    assert not doubts(np.full(22, np.nan), labels, strangers), "who was not held out is not doubted"
    assert worst([Doubt(7, 9, 3), Doubt(8, 4, 4), Doubt(7, 9, 5)]) == [Doubt(7, 9, 5), Doubt(8, 4, 4)]


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-9, 9)), max_size=80), st.integers(0, 20))
def test_those_most_like_spam_are_held_out_together(ham: list[tuple[int, float]], spam: int) -> None:
    labels = np.repeat([False, True], [len(ham), spam])
    strangers = np.array([*(one for one, _ in ham), *[0] * spam], dtype=np.int64)
    scores = np.array([*(score for _, score in ham), *[5.0] * spam])
    found = most_suspect(scores, labels, strangers)
    assert not found[labels].any()
    enough = {one for one in strangers.tolist() if one and strangers.tolist().count(one) >= 3}
    held = set(strangers[found].tolist())
    assert len(held) == (len(enough) + 1) // 2 * (len(enough) > 1)
    assert held <= enough
    for one in held:
        assert (found == (~labels & (strangers == one)))[strangers == one].all(), (
            "all of a stranger's ham or none"
        )
    heights = {one: np.quantile(scores[~labels & (strangers == one)], 0.7) for one in enough}
    assert all(heights[one] >= heights[other] for one in held for other in enough - held)


def test_what_was_taken_back_is_kept_with_its_domain(tmp_path: Path) -> None:
    path = tmp_path / "taken-back.json"
    book = TakenBack.load(path)
    book.call(7, "poison.example")
    book.call(0, "")
    book.note(7, lessons=5, measured=4, against=3, at=1.0)
    book.note(8, lessons=2, measured=2, against=2, at=2.0)
    book.note(7, lessons=4, measured=4, against=4, at=3.0)
    book.save(path)
    assert TakenBack.load(path).taken == [
        Taken("", 2, 2, 2, 2.0),
        Taken("poison.example", 9, 4, 4, 3.0),
    ]
    for damaged in (b"", b"[]", b"{}", b'{"names": {}, "taken": [{"x": 1}]}', b"\xff"):
        path.write_bytes(damaged)
        assert TakenBack.load(path).taken == []

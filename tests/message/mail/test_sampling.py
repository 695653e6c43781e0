"""What is chosen where a bound leaves something out."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import sampling
from tamis.message.mail.sampling import MessageChance, excerpt, sampled
from tests.builders import PROPERTY


@PROPERTY
@given(st.integers(0, 60), st.integers(1, 40), st.integers(0, 50), st.integers())
def test_samples_are_bounded_in_order_and_keep_what_is_sure(
    number: int, most: int, sure: int, seed: int
) -> None:
    items = range(number)
    found = sampled(items, most, Random(seed), sure=sure)
    assert len(found) == min(number, most)
    assert found == sorted(set(found))
    if number:
        assert found[-1] == number - 1
    assert found[: min(sure, most - 1)] == list(items[: min(sure, most - 1, number)])


def test_weights_are_chances() -> None:
    drawn = Counter(
        item
        for seed in range(2000)
        for item in sampled(range(11), 2, Random(seed), weight=lambda item: 3.0 if item < 5 else 1.0)
    )
    likely, others = sum(drawn[item] for item in range(5)), sum(drawn[item] for item in range(5, 10))
    assert 2.5 < likely / others < 3.6


@PROPERTY
@given(st.integers(0, 400), st.integers(16, 100), st.integers())
def test_excerpts_are_bounded_and_have_both_ends(length: int, most: int, seed: int) -> None:
    octets = bytes(32 + n % 90 for n in range(length))
    found = excerpt(octets, most, Random(seed))
    assert len(found) <= most
    quarter = most // 4 - 1
    assert found[: 2 * quarter] == octets[: 2 * quarter]
    assert found.endswith(octets[-quarter:])
    assert all(piece in octets for piece in found.split(b"\n"))


def test_every_place_can_be_in_an_excerpt() -> None:
    octets = bytes(1000)
    marked = [octets[:at] + b"x" + octets[at + 1 :] for at in range(0, 1000, 50)]
    assert all(any(b"x" in excerpt(one, 200, Random(seed)) for seed in range(300)) for one in marked)


def test_the_same_message_is_sampled_alike_in_one_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbers(octets: bytes, purpose: str) -> list[float]:
        random = MessageChance(octets, purpose)
        return [random.random() for _ in range(3)]

    assert numbers(b"a", "hosts") == numbers(b"a", "hosts")
    made = {
        tuple(numbers(*told))
        for told in ((b"a", "hosts"), (b"b", "hosts"), (b"a", "files"), (b"aa", "hosts"))
    }
    assert len(made) == 4
    before = numbers(b"a", "hosts")
    monkeypatch.setattr(sampling, "_KEY", b"another process")
    assert numbers(b"a", "hosts") != before

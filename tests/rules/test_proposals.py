"""What is proposed, what is not, and who can't bring it about."""

from __future__ import annotations

import dataclasses

import pytest

from tamis.rules.proposals import (
    LEAST_HITS,
    MOST_FALSE,
    MOST_POINTS,
    MOST_PROPOSALS,
    Sighting,
    interval,
    proposed,
)
from tamis.rules.traits import hashed

SHED, OTHER = "phrase:warm garden sheds today", "phrase:cheap watches from here"
HAM = [
    frozenset({hashed("phrase:see you on tuesday"), hashed(f"phrase:letter number {n}")}) for n in range(400)
]


def sightings(
    number: int, *traits: str, networks: int = 5, voices: int = 5, first: int = 0
) -> list[Sighting]:
    return [
        Sighting(f"m{n}", frozenset(traits), f"reader{n % voices}", f"192.0.{n % networks}.0/24")
        for n in range(first, first + number)
    ]


def names(spam: list[Sighting], ham: list[frozenset[str]] = HAM, **more: set[str]) -> list[str]:
    given = {"known": set[str](), "left_out": set[str]()} | more
    return [one.trait for one in proposed(spam, ham, **given)]


def test_what_many_report_is_proposed_with_its_evidence() -> None:
    (one,) = proposed(sightings(20, SHED), HAM, known=(), left_out=())
    assert (one.trait, one.hits, one.spam, one.networks, one.voices, one.false_hits, one.ham) == (
        *(SHED, 20, 20, 5, 5, 0, 400),
    )
    assert one.false_at_most == pytest.approx(0.0095, abs=0.0005)
    assert 0 < one.points <= MOST_POINTS
    assert one.evidence == (
        "in 20 of 20 reported messages, from 5 networks, by 5 voices; in 0 of 400 honest ones (at most 0.95%)"
    )


@pytest.mark.parametrize(
    "spam",
    [
        sightings(LEAST_HITS - 1, SHED),
        sightings(50, SHED, networks=2),
        sightings(50, SHED, voices=1),
        [dataclasses.replace(one, network="") for one in sightings(50, SHED)],
    ],
)
def test_too_few_messages_networks_or_voices_bring_nothing_about(spam: list[Sighting]) -> None:
    assert names(spam) == []


def test_words_of_honest_mail_put_into_spam_are_not_proposed() -> None:
    """A poisoner writes to honeypots what people here write to each other."""
    assert names(sightings(200, "phrase:see you on tuesday", networks=50, voices=50)) == []
    some = [frozenset({hashed(SHED)})] * 9 + HAM
    assert names(sightings(200, SHED, networks=50, voices=50), some) == []


def test_without_enough_honest_mail_nothing_is_proposed() -> None:
    least = next(n for n in range(1000) if interval(0, n)[1] <= MOST_FALSE)
    assert least < 200
    assert names(sightings(200, SHED), HAM[: least - 1]) == []
    assert names(sightings(200, SHED), HAM[:least]) == [SHED]


def test_of_traits_that_the_same_messages_have_one_is_enough() -> None:
    many = [f"phrase:words of one campaign {chr(97 + n)}" for n in range(20)]
    spam = sightings(20, *many) + sightings(8, OTHER, first=20)
    assert len(names(spam)) == 2
    assert OTHER in names(spam)


def test_what_is_known_or_left_out_is_not_proposed_again() -> None:
    spam = sightings(20, SHED, "host:sheds.example")
    assert names(spam, known={SHED}) == [], "its messages have a rule"
    assert names(sightings(20, "host:sheds.example"), left_out={"sheds.example"}) == []


def test_their_number_is_bounded() -> None:
    spam = [one for n in range(60) for one in sightings(6, f"phrase:campaign of kind {n}", first=100 * n)]
    assert len(names(spam)) <= MOST_PROPOSALS


def test_an_interval_holds_the_share() -> None:
    for count, total in ((0, 10), (1, 10), (10, 10), (3, 400)):
        low, high = interval(count, total)
        assert 0 <= low <= count / total <= high <= 1
    assert interval(0, 0) == (0.0, 1.0)

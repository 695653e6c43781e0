"""Attacks on the pages that strangers can reach (see benchmarks/attacks): floods, answers by machines, guesses."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.web.pages import CODE, Pages, Visitor
from tests.web.samples import content, message
from tests.web.test_mailbox import flood, signs_in
from tests.web.test_sender import ask, by_work, type_code

_OF_ONE_NETWORK = 250
"""Answers that the machine gives from each of its networks: below captcha.MOST_ASKED, so that it is not stopped."""
_SENDERS, _HONEST = 10, 10


@dataclass(frozen=True)
class Outcome:
    """What one attack did to others: `innocent` messages, or people, of which so many were hit. `refused` are the
    attacker's own; `let_in` are senders of the attacker's who would not be asked again."""

    attack: str
    sent: int
    refused: int
    innocent: int
    deferred: int
    held: int
    locked_out: int = 0
    let_in: int = 0

    @property
    def harmed(self) -> int:
        """How many innocent ones it hit, and favours that it won."""
        return self.deferred + self.held + self.locked_out + self.let_in


@contextmanager
def _pages() -> Iterator[Pages]:
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder, Pages(Path(folder)) as pages:
        yield pages


def _from(pages: Pages, network: str) -> Visitor:
    return pages.visitor(**{"X-Forwarded-For": network})


def sign_in_flood() -> Outcome:
    """1,040 requests for sign-in mails to addresses that are not there, from 52 networks; then those who are ask."""
    people = [f"user{n}@example.com" for n in range(10)]
    with _pages() as pages:
        for number, person in enumerate(people):
            pages.hold(message(number, recipient=person), content(f"{number}"))
        made_up = (f"nobody{number}@example.com" for number in itertools.count())
        answers = flood(pages, made_up, [f"198.51.{number}.7" for number in range(52)], 20)
        shut = sum(not signs_in(pages, person, f"203.0.{n}.7") for n, person in enumerate(people))
    return Outcome(
        "sign-in requests from 52 networks", len(answers), answers.count(429), len(people), 0, 0, shut
    )


def mass_answers(number: int) -> Outcome:
    """A machine does the work of so many challenges, for ten senders of its own; then honest senders answer theirs."""
    with _pages() as pages:
        asked = [
            ask(pages, n, recipient=f"user{n % 30}@example.com", sender=f"offers{n % _SENDERS}@shop.example")[
                1
            ]
            for n in range(number)
        ]
        robots = [_from(pages, f"198.51.{n}.7") for n in range(-(-number // _OF_ONE_NETWORK))]
        right = sum(
            "Delivered to" in by_work(robots[n // _OF_ONE_NETWORK], path).text for n, path in enumerate(asked)
        )
        favoured = sum(one.validations > 0 for one in pages.store.senders.find())
        shut = _shut_out(pages, number)
    return Outcome("challenges answered by work", number, number - right, _HONEST, 0, 0, shut, favoured)


def mass_guesses(number: int) -> Outcome:
    """A machine types codes at random, from a network for each 25 of them; then honest senders answer."""
    with _pages() as pages:
        asked = [ask(pages, n, sender=f"offers{n % _SENDERS}@shop.example")[1] for n in range(number // 10)]
        refused = 0
        for n in range(number):
            robot = _from(pages, f"198.51.{n // 25}.7")
            path = asked[n % len(asked)]
            question = robot.post(path)
            if question.status == 200 and 'name="code"' in question.text:
                robot.post(path, code=question.field("code"), typed=f"{n:0{len(CODE)}d}")
            else:
                refused += 1
        favoured = sum(one.validations > 0 for one in pages.store.senders.find())
        shut = _shut_out(pages, number)
    return Outcome("codes of challenges guessed", number, refused, _HONEST, 0, 0, shut, favoured)


def _shut_out(pages: Pages, first: int) -> int:
    """How many of ten honest senders, each from a network of its own, can't have their messages delivered."""
    shut = 0
    for n in range(_HONEST):
        _, path = ask(pages, first + n, sender=f"friend{n}@example.net")
        shut += "Delivered to" not in type_code(_from(pages, f"203.0.{n}.7"), path).text
    return shut

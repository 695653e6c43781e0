"""Sentences that `judge` fills in, each in this one place, so that pages can say them again in the reader's language.

A finding keeps its sentence apart from its facts; an opinion is stored as text. So what a policy made of a finding is
recognised by its form, and its facts are put into the translation. (No catalogue is read here: filters use this, and
workers are to stay small.)
"""

from __future__ import annotations

import re
from collections.abc import Callable

_LONGEST = 1000


class Sentence:
    """An English sentence with `{name}` places; `shapes` are the regular expressions of what stands in them."""

    def __init__(self, english: str, **shapes: str) -> None:
        self.english = english
        parts = re.split(r"\{(\w+)\}", english)
        pattern = "".join(
            f"(?P<{part}>{shapes[part]})" if place % 2 else re.escape(part)
            for place, part in enumerate(parts)
        )
        self._form = re.compile(pattern, re.DOTALL)

    def __call__(self, **facts: object) -> str:
        """The sentence, filled in."""
        return self.english.format(**facts)

    def read(self, text: str) -> dict[str, str] | None:
        """The facts of a text that is this sentence filled in; None when it is not."""
        found = self._form.fullmatch(text)
        return found.groupdict() if found else None


_NUMBER = r"[0-9.]{1,20}"

FEW_LISTS = Sentence(
    "{subject} is on a list, but only {answered} of {total} lists answered, too few to decide",
    subject=r"\S+",
    answered=_NUMBER,
    total=_NUMBER,
)
ON_LISTS = Sentence(
    "{subject} is on {listed} of {answered} lists that answered: {zones}",
    subject=r"\S+",
    listed=_NUMBER,
    answered=_NUMBER,
    zones=".*",
)
SAME_FOR_MANY = Sentence(
    "the same message came for {seen} recipients in {window} seconds", seen=_NUMBER, window=_NUMBER
)
ALIKE_FOR_MANY = Sentence(
    "nearly the same message came for {seen} recipients in {window} seconds", seen=_NUMBER, window=_NUMBER
)
MARKED_BY_HAND = Sentence(
    "same origin and content as spam that was marked by hand (marks: {marks})", marks=_NUMBER
)
ALIKE_MARKED_BY_HAND = Sentence(
    "same origin and nearly the same content as spam that was marked by hand (marks: {marks})", marks=_NUMBER
)
OVERRULED = Sentence("overruled by a nearer entry")
KNOWN_IMAGE = Sentence("known image {fingerprint}", fingerprint=r"[0-9a-f]{1,64}")
BLACKLISTED_CLIENT = Sentence("Blacklisted Peer IP ({pattern})", pattern=".*")
BLACKLISTED_SENDER = Sentence("Blacklisted EMail Address ({pattern})", pattern=".*")
BLACKLISTED_FROM = Sentence("Blacklisted EMail Address From ({pattern})", pattern=".*")
TOTAL = Sentence(
    "the total of {total} reaches the limit of {required}", total=r"-?" + _NUMBER, required=_NUMBER
)

TEST_ASKS = Sentence("a test string asks for {asked}", asked=r"[a-z]{1,20}")
TESTED = Sentence(
    "a test string asks for {asked}, and without it {decided_by} decides: {because}",
    asked=r"[a-z]{1,20}",
    decided_by=r"[a-z0-9_]{1,40}",
    because=".*",
)

SENTENCES = (
    ON_LISTS,
    FEW_LISTS,
    SAME_FOR_MANY,
    ALIKE_FOR_MANY,
    MARKED_BY_HAND,
    ALIKE_MARKED_BY_HAND,
    OVERRULED,
    KNOWN_IMAGE,
    BLACKLISTED_CLIENT,
    BLACKLISTED_SENDER,
    BLACKLISTED_FROM,
    TOTAL,
    TEST_ASKS,
    TESTED,
)


def retold(text: str, translate: Callable[[str], str]) -> str:
    """A stored text in the reader's language, where it is one of SENTENCES or stands in the catalogue as it is."""
    if not text or len(text) > _LONGEST:
        return text
    for sentence in SENTENCES:
        facts = sentence.read(text)
        if facts is not None:
            if "because" in facts:  # another sentence, shorter than this one
                facts["because"] = retold(facts["because"], translate)
            return translate(sentence.english).format(**facts)
    return translate(text)

"""Replay is exact: what it says of recorded mail is what becomes of that mail when it is sent again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import FILTERS
from tests.road.replaying import compare

pytestmark = [pytest.mark.real, pytest.mark.corpus, pytest.mark.timeout(300)]


def test_replay_says_what_sending_again_does(corpus_ham: list[Path], corpus_spam: list[Path]) -> None:
    """In the policy in force, and under another one; only what depends on findings that nobody made is left open."""
    messages = [*corpus_ham[::42], *corpus_spam[::19]]
    learned = {"ham": corpus_ham[1::42], "spam": corpus_spam[1::19]}
    compared = compare(messages, learned, everything=False)
    shown = "\n".join(compared.lines())
    assert compared.copies == sum(1 + n % 4 for n in range(len(messages)))
    assert compared.same_in_force == compared.copies, shown
    assert compared.differing == [], shown
    assert compared.moved > 20, shown
    assert set(compared.filters) <= {one.name for one in FILTERS if one.expensive}, shown
    assert compared.equal + compared.unknown == compared.copies
    assert compared.equal > compared.copies / 2, shown

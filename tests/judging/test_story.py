"""What is remembered of a message, as a line of JSON."""

from __future__ import annotations

from typing import Any

import pytest

from tamis.judging.plan import Judged
from tamis.judging.story import Remembered, from_line, to_line
from tamis.judging.verdict import judge_each
from tests.builders import MARIE, book, envelope, finding


@pytest.mark.parametrize(
    "fact",
    [
        *("plain", "é 漢", "\x00\x1f\u2028", "half \udc80", 2**63, 2**70, -1, 0.1, 1e300, None, True),
        *([1, ["a"]], {"a": {"b": 1}}),
    ],
)
def test_every_fact_comes_back_as_it_was(fact: Any) -> None:
    seen = finding("malformed", fact=fact)
    line = to_line(envelope(), {"malformed": seen}, (), Remembered("a@example.com", 7))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert from_line(line).findings == (seen,)


def test_recipients_that_share_a_verdict_are_told_each() -> None:
    one_book = book()
    policies = [one_book.policy(who) for who in (MARIE, "paul@example.com", "anna@example.org")]
    findings = {"malformed": finding("malformed", names="nul", kinds=["nul"])}
    verdicts = judge_each(findings, policies)
    judged = [Judged(verdict, policy, ()) for verdict, policy in zip(verdicts, policies, strict=True)]
    story = from_line(to_line(envelope(), findings, judged, Remembered("", 1)))
    assert [who for who, _ in story.recipients] == [one.recipient for one in policies]
    assert len({told for _, told in story.recipients}) == 1

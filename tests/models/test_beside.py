"""What the other filters said, from the trace header of stored mail."""

from __future__ import annotations

import pytest

from tamis.message.mail import Mail
from tamis.models.beside import points_beside


@pytest.mark.parametrize(
    ("value", "points"),
    [
        ("No, score=2.5 required=7.5 tests=spf=2.5", 2.5),
        ("Yes, score=10.0 required=7.5 tests=statistics=7.5,spf=1.5,display_name=1 decided=score", 2.5),
        ("No, score=-1.0 required=7.5 tests=reply_to=-1,newsletter=tag", -1.0),
        ("Yes, score=0.0 required=7.5 tests=knowledge=3(shadow),uribl=spam decided=uribl", 0.0),
        ("No, score=0.0 required=7.5 tests=none", 0.0),
        ("No, score=2.5 required=7.5\n tests=spf=2.5", 2.5),
        ("Yes, score=99.0 required=7.5 tests=spf=99", 50.0),
        ("Yes, score=6.1 required=5.0 tests=BAYES_99,HTML_MESSAGE autolearn=no version=4.0.1", None),
        ("Yes, score=6.1 required=5.0 tests=BAYES_99=3.5,URIBL=2.6", None),
        ("No, score=2.5 required=7.5 tests=spf=2.5,dis...", None),
        ("No, score=2.5 required=7.5 tests=spf=nan", 0.0),
        ("No, score=2.5 required=7.5 tests=" + "a=1," * 201 + "a=1", None),
        ("", None),
    ],
)
def test_the_points_of_the_others(value: str, points: float | None) -> None:
    assert points_beside(Mail(f"X-Spam-Status: {value}\nSubject: x\n\n".encode()), "X-Spam-") == points


def test_without_a_trace_or_with_two_nothing_is_known() -> None:
    one = b"X-Spam-Status: No, score=2.5 required=7.5 tests=spf=2.5\n"
    assert points_beside(Mail(b"Subject: x\n\n"), "X-Spam-") is None
    assert points_beside(Mail(one + one + b"\n"), "X-Spam-") is None
    assert points_beside(Mail(one + b"\n"), "X-Other-") is None

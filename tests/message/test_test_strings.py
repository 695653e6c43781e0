"""Which messages are tests."""

from __future__ import annotations

import base64

import pytest

from tamis.message.mail import Mail
from tamis.message.test_strings import TEST_STRINGS, asked_of

GTUBE = TEST_STRINGS["spam"]
PLAIN = "text/plain; charset=utf-8"


def mail(body: str, kind: str = PLAIN, more: str = "") -> Mail:
    head = f"From: Stranger <stranger@example.net>\r\nSubject: Test\r\nContent-Type: {kind}\r\n{more}\r\n"
    return Mail((head + body).encode())


@pytest.mark.parametrize(("asked", "line"), TEST_STRINGS.items())
def test_a_line_asks(asked: str, line: str) -> None:
    assert asked_of(mail(f"Hello\r\n{line}\r\nBye\r\n")) == asked
    assert asked_of(mail(f"<p>Hello</p><div> {line} </div><p>Bye</p>", "text/html")) == asked
    packed = base64.encodebytes(f"Hello\n{line}\n".encode()).decode()
    assert asked_of(mail(packed, more="Content-Transfer-Encoding: base64\r\n")) == asked


def test_of_several_the_worst_counts() -> None:
    assert asked_of(mail("\r\n".join(TEST_STRINGS[one] for one in ("junk", "tag", "spam")))) == "junk"
    assert asked_of(mail("\r\n".join(TEST_STRINGS.values()))) == "defer"


PARTS = "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n{}\r\n\r\n{}\r\n--b--\r\n"


@pytest.mark.parametrize(
    "one",
    [
        mail("nothing"),
        mail(f"The string is {GTUBE}"),
        mail(f"{GTUBE}."),
        mail(f"> {GTUBE}"),
        mail(GTUBE.lower()),
        mail(GTUBE[:40] + "\r\n" + GTUBE[40:]),
        mail(f"<p style='display:none'>{GTUBE}</p><p>Hello</p>", "text/html"),
        mail(f"<!-- {GTUBE} --><p title='{GTUBE}'>Hello</p>", "text/html"),
        mail("Hello", more=f"X-Test: {GTUBE}\r\nComments: x\r\n {GTUBE}\r\n"),
        mail(
            PARTS.format("Content-Type: text/plain\r\nContent-Disposition: attachment", GTUBE),
            "multipart/mixed; boundary=b",
        ),
        mail(
            PARTS.format("Content-Type: message/rfc822", f"Subject: x\r\n\r\n{GTUBE}"),
            "multipart/mixed; boundary=b",
        ),
        mail(f"Subject: x\r\n\r\n{GTUBE}\r\n", "message/rfc822"),
    ],
)
def test_what_is_no_line_that_a_reader_sees_asks_nothing(one: Mail) -> None:
    assert asked_of(one) == ""


def test_a_part_that_is_shown_asks() -> None:
    assert (
        asked_of(mail(PARTS.format("Content-Type: text/plain", GTUBE), "multipart/mixed; boundary=b"))
        == "spam"
    )

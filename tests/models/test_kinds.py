"""Kinds of mail, told from features alone."""

from __future__ import annotations

import pytest

from tamis.message.mail import Mail
from tamis.models.features import Features, extract
from tamis.models.kinds import MailKind, kind_of

_HEAD = b"From: Marie <marie@example.com>\nSubject: Monday\nDate: Mon, 2 Mar 2026 10:00:00 +0000\n"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (b"", MailKind.PLAIN),
        (b"Content-Type: text/plain; charset=utf-8\n", MailKind.PLAIN),
        (b"Content-Type: text/html\n", MailKind.MADE),
        (b'Content-Type: multipart/alternative; boundary="x"\n', MailKind.MADE),
        (b"In-Reply-To: <1@example.net>\n", MailKind.ANSWER),
        (b"References: <1@example.net>\nContent-Type: text/html\n", MailKind.ANSWER),
        (b"List-Unsubscribe: <mailto:no@example.org>\nContent-Type: text/html\n", MailKind.BULK),
        (b"Precedence: bulk\n", MailKind.BULK),
        (b"List-Id: <friends.example.org>\nList-Unsubscribe: <mailto:no@example.org>\n", MailKind.LIST),
        (b"List-Id: <friends.example.org>\nIn-Reply-To: <1@example.net>\n", MailKind.LIST),
        (b"Auto-Submitted: auto-replied\nIn-Reply-To: <1@example.net>\n", MailKind.AUTOMATIC),
        (b"Auto-Submitted: no\n", MailKind.PLAIN),
        (b'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\n', MailKind.AUTOMATIC),
        (b"X-Text: list-id list-unsubscribe precedence in-reply-to\n", MailKind.PLAIN),
    ],
)
def test_by_its_header(fields: bytes, kind: MailKind) -> None:
    assert kind_of(extract(Mail(_HEAD + fields + b"\nGood day.\n"))) is kind


def test_an_answer_is_told_by_its_subject() -> None:
    assert kind_of(extract(Mail(b"Subject: Re: Monday\n\nYes.\n"))) is MailKind.ANSWER
    assert kind_of(extract(Mail(b"Subject: Monday\n\nre: yes.\n"))) is MailKind.PLAIN


def test_nothing_is_a_plain_letter() -> None:
    nothing = extract(Mail(b""))
    assert kind_of(nothing) is MailKind.PLAIN
    assert kind_of(Features(nothing.indices[:0], nothing.counts * 0)) is MailKind.PLAIN

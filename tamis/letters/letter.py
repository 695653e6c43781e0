"""Mails that Tamis writes itself: plain, in text and HTML, with nothing in them that loads or follows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from babel.dates import format_date, format_time
from markupsafe import Markup

from tamis.language.time_zone import zone_of
from tamis.message.address import domain_of

Fields = Sequence[tuple[str, str]]

_UTF8 = Charset("utf-8")
_UTF8.header_encoding = QP
_QP = "quoted-printable"
_POLICY = SMTP.clone(max_line_length=76, cte_type="7bit")


def letter(fields: Fields, text: str, html: Markup) -> bytes:
    """A mail with these header fields, as text and as HTML: CRLF lines, ASCII only, whatever the values hold."""
    header = "".join(f"{name}: {_encoded(name, value)}\r\n" for name, value in fields)
    content = EmailMessage(policy=_POLICY)
    content.set_content(text, cte=_QP)
    content.add_alternative(str(html), subtype="html", cte=_QP)
    return header.encode("ascii") + content.as_bytes()


def our_fields(
    *, mailbox: str, subject: str, from_local: str, number: str, language: str, now: datetime
) -> Fields:
    """The header of a mail to one of our own mailboxes, from `from_local` at its domain; `number` makes its
    Message-ID. It says that no program is to answer (RFC 3834 5)."""
    domain = domain_of(mailbox)
    return (
        ("From", f'"{domain}" <{from_local}@{domain}>'),
        ("To", f"<{mailbox}>"),
        ("Subject", subject),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<{number}@{domain}>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", language),
    )


def day(moment: datetime, language: str, time_zone: str) -> str:
    """The day of a moment, without the year, as people write it there."""
    date = moment.astimezone(zone_of(time_zone)).date()
    if language != "fr":
        return str(format_date(date, "MMMM d", locale=language))
    return str(format_date(date, "'1er' MMMM" if date.day == 1 else "d MMMM", locale="fr"))


def time_of_day(moment: datetime, language: str, time_zone: str) -> str:
    """The time of a moment, without seconds."""
    return str(format_time(moment.astimezone(zone_of(time_zone)), "HH:mm", locale=language))


def _encoded(name: str, value: str) -> str:
    """A field's value as it stands in the mail: ASCII as it is, else encoded words (RFC 2047).

    So is what looks like encoded words: email.message would read them as such and write out the line breaks in them.
    """
    if value.isascii() and value.isprintable() and "=?" not in value:
        return value
    text = value.encode("utf-8", "replace").decode("utf-8")  # lone surrogates can't be sent
    return Header(text, _UTF8, header_name=name, maxlinelen=76).encode(linesep="\r\n")

"""Mails that Tamis writes itself: plain, in text and HTML, with nothing in them that loads or follows. Pure.

Both forms say the same. The text has lines of at most WIDTH characters, and every link on a line of its own; the HTML
fits a window of 320 pixels, and its links are buttons that a finger meets. Styles stand on the elements: many mail
programs drop style sheets.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
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

WIDTH = 72
"""Characters of a line of text, but for links."""

_BODY = (
    "margin:0 auto;padding:16px;max-width:34em;font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;"
    "font-size:16px;line-height:1.5;overflow-wrap:anywhere;word-break:break-word"
)
_BUTTON = (
    "display:inline-block;margin:4px 6px 4px 0;padding:10px 18px;min-width:44px;box-sizing:border-box;"
    "border:1px solid #0f5e6b;border-radius:8px;text-align:center;text-decoration:none;line-height:24px;"
)
_PRIMARY = _BUTTON + "background:#0f5e6b;color:#ffffff;font-weight:bold"
_PLAIN = _BUTTON + "background:#ffffff;color:#0f5e6b"

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


def wrapped(paragraphs: Iterable[str], indent: str = "", first: str | None = None) -> str:
    """Paragraphs as text, with lines of at most WIDTH characters that begin with `indent`, those of a paragraph's
    first line with `first`; what has no blank in it, as a link, stays whole. French has no-break spaces before its
    colons, where no line may begin."""
    begin = indent if first is None else first
    return "\n\n".join(
        "\n".join(
            textwrap.fill(
                line,
                WIDTH,
                initial_indent=indent if place else begin,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            ).replace("\N{NO-BREAK SPACE}", " ")
            for place, line in enumerate(one.split("\n"))
        )
        for one in paragraphs
    )


def sheet(language: str, title: str, body: Markup) -> Markup:
    """The HTML form around what a mail says."""
    return Markup(
        '<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title></head>\n'
        '<body style="{style}">\n{body}\n</body></html>\n'
    ).format(language=language, title=title, style=_BODY, body=body)


def paragraph(text: str) -> Markup:
    """A paragraph of HTML."""
    return Markup("<p>{}</p>").format(text)


def plain_link(link: str, label: str) -> Markup:
    """A line that leads to a page, large enough for a finger."""
    return Markup('<p><a href="{}" style="display:inline-block;padding:8px 0">{}</a></p>').format(link, label)


def button(link: str, label: str, *, primary: bool = True) -> Markup:
    """A link as a button, 46 pixels high."""
    return Markup('<a href="{}" style="{}">{}</a>').format(link, _PRIMARY if primary else _PLAIN, label)


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
    first = language == "fr" and date.day == 1
    return str(format_date(date, "'1er' MMMM" if first else "d MMMM", locale=language))


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

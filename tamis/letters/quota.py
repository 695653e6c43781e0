"""The mail that says that a mailbox is nearly full (O6). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from tamis.language.translation import translations
from tamis.letters.letter import letter, our_fields, paragraph, sheet, wrapped
from tamis.quarantine.records import new_id

EVERY = timedelta(hours=24)
"""A mailbox gets at most one in this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaNotice:
    """What it says: `percent` of the mailbox are in use."""

    mailbox: str
    percent: int
    language: str
    from_local: str


def compose(notice: QuotaNotice, *, now: datetime) -> bytes:
    """The mail; its envelope has a null sender and the mailbox as recipient."""
    _ = translations(notice.language).gettext
    subject = _("Your mailbox is {percent} % full").format(percent=notice.percent)
    paragraphs = (
        _("{percent} % of {mailbox} is in use. When it is full, new mail can no longer be delivered.").format(
            percent=notice.percent, mailbox=notice.mailbox
        ),
        _("What makes room:"),
    )
    advice = (
        _("Empty Trash and Junk."),
        _("Sort Sent and the inbox by size, and delete large attachments that you have saved elsewhere."),
        _("Move old mail into folders on your computer."),
        _("If your mail program only marks messages as deleted, tell it to remove them for good."),
    )
    text = wrapped(paragraphs) + "\n\n" + "\n".join(wrapped([one], "  ", "- ") for one in advice) + "\n"
    listed = Markup("\n").join(Markup("<li>{}</li>").format(one) for one in advice)
    html = sheet(
        notice.language,
        subject,
        Markup("{}\n<ul>\n{}\n</ul>").format(Markup("\n").join(map(paragraph, paragraphs)), listed),
    )
    fields = our_fields(
        mailbox=notice.mailbox,
        subject=subject,
        from_local=notice.from_local,
        number=f"{new_id(now)}.quota",
        language=notice.language,
        now=now,
    )
    return letter(fields, text, html)

"""The digest: a mail to a recipient with what was held, each message with links that open a confirming page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from markupsafe import Markup

from tamis.contract.filter import Filter
from tamis.judging.reasons import plain_reason
from tamis.language.display_text import plain
from tamis.language.time_zone import zone_of
from tamis.language.translation import marked, translations
from tamis.letters.letter import day, letter, our_fields, time_of_day
from tamis.message.address import domain_of
from tamis.quarantine.records import Summary

MOST_LISTED = 100
"""Messages that one digest lists; the rest is counted and linked to."""

VERBS = (
    ("deliver", marked("Deliver")),
    ("allow", marked("Always allow")),
    ("delete", marked("Delete")),
)
"""What a digest's links ask to be confirmed, and what they are called."""

_MOST = 120
_STYLE = Markup(
    "body{{font-family:system-ui,sans-serif;max-width:40em;margin:1em auto;padding:0 1em}}"
    "li{{list-style:none;margin:0 0 1.2em}}ul{{padding:0}}small{{color:#555}}"
).format()


def due(times: Sequence[str], time_zone: str, since: datetime, now: datetime) -> bool:
    """Whether one of the `times` of day ("17:00", in the zone) lies after `since` and not after `now`.

    A time that a change to summer time skips counts as if the clock had not changed (PEP 495, fold 0).
    """
    zone = zone_of(time_zone)
    today = now.astimezone(zone).date()
    moments = (
        datetime.combine(date, time.fromisoformat(at), zone)
        for date in (today, today - timedelta(days=1))
        for at in times
    )
    return any(since < moment <= now for moment in moments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a digest says. `messages` are the newest untold ones, `count` is how many there are in all; `link` makes
    the address of a confirming page from a message's id and a verb of VERBS; `home` is the page with everything;
    `filters` say why each was held."""

    mailbox: str
    messages: Sequence[Summary]
    count: int
    link: Callable[[str, str], str]
    home: str
    filters: Sequence[Filter[Any]]
    language: str
    time_zone: str
    from_local: str


def compose(digest: Digest, *, now: datetime) -> bytes:
    """The mail; its envelope has a null sender and the mailbox as recipient."""
    words = translations(digest.language)
    _ = words.gettext
    subject = words.ngettext(
        "{number} message was held for you", "{number} messages were held for you", digest.count
    ).format(number=digest.count)
    newest = max((one.id for one in digest.messages), default="none")
    fields = our_fields(
        mailbox=digest.mailbox,
        subject=subject,
        from_local=digest.from_local,
        number=f"{newest}.digest",
        language=digest.language,
        now=now,
    )
    more = digest.count - len(digest.messages)
    closing = [_("Each link opens a page that asks you to confirm; nothing happens before that.")]
    if more > 0:
        closing.insert(0, words.ngettext("{number} more is there:", "{number} more are there:", more))
        closing[0] = closing[0].format(number=more)
    opening = (
        _("The spam filter of {domain} holds them for {mailbox}.").format(
            domain=domain_of(digest.mailbox), mailbox=digest.mailbox
        )
        + " "
        + _("There is nothing to pay, and we ask for no password.")
    )
    everything = _("All messages, search and settings:")
    rows = [_Row(one, digest) for one in digest.messages]
    text = "\n\n".join(
        [
            f"{subject}.",
            opening,
            *("\n".join(row.lines()) for row in rows),
            *closing,
            f"{everything} {digest.home}",
        ]
    )
    html = Markup(
        '<!doctype html>\n<html lang="{language}"><meta charset="utf-8"><title>{subject}</title>'
        "<style>{style}</style><p>{subject}.</p>\n<p>{opening}</p>\n<ul>\n{rows}\n</ul>\n{closing}\n"
        '<p>{everything} <a href="{home}">{home}</a></p></html>\n'
    ).format(
        language=digest.language,
        subject=subject,
        opening=opening,
        style=_STYLE,
        rows=Markup("\n").join(row.html() for row in rows),
        closing=Markup("\n").join(Markup("<p>{}</p>").format(one) for one in closing),
        everything=everything,
        home=digest.home,
    )
    return letter(fields, text, html)


class _Row:
    """One held message, as plain text and as HTML. Everything of it is as hostile as its sender."""

    def __init__(self, message: Summary, digest: Digest) -> None:
        words = translations(digest.language)
        self._sender = plain(message.header_from or message.sender, _MOST) or words.gettext("(no sender)")
        self._subject = plain(message.subject, _MOST) or words.gettext("(no subject)")
        self._when = words.gettext("{day}, {time}").format(
            day=day(message.received_at, digest.language, digest.time_zone),
            time=time_of_day(message.received_at, digest.language, digest.time_zone),
        )
        self._why = words.gettext(plain_reason(message.decided_by, digest.filters))
        self._links = [(words.gettext(label), digest.link(message.id, verb)) for verb, label in VERBS]

    def lines(self) -> Iterator[str]:
        """As text."""
        yield f"{self._subject}\n    {self._sender}"
        yield f"    {self._when} - {self._why}"
        yield from (f"    {label}: {link}" for label, link in self._links)

    def html(self) -> Markup:
        """As HTML."""
        links = Markup(" &middot; ").join(
            Markup('<a href="{}">{}</a>').format(link, label) for label, link in self._links
        )
        return Markup("<li><b>{}</b><br>{}<br><small>{} - {}</small><br>{}</li>").format(
            self._subject, self._sender, self._when, self._why, links
        )

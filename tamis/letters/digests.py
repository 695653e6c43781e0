"""The digest: a mail to a recipient with what was held, each message with links that open a confirming page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from markupsafe import Markup

from tamis.contract.filter import Filter
from tamis.judging.likelihood import Likelihood, likelihood
from tamis.judging.promise import NOT_ENOUGH
from tamis.judging.reasons import plain_reason
from tamis.language.display_text import named, plain
from tamis.language.time_zone import zone_of
from tamis.language.translation import marked, translations
from tamis.letters.letter import (
    button,
    day,
    letter,
    our_fields,
    paragraph,
    plain_link,
    sheet,
    time_of_day,
    wrapped,
)
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

GROUPS = (
    (Likelihood.PERHAPS, marked("Perhaps wanted")),
    (Likelihood.PROBABLY, marked("Probably unwanted")),
)
"""What people should look at first, and what they may skip."""


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
    the address of a message's confirming page, on which a verb of VERBS is preselected ("" for the first); `home` is
    the page with everything; `filters` say why each was held."""

    mailbox: str
    messages: Sequence[Summary]
    count: int
    link: Callable[[str, str], str]
    home: str
    filters: Sequence[Filter[Any]]
    language: str
    time_zone: str
    from_local: str
    guide: str = ""
    """The page that explains all this; "" for none."""
    despite: Callable[[Summary], str] = field(default=lambda _: "")
    """Why "always allow" would not let mail like a message in, an English fragment; "" where it would."""


def compose(digest: Digest, *, now: datetime) -> bytes:
    """The mail; its envelope has a null sender and the mailbox as recipient."""
    words = translations(digest.language)
    subject = words.ngettext(
        "{number} message is held for you", "{number} messages are held for you", digest.count
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
    groups = [*_grouped(digest)]
    opening, closing = _opening(digest, subject), _closing(digest)
    return letter(fields, _text(digest, opening, groups, closing), _html(digest, opening, groups, closing))


_Group = tuple[str, "list[_Row]"]


def _grouped(digest: Digest) -> Iterator[_Group]:
    """The messages by how likely they are wanted, each group with its heading; no empty ones."""
    words = translations(digest.language)
    for wanted, title in GROUPS:
        rows = [
            _Row(one, digest)
            for one in digest.messages
            if likelihood(one.decided_by, one.score, one.required, digest.filters) is wanted
        ]
        if rows:
            yield f"{words.gettext(title)} ({len(rows)})", rows


def _opening(digest: Digest, subject: str) -> list[str]:
    """Who writes to whom about what, and what one has to do: nothing."""
    words = translations(digest.language)
    kept = words.ngettext(
        "The spam filter of {domain} put it aside for the mailbox {mailbox}.",
        "The spam filter of {domain} put them aside for the mailbox {mailbox}.",
        digest.count,
    ).format(domain=domain_of(digest.mailbox), mailbox=digest.mailbox)
    first = min((one.expires_at for one in digest.messages), default=None)
    if first is None:
        return [f"{subject}.", kept]
    otherwise = words.ngettext(
        "If you don't want it, do nothing: it is deleted by itself on {date}.",
        "If you want none of them, do nothing: they are deleted by themselves from {date} on.",
        digest.count,
    )
    date = day(first, digest.language, digest.time_zone)
    return [f"{subject}.", kept, otherwise.format(date=date)]


def _closing(digest: Digest) -> list[str]:
    """What a press does, and how one knows that this mail is no trap."""
    words = translations(digest.language)
    _ = words.gettext
    told = []
    more = digest.count - len(digest.messages)
    if more > 0:
        sentence = words.ngettext(
            "{number} more is not listed here.", "{number} more are not listed here.", more
        )
        told.append(sentence.format(number=more))
    told.append(
        _(
            "Each link opens a page that shows the message and asks you to confirm; nothing happens before that."
        )
    )
    told.append(_("There is nothing to pay, and we ask for no password."))
    return told


def _text(digest: Digest, opening: Sequence[str], groups: Sequence[_Group], closing: Sequence[str]) -> str:
    _ = translations(digest.language).gettext
    listed = (
        f"{title}\n{'-' * len(title)}\n\n" + "\n\n".join(row.text() for row in rows) for title, rows in groups
    )
    everything = [_("All held messages, search and settings:") + f"\n{digest.home}"]
    if digest.guide:
        everything.append(_("What is this?") + f"\n{digest.guide}")
    return (
        "\n\n".join([wrapped([" ".join(opening)]), *listed, wrapped([" ".join(closing), *everything])]) + "\n"
    )


def _html(digest: Digest, opening: Sequence[str], groups: Sequence[_Group], closing: Sequence[str]) -> Markup:
    _ = translations(digest.language).gettext
    body = [paragraph(" ".join(opening))]
    for title, rows in groups:
        body.append(Markup('<h2 style="font-size:18px;margin:24px 0 4px">{}</h2>').format(title))
        body += [row.html() for row in rows]
    body.append(Markup('<hr style="border:0;border-top:1px solid #8b8f8f;margin:20px 0">'))
    body.append(Markup("<p>{}</p>").format(button(digest.home, _("All held messages"), primary=False)))
    body += [paragraph(" ".join(closing))]
    if digest.guide:
        body.append(plain_link(digest.guide, _("What is this?")))
    return sheet(digest.language, opening[0], Markup("\n").join(body))


class _Row:
    """One held message, as plain text and as HTML. Everything of it is as hostile as its sender."""

    def __init__(self, message: Summary, digest: Digest) -> None:
        words = translations(digest.language)
        self._words = words
        name, address = (plain(one, _MOST) for one in named(message.header_from, message.sender))
        self._sender = f"{name} <{address}>" if name and address else name or address
        self._sender = self._sender or words.gettext("(no sender)")
        self._subject = plain(message.subject, _MOST) or words.gettext("(no subject)")
        self._when = words.gettext("{day}, {time}").format(
            day=day(message.received_at, digest.language, digest.time_zone),
            time=time_of_day(message.received_at, digest.language, digest.time_zone),
        )
        self._why = words.gettext(plain_reason(message.decided_by, digest.filters))
        self._despite = digest.despite(message)
        self._link = digest.link(message.id, "")
        self._links = [(words.gettext(label), digest.link(message.id, verb)) for verb, label in VERBS]

    def text(self) -> str:
        """As text: one link, to a page that offers everything. What strangers wrote never begins a line."""
        _ = self._words.gettext
        why = _("Held because {reason}.").format(reason=self._why)
        link = _("Read, receive or delete:") + f"\n{self._link}"
        about = [f"{self._sender}\n{self._when}. {why}", *self._not_enough(), link]
        return "\n".join([wrapped([self._subject], "  ", "* "), *(wrapped([one], "  ") for one in about)])

    def html(self) -> Markup:
        """As HTML."""
        why = self._words.gettext("Held because {reason}.").format(reason=self._why)
        links = Markup("\n").join(
            button(link, label, primary=not place) for place, (label, link) in enumerate(self._links)
        )
        return Markup(
            '<div style="padding:12px 0;border-top:1px solid #dfdcd4"><b>{}</b><br>{}<br>'
            '<small style="font-size:14px">{}</small><br>\n{}</div>'
        ).format(self._subject, self._sender, " ".join([f"{self._when}.", why, *self._not_enough()]), links)

    def _not_enough(self) -> list[str]:
        """What "always allow" can't promise, where there is something."""
        if not self._despite:
            return []
        return [self._words.gettext(NOT_ENOUGH).format(reason=self._words.gettext(self._despite))]

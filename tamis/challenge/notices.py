"""The mail that asks a sender to confirm a held message. Pure.

It says nothing of the message but its subject, threads under it, holds no image and nothing that follows its reader,
and is written so that nobody answers it: neither people (From is no mailbox of the recipient) nor programs (RFC 3834).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from markupsafe import Markup, escape

from tamis.judging.suppression import NOTICE_ID
from tamis.language.display_text import plain
from tamis.language.translation import LANGUAGES, accepted, translations
from tamis.letters.letter import day, letter, time_of_day
from tamis.message.address import domain_of
from tamis.message.mail.headers import Headers

MOST_SUBJECT = 150
"""Characters of the original's subject that are repeated."""
_MOST_SHOWN = 5
_MOST_ID = 250
_MOST_ADDRESS = 100
_FRENCH = frozenset(
    ("fr", "re", "gp", "mq", "gf", "yt", "pm", "bl", "mf", "wf", "pf", "nc", "mc", "paris", "bzh", "alsace")
)
"""Top domains whose people read French rather than English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a notice says. `subject` and `message_id` are the original's, as hostile as they came; `recipients` are
    those who agreed to be named; `held_until` is when the first copy goes; `language` comes first, the other below it.
    """

    challenge: str
    sender: str
    recipients: Sequence[str]
    subject: str
    message_id: str
    sent_at: datetime
    held_until: datetime
    whitelists: bool
    link: str
    language: str
    time_zone: str
    from_local: str


def language_of(headers: Headers, sender: str, default: str) -> str:
    """The language to write in: what the message asks for or says of itself (RFC 3282), the top domain of its sender,
    else `default`."""
    for name in ("accept-language", "content-language"):
        value = headers.first(name)
        language = accepted(value, "") if value else ""
        if language:
            return language
    return "fr" if domain_of(sender).rpartition(".")[2] in _FRENCH else default


def compose(notice: Notice, *, now: datetime) -> bytes:
    """The mail, with CRLF lines and ASCII only; its envelope has a null sender and `notice.sender` as recipient.

    `notice.sender` and the first of the recipients are addresses that suppression let through: nothing to quote.
    """
    domain = domain_of(notice.recipients[0])
    languages = (notice.language, *(one for one in LANGUAGES if one != notice.language))
    subject = plain(notice.subject, MOST_SUBJECT) or "…"
    fields = [
        ("From", f'"{domain}" <{notice.from_local}@{domain}>'),
        ("To", f"<{notice.sender}>"),
        ("Subject", subject if subject.lower().startswith("re:") else f"Re: {subject}"),
        ("Date", format_datetime(now)),
        ("Message-ID", message_id(notice.challenge, domain)),
    ]
    if _is_message_id(notice.message_id):
        fields += [("In-Reply-To", notice.message_id), ("References", notice.message_id)]
    fields += [
        ("Auto-Submitted", "auto-replied"),  # RFC 3834 5
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", ", ".join(languages)),
    ]
    return letter(fields, *_content(notice, domain, languages))


def _content(notice: Notice, domain: str, languages: Sequence[str]) -> tuple[str, Markup]:
    """The words as text and as HTML."""
    texts = [_Text(notice, language) for language in languages]
    below = " ".join(translations(language).gettext("(English below)") for language in languages[1:])
    text = _RULE.join((f"{texts[0].plain()} {below}", *(one.plain() for one in texts[1:])))
    first = Markup("{}\n<p>{}</p>").format(texts[0].html(), below)
    html = Markup("\n<hr>\n").join((first, *(one.html() for one in texts[1:])))
    whole = Markup("<!doctype html>\n<title>{}</title>\n{}\n").format(domain, html)
    return text, whole


def message_id(challenge: str, domain: str) -> str:
    """The notice's own id: NOTICE_ID knows it again."""
    made = f"<{challenge}.confirm@{domain}>"
    assert NOTICE_ID.match(made)
    return made


_RULE = "\n\n" + 30 * "_" + "\n\n"


def _is_message_id(text: str) -> bool:
    return (
        len(text) <= _MOST_ID
        and text.startswith("<")
        and text.endswith(">")
        and "@" in text
        and all("!" <= c <= "~" and c not in '<>()\\",;' for c in text[1:-1])
    )


class _Text:
    """The words in one language, as plain text and as HTML."""

    def __init__(self, notice: Notice, language: str) -> None:
        self._notice = notice
        self._language = language
        self._ = translations(language).gettext

    def paragraphs(self) -> tuple[str, ...]:
        """What is said, with {link} where the link stands."""
        notice, _ = self._notice, self._
        promise = (
            _("It will be delivered at once, and we will not ask you again.")
            if notice.whitelists
            else _("It will be delivered at once.")
        )
        return (
            _(
                "Your message of {date}, {time}, to {recipients} is on hold: the spam filter of {domain} is not sure "
                "about it."
            ).format(
                date=self._date(notice.sent_at),
                time=time_of_day(notice.sent_at, self._language, notice.time_zone),
                recipients=self._recipients(),
                domain=domain_of(notice.recipients[0]),
            )
            + "\n"
            + _("Its subject: {subject}").format(subject=plain(notice.subject, MOST_SUBJECT) or "…"),
            _("Confirm in one step that you sent it:") + "\n{link}",
            promise
            + " "
            + _("Without an answer it will be deleted on {date}.").format(date=self._date(notice.held_until)),
            _("There is nothing to pay, and we ask for no password.")
            + " "
            + _("You sent no message? Ignore this one: somebody used your address."),
        )

    def plain(self) -> str:
        """As text."""
        return "\n\n".join(self.paragraphs()).replace("{link}", self._notice.link)

    def html(self) -> Markup:
        """As HTML. The link is shown without its token, which is wider than a phone."""
        shown = self._notice.link.rpartition("/")[0] + "/…"
        link = Markup('<a href="{}">{}</a>').format(self._notice.link, shown)
        paragraphs = (
            Markup("<p>{}</p>")
            .format(Markup("<br>").join(map(escape, one.split("\n"))))
            .replace("{link}", link)
            for one in self.paragraphs()
        )
        return Markup('<div lang="{}">{}</div>').format(self._language, Markup("\n").join(paragraphs))

    def _date(self, moment: datetime) -> str:
        return day(moment, self._language, self._notice.time_zone)

    def _recipients(self) -> str:
        shown = ", ".join(plain(one, _MOST_ADDRESS) for one in self._notice.recipients[:_MOST_SHOWN])
        more = len(self._notice.recipients) - _MOST_SHOWN
        if more <= 0:
            return shown
        others = translations(self._language).ngettext("{number} other", "{number} others", more)
        return self._("{some} and {others}").format(some=shown, others=others.format(number=more))

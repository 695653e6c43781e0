"""The mail that asks a sender to confirm a held message. Pure.

It says nothing of the message but its subject, threads under it, holds no image and nothing that follows its reader,
and is written so that nobody answers it: neither people (From is no mailbox of the recipient) nor programs (RFC 3834).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from markupsafe import Markup

from tamis.judging.suppression import NOTICE_ID
from tamis.language.display_text import plain
from tamis.language.enumeration import listed
from tamis.language.translation import LANGUAGES, accepted, marked, translations
from tamis.letters.letter import button, day, letter, paragraph, plain_link, sheet, time_of_day, wrapped
from tamis.message.address import domain_of
from tamis.message.mail.headers import Headers

MOST_SUBJECT = 150
"""Characters of the original's subject that are repeated."""
_MOST_ID = 250
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
    guide: Callable[[str], str] = field(default=lambda _: "")
    """The page that explains such mails, in a language; "" for none."""


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
    """The words as text and as HTML: one language below the other, and on top what is below."""
    texts = [_Text(notice, language) for language in languages]
    below = " ".join(translations(language).gettext("(English below)") for language in languages[1:])
    text = _RULE.join((f"{below}\n\n{texts[0].plain()}", *(one.plain() for one in texts[1:])))
    parts = Markup("\n<hr>\n").join(one.html() for one in texts)
    return text + "\n", sheet(languages[0], domain, paragraph(below) + Markup("\n") + parts)


def message_id(challenge: str, domain: str) -> str:
    """The notice's own id: NOTICE_ID knows it again."""
    made = f"<{challenge}.confirm@{domain}>"
    assert NOTICE_ID.match(made)
    return made


_QUOTE = "margin:0 0 16px;padding-left:12px;border-left:3px solid #8b8f8f"
_GUIDE = marked("Why am I asked, and is this genuine?")
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
        self._guide = notice.guide(language)
        self._ = translations(language).gettext

    def _opening(self) -> str:
        """Who holds it, and for whom."""
        sentence = self._(
            "Your message to {recipients} is on hold: the spam filter of {domain} is not sure about it."
        )
        recipients = listed(self._notice.recipients, self._language)
        return sentence.format(recipients=recipients, domain=domain_of(self._notice.recipients[0]))

    def _facts(self) -> Sequence[str]:
        """By what the sender knows the message again."""
        _, notice = self._, self._notice
        when = _("{day}, {time}").format(
            day=self._date(notice.sent_at),
            time=time_of_day(notice.sent_at, self._language, notice.time_zone),
        )
        subject = plain(notice.subject, MOST_SUBJECT) or "…"
        return (_("Subject: {subject}").format(subject=subject), _("Sent: {moment}").format(moment=when))

    def _closing(self) -> Sequence[str]:
        """What happens then, what happens otherwise, and how one knows that this mail is no trap."""
        _ = self._
        promise = (
            _("It will be delivered at once, and we will not ask you again.")
            if self._notice.whitelists
            else _("It will be delivered at once.")
        )
        otherwise = _("Without an answer it will be deleted on {date}.")
        return (
            f"{promise} {otherwise.format(date=self._date(self._notice.held_until))}",
            _("One press is enough: there is nothing to pay, and we ask for no password."),
            _("You sent no message? Ignore this one: somebody used your address."),
        )

    def plain(self) -> str:
        """As text."""
        ask = self._("Confirm in one step that you sent it:")
        return "\n\n".join(
            (
                wrapped([self._opening()]),
                "\n".join(wrapped([one], "    ", "  ") for one in self._facts()),
                f"{wrapped([ask])}\n{self._notice.link}",
                wrapped(self._closing()),
                *([f"{wrapped([self._(_GUIDE)])}\n{self._guide}"] if self._guide else []),
            )
        )

    def html(self) -> Markup:
        """As HTML. The button's address is written out below it: who is careful compares the two."""
        link = self._notice.link
        facts = Markup("<br>").join(self._facts())
        parts = (
            paragraph(self._opening()),
            Markup('<blockquote style="{}">{}</blockquote>').format(_QUOTE, facts),
            paragraph(self._("Confirm in one step that you sent it:")),
            Markup("<p>{}</p>").format(button(link, self._("I sent it: deliver it"))),
            Markup('<p><small style="font-size:14px">{}</small></p>').format(link),
            *map(paragraph, self._closing()),
        )
        if self._guide:
            parts += (plain_link(self._guide, self._(_GUIDE)),)
        return Markup('<div lang="{}">{}</div>').format(self._language, Markup("\n").join(parts))

    def _date(self, moment: datetime) -> str:
        return day(moment, self._language, self._notice.time_zone)

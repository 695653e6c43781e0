"""The notice: exactly the fields that are meant, whatever the original says; both languages; nothing of its content."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email.headerregistry import AddressHeader
from email.message import EmailMessage
from email.policy import default
from html import unescape
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tamis.challenge.notices import MOST_SUBJECT, Notice, compose, language_of, message_id
from tamis.judging.suppression import NOTICE_ID
from tamis.language.display_text import plain
from tamis.letters.letter import WIDTH
from tamis.message.mail import Mail

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
LINK = "https://mail.example.com/c/eyJhIjoxfQ.abc-DEF_123"
FIELDS = {
    *("from", "to", "subject", "date", "message-id", "in-reply-to", "references"),
    *("auto-submitted", "x-auto-response-suppress", "mime-version", "content-type", "content-language"),
}


def made(**changes: Any) -> EmailMessage:
    """A notice as its reader's program parses it."""
    given_: dict[str, Any] = {
        "challenge": "01JDCHA77ENGE0000000000001",
        "sender": "jean@example.net",
        "recipients": ("marie@example.com",),
        "subject": "Facture 2041",
        "message_id": "<1@example.net>",
        "sent_at": NOW,
        "held_until": datetime(2026, 12, 31, 23, 30, tzinfo=UTC),
        "whitelists": True,
        "link": LINK,
        "language": "fr",
        "time_zone": "Europe/Paris",
        "from_local": "postmaster",
    }
    octets = compose(Notice(**given_ | changes), now=NOW)
    assert octets.isascii()
    assert octets.count(b"\n") == octets.count(b"\r\n")
    assert max(map(len, octets.split(b"\r\n"))) <= 998  # RFC 5322 2.1.1
    parsed = email.message_from_bytes(octets, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def body(mail: EmailMessage, kind: str) -> str:
    """One of the two forms."""
    part = mail.get_body((kind,))
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


def test_it_leads_to_the_guide_in_each_language() -> None:
    def guide(language: str) -> str:
        return f"https://mail.example.com/help/confirm?lang={language}"

    for kind in ("plain", "html"):
        for language in ("en", "fr"):
            assert body(made(guide=guide), kind).count(guide(language)) == 1


def test_its_fields() -> None:
    mail = made()
    assert {name.lower() for name in mail} == FIELDS
    assert mail["From"].addresses[0].addr_spec == "postmaster@example.com"
    assert mail["From"].addresses[0].display_name == "example.com"
    assert mail["To"] == "jean@example.net"
    assert mail["Subject"] == "Re: Facture 2041"
    assert mail["In-Reply-To"] == mail["References"] == "<1@example.net>"
    assert NOTICE_ID.match(mail["Message-ID"])
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Content-Language"] == "fr, en"
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_french_first_and_english_below() -> None:
    french, english = body(made(), "plain").split(30 * "_")
    assert french.startswith(
        "(English below)\n\nVotre message à marie@example.com n\u2019est pas encore arrivé"
    )
    told = " ".join(french.split())
    assert "le filtre anti-spam du domaine example.com l\u2019a mis en attente." in told
    assert "Objet : Facture 2041" in told
    assert "Envoyé : 23 novembre à 00:30" in told  # it is after midnight in Paris
    assert "il n\u2019y a rien à payer, et aucun mot de passe ne vous est demandé." in told
    assert "Sans réponse, il sera supprimé le 1er janvier." in told
    assert "redemanderons rien" in told
    told = " ".join(english.split())
    assert "Your message to marie@example.com is on hold" in told
    assert "Sent: 23 November, 00:30" in told
    assert "Subject: Facture 2041" in told
    assert "One press is enough: there is nothing to pay, and we ask for no password." in told
    assert f"\n{LINK}\n" in french
    assert f"\n{LINK}\n" in english


def test_english_first_and_french_below() -> None:
    text = body(made(language="en", time_zone="UTC"), "plain")
    assert text.startswith("(En français ci-dessous)\n\nYour message to marie@example.com is on hold")
    assert "Sent: 22 November, 23:30" in text


def test_both_forms_say_the_same() -> None:
    """Word for word, but for the button, which only the one has."""
    mail = made()
    html = re.sub(r"<title>.*?</title>", "", body(mail, "html"))
    shown = unescape(re.sub(r"<[^>]*>", " ", html)).split()
    text = body(mail, "plain").replace("_" * 30, "").split()
    buttons = [unescape(one) for one in re.findall(r"<a [^>]*>([^<]*)</a>", html)]
    assert len(buttons) == 2
    for one in buttons:
        for word in one.split():
            shown.remove(word)
    assert sorted(shown) == sorted(text)


def test_it_promises_only_what_will_be() -> None:
    text = body(made(whitelists=False), "plain")
    assert "redemanderons" not in text
    assert "not ask you again" not in text


def test_the_page_in_html_has_the_link_and_loads_nothing() -> None:
    html = body(made(), "html")
    assert set(re.findall(r'href="([^"]*)"', html)) == {LINK}
    assert not re.search(r"src=|<img|<link|<style|<script|url\(", html)
    assert html.count(f">{LINK}<") == 2, "written out, so that people can compare it"
    assert '<div lang="fr">' in html


def test_many_recipients_are_counted() -> None:
    mail = made(recipients=tuple(f"r{n}@example.com" for n in range(7)))
    assert "r4@example.com et 2 autres n\u2019est pas encore" in " ".join(body(mail, "plain").split())
    assert "r5@example.com" not in body(mail, "plain")


def test_an_answer_to_an_answer() -> None:
    assert made(subject="RE: Facture")["Subject"] == "RE: Facture"
    assert made(subject=" \t ")["Subject"] == "Re: …"


_nasty = st.text(
    st.sampled_from("\r\n\0\t :<>@,;\"\\()[]=?_-.%{}&'é漢\u202e\u2028\ud800\U0001f600") | st.characters(),
    max_size=400,
)


@settings(max_examples=300, deadline=None)
@given(subject=_nasty, original=_nasty, recipient=_nasty)
@example(subject="x\r\nBcc: all@example.org", original="<a@b>\r\nX: y", recipient="x\r\nBcc: y@example.com")
@example(subject="=?utf-8?q?x=0D=0ABcc:_y@example.org?=", original="<a@b>", recipient="m@example.com")
@example(subject="{link}{recipients.__class__}", original="<{0}@{x}>", recipient="{link}<script>@example.com")
@example(subject="\u202egpj.exe\x1b[31m", original="<>", recipient="<img src=x>@example.com")
def test_nothing_breaks_out(subject: str, original: str, recipient: str) -> None:
    mail = made(subject=subject, message_id=original, recipients=("m@example.com", recipient))
    fields = [name.lower() for name in mail]
    assert set(fields) <= FIELDS
    assert len(fields) == len(set(fields))
    assert FIELDS - set(fields) in (set(), {"in-reply-to", "references"})
    assert isinstance(mail["To"], AddressHeader)
    assert [one.addr_spec for one in mail["To"].addresses] == ["jean@example.net"]
    assert mail["From"].addresses[0].addr_spec == "postmaster@example.com"
    assert len(mail["Subject"]) <= MOST_SUBJECT + 4
    assert mail["Subject"].isprintable()
    if "in-reply-to" in fields:
        assert mail["In-Reply-To"] == original
    assert not mail.defects
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    html = body(mail, "html")
    tags = set(re.findall(r"<(/?[a-z!]+)", html))
    known = {
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "body",
        "div",
        "p",
        "br",
        "a",
        "hr",
        "small",
        "blockquote",
    }
    assert {tag.removeprefix("/") for tag in tags} <= known
    for line in body(mail, "plain").splitlines():
        assert len(line) <= WIDTH or " " not in line.strip(), "only what has no blank is longer"


@given(_nasty, st.integers(1, 200))
def test_plain_text_is_one_short_line(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("header", "sender", "language"),
    [
        ("", "jean@example.net", "en"),
        ("", "jean@example.fr", "fr"),
        ("Content-Language: fr-CA\r\n", "jean@example.net", "fr"),
        ("Content-Language: de, fr\r\n", "jean@example.net", "fr"),
        ("Content-Language: de\r\n", "jean@example.net", "en"),
        ("Accept-Language: en-GB, fr;q=0.5\r\nContent-Language: fr\r\n", "jean@example.fr", "en"),
        ("Content-Language: \r\n", "jean@example.fr", "fr"),
    ],
)
def test_the_language(header: str, sender: str, language: str) -> None:
    assert language_of(Mail(f"{header}\r\n".encode()).headers, sender, "en") == language


def test_ids_are_known_again() -> None:
    assert NOTICE_ID.search(f"<x@y> {message_id('01JDCHA77ENGE0000000000001', 'example.com')}")

"""Our mails in Chromium, as a phone shows them: nothing is cut off, links are buttons, and what strangers wrote is
text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tamis.challenge.notices import Notice
from tamis.challenge.notices import compose as compose_notice
from tamis.letters import quota
from tamis.letters.digests import Digest
from tamis.letters.digests import compose as compose_digest
from tamis.quarantine.records import SUMMARY_FIELDS, Summary
from tamis.web.invitation import compose as compose_invitation
from tests.builders import FILTERS
from tests.web.browser import context_of
from tests.web.pages import MARIE

NOW = datetime(2026, 11, 22, 13, 2, tzinfo=UTC)
EVIL = '"><img src=http://evil.example/i onerror=alert(1)><script>document.title="owned"</script></a></p>'
LONG = "W" * 300
TOKEN = "x" * 40
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def summary(number: int, **values: Any) -> Summary:
    given: dict[str, Any] = dict.fromkeys(SUMMARY_FIELDS, "")
    given |= {"id": f"{number}", "mailbox": MARIE, "received_at": NOW, "expires_at": NOW, "required": 7.5}
    given |= {
        "subject": "Votre devis",
        "header_from": "Garage Martin <contact@garage.example.net>",
        "score": 1.0,
    }
    return Summary(**given | {"decided_by": "reverse_dns"} | values)


def digest(language: str, *messages: Summary) -> bytes:
    told = Digest(
        mailbox=MARIE,
        messages=messages,
        count=len(messages) + 2,
        link=lambda message, verb: f"https://mail.example.com/a/{TOKEN}" + (f"?do={verb}" if verb else ""),
        home="https://mail.example.com/",
        filters=FILTERS,
        language=language,
        time_zone="Europe/Paris",
        from_local="postmaster",
    )
    return compose_digest(told, now=NOW)


def notice(language: str, subject: str = "Facture 2041") -> bytes:
    told = Notice(
        challenge="01JDCHA77ENGE0000000000001",
        sender="jean@example.net",
        recipients=(MARIE, "a-person-with-a-very-long-local-part@a-very-long-domain-name.example.com"),
        subject=subject,
        message_id="<1@example.net>",
        sent_at=NOW,
        held_until=NOW,
        whitelists=True,
        link=f"https://mail.example.com/c/{TOKEN}",
        language=language,
        time_zone="Europe/Paris",
        from_local="postmaster",
    )
    return compose_notice(told, now=NOW)


def invitation(language: str, scope: str) -> bytes:
    return compose_invitation(
        MARIE,
        by="anne@example.com",
        scope=scope,
        link=f"https://mail.example.com/admin/invitation/{TOKEN}",
        language=language,
        from_local="postmaster",
        now=NOW,
    )


def mails() -> Iterator[tuple[str, bytes]]:
    """Every mail of ours, with what is long and what means harm."""
    hostile = [
        summary(n, subject=text, header_from=f"{text} <a@b.example>") for n, text in enumerate((EVIL, LONG))
    ]
    for language in ("en", "fr"):
        yield f"digest {language}", digest(language, summary(9), summary(8, decided_by="antivirus"), *hostile)
        yield f"notice {language}", notice(language)
        yield f"hostile notice {language}", notice(language, EVIL + LONG)
        for scope in ("example.com", "platform"):
            yield f"invitation {scope} {language}", invitation(language, scope)
        full = quota.QuotaNotice(mailbox=MARIE, percent=95, language=language, from_local="postmaster")
        yield f"quota {language}", quota.compose(full, now=NOW)


def html_of(octets: bytes) -> str:
    mail = message_from_bytes(octets, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One tab for all, that reaches nothing."""
    context = context_of(browser, size=(320, 640))
    context.route("**/*", lambda route: route.abort())
    yield context.new_page()
    context.close()


MAILS = [*mails()]


@pytest.mark.parametrize(("name", "octets"), MAILS, ids=[name for name, _ in MAILS])
def test_a_mail_on_a_phone(tab: Page, name: str, octets: bytes) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.set_content(html_of(octets))
    wide, window = tab.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window == 320
    links = tab.locator("a").all()
    for link in links:
        box = link.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, name
        assert (link.get_attribute("href") or "").startswith("https://mail.example.com/")
    assert bool(links) is ("quota" not in name)
    assert tab.title() != "owned"
    assert tab.locator("script, img").count() == 0
    assert asked == []
    found = Axe().run(tab, options={"runOnly": WCAG})
    assert found.violations_count == 0, found.generate_report()


def test_what_stands_below_a_button_is_where_it_leads(tab: Page) -> None:
    tab.set_content(html_of(notice("fr")))
    for button in tab.locator("a").all():
        assert tab.get_by_text(button.get_attribute("href") or "-", exact=True).count() == 2, (
            "in both languages"
        )


def test_a_digest_of_one_speaks_of_one() -> None:
    one = replace(summary(1), subject="Bonjour")
    for language, words in (("fr", "l\u2019a mis de côté"), ("en", "put it aside")):
        told = Digest(
            mailbox=MARIE,
            messages=[one],
            count=1,
            link=lambda message, verb: "https://mail.example.com/a/x",
            home="https://mail.example.com/",
            filters=FILTERS,
            language=language,
            time_zone="UTC",
            from_local="postmaster",
        )
        assert words in html_of(compose_digest(told, now=NOW))


@pytest.mark.parametrize(("name", "octets"), MAILS, ids=[name for name, _ in MAILS])
def test_the_text_part_has_every_link_of_the_html(name: str, octets: bytes) -> None:
    mail = message_from_bytes(octets, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    assert body is not None
    lines = {line.strip() for line in body.get_content().splitlines()}
    links = {re.sub(r"\?do=.*", "", link) for link in re.findall(r'href="([^"]*)"', html_of(octets))}
    assert links <= lines, name
    assert bool(links) is ("quota" not in name)


def test_an_invitation_names_who_invites_and_to_what() -> None:
    for language, words in (("en", "the console of the platform"), ("fr", "la console de la plateforme")):
        shown = html_of(invitation(language, "platform"))
        assert words in shown.replace("\n", " ")
        assert "anne@example.com" in shown

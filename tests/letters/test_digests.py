"""Digests: when they are due, what they say, and that nothing a sender wrote can act in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.letters import quota
from tamis.letters.digests import VERBS, Digest, compose, due
from tamis.letters.letter import WIDTH, time_of_day
from tamis.letters.mailings import MailingKind
from tamis.quarantine.records import SUMMARY_FIELDS, Summary
from tamis.store import Store
from tests.builders import FILTERS
from tests.quarantine.samples import CONTENT, NOW, Postbox, held

MARIE = "marie@example.com"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "zone", "since", "now", "is_due"),
    [
        (["17:00"], "UTC", "2026-11-22 16:00", "2026-11-22 17:00", True),
        (["17:00"], "UTC", "2026-11-22 16:00", "2026-11-22 16:59", False),
        (["17:00"], "UTC", "2026-11-22 17:00", "2026-11-22 18:00", False),  # held after the hour: tomorrow
        (["17:00"], "Europe/Paris", "2026-11-22 15:30", "2026-11-22 16:00", True),  # 17:00 there
        (["23:50"], "UTC", "2026-11-22 20:00", "2026-11-23 00:10", True),  # the daemon was late
        (["08:00", "17:00"], "UTC", "2026-11-22 07:00", "2026-11-22 09:00", True),
        (["17:00"], "UTC", "2026-11-01 07:00", "2026-11-22 12:00", True),  # yesterday's was missed
        ([], "UTC", "2026-11-01 07:00", "2026-11-22 12:00", False),
        (["02:30"], "Europe/Paris", "2026-03-28 12:00", "2026-03-29 02:00", True),  # skipped by summer time
    ],
)
def test_when_a_digest_is_due(times: list[str], zone: str, since: str, now: str, is_due: bool) -> None:
    assert due(times, zone, at(since), at(now)) is is_due


def digest_of(
    store: Store,
    language: str = "en",
    despite: Callable[[Summary], str] = lambda _: "",
    guide: str = "",
) -> bytes:
    messages = store.quarantine.list(MARIE)
    return compose(
        Digest(
            mailbox=MARIE,
            messages=messages,
            count=len(messages) + 3,
            link=lambda message, verb: f"https://mail.example.com/a/{message}{verb and '?do='}{verb}",
            home="https://mail.example.com/",
            filters=FILTERS,
            language=language,
            time_zone="Europe/Paris",
            from_local="postmaster",
            despite=despite,
            guide=guide,
        ),
        now=NOW,
    )


def test_a_digest_says_where_always_allow_is_not_enough(store: Store) -> None:
    for number in (1, 2):
        store.quarantine.hold(held(f"t{number}", subject=f"No. {number}"), CONTENT, now=NOW)
    reason = "a virus scanner raised the alarm"

    def despite(one: Summary) -> str:
        return reason if one.subject == "No. 2" else ""

    for told in parts(digest_of(store, despite=despite))[1:]:
        assert " ".join(told.split()).count(f"would still be held, because {reason}.") == 1
    assert "ne suffit pas ici" in parts(digest_of(store, "fr", despite))[2]


def test_a_digest_leads_to_the_guide(store: Store) -> None:
    store.quarantine.hold(held(), CONTENT, now=NOW)
    guide = "https://mail.example.com/help?lang=fr"
    for told in parts(digest_of(store, "fr", guide=guide))[1:]:
        assert told.count(guide) == 1


def parts(raw: bytes) -> tuple[EmailMessage, str, str]:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return mail, text.get_content().replace("\r\n", "\n"), html.get_content()


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_digest_lists_what_was_held_with_links_for_each(store: Store) -> None:
    one = store.quarantine.hold(held(subject="Devis n° 7"), CONTENT, now=NOW)
    mail, text, html = parts(digest_of(store, "fr"))
    assert mail["To"] == MARIE
    assert mail["From"].addresses[0].addr_spec == "postmaster@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "4 messages" in mail["Subject"]
    assert f"Le filtre anti-spam du domaine example.com les a mis de côté pour la boîte {MARIE}." in " ".join(
        text.split()
    )
    assert "ils seront supprimés d\u2019eux-mêmes à partir du 31 mars" in " ".join(text.split())
    assert "aucun mot de passe ne vous est demandé" in " ".join(text.split())
    for shown in ("Devis n° 7", "Offers <offer@example.net>", "1er mars à 13:00"):
        assert shown in text
        assert shown.replace("<", "&lt;").replace(">", "&gt;") in html
    link = f"https://mail.example.com/a/{one}"
    assert f"\n  {link}\n" in text, "on a line of its own"
    assert [about["href"] for tag, about in Tags(html).tags if tag == "a"] == [
        *(f"{link}?do={verb}" for verb, _ in VERBS),
        "https://mail.example.com/",
    ]
    assert max(map(len, text.splitlines())) <= 76


def test_what_may_be_wanted_comes_first(store: Store) -> None:
    for number, (subject, decided_by) in enumerate((("A virus", "antivirus"), ("A friend", "reverse_dns"))):
        store.quarantine.hold(
            replace(held(f"t{number}", subject=subject), decided_by=decided_by, score=1.0), CONTENT, now=NOW
        )
    _, text, html = parts(digest_of(store))
    for form in (text, html):
        places = [
            form.index(one) for one in ("Perhaps wanted (1)", "A friend", "Probably unwanted (1)", "A virus")
        ]
        assert places == sorted(places)


@given(st.text(max_size=200), st.text(max_size=200))
def test_nothing_that_a_sender_wrote_acts(subject: str, name: str) -> None:
    hostile = f'{subject}<script>alert(1)</script><img src="https://evil.example.net/">\r\nBcc: x@example.org'
    summary = _summary(hostile, f"{name}\r\nX-Injected: yes")
    raw = compose(
        Digest(
            mailbox=MARIE,
            messages=[summary],
            count=1,
            link=lambda message, verb: f"https://mail.example.com/a/{message}{verb and '?do='}{verb}",
            home="https://mail.example.com/",
            filters=FILTERS,
            language="en",
            time_zone="UTC",
            from_local="postmaster",
        ),
        now=NOW,
    )
    mail, text, html = parts(raw)
    assert set(mail) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
        *("Content-Language", "Content-Type", "MIME-Version"),
    }
    known = {"html", "head", "meta", "title", "body", "p", "h2", "hr", "div", "b", "br", "small", "a"}
    found = Tags(html).tags
    assert {tag for tag, _ in found} <= known
    assert all(
        str(about["href"]).startswith("https://mail.example.com/") for tag, about in found if tag == "a"
    )
    assert raw.isascii()
    assert text.count("\n") < 40
    for line in text.splitlines():
        assert len(line) <= WIDTH or " " not in line.strip(), "only what has no blank is longer"


def _summary(subject: str, header_from: str) -> Summary:
    values: dict[str, Any] = dict.fromkeys(SUMMARY_FIELDS, "")
    values |= {"id": "01ABC", "recipient": MARIE, "subject": subject, "header_from": header_from}
    values |= {"received_at": NOW, "expires_at": NOW, "decided_by": "score", "score": 5.0, "required": 5.0}
    return Summary(**values)


def test_a_digest_tells_a_message_once(store: Store) -> None:
    first = store.quarantine.hold(held("t1"), CONTENT, now=NOW)
    store.quarantine.hold(held("t2", "paul@example.com"), CONTENT, now=NOW)
    assert {(one.mailbox, one.since) for one in store.mailings.untold()} == {
        (MARIE, NOW),
        ("paul@example.com", NOW),
    }
    store.mailings.told(MARIE, store.mailings.untold_of(MARIE), now=NOW)
    assert [one.mailbox for one in store.mailings.untold()] == ["paul@example.com"]
    assert store.mailings.untold_of(MARIE) == []
    later = NOW + timedelta(hours=1)
    second = store.quarantine.hold(held("t3"), CONTENT, now=later)
    assert (MARIE, later) in {(one.mailbox, one.since) for one in store.mailings.untold()}
    assert store.mailings.untold_of(MARIE) == [second] != [first]


def test_what_a_host_with_a_slow_clock_holds_is_told_as_well(store: Store) -> None:
    """Its time, and the id that begins with it, are before those of what a digest told."""
    store.quarantine.hold(held("t1"), CONTENT, now=NOW)
    store.mailings.told(MARIE, store.mailings.untold_of(MARIE), now=NOW)
    slow = store.quarantine.hold(held("t2"), CONTENT, now=NOW - timedelta(minutes=10))
    assert store.mailings.untold_of(MARIE) == [slow]


def test_what_was_dealt_with_needs_no_telling(store: Store) -> None:
    one = store.quarantine.hold(held("t1"), CONTENT, now=NOW)
    store.quarantine.release(one, MARIE, Postbox())
    assert store.mailings.untold() == []


def test_a_quota_notice_goes_once_in_a_day(store: Store) -> None:
    claim = store.mailings.claim
    assert claim(MARIE, MailingKind.QUOTA, quota.EVERY, now=NOW)
    assert not claim(MARIE, MailingKind.QUOTA, quota.EVERY, now=NOW + timedelta(hours=23))
    assert claim("paul@example.com", MailingKind.QUOTA, quota.EVERY, now=NOW + timedelta(hours=23))
    assert claim(MARIE, MailingKind.QUOTA, quota.EVERY, now=NOW + timedelta(hours=24))
    store.mailings.withdraw(MARIE, MailingKind.QUOTA)
    assert claim(MARIE, MailingKind.QUOTA, quota.EVERY, now=NOW + timedelta(hours=25))


@pytest.mark.parametrize(("language", "words"), [("en", "95 % full"), ("fr", "95 %")])
def test_what_a_quota_notice_says(language: str, words: str) -> None:
    notice = quota.QuotaNotice(mailbox=MARIE, percent=95, language=language, from_local="postmaster")
    mail, text, _ = parts(quota.compose(notice, now=NOW))
    assert words in mail["Subject"]
    assert MARIE in text
    assert mail["Content-Language"] == language


def test_a_zone_that_the_system_lost_is_utc() -> None:
    assert time_of_day(NOW, "en", "Mars/Olympus") == "12:00"
    assert due(["17:00"], "Mars/Olympus", NOW, NOW + timedelta(hours=5))

"""`tamis challenges`, and what `tamis doctor` says about notices."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tamis.base.tokens import Purpose, Tokens
from tamis.challenge.challenge_records import ChallengeDecision
from tamis.cli.checks import Health
from tamis.cli.doctor_notices import asks, domain_check, link_check, page_check
from tamis.installation.signing_key import signing_key
from tamis.judging.suppression import NotAsked
from tamis.settings import NoticeSettings, Settings, WebSettings, read_settings
from tamis.store import Store
from tests.cli.conftest import Run
from tests.quarantine.samples import CONTENT, held
from tests.services.dns.resolving import WrittenDNS

NOW = datetime.now(UTC)


def fill(store: Store) -> None:
    """One sender who is asked, and one who is not."""
    for number in range(2):
        message = held(f"t{number}", sender=f"s{number}@example.net")
        store.quarantine.hold(message, CONTENT, now=NOW - timedelta(minutes=2 - number))
    first, second = store.challenges.undecided(held_before=NOW)
    decisions = [
        ChallengeDecision(first, None, "fr", authenticated=True),
        ChallengeDecision(second, NotAsked.LIST, "fr", authenticated=False),
    ]
    store.challenges.decide(decisions, NoticeSettings(), now=NOW)


def test_list_show_and_count(run: Run, store: Store) -> None:
    assert run("challenges", "list").out == "Nothing there.\n"
    assert run("challenges", "count").out == "None.\n"
    fill(store)
    listed = json.loads(run("challenges", "list", "--json").out)
    assert {(one["sender"], one["state"], one["reason"]) for one in listed} == {
        ("s0@example.net", "pending", ""),
        ("s1@example.net", "suppressed", "list"),
    }
    assert "suppressed" in run("challenges", "list", "--reason", "list").out
    (asked,) = json.loads(run("challenges", "list", "--state", "pending", "--json").out)
    shown = json.loads(run("challenges", "show", asked["id"], "--json").out)
    assert len(shown["messages"]) == 1
    assert shown["why"] == shown["reason"] == ""
    (other,) = json.loads(run("challenges", "list", "--sender", "S1@example.net", "--json").out)
    told = run("challenges", "show", other["id"]).out
    assert "it came from a mailing list or in bulk" in told
    assert "link:" not in told
    counts = json.loads(run("challenges", "count", "--json").out)
    assert {(one["state"], one["reason"], one["count"]) for one in counts} == {
        ("pending", "", 1),
        ("suppressed", "list", 1),
    }
    assert run("challenges", "show", "nothing").status == 66


def test_the_link_is_the_senders(run: Run, store: Store, config: Path) -> None:
    fill(store)
    settings = read_settings(config).settings
    key = signing_key(settings.key_file)
    (asked,) = json.loads(run("challenges", "list", "--state", "pending", "--json").out)
    link = json.loads(run("challenges", "show", asked["id"], "--json").out)["link"]
    url, _, token = link.rpartition("/c/")
    assert url == settings.web.url
    assert Tokens(key).read(Purpose.CHALLENGE, token) == (asked["id"],)


# --- doctor ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "asking"),
    [
        ({}, True),
        ({"platform": {"challenge": "off"}}, False),
        ({"platform": {"challenge": "off"}, "example.com": {"challenge": "reply"}}, True),
        ({"platform": {"challenge": "off"}, "example.com": {"outcome": "junk"}}, False),
    ],
)
def test_whether_anybody_is_asked(layers: dict[str, dict[str, str]], asking: bool) -> None:
    assert asks(layers) is asking


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:8898", "no sender of held mail is asked"),
        ("https://localhost", "no sender of held mail is asked"),
        ("https://192.168.1.2", "no sender of held mail is asked"),
        ("http://mail.example.com", "is not encrypted"),
        ("https://mail.example.com", "https://mail.example.com"),
    ],
)
def test_the_url(url: str, says: str) -> None:
    looked = link_check(WebSettings(url=url))
    assert says in looked.found
    health = {"is not encrypted": Health.WARNING, url: Health.OK}.get(says, Health.ERROR)
    assert looked.health is health
    assert ("web.url" in looked.mend) is (health is not Health.OK)


def test_a_trial_is_told_that_strangers_get_its_links() -> None:
    looked = link_check(WebSettings(url="http://127.0.0.1:8898", trial=True))
    assert looked.health is Health.WARNING
    assert "web.trial" in looked.found
    assert link_check(WebSettings(url="https://mail.example.com", trial=True)).health is Health.OK


@pytest.mark.parametrize(("status", "health"), [(200, Health.OK), (404, Health.OK), (502, Health.WARNING)])
def test_the_pages_answer(status: int, health: Health) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        looked = page_check(f"http://127.0.0.1:{server.server_address[1]}")
        thread.join()
    assert looked.health is health
    assert str(status) in looked.found


def test_nothing_answers() -> None:
    assert page_check("http://127.0.0.1:9").health is Health.WARNING


@pytest.mark.parametrize(
    ("records", "health"),
    [
        ({}, Health.OK),
        ({"_dmarc.example.com TXT": ["v=DMARC1; p=none"]}, Health.OK),
        ({"_dmarc.example.com TXT": ["v=DMARC1; p=reject; rua=x"]}, Health.WARNING),
        ({"_dmarc.example.com TXT": ["v=DMARC1;p=Quarantine"]}, Health.WARNING),
        ({"_dmarc.example.com TXT": "dead"}, Health.WARNING),
    ],
)
def test_the_domain_of_notices(records: dict[str, list[str] | str], health: Health) -> None:
    looked = asyncio.run(domain_check(WrittenDNS(records), Settings(), "example.com"))
    assert looked.health is health
    assert "postmaster@example.com" in looked.found

"""Who may be asked: each rule of Q3 and Q4 alone, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.filter import NoChallenge
from tamis.contract.finding import Finding, Status
from tamis.filters.empty import Empty
from tamis.judging.policy_terms import Terms
from tamis.judging.suppression import SENTENCES, Case, NotAsked, Spent, Transport, over_budget, why_not
from tamis.language.translation import LANGUAGES, translations
from tamis.message.mail import Mail
from tamis.settings import NoticeSettings
from tests.builders import FILTERS

SETTINGS = NoticeSettings()
PASS = Finding("spf", Status.CLEAR, facts={"result": "pass", "identity": "mailfrom", "domain": "example.net"})
SENDER, RECIPIENT = "jean@example.net", "marie@example.com"


def case(
    header: str = "Subject: Facture\r\n",
    *findings: Finding,
    sender: str = SENDER,
    has_page: bool = True,
    age: float = 0.1,
    spf: Finding = PASS,
    **terms: Any,
) -> Case:
    """A message of an authenticated stranger about which there is nothing to say, but for what is given."""
    found = {one.filter: one for one in (spf, *findings)}
    return Case(
        sender, RECIPIENT, found, FILTERS, Mail(header.encode()).headers, Terms(**terms), has_page, age
    )


def hit(name: str, **facts: Any) -> Finding:
    """A filter that saw what it looks for."""
    return Finding(name, Status.HIT, facts=facts)


def test_an_ordinary_sender_may_be_asked() -> None:
    assert why_not(case(), SETTINGS) is None
    assert why_not(case(), SETTINGS, "reply") is None


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("Auto-Submitted: auto-replied", NotAsked.AUTOMATIC),
        ("Auto-Submitted: Auto-Generated; owner-email=x", NotAsked.AUTOMATIC),
        ("auto-submitted:\r\n auto-notified", NotAsked.AUTOMATIC),
        ("Auto-Submitted: no", None),
        ("Auto-Submitted: no\r\nAuto-Submitted: auto-replied", NotAsked.AUTOMATIC),
        ("X-Auto-Response-Suppress: OOF, AutoReply", NotAsked.AUTOMATIC),
        ("X-Auto-Response-Suppress: None", None),
        ("X-Autoreply: yes", NotAsked.AUTOMATIC),
        ("X-Loop: somewhere", NotAsked.AUTOMATIC),
        ("X-Failed-Recipients: x@example.org", NotAsked.AUTOMATIC),
        ("Precedence: auto_reply", NotAsked.AUTOMATIC),
        ("Content-Type: multipart/report; report-type=delivery-status", NotAsked.AUTOMATIC),
        ("Return-Path: <>", NotAsked.AUTOMATIC),
        ("Return-Path: <jean@example.net>", None),
        ("Precedence: Bulk", NotAsked.LIST),
        ("Precedence: junk", NotAsked.LIST),
        ("Precedence: first-class", None),
        ("List-Id: Sieves <sieves.example.net>", NotAsked.LIST),
        ("List-Unsubscribe: <https://example.net/u>", NotAsked.LIST),
        ("list-post: <mailto:x@example.net>", NotAsked.LIST),
        ("Mailing-List: contact x", NotAsked.LIST),
        ("Feedback-ID: 1:2:3", NotAsked.LIST),
        ("Message-ID: <01JDCHA77ENGE0000000000001.confirm@example.com>", NotAsked.OWN_NOTICE),
        ("In-Reply-To: <01JDCHA77ENGE0000000000001.confirm@example.com>", NotAsked.OWN_NOTICE),
        ("References: <x@y>\r\n <01JDCHA77ENGE0000000000001.confirm@example.com>", NotAsked.OWN_NOTICE),
        ("In-Reply-To: <01jdcha.confirm@example.com>", None),
    ],
)
def test_programs_and_lists_are_not_asked(field: str, reason: NotAsked | None) -> None:
    for transport in ("mail", "reply"):
        found = why_not(case(f"Subject: x\r\n{field}\r\n"), SETTINGS, transport)
        assert found is reason, transport


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        ("", NotAsked.NULL_SENDER),
        ("jean", NotAsked.ADDRESS),
        ("jean@localhost", NotAsked.ADDRESS),
        ("jean@[192.0.2.7]", NotAsked.ADDRESS),
        ('"a b"@example.net', NotAsked.ADDRESS),
        ("a@b@example.net", NotAsked.ADDRESS),
        ("jean\r\nRCPT TO:<x@y>@example.net", NotAsked.ADDRESS),
        ("jean@example.net\r\nx", NotAsked.ADDRESS),
        ("jean@exa mple.net", NotAsked.ADDRESS),
        ("jean%example.org@example.net", NotAsked.ADDRESS),
        ("example.org!jean@example.net", NotAsked.ADDRESS),
        ("jéan@example.net", NotAsked.ADDRESS),
        (f"{'x' * 250}@example.net", NotAsked.ADDRESS),
        ("SRS0=abc=XY=example.org=jean@example.net", NotAsked.ADDRESS),
        ("paul@example.com", NotAsked.OWN_DOMAIN),
        ("paul@EXAMPLE.com", NotAsked.OWN_DOMAIN),
        ("MAILER-DAEMON@example.net", NotAsked.AUTOMATIC),
        ("owner-sieves@example.net", NotAsked.AUTOMATIC),
        ("sieves-request@example.net", NotAsked.AUTOMATIC),
        ("sieves-bounces@example.net", NotAsked.AUTOMATIC),
        ("bounces+12-marie=example.com@example.net", NotAsked.AUTOMATIC),
        ("news-marie=example.com@example.net", NotAsked.AUTOMATIC),
        ("no-reply@example.net", NotAsked.AUTOMATIC),
        ("facture.NoReply@example.net", NotAsked.AUTOMATIC),
        ("ne_pas-repondre@example.net", NotAsked.AUTOMATIC),
        ("jean+factures@example.net", None),
        ("prvs=1234abcdef=jean@example.net", None),
        ("jean@bücher.example", None),
        ("postmaster@example.net", None),
    ],
)
def test_senders_that_no_answer_can_go_to(sender: str, reason: NotAsked | None) -> None:
    assert why_not(case(sender=sender), NoticeSettings(evidence="unless-failed")) is reason


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        (hit("antivirus", virus=True), NotAsked.VIRUS),
        (hit("antivirus_second", virus=True), NotAsked.VIRUS),
        (hit("attachment_fingerprints"), NotAsked.VIRUS),
        (hit("honeypot", traps=["trap@example.com"]), NotAsked.HONEYPOT),
        (hit("sender_blacklist", matches=[]), NotAsked.BLACKLIST),
        (hit("ip_blacklist", matches=[]), NotAsked.BLACKLIST),
        (hit("temporary_blacklist"), NotAsked.BLACKLIST),
        (hit("sender_complaints"), NotAsked.COMPLAINTS),
        (hit("ip_complaints"), NotAsked.COMPLAINTS),
        (hit("dmarc", result="fail"), NotAsked.DMARC),
        (hit("statistics"), None),
        (hit("dnsbl"), None),
        (Finding("antivirus", Status.UNAVAILABLE), None),
    ],
)
def test_findings_that_forbid_asking(finding: Finding, reason: NotAsked | None) -> None:
    assert why_not(case("Subject: x\r\n", finding), SETTINGS) is reason
    assert why_not(case("Subject: x\r\n", finding), SETTINGS, "reply") is reason


class Shredder(Empty):
    """A filter of another package that forbids to ask about what it hits."""

    name = "shredder"
    forbids_challenge = NoChallenge.FILTER


class Confused(Shredder):
    """Can't say."""

    def challenge_barred_by(self, finding: Finding) -> NoChallenge | None:
        raise KeyError(finding.facts["nothing"])


@pytest.mark.parametrize("kind", [Shredder, Confused])
def test_a_filter_of_another_package_forbids_asking(
    kind: type[Shredder], caplog: pytest.LogCaptureFixture
) -> None:
    """Where it hits; and nobody is asked where it can't say."""
    other = replace(case("Subject: x\r\n", hit("shredder")), filters=(*FILTERS, kind()))
    assert why_not(case("Subject: x\r\n", hit("shredder")), SETTINGS) is None
    assert why_not(other, SETTINGS) is NotAsked.FILTER
    assert why_not(other, SETTINGS, "reply") is NotAsked.FILTER
    assert ("shredder can't say" in caplog.text) is (kind is Confused)
    clear = replace(other, findings={**other.findings, "shredder": Finding("shredder", Status.CLEAR)})
    assert why_not(clear, SETTINGS) is (NotAsked.FILTER if kind is Confused else None)


@pytest.mark.parametrize("result", ["fail", "softfail", "neutral", "none", "permerror", "temperror", "pass"])
def test_evidence(result: str) -> None:
    """Nobody is told about a message that SPF fails; by mail only who is authenticated, unless the site says else."""
    spf = Finding("spf", Status.CLEAR, facts={"result": result, "identity": "mailfrom"})
    one = case(spf=spf)
    failed = NotAsked.SPF if result == "fail" else None
    by_default = failed or (None if result == "pass" else NotAsked.UNAUTHENTICATED)
    assert why_not(one, SETTINGS) is by_default
    assert why_not(one, NoticeSettings(evidence="unless-failed")) is failed
    assert why_not(one, SETTINGS, "reply") is failed, "a reply reaches nobody but who is connected"


def test_spf_of_helo_is_no_evidence_of_the_sender() -> None:
    spf = Finding("spf", Status.CLEAR, facts={"result": "pass", "identity": "helo"})
    assert why_not(case(spf=spf), SETTINGS) is NotAsked.UNAUTHENTICATED


def test_what_only_mail_needs() -> None:
    unreachable = case("Subject: x\r\n", hit("sender_mx"))
    assert why_not(unreachable, SETTINGS) is NotAsked.UNREACHABLE
    assert why_not(unreachable, SETTINGS, "reply") is None
    assert why_not(case(age=24.1), SETTINGS) is NotAsked.OLD
    assert why_not(case(age=24.1), SETTINGS, "reply") is None


def test_policy() -> None:
    assert why_not(case(challenge="off"), SETTINGS) is NotAsked.POLICY


@pytest.mark.parametrize("transport", ["mail", "reply"])
def test_nobody_gets_a_link_that_only_this_network_can_open(transport: Transport) -> None:
    assert why_not(case(has_page=False), SETTINGS, transport) is NotAsked.PAGES
    own = case(sender="paul@example.com", challenge_own_domain=True)
    assert why_not(own, SETTINGS) is None


def test_without_details_nobody_is_asked() -> None:
    bare = Case(SENDER, RECIPIENT, {}, FILTERS, Mail(b"").headers, Terms(), has_page=True)
    assert why_not(bare, NoticeSettings(evidence="unless-failed")) is NotAsked.UNKNOWN


def test_budgets() -> None:
    room = NoticeSettings(per_sender_day=3, per_sender_domain_day=5, per_domain_day=7, per_hour=9, per_day=11)
    full: Mapping[NotAsked, Spent] = {
        NotAsked.SENDER_BUDGET: Spent(sender_day=3),
        NotAsked.SENDER_DOMAIN_BUDGET: Spent(sender_domain_day=5),
        NotAsked.DOMAIN_BUDGET: Spent(domain_day=7),
        NotAsked.HOUR_BUDGET: Spent(hour=9),
        NotAsked.DAY_BUDGET: Spent(day=11),
    }
    assert over_budget(Spent(2, 4, 6, 8, 10), room) is None
    assert {reason: over_budget(spent, room) for reason, spent in full.items()} == {r: r for r in full}
    assert over_budget(Spent(), NoticeSettings(per_hour=0)) is NotAsked.HOUR_BUDGET


@given(st.text(max_size=300), st.binary(max_size=2000))
def test_whatever_came_is_decided(sender: str, header: bytes) -> None:
    one = Case(sender, RECIPIENT, {"spf": PASS}, FILTERS, Mail(header).headers, Terms(), has_page=True)
    assert why_not(one, SETTINGS) in (None, *NotAsked)


def test_every_reason_has_its_sentence_in_every_language() -> None:
    assert set(SENTENCES) == set(NotAsked)
    for language in LANGUAGES[1:]:
        told = {translations(language).gettext(sentence) for sentence in SENTENCES.values()}
        assert not told & set(SENTENCES.values()), language

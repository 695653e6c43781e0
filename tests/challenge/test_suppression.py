"""Who may be asked: each rule of Q3 and Q4 alone, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.challenge.suppression import SENTENCES, Case, Reason, Spent, over_budget, why_not
from tamis.contract.finding import Finding, Status
from tamis.judging.policy import Terms
from tamis.language.translation import LANGUAGES, translations
from tamis.message.mail import Mail
from tamis.settings import NoticeSettings

SETTINGS = NoticeSettings()
PASS = Finding("spf", Status.CLEAR, facts={"result": "pass", "identity": "mailfrom", "domain": "example.net"})
SENDER, RECIPIENT = "jean@example.net", "marie@example.com"


def case(
    header: str = "Subject: Facture\r\n",
    *findings: Finding,
    sender: str = SENDER,
    age: float = 0.1,
    spf: Finding = PASS,
    **terms: Any,
) -> Case:
    """A message of an authenticated stranger about which there is nothing to say, but for what is given."""
    found = {one.filter: one for one in (spf, *findings)}
    return Case(sender, RECIPIENT, found, Mail(header.encode()).headers, Terms(**terms), age)


def hit(name: str, **facts: Any) -> Finding:
    """A filter that saw what it looks for."""
    return Finding(name, Status.HIT, facts=facts)


def test_an_ordinary_sender_may_be_asked() -> None:
    assert why_not(case(), SETTINGS) is None
    assert why_not(case(), SETTINGS, "reply") is None


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("Auto-Submitted: auto-replied", Reason.AUTOMATIC),
        ("Auto-Submitted: Auto-Generated; owner-email=x", Reason.AUTOMATIC),
        ("auto-submitted:\r\n auto-notified", Reason.AUTOMATIC),
        ("Auto-Submitted: no", None),
        ("Auto-Submitted: no\r\nAuto-Submitted: auto-replied", Reason.AUTOMATIC),
        ("X-Auto-Response-Suppress: OOF, AutoReply", Reason.AUTOMATIC),
        ("X-Auto-Response-Suppress: None", None),
        ("X-Autoreply: yes", Reason.AUTOMATIC),
        ("X-Loop: somewhere", Reason.AUTOMATIC),
        ("X-Failed-Recipients: x@example.org", Reason.AUTOMATIC),
        ("Precedence: auto_reply", Reason.AUTOMATIC),
        ("Content-Type: multipart/report; report-type=delivery-status", Reason.AUTOMATIC),
        ("Return-Path: <>", Reason.AUTOMATIC),
        ("Return-Path: <jean@example.net>", None),
        ("Precedence: Bulk", Reason.LIST),
        ("Precedence: junk", Reason.LIST),
        ("Precedence: first-class", None),
        ("List-Id: Sieves <sieves.example.net>", Reason.LIST),
        ("List-Unsubscribe: <https://example.net/u>", Reason.LIST),
        ("list-post: <mailto:x@example.net>", Reason.LIST),
        ("Mailing-List: contact x", Reason.LIST),
        ("Feedback-ID: 1:2:3", Reason.LIST),
        ("Message-ID: <01JDCHA77ENGE0000000000001.confirm@example.com>", Reason.OWN_NOTICE),
        ("In-Reply-To: <01JDCHA77ENGE0000000000001.confirm@example.com>", Reason.OWN_NOTICE),
        ("References: <x@y>\r\n <01JDCHA77ENGE0000000000001.confirm@example.com>", Reason.OWN_NOTICE),
        ("In-Reply-To: <01jdcha.confirm@example.com>", None),
    ],
)
def test_programs_and_lists_are_not_asked(field: str, reason: Reason | None) -> None:
    for transport in ("mail", "reply"):
        found = why_not(case(f"Subject: x\r\n{field}\r\n"), SETTINGS, transport)
        assert found is reason, transport


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        ("", Reason.NULL_SENDER),
        ("jean", Reason.ADDRESS),
        ("jean@localhost", Reason.ADDRESS),
        ("jean@[192.0.2.7]", Reason.ADDRESS),
        ('"a b"@example.net', Reason.ADDRESS),
        ("a@b@example.net", Reason.ADDRESS),
        ("jean\r\nRCPT TO:<x@y>@example.net", Reason.ADDRESS),
        ("jean@example.net\r\nx", Reason.ADDRESS),
        ("jean@exa mple.net", Reason.ADDRESS),
        ("jean%example.org@example.net", Reason.ADDRESS),
        ("example.org!jean@example.net", Reason.ADDRESS),
        ("jéan@example.net", Reason.ADDRESS),
        (f"{'x' * 250}@example.net", Reason.ADDRESS),
        ("SRS0=abc=XY=example.org=jean@example.net", Reason.ADDRESS),
        ("paul@example.com", Reason.OWN_DOMAIN),
        ("paul@EXAMPLE.com", Reason.OWN_DOMAIN),
        ("MAILER-DAEMON@example.net", Reason.AUTOMATIC),
        ("owner-sieves@example.net", Reason.AUTOMATIC),
        ("sieves-request@example.net", Reason.AUTOMATIC),
        ("sieves-bounces@example.net", Reason.AUTOMATIC),
        ("bounces+12-marie=example.com@example.net", Reason.AUTOMATIC),
        ("news-marie=example.com@example.net", Reason.AUTOMATIC),
        ("no-reply@example.net", Reason.AUTOMATIC),
        ("facture.NoReply@example.net", Reason.AUTOMATIC),
        ("ne_pas-repondre@example.net", Reason.AUTOMATIC),
        ("jean+factures@example.net", None),
        ("prvs=1234abcdef=jean@example.net", None),
        ("jean@bücher.example", None),
        ("postmaster@example.net", None),
    ],
)
def test_senders_that_no_answer_can_go_to(sender: str, reason: Reason | None) -> None:
    assert why_not(case(sender=sender), NoticeSettings(evidence="unless-failed")) is reason


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        (hit("antivirus", virus=True), Reason.VIRUS),
        (hit("antivirus_second", virus=True), Reason.VIRUS),
        (hit("attachment_fingerprints"), Reason.VIRUS),
        (hit("honeypot", trapped=False, writes=2), Reason.HONEYPOT),
        (hit("sender_blacklist", matches=[]), Reason.BLACKLIST),
        (hit("ip_blacklist", matches=[]), Reason.BLACKLIST),
        (hit("temporary_blacklist"), Reason.BLACKLIST),
        (hit("sender_complaints"), Reason.COMPLAINTS),
        (hit("ip_complaints"), Reason.COMPLAINTS),
        (hit("dmarc", result="fail"), Reason.DMARC),
        (hit("plugin", no_challenge=True), Reason.FILTER),
        (hit("plugin", no_challenge=False), None),
        (hit("statistics"), None),
        (hit("dnsbl"), None),
        (Finding("antivirus", Status.UNAVAILABLE), None),
    ],
)
def test_findings_that_forbid_asking(finding: Finding, reason: Reason | None) -> None:
    assert why_not(case("Subject: x\r\n", finding), SETTINGS) is reason
    assert why_not(case("Subject: x\r\n", finding), SETTINGS, "reply") is reason


@pytest.mark.parametrize("result", ["fail", "softfail", "neutral", "none", "permerror", "temperror", "pass"])
def test_evidence(result: str) -> None:
    """Nobody is told about a message that SPF fails; by mail only who is authenticated, unless the site says else."""
    spf = Finding("spf", Status.CLEAR, facts={"result": result, "identity": "mailfrom"})
    one = case(spf=spf)
    failed = Reason.SPF if result == "fail" else None
    by_default = failed or (None if result == "pass" else Reason.UNAUTHENTICATED)
    assert why_not(one, SETTINGS) is by_default
    assert why_not(one, NoticeSettings(evidence="unless-failed")) is failed
    assert why_not(one, SETTINGS, "reply") is failed, "a reply reaches nobody but who is connected"


def test_spf_of_helo_is_no_evidence_of_the_sender() -> None:
    spf = Finding("spf", Status.CLEAR, facts={"result": "pass", "identity": "helo"})
    assert why_not(case(spf=spf), SETTINGS) is Reason.UNAUTHENTICATED


def test_what_only_mail_needs() -> None:
    unreachable = case("Subject: x\r\n", hit("sender_mx"))
    assert why_not(unreachable, SETTINGS) is Reason.UNREACHABLE
    assert why_not(unreachable, SETTINGS, "reply") is None
    assert why_not(case(age=24.1), SETTINGS) is Reason.OLD
    assert why_not(case(age=24.1), SETTINGS, "reply") is None


def test_policy() -> None:
    assert why_not(case(challenge="off"), SETTINGS) is Reason.POLICY
    own = case(sender="paul@example.com", challenge_own_domain=True)
    assert why_not(own, SETTINGS) is None


def test_without_details_nobody_is_asked() -> None:
    bare = Case(SENDER, RECIPIENT, {}, Mail(b"").headers, Terms())
    assert why_not(bare, NoticeSettings(evidence="unless-failed")) is Reason.UNKNOWN


def test_budgets() -> None:
    room = NoticeSettings(per_sender_day=3, per_sender_domain_day=5, per_domain_day=7, per_hour=9, per_day=11)
    full: Mapping[Reason, Spent] = {
        Reason.SENDER_BUDGET: Spent(sender_day=3),
        Reason.SENDER_DOMAIN_BUDGET: Spent(sender_domain_day=5),
        Reason.DOMAIN_BUDGET: Spent(domain_day=7),
        Reason.HOUR_BUDGET: Spent(hour=9),
        Reason.DAY_BUDGET: Spent(day=11),
    }
    assert over_budget(Spent(2, 4, 6, 8, 10), room) is None
    assert {reason: over_budget(spent, room) for reason, spent in full.items()} == {r: r for r in full}
    assert over_budget(Spent(), NoticeSettings(per_hour=0)) is Reason.HOUR_BUDGET


@given(st.text(max_size=300), st.binary(max_size=2000))
def test_whatever_came_is_decided(sender: str, header: bytes) -> None:
    one = Case(sender, RECIPIENT, {"spf": PASS}, Mail(header).headers, Terms())
    assert why_not(one, SETTINGS) in (None, *Reason)


def test_every_reason_has_its_sentence_in_every_language() -> None:
    assert set(SENTENCES) == set(Reason)
    for language in LANGUAGES[1:]:
        told = {translations(language).gettext(sentence) for sentence in SENTENCES.values()}
        assert not told & set(SENTENCES.values()), language

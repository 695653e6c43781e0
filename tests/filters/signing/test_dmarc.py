"""DMARC: records, the walk up the tree, alignment, and what the DNS leaves open (RFC 9989)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.ask import answered
from tamis.contract.finding import Finding, Status
from tamis.filters.dmarc import DMARC, DMARCOptions, walk
from tamis.filters.signing.dmarc_record import DMARCPolicy, DMARCRecord, applied, read_record, targets
from tamis.message.mail import Mail
from tests.answering import from_dns
from tests.builders import LETTER, PROPERTY, message
from tests.services.dns.resolving import WrittenDNS
from tests.signing import RECORDS, signed

Records = Mapping[str, Sequence[str] | str]
REJECT = ["v=DMARC1; p=reject"]
KEYS = {
    f"ed._domainkey.{name} TXT": [RECORDS["ed"]]
    for name in ("example.net", "mail.example.net", "example.org")
}


def found(records: Records, raw: bytes = LETTER, *, complete: bool = True, **told: Any) -> Finding:
    one = message(raw, **told)
    one.mail = Mail(raw, complete=complete)
    return answered(DMARC().examine(one), from_dns(WrittenDNS(records)))


def result(records: Records, raw: bytes = LETTER, **told: Any) -> str:
    return str(found(records, raw, **told).facts["result"])


def from_(domain: str) -> bytes:
    return LETTER.replace(b"stranger@example.net", b"stranger@" + domain.encode())


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (REJECT, ("reject", "reject", "reject")),
        (["v=DMARC1;p=none;sp=quarantine;np=reject;"], ("none", "quarantine", "reject")),
        (["V = DMARC1 ; P = Reject ; sp=none"], ("reject", "none", "none")),
        (["some other text", *REJECT], ("reject", "reject", "reject")),
        (["v=DMARC1; rua=mailto:d@example.net"], ("none", "none", "none")),
        (["v=DMARC1; p=refuse; rua=mailto:d@example.net"], ("none", "none", "none")),
        (["v=DMARC1; p=reject; p=none"], ("reject", "reject", "reject")),
        (["v=DMARC1; p=reject; unknown=; ;;garbage"], ("reject", "reject", "reject")),
        (["v=DMARC1"], None),
        (["v=DMARC1; p=refuse"], None),
        (["v=DMARC1; p=reject; sp=refuse"], None),
        (["v=dmarc1; p=reject"], None),
        (["v=DMARC10; p=reject"], None),
        (["p=reject; v=DMARC1"], None),
        ([*REJECT, *REJECT], None),
        (["v=DMARC1; p=reject;" + " " * 5000], None),
        ([], None),
    ],
)
def test_records(texts: list[str], expected: tuple[str, str, str] | None) -> None:
    record = read_record("example.net", texts)
    assert (record and (record.policy, record.subdomains, record.missing)) == expected


@pytest.mark.parametrize(
    ("more", "policy"),
    [
        ("", "reject"),
        ("; t=n", "reject"),
        ("; t=y", "quarantine"),
        ("; pct=100", "reject"),
        ("; pct=99", "quarantine"),
        ("; pct=0", "quarantine"),
        ("; pct=all", "reject"),
        ("; pct=-1", "reject"),
        ("; pct=" + "9" * 5000, "reject"),
    ],
)
def test_owners_who_test_are_taken_at_one_step_less(more: str, policy: str) -> None:
    record = read_record("example.net", [REJECT[0] + more[:4000]])
    assert record is not None
    assert applied(record, "example.net") == policy


def test_policies_of_sub_domains() -> None:
    record = DMARCRecord("example.net", DMARCPolicy.NONE, DMARCPolicy.QUARANTINE, DMARCPolicy.REJECT)
    assert applied(record, "example.net") == "none"
    assert applied(record, "a.example.net") == "quarantine"
    assert applied(record, "a.example.net", exists=False) == "reject"


@PROPERTY
@given(st.lists(st.text(max_size=60).map(lambda text: "v=DMARC1;" + text), max_size=2))
def test_any_record(texts: list[str]) -> None:
    record = read_record("example.net", texts)
    assert record is None or record.policy in set(DMARCPolicy)


def test_targets_of_a_walk() -> None:
    """RFC 9989 4.10: at most eight questions."""
    assert targets("a.mail.example.com") == ["a.mail.example.com", "mail.example.com", "example.com", "com"]
    long = targets("a.b.c.d.e.f.g.h.i.j.mail.example.com")
    assert (len(long), long[:2], long[-1]) == (
        8,
        ["a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com"],
        "com",
    )


@pytest.mark.parametrize(
    ("records", "organizational", "where"),
    [
        ({}, "a.mail.example.com", None),
        ({"mail.example.com": "", "example.com": ""}, "example.com", "example.com"),
        ({"a.mail.example.com": "", "example.com": ""}, "example.com", "a.mail.example.com"),
        ({"com": "; psd=y"}, "example.com", "com"),
        ({"com": "; psd=y", "example.com": ""}, "example.com", "example.com"),
        ({"mail.example.com": "; psd=n", "example.com": ""}, "mail.example.com", "mail.example.com"),
        ({"a.mail.example.com": "; psd=y", "example.com": ""}, "example.com", "a.mail.example.com"),
        ({"a.mail.example.com": "; psd=n", "example.com": ""}, "a.mail.example.com", "a.mail.example.com"),
    ],
)
def test_organizational_domains(records: dict[str, str], organizational: str, where: str | None) -> None:
    """RFC 9989 4.10.2."""
    written = WrittenDNS({f"_dmarc.{name} TXT": [REJECT[0] + more] for name, more in records.items()})
    walked = answered(walk("a.mail.example.com"), from_dns(written))
    assert (walked.organizational, walked.record and walked.record.domain) == (organizational, where)


POLICY = {"_dmarc.example.net TXT": REJECT}


@pytest.mark.parametrize(
    ("records", "raw", "told", "expected"),
    [
        ({}, LETTER, {}, "none"),
        (POLICY, LETTER, {}, "fail"),
        (POLICY | KEYS, signed(LETTER), {}, "pass"),
        (POLICY | KEYS, signed(LETTER, domain="mail.example.net"), {}, "pass"),
        (POLICY | KEYS, signed(LETTER, domain="example.org"), {}, "fail"),
        (POLICY | KEYS, signed(signed(LETTER), domain="example.org"), {}, "pass"),
        (POLICY | {"ed._domainkey.example.net TXT": "dead"}, signed(LETTER), {}, "temperror"),
        (POLICY | {"ed._domainkey.example.org TXT": "dead"}, signed(LETTER, domain="example.org"), {}, "fail"),
        (POLICY | KEYS, signed(LETTER).replace(b"Good", b"Bad"), {}, "fail"),
        (POLICY | {"example.net TXT": ["v=spf1 +all"]}, LETTER, {}, "pass"),
        (POLICY | {"example.net TXT": ["v=spf1 ?all"]}, LETTER, {}, "fail"),
        (POLICY | {"b.example.net TXT": ["v=spf1 +all"]}, LETTER, {"sender": "x@b.example.net"}, "pass"),
        (POLICY | {"example.org TXT": ["v=spf1 +all"]}, LETTER, {"sender": "x@example.org"}, "fail"),
        (POLICY | {"badexample.net TXT": ["v=spf1 +all"]}, LETTER, {"sender": "x@badexample.net"}, "fail"),
        (POLICY | {"example.net TXT": "dead"}, LETTER, {}, "temperror"),
        # a bounce: SPF is about HELO (RFC 7208 2.4)
        (POLICY | {"mail.example.net TXT": ["v=spf1 +all"]}, LETTER, {"sender": "", "helo": "mail.example.net"},
         "pass"),
        (POLICY, LETTER, {"sender": "", "helo": "[192.0.2.7]"}, "fail"),
        # strict
        ({"_dmarc.example.net TXT": ["v=DMARC1; p=reject; adkim=s"]} | KEYS, signed(LETTER, domain="mail.example.net"),
         {}, "fail"),
        ({"_dmarc.example.net TXT": ["v=DMARC1; p=reject; adkim=s"]} | KEYS, signed(LETTER), {}, "pass"),
        ({"_dmarc.example.net TXT": ["v=DMARC1; p=reject; aspf=s"], "b.example.net TXT": ["v=spf1 +all"]}, LETTER,
         {"sender": "x@b.example.net"}, "fail"),
        # the record of the organizational domain, and a sub-domain that keeps to itself
        (POLICY | KEYS, signed(from_("shop.example.net")), {}, "pass"),
        (POLICY | {"_dmarc.shop.example.net TXT": ["v=DMARC1; p=reject; psd=n"]} | KEYS,
         signed(from_("shop.example.net")), {}, "fail"),
        # what the DNS leaves open makes no failure, but can't hide what passes
        ({"_dmarc.example.net TXT": "dead"}, LETTER, {}, "temperror"),
        (POLICY | {"_dmarc.net TXT": "dead"}, LETTER, {}, "temperror"),
        (POLICY | {"_dmarc.net TXT": "dead"} | KEYS, signed(LETTER), {}, "pass"),
        (POLICY | {"_dmarc.mail.example.net TXT": "dead"} | KEYS, signed(LETTER, domain="mail.example.net"), {},
         "pass"),
        # From
        (POLICY, LETTER.replace(b"From:", b"X-From:"), {}, "none"),
        (POLICY, from_("[192.0.2.1]"), {}, "none"),
        (POLICY, from_("localhost"), {}, "none"),
        ({"_dmarc.xn--bcher-kva.example TXT": REJECT}, from_("bücher.example"), {}, "fail"),
        (POLICY | {"_dmarc.example.org TXT": ["v=DMARC1; p=none"]}, from_("example.org>, <x@example.net"), {}, "fail"),
        (POLICY, LETTER.replace(b"From:", b"From: x@example.org\r\nFrom:"), {}, "fail"),
    ],
)  # fmt: skip
def test_results(records: Records, raw: bytes, told: dict[str, Any], expected: str) -> None:
    assert result(records, raw, **told) == expected


def test_the_sternest_failure_of_several_authors_counts() -> None:
    records = POLICY | {"_dmarc.example.org TXT": ["v=DMARC1; p=none"]}
    one = found(records, from_("example.org>, <x@example.net"))
    assert (one.facts["domain"], one.facts["policy"]) == ("example.net", "reject")


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"client_ip": "127.0.0.1"}, Status.CLEAR),
        ({"client_ip": "10.0.0.1"}, Status.CLEAR),
        ({"client_ip": ""}, Status.SKIPPED),
        ({"login": "marie"}, Status.CLEAR),
    ],
)
def test_without_a_stranger_nothing_fails(told: dict[str, Any], status: Status) -> None:
    assert found(POLICY, **told).status is status


def test_a_signature_speaks_without_a_client() -> None:
    assert result(POLICY | KEYS, signed(LETTER), client_ip="") == "pass"


def test_a_part_of_a_message_does_not_fail() -> None:
    assert found(POLICY | KEYS, signed(LETTER), complete=False).status is Status.UNAVAILABLE
    assert (
        found(POLICY | KEYS | {"example.net TXT": ["v=spf1 +all"]}, signed(LETTER), complete=False).facts[
            "result"
        ]
        == "pass"
    )
    assert (
        found(POLICY, LETTER, complete=False).status is Status.HIT
    )  # there is no signature to be wrong about


def test_a_part_of_a_sealed_message_does_not_fail_either() -> None:
    sealed_in_part = b"ARC-Seal: i=1\r\n" + LETTER
    assert found(POLICY, sealed_in_part, complete=False).status is Status.UNAVAILABLE
    assert found(POLICY, sealed_in_part).status is Status.HIT


def test_a_subdomain_in_the_walk_costs_few_questions() -> None:
    written = WrittenDNS(POLICY)
    one = message(LETTER)
    answered(DMARC().examine(one), from_dns(written))
    assert written.asked == [
        ("_dmarc.example.net", "TXT"),
        ("_dmarc.net", "TXT"),
        ("example.net", "TXT"),
    ]


@pytest.mark.parametrize(
    ("trusted", "seals", "hit"),
    [
        ((), [["lists.example.org", True]], True),
        (("lists.example.org",), [["lists.example.org", True]], False),
        (("lists.example.org",), [["lists.example.org", False]], True),
        (("lists.example.org",), [["evil.example", True], ["lists.example.org", True]], True),
        (
            ("lists.example.org", "relay.example"),
            [["relay.example", False], ["lists.example.org", True]],
            False,
        ),
        (("LISTS.example.org",), [["lists.example.org", True]], False),
        (("lists.example.org",), [], True),
        (("lists.example.org",), "lists.example.org", False),
        (("lists.example.org",), "evil.example", True),
    ],
)
def test_only_the_newest_seals_excuse(
    trusted: tuple[str, ...], seals: list[list[object]] | str, hit: bool
) -> None:
    """Whoever sealed later could have changed anything; text is a domain whose key got no answer."""
    found = (
        {"unanswered_seal": seals, "seals": []}
        if isinstance(seals, str)
        else {"unanswered_seal": "", "seals": seals}
    )
    facts = {"domain": "example.net", "policy": "reject", **found}
    finding = Finding("dmarc", Status.HIT, "fail: {domain}", facts)
    opinion = DMARC().judge(finding, DMARCOptions(trusted_arc=trusted), ())
    assert (opinion.effect is not None) is hit
    assert ("excused" in opinion.text) is not hit

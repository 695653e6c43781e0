"""DKIM signatures: the RFCs' own examples, dkimpy's signatures, broken ones, and what is written to do harm."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import gc
import weakref
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import SignatureError
from tamis.contract.ask import answered
from tamis.contract.filter import Message
from tamis.filters.signing.arc_check import Chain, chain
from tamis.filters.signing.canonical import relaxed_body, relaxed_field, simple_body
from tamis.filters.signing.dkim_check import Checked, signatures
from tamis.filters.signing.signature_fields import read_key, read_tags, without_value
from tamis.filters.signing.signatures import SignedMessage
from tamis.message.mail import Mail
from tests.answering import from_dns
from tests.builders import LETTER, NOW, PROPERTY, message
from tests.services.dns.resolving import WrittenDNS
from tests.signing import RECORDS, sealed, signed

RFC8463 = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
"""
"""Appendix A.3."""
RFC8463_KEYS = {
    "brisbane._domainkey.football.example.com TXT": [
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    ],
    "test._domainkey.football.example.com TXT": [
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
        "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/b"
        "yYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKr"
        "M3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K"
        "4w3QIDAQAB"
    ],
}
DOMAINS = ("example.net", "example.org", "lists.example.org", "mail.example.net")
KEYS = {f"{name}._domainkey.{where} TXT": [text] for name, text in RECORDS.items() for where in DOMAINS}


def asking(raw: bytes, *, complete: bool = True) -> Message:
    told = message(raw)
    told.mail = Mail(raw, complete=complete, size=len(raw) + 1000 * (not complete))
    return told


def verified(told: Message, records: Mapping[str, Sequence[str] | str] = KEYS) -> Sequence[Checked]:
    return answered(signatures(told), from_dns(WrittenDNS(records)))


def checked(raw: bytes, records: Mapping[str, Sequence[str] | str] = KEYS) -> list[Checked]:
    return list(verified(asking(raw), records))


def outcome(raw: bytes, records: Mapping[str, Sequence[str] | str] = KEYS) -> tuple[str, str]:
    """Result and reason of the only signature."""
    (one,) = checked(raw, records)
    return one.result, one.reason


def sealing(raw: bytes, records: Mapping[str, Sequence[str] | str] = KEYS) -> Chain:
    return answered(chain(asking(raw)), from_dns(WrittenDNS(records)))


def test_the_examples_of_rfc_6376() -> None:
    """Section 3.4.5."""
    fields = (b"A: X\r\n", b"B : Y\t\r\n\tZ  \r\n")
    body = b" C \r\nD \t E\r\n\r\n\r\n"
    assert [relaxed_field(one) for one in fields] == [b"a:X\r\n", b"b:Y Z\r\n"]
    assert relaxed_body(body) == b" C\r\nD E\r\n"
    assert simple_body(body) == b" C \r\nD \t E\r\n"


@pytest.mark.parametrize(
    ("body", "simple", "relaxed"),
    [
        (b"", b"\r\n", b""),
        (b"\r\n\r\n", b"\r\n", b""),
        (b" \t\r\n", b" \t\r\n", b""),
        (b"a", b"a\r\n", b"a\r\n"),
        (b"a  ", b"a  \r\n", b"a\r\n"),
        (b"a\r\r\n", b"a\r\r\n", b"a\r\r\n"),
        (b"a\r\n\r", b"a\r\n\r\r\n", b"a\r\n\r\r\n"),
        (b"a\r\n" + b"\r\n" * 5000, b"a\r\n", b"a\r\n"),
        (b"\r\n a\tb \r\n", b"\r\n a\tb \r\n", b"\r\n a b\r\n"),
    ],
)
def test_bodies(body: bytes, simple: bytes, relaxed: bytes) -> None:
    assert (simple_body(body), relaxed_body(body)) == (simple, relaxed)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_the_example_of_rfc_8463(end: bytes) -> None:
    both = checked(RFC8463.replace(b"\n", end), RFC8463_KEYS)
    assert [(one.result, one.bits, one.of_author) for one in both] == [
        ("pass", 256, True),
        ("pass", 1024, True),
    ]


BLANKS = st.sampled_from([b"", b" ", b"\t", b"  \t ", b"\r\n ", b" \r\n\t"])
WORDS = st.lists(st.sampled_from([b"a", b"Word", b";", b"b=", "é".encode(), b"=?utf-8?q?x?="]), max_size=6)
VALUES = st.tuples(WORDS, BLANKS).map(lambda told: told[1].join(told[0]) + told[1].replace(b"\r\n", b""))
BODIES = st.lists(
    st.sampled_from([b"text", b" ", b"\t", b"  ", b"\r\n", b"\r\n\r\n", b".", b"\xff", b"\x00"]), max_size=12
).map(lambda pieces: b"".join((*pieces, b"\r\n")) if pieces else b"")  # every line of SMTP has an end
CANONICAL = st.tuples(*[st.sampled_from(["simple", "relaxed"])] * 2).map("/".join)


@PROPERTY
@given(VALUES, VALUES, BODIES, CANONICAL, st.sampled_from(["ed", "rsa"]))
def test_what_dkimpy_signs_holds_and_what_it_refuses_does_not(
    subject: bytes, other: bytes, body: bytes, canonical: str, selector: str
) -> None:
    """dkimpy is the independent judge of any header and body, as they were and with one octet changed."""
    raw = b"From: a@example.net\r\nSubject:" + subject + b"\r\nX-Other:" + other + b"\r\n\r\n" + body
    whole = signed(
        raw, selector=selector, canonical=canonical, fields=("from", "subject", "x-other", "subject")
    )
    assert outcome(whole) == ("pass", "")
    for old, new in (
        (b"Subject:", b"Subject: \t"),
        (b"\r\n\r\n", b"\r\n\r\n \r\n"),
        (b"X-Other:", b"X-Other:z"),
    ):
        changed = whole.replace(old, new, 1)
        assert (outcome(changed)[0] == "pass") is _dkimpy_says(changed), changed


def _dkimpy_says(raw: bytes) -> bool:
    def key(name: bytes, timeout: int = 5) -> bytes:
        return KEYS[f"{name.decode().rstrip('.')} TXT"][0].encode()

    try:
        return bool(dkim.DKIM(raw).verify(dnsfunc=key))
    except dkim.ValidationError:
        return False


SIGNED = signed(LETTER)
TAGS = SIGNED.partition(b"\r\nFrom:")[0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"v=1", b"v=2", ("neutral", "v= is not 1")),
        (b"v=1; ", b"", ("neutral", "v= is not 1")),
        (b"v=1;", b"v=1; v=1;", ("neutral", "v= stands there twice")),
        (b"v=1;", b"v=1; nonsense;", ("neutral", "no tag list")),
        (b"v=1;", b"v=1; =;", ("neutral", "no tag list")),
        (b"a=ed25519-sha256", b"a=md5", ("neutral", "unknown algorithm")),
        (b"a=ed25519-sha256", b"a=rsa-sha1", ("permerror", "rsa-sha1 is obsolete (RFC 8301)")),
        (b"a=ed25519-sha256", b"a=rsa-sha256", ("permerror", "the key is not for rsa-sha256")),
        (b"d=example.net;", b"d=;", ("neutral", "d= is missing")),
        (b"d=example.net", b"d=net", ("neutral", "no domain name in d= or s=")),
        (b"d=example.net", b"d=" + b"\xc3\xa9" * 3000, ("neutral", "no domain name in d= or s=")),
        (b"s=ed", b"s=../ed", ("neutral", "no domain name in d= or s=")),
        (b"s=ed", b"s=none", ("permerror", "no key in the DNS")),
        (b"i=@example.net", b"i=@example.org", ("permerror", "i= is outside d=")),
        (b"i=@example.net", b"i=a@badexample.net", ("permerror", "i= is outside d=")),
        (b"q=dns/txt", b"q=carrier/pigeon", ("neutral", "no known way to its key")),
        (b"c=relaxed", b"c=relaxing", ("neutral", "unknown canonicalization")),
        (b"t=1772366400", b"t=soon", ("neutral", "t= is no number")),
        (b"t=1772366400", b"t=1772376400", ("neutral", "signed in the future")),
        (b"t=1772366400", b"t=1772366400; x=1772366399", ("neutral", "expired before it was signed")),
        (b"t=1772366400", b"t=1672366400; x=1672366499", ("fail", "expired")),
        (b"t=1772366400", b"t=1772366400; l=-1", ("neutral", "l= is no number")),
        (b"t=1772366400", b"t=1772366400; l=1000", ("fail", "the body is shorter than l=")),
        (b"h=from", b"h=sender", ("fail", "the header was changed")),
        (b"h=from", b"h=: from", ("neutral", "h= is not usable")),
        (b"h=from", b"h=" + b"x:" * 600 + b"from", ("neutral", "h= is not usable")),
        (b"h=from", b"h=" + b" " * 20_000 + b"from", ("neutral", "too long a signature")),
        (b"bh=", b"bh=!", ("neutral", "no base64")),
        (b" b=", b" b=AAAA", ("fail", "the header was changed")),
    ],
)
def test_fields_that_are_no_good(old: bytes, new: bytes, expected: tuple[str, str]) -> None:
    assert old in TAGS
    assert outcome(TAGS.replace(old, new, 1) + SIGNED[len(TAGS) :]) == expected


def test_a_signature_must_be_for_from() -> None:
    unsigned = (
        TAGS.replace(b"h=from", b"h=sender").replace(b": from", b": sender").replace(b":\r\n from", b":x")
    )
    assert b"from" not in unsigned
    assert outcome(unsigned + SIGNED[len(TAGS) :]) == ("permerror", "From is not signed")


def test_a_second_from_is_a_forgery() -> None:
    once = signed(LETTER, fields=("from", "subject"))
    forged = once.replace(b"\r\nFrom:", b"\r\nFrom: Bank <bank@example.com>\r\nFrom:", 1)
    assert outcome(forged) == ("policy", "another From is not signed")


def test_what_was_added_behind_the_signed_part_is_not_signed() -> None:
    whole = signed(LETTER, length=True)
    assert outcome(whole) == ("pass", "")
    assert outcome(whole + b"more\r\n") == ("policy", "only 11 of 17 octets of the body are signed")


def _rsa_record(bits: int = 2048, exponent: int = 65537, more: str = "") -> str:
    """A record with a number of so many bits that nobody can sign with."""
    numbers = rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) | 12345)
    return f"v=DKIM1; p={_base64(numbers.public_key())}{more}"


def _base64(public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    octets = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(octets).decode()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("", "no key record"),
        ("v=spf1 -all", "no key record"),
        ("v=DKIM2; p=AAAA", "no key record"),
        ("v=DKIM1; p=", "the key is revoked"),
        ("v=DKIM1; p=AAAA", "unreadable key"),
        ("v=DKIM1; p=A", "no base64"),
        ("v=DKIM1; k=ed25519; p=AAAA", "unreadable key"),
        ("v=DKIM1; k=dsa; p=AAAA", "unknown kind of key"),
        ("v=DKIM1; p=\xe9", "no base64"),
        ("v=DKIM1; s=tlsrpt; p=AAAA", "the key is not for mail"),
        ("v=DKIM1; h=sha1; p=AAAA", "the key is not for sha256"),
        ("v=DKIM1; p=" + "A" * 9000, "too long a key record"),
        ("v=DKIM1; p=" + "MIIB" * 1500, "unreadable key"),
        (_rsa_record(512), "a key of 512 bits"),
        (_rsa_record(1016), "a key of 1016 bits"),
        (_rsa_record(9000), "a key of 9000 bits"),
        (_rsa_record(2048, (1 << 2000) + 1), "a key with too large an exponent"),
        (
            f"p={_base64(ec.generate_private_key(ec.SECP256R1()).public_key())}",
            "another kind of key than it says",
        ),
    ],
)
def test_keys_that_are_no_good(record: str, reason: str) -> None:
    rsa_signed = signed(LETTER, selector="rsa")
    expected = ("permerror", "no key in the DNS") if not record else ("permerror", reason)
    assert (
        outcome(rsa_signed, {"rsa._domainkey.example.net TXT": [record] if record else "empty"}) == expected
    )


def test_keys_with_flags() -> None:
    """RFC 6376 3.6.1: y is a test, whose failure means nothing; s wants i= to be d=."""
    name = "ed._domainkey.example.net TXT"
    broken = SIGNED.replace(b"Good", b"Bad")
    testing = {name: [RECORDS["ed"] + "; t=y:s"]}
    assert outcome(SIGNED, testing) == ("pass", "")
    assert outcome(broken, testing) == ("neutral", "the body was changed (its key is being tested)")
    below = TAGS.replace(b"i=@example.net", b"i=@sub.example.net") + SIGNED[len(TAGS) :]
    assert outcome(below, {name: [RECORDS["ed"] + "; t=s"]})[1] == "i= is not d= exactly, as its key wants"
    assert outcome(SIGNED, {name: ["v=other", RECORDS["ed"]]}) == ("pass", "")


def test_the_bare_form_of_an_rsa_key() -> None:
    """RFC 6376 3.6.1 has RSAPublicKey, everybody has SubjectPublicKeyInfo; either is read."""
    public = read_key(RECORDS["rsa"]).public
    assert isinstance(public, rsa.RSAPublicKey)
    bare = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    record = f"p={base64.b64encode(bare).decode()}"
    assert outcome(signed(LETTER, selector="rsa"), {"rsa._domainkey.example.net TXT": [record]}) == (
        "pass",
        "",
    )


def test_an_unanswered_key_is_a_temperror() -> None:
    assert outcome(SIGNED, {"ed._domainkey.example.net TXT": "dead"}) == ("temperror", "nothing answers here")
    cut_off: Mapping[str, Sequence[str] | str] = {"ed._domainkey.example.net TXT": "none", "com NS": "none"}
    assert outcome(SIGNED, cut_off) == ("temperror", "the DNS server denies even com")


def test_the_authors_signature_is_found_among_many() -> None:
    """Forty others, of which five are verified, do not push it out."""
    raw = SIGNED
    for _ in range(40):
        raw = TAGS.replace(b"example.net", b"example.org") + b"\r\n" + raw
    found = checked(raw)
    assert len(found) == 5
    assert [one.result for one in found].count("pass") == 1
    assert found[0].of_author


def test_a_message_of_which_a_part_is_missing_is_neither_good_nor_bad() -> None:
    (one,) = verified(asking(SIGNED, complete=False))
    assert (one.result, one.reason) == (
        "neutral",
        f"only {len(SIGNED)} of {len(SIGNED) + 1000} octets were examined",
    )


MEGABYTE = 1 << 20
HOSTILE = {
    "a body of blanks": LETTER + b" " * 8 * MEGABYTE,
    "a body of empty lines": LETTER + b"\r\n" * 4 * MEGABYTE + b"\r",
    "a body of words and blanks": LETTER + b"a \t" * 3 * MEGABYTE,
    "a header of blanks": LETTER.replace(b"Hello", b"Hello" + b" \t" * 30_000 + b"x"),
    "a header of folds": LETTER.replace(b"Hello", b"Hello" + b"\r\n x" * 10_000),
    "many fields": b"X-Field: x\r\n" * 50_000 + LETTER,
    "many signatures": (TAGS + b"\r\n") * 3000 + LETTER,
    "bare line ends": LETTER.replace(b"\r\n", b"\n") + b"\n\r" * MEGABYTE,
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("canonical", ["simple/simple", "relaxed/relaxed"])
def test_no_message_takes_long(name: str, canonical: str) -> None:
    """Each would take hours in quadratic time; the body is hashed for all five signatures."""
    both = b"".join(
        TAGS.replace(b"c=relaxed/relaxed", b"c=" + canonical.encode()).replace(b"b=", b"l=%d; b=" % n, 1)
        + b"\r\n"
        for n in range(5)
    )
    for one in checked(both + HOSTILE[name]):
        assert one.result != "pass"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "value",
    [
        b" " * 16_000,
        b"\r\n " * 5_000 + b"b=",
        b";" * 16_000,
        b"b=" + b"\r\n " * 5_000 + b"!",
        b"a=" * 8_000,
        b"\xff" * 99,
    ],
)
def test_any_field_is_read_or_refused(value: bytes) -> None:
    field = b"DKIM-Signature: v=1;" + value + b"\r\n"
    assert without_value(field).startswith(b"DKIM-Signature: v=1;")
    assert outcome(field + LETTER)[0] == "neutral"


@PROPERTY
@given(st.binary(max_size=200))
def test_any_tags(octets: bytes) -> None:
    with contextlib.suppress(SignatureError):
        assert all(value == value.strip(b" \t\r\n") for value in read_tags(octets).values())


@PROPERTY
@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_key(text: str) -> None:
    with pytest.raises(SignatureError):
        read_key(f"v=DKIM1; p={text}")


@PROPERTY
@given(st.binary(max_size=300))
def test_any_message(octets: bytes) -> None:
    for raw in (octets, TAGS + b"\r\n" + octets, b"ARC-Seal: i=1;" + octets + b"\r\n" + LETTER):
        assert all(one.result != "pass" for one in checked(raw))
        assert sealing(raw).result != "pass"
        SignedMessage(raw).body_hash(relaxed=True, length=None)


SEALED = sealed(LETTER, domain="lists.example.org", results="dmarc=pass header.from=example.net; dkim=none")
TWICE = sealed(SEALED, domain="example.org", results="arc=pass; dmarc=fail header.from=example.net")


def test_chains_hold_with_every_set() -> None:
    found = sealing(TWICE)
    assert (found.result, [link.sealer for link in found.links]) == (
        "pass",
        ["example.org", "lists.example.org"],
    )
    assert [link.vouches_for("example.net") for link in found.links] == [False, True]
    assert not found.links[1].vouches_for("example.com")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Good", b"Bad", "the body was changed"),
        (b"Subject: Hello", b"Subject: Bye", "the header was changed"),
        (b"dmarc=fail", b"dmarc=pass", "seal of example.org: the header was changed"),
        (b"dmarc=pass", b"dmarc=none", "seal of example.org: the header was changed"),
        (b"i=2; cv=pass", b"i=2; cv=fail", "instance 2 says that the chain was broken before it"),
        (b"i=1; cv=none", b"i=1; cv=pass", "instance 1 says that the chain was broken before it"),
        (b"ARC-Seal: i=1", b"ARC-Seal: i=3", "an incomplete chain"),
        (b"ARC-Seal: i=1", b"ARC-Seal: i=2", "two fields arc-seal of instance 2"),
        (b"ARC-Seal: i=1", b"ARC-Seal: i=0", "a field without an instance"),
        (b"ARC-Seal: i=1", b"ARC-Seal: i=1; h=from", "a seal has no h="),
        (b"ARC-Seal: i=1", b"X-Seal: i=1", "an incomplete chain"),
        (b"h=from : to", b"h=from : arc-seal", "it signs a seal"),
        (b"i=1; cv=none", b"i=1;; cv=none", "an empty tag"),
        (b"i=1; cv=none", b"; i=1; cv=none", "an empty tag"),
        (b"h=from : to", b" \t; h=from : to", "an empty tag"),
        (b"Results: i=2; ", b"Results: ", "a field without an instance"),
        (b"Results: i=2; ", b"Results: " + b" " * 20_000, "too long a field"),
    ],
)
def test_chains_that_are_broken(old: bytes, new: bytes, reason: str) -> None:
    assert old in TWICE
    assert sealing(TWICE.replace(old, new, 1)) == Chain("fail", reason)


def test_a_chain_whose_key_is_not_known() -> None:
    dead = KEYS | {"rsa._domainkey.lists.example.org TXT": "dead"}
    found = sealing(TWICE, dead)
    assert (found.result, found.unanswered) == ("temperror", "lists.example.org")
    assert answered(chain(asking(TWICE, complete=False)), from_dns(WrittenDNS(KEYS))).result == "temperror"


def test_a_flood_of_sets_asks_nothing() -> None:
    """More than 50 sets are no chain, and a chain whose newest seal is false is not followed to the others' keys."""
    flood = b"".join(
        f"ARC-Seal: i={n}; a=rsa-sha256; cv={'pass' if n > 1 else 'none'}; d=d{n}.example.org; s=s; b=AAAA\r\n"
        f"ARC-Message-Signature: i={n}; a=rsa-sha256; d=d{n}.example.org; s=s; h=from; bh=AAAA; b=AAAA\r\n"
        f"ARC-Authentication-Results: i={n}; x\r\n".encode()
        for n in range(1, 51)
    )
    told = asking(flood + LETTER)
    written = WrittenDNS(KEYS)
    assert answered(chain(told), from_dns(written)).reason == "no key in the DNS"
    assert written.asked == [("s._domainkey.d50.example.org", "TXT"), ("com", "NS")]
    assert sealing(b"ARC-Seal: i=51; b=\r\n" * 51 + flood + LETTER).result == "fail"


def test_what_is_remembered_of_a_message_goes_with_it() -> None:
    told = asking(TWICE.replace(b"From:", TAGS + b"\r\nFrom:", 1))
    written = WrittenDNS(KEYS)
    for _ in range(3):
        assert len(answered(signatures(told), from_dns(written))) == 1
        assert answered(chain(told), from_dns(written)).result == "pass"
    assert len(written.asked) == 4  # each is worked out once: a key, and that of two seals and a signature
    gone = weakref.ref(told.mail)
    del told
    gc.collect()
    assert gone() is None


def test_times_are_those_of_the_envelope() -> None:
    later = dataclasses.replace(message().envelope, received_at=datetime(2030, 1, 1, tzinfo=UTC))
    told = asking(TAGS.replace(b"t=1772366400", b"t=1772366400; x=1800000000") + SIGNED[len(TAGS) :])
    told.envelope = later
    assert [one.reason for one in verified(told)] == ["expired"]
    assert NOW.timestamp() == 1772366400

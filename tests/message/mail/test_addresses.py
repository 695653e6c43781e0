"""Mailboxes, from RFC 5322 and from what senders write instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import DefectKind, Limits, Mail
from tamis.message.mail import mailboxes as reading
from tamis.message.mail.defects import DefectReport


def mailboxes(value: str) -> list[tuple[str, str]]:
    mail = Mail(b"From: " + value.encode() + b"\r\n\r\n")
    return [(mailbox.display, mailbox.address) for mailbox in mail.from_addresses]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ann@example.com", [("", "ann@example.com")]),
        ("Ann <ann@EXAMPLE.com>", [("Ann", "ann@example.com")]),
        ("ANN@example.com (Ann Lee)", [("Ann Lee", "ANN@example.com")]),
        ('"Lee, Ann" <ann@example.com>', [("Lee, Ann", "ann@example.com")]),
        (r'"Ann \"A\" Lee" <ann@example.com>', [('Ann "A" Lee', "ann@example.com")]),
        ("Ann <ann@example.com>, bob@example.org", [("Ann", "ann@example.com"), ("", "bob@example.org")]),
        ("a@example.com; b@example.com", [("", "a@example.com"), ("", "b@example.com")]),
        ("Team: a@example.com, B <b@example.com>;", [("", "a@example.com"), ("B", "b@example.com")]),
        ("undisclosed-recipients:;", []),
        ("", []),
        ("=?utf-8?q?Andr=C3=A9?= <a@example.com>", [("André", "a@example.com")]),
        ("=?utf-8?q?Lee=2C_Ann?= <a@example.com>", [("Lee, Ann", "a@example.com")]),
        ("=?utf-8?q?=3Cevil=40example.net=3E?= <a@example.com>", [("<evil@example.net>", "a@example.com")]),
        ('"=?utf-8?q?Andr=C3=A9?=" <a@example.com>', [("André", "a@example.com")]),
        ('"a b"@example.com', [("", '"a b"@example.com')]),
        ('<"a>b"@example.com>', [("", '"a>b"@example.com')]),
        ("<@r.example.com,@s.example.com:ann@example.com>", [("", "ann@example.com")]),
        ("Ann (work (home)) <ann@example.com>", [("Ann", "ann@example.com")]),
        ("(just a comment) ann@example.com", [("just a comment", "ann@example.com")]),
        ("Ann <ann@example.com", [("Ann", "ann@example.com")]),
        ("Ann <ann @ example.com>", [("Ann", "ann@example.com")]),
        ("Ann <>", [("Ann", "")]),
        ("Ann", [("Ann", "")]),
        ("Ann Lee ann@example.com", [("Ann Lee", "ann@example.com")]),
        ("'ann@example.com'", [("", "ann@example.com")]),
        ("mailto:ann@example.com", [("", "ann@example.com")]),
        ('"bank@example.com" <eve@example.net>', [("bank@example.com", "eve@example.net")]),
        ('"bank@example.com" eve@example.net', [("bank@example.com", "eve@example.net")]),
        ("<ann@example.com@example.net>", [("", "ann@example.com@example.net"), ("", "ann@example.com")]),
        ("ann@example.com.", [("", "ann@example.com")]),
        ("用户@example.com", [("", "用户@example.com")]),
        (",,;,", []),
    ],
)
def test_mailboxes(value: str, expected: list[tuple[str, str]]) -> None:
    assert mailboxes(value) == expected


def test_local_and_domain() -> None:
    address = Mail(b"From: Ann.Lee@Example.COM\r\n\r\n").from_addresses[0]
    assert (address.local, address.domain) == ("Ann.Lee", "example.com")


def test_every_field_of_a_name_counts() -> None:
    mail = Mail(b"To: a@example.com\r\nCc: c@example.com\r\nTo: b@example.com\r\n\r\n")
    assert [mailbox.address for mailbox in mail.addresses("TO")] == ["a@example.com", "b@example.com"]
    assert [mailbox.address for mailbox in mail.addresses("cc")] == ["c@example.com"]
    assert mail.addresses("bcc") == ()


def test_mailboxes_are_bounded() -> None:
    mail = Mail(
        b"To: " + b"".join(b"a%d@example.com, " % n for n in range(50)) + b"\r\n\r\n",
        limits=Limits(addresses=7),
    )
    assert len(mail.addresses("to")) == 7
    assert DefectKind.TOO_MANY_ADDRESSES in {defect.kind for defect in mail.defects}


def test_a_name_without_an_address_is_reported() -> None:
    assert DefectKind.BAD_ADDRESS in {defect.kind for defect in Mail(b"From: Ann\r\n\r\n").defects}


_PIECES = st.sampled_from(
    [
        *(
            "Ann",
            "Ann Lee",
            " ",
            "  ",
            '"',
            '""',
            "'",
            ".",
            "x.",
            "é",
            "\u3000",
            "\u200b",
            "\t",
            "\x7f",
            "\0",
            "\r",
        ),
        *(
            "\\",
            "(x)",
            "[x]",
            "<",
            ">",
            ",",
            ";",
            ":",
            "@",
            "=",
            "=?utf-8?q?a?=",
            "a@example.org",
            "mailto:",
            "%",
            "!",
        ),
    ]
)
_SPECS = st.sampled_from(
    [
        *(
            "ann@example.com",
            "Ann@EXAMPLE.com",
            "a=b@example.com",
            "a.@example.com",
            "a@b",
            "a@-x.com",
            "a@x..com",
        ),
        *(
            "@example.com",
            "a@example.com.",
            "a@1.2.3.4",
            "a b@example.com",
            "a@b@example.com",
            "a@xn--zz.com",
            "a",
        ),
    ]
)


@given(
    st.lists(_PIECES, max_size=4),
    _SPECS,
    st.sampled_from(["{n} <{a}>", "{n}<{a}>{n}", " {a} ", "{n}{a}", '"{n}" <{a}> ']),
)
def test_what_is_read_at_a_glance_is_what_the_whole_reading_finds(
    pieces: list[str], spec: str, form: str
) -> None:
    value = form.format(n="".join(pieces), a=spec)
    at_a_glance = reading._alone(value)
    report = DefectReport(10)
    reader = reading._Reader(10, report, "from")
    reader.read(value)
    reader.read_otherwise(value)
    if at_a_glance is not None:
        assert list(reader.found.values()) == [at_a_glance]
        assert not reader.ambiguous
        assert not report.defects


@pytest.mark.parametrize(
    ("value", "is_bad"),
    [
        ("Lee, Ann <ann@example.com>", False),
        ("Lee, Ann <ann@example.com>, Roy, Bob <bob@example.com>", False),
        ("Lee, ann@example.com", True),
        ("Lee, <ann@example.com>", False),
        ("Lee, Ann", True),
        ("Ann <ann@example.com>, Lee", True),
        ("Lee, Ann, Bob <ann@example.com>", True),
    ],
)
def test_a_name_with_an_unquoted_comma_is_no_bad_address(value: str, is_bad: bool) -> None:
    mail = Mail(f"From: {value}\r\n\r\n".encode())
    assert mail.from_addresses
    assert (DefectKind.BAD_ADDRESS in {defect.kind for defect in mail.defects}) is is_bad


@pytest.mark.parametrize(
    ("author", "unusable"),
    [
        ("Anna @ Work <anna@example.net>", False),
        ("anna@work <anna@example.net>", False),
        ("Anna @ Work", True),
        ("anna@work, <anna@example.net>", True),
        ("anna@192.0.2.7 <anna@example.net>", True),
        ("anna@[192.0.2.7] <anna@example.net>", True),
    ],
)
def test_a_word_behind_an_at_sign_in_a_name_is_nobodys_domain(author: str, unusable: bool) -> None:
    kinds = {one.kind for one in Mail(f"From: {author}\r\n\r\nHello".encode()).defects}
    assert (DefectKind.UNUSABLE_AUTHOR in kinds) is unusable

"""Changing a header block: every octet that is not meant stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.header_editing import edit, fields_of, split_header
from tests.builders import PROPERTY

CRLF = (
    b"X-Spam-Flag: YES\r\nSubject: Hello\r\n X: continued\r\nx-spam-flag : NO\r\n\tmore\r\nTo: a\r\n"
    b"\r\nX-Spam-Flag: body\r\n"
)


def own(name: str, value: bytes) -> bool:
    return name == "x-spam-flag"


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        (b"A: b\r\n\r\nbody", b"A: b\r\n"),
        (b"A: b\n\nbody", b"A: b\n"),
        (b"A: b\r\n\nbody", b"A: b\r\n"),
        (b"A: b\n\r\nbody", b"A: b\n"),
        (b"A: b\n\nbody\r\n\r\nC: d\r\n", b"A: b\n"),
        (b"A: b\r\n\r\nbody\n\nC: d\n", b"A: b\r\n"),
        (b"\r\nbody", b""),
        (b"\nbody", b""),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"A: b", b"A: b"),
        (b"A: b\r\rC: d\n\nbody", b"A: b\r\rC: d\n"),  # a bare CR ends no line
        (b"", b""),
    ],
)
def test_the_header_ends_at_the_first_empty_line(raw: bytes, header: bytes) -> None:
    assert split_header(raw) == (header, raw[len(header) :])


def test_fields() -> None:
    assert list(fields_of(split_header(CRLF)[0])) == [
        ("x-spam-flag", b"X-Spam-Flag: YES\r\n"),
        ("subject", b"Subject: Hello\r\n X: continued\r\n"),
        ("x-spam-flag", b"x-spam-flag : NO\r\n\tmore\r\n"),
        ("to", b"To: a\r\n"),
    ]
    assert list(fields_of(b"no field\nA: b\rC: d\n")) == [("", b"no field\n"), ("a", b"A: b\rC: d\n")]


LF = CRLF.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(("raw", "end"), [(CRLF, b"\r\n"), (LF, b"\n")])
def test_remove_insert_and_subject(raw: bytes, end: bytes) -> None:
    changed = edit(raw, remove=own, insert=(("A", "1"), ("B", "2")), subject=b"SPAM: Hello\n folded")
    assert changed.split(end) == [
        *(b"A: 1", b"B: 2", b"Subject: SPAM: Hello", b" folded", b"To: a", b"", b"X-Spam-Flag: body", b""),
    ]


@pytest.mark.parametrize(
    ("raw", "changed"),
    [
        (b"A: b\r\n\r\nbody", b"A: b\r\nSubject: new\r\n\r\nbody"),
        (b"A: b\n\nbody", b"A: b\nSubject: new\n\nbody"),
        (b"A: b\n", b"A: b\nSubject: new\n"),
        (b"A: b", b"A: b\nSubject: new\n"),
        (b"\r\nbody", b"Subject: new\r\n\r\nbody"),
        (b"", b"Subject: new\r\n"),
        (b"subject : a\n b\nSubject: c\n\nSubject: d\n", b"Subject: new\n\nSubject: d\n"),
    ],
)
def test_subject(raw: bytes, changed: bytes) -> None:
    assert edit(raw, subject=b"new") == changed


def test_what_is_inserted_is_ascii_whatever_is_given() -> None:
    assert edit(b"\n", insert=(("A", "é"),)) == b"A: ?\r\n\n"


NAMES = st.sampled_from([b"A", b"b", b"X-Spam-Flag", b"x-SPAM-flag", b"X-Spam-Flagged"])
VALUES = st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"")), min_size=1, max_size=3)
ENDS = st.sampled_from([b"\r\n", b"\n"])
FIELDS = st.lists(
    st.tuples(NAMES, VALUES, ENDS).map(lambda f: f[0] + b":" + (f[2] + b" ").join(f[1]) + f[2]), max_size=6
)


@PROPERTY
@given(FIELDS, st.sampled_from([b"", b"\r\n", b"\n"]), st.binary(max_size=60))
def test_removing_is_exact(fields: list[bytes], empty: bytes, body: bytes) -> None:
    rest = empty + body if empty else b""
    kept = [one for one in fields if one.partition(b":")[0].lower() != b"x-spam-flag"]
    raw = b"".join(fields) + rest
    assert edit(raw, remove=own) == b"".join(kept) + rest
    assert edit(raw) == raw


@PROPERTY
@given(
    FIELDS, st.binary(max_size=60), st.lists(st.tuples(st.just("X-Spam-Flag"), st.text("abc")), max_size=3)
)
def test_what_was_inserted_can_be_removed_again(
    fields: list[bytes], body: bytes, headers: list[tuple[str, str]]
) -> None:
    raw = b"".join(fields) + b"\r\n" + body
    without = edit(raw, remove=own)
    assert edit(edit(without, insert=tuple(headers)), remove=own) == without


@PROPERTY
@given(st.binary(max_size=200))
def test_any_octets_are_fields_and_rest_and_nothing_else(raw: bytes) -> None:
    header, rest = split_header(raw)
    assert header + rest == raw
    assert b"".join(field for _, field in fields_of(header)) == header
    assert edit(raw) == raw

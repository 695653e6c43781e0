"""Structure, transfer encodings, parameters, attachments."""

from __future__ import annotations

import base64

import pytest

from tamis.message.mail import DefectKind, Limits, Mail

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def kinds(mail: Mail) -> set[DefectKind]:
    return {defect.kind for defect in mail.defects}


def part(kind: str, content: str | bytes = "x", **fields: str) -> bytes:
    octets = content.encode() if isinstance(content, str) else content
    lines = [f"Content-Type: {kind}", *(f"Content-{name.title()}: {text}" for name, text in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + octets


def multipart(*parts: bytes, kind: str = "multipart/mixed", boundary: str = "b") -> bytes:
    mark = b"--" + boundary.encode()
    inner = b"".join(mark + b"\r\n" + each + b"\r\n" for each in parts)
    return f'Content-Type: {kind}; boundary="{boundary}"\r\n\r\n'.encode() + inner + mark + b"--\r\n"


def test_a_plain_message_is_one_part() -> None:
    (only,) = Mail(b"Subject: s\r\n\r\nhello\r\n").parts
    assert (only.path, only.content_type, only.depth, only.payload) == ("1", "text/plain", 0, b"hello\r\n")
    assert (only.charset, only.disposition, only.filename, only.size) == (None, None, None, 7)


@pytest.mark.parametrize("crlf", [True, False])
def test_leaves_come_depth_first_with_their_paths(crlf: bool) -> None:
    inner = multipart(
        part("text/plain", "one"), part("text/html", "<p>two"), kind="multipart/alternative", boundary="bb"
    )
    raw = multipart(inner, part("image/png", PNG), part("text/plain", "three"))
    mail = Mail(raw if crlf else raw.replace(b"\r\n", b"\n"))
    assert [(p.path, p.content_type, p.depth) for p in mail.parts] == [
        ("1.1", "text/plain", 2),
        ("1.2", "text/html", 2),
        ("2", "image/png", 1),
        ("3", "text/plain", 1),
    ]
    assert [(c.path, c.content_type, c.boundary) for c in mail.containers] == [
        ("", "multipart/mixed", "b"),
        ("1", "multipart/alternative", "bb"),
    ]
    assert mail.parts[0].payload == b"one"
    assert mail.text == "one\ntwo\nthree"


def test_preamble_and_epilogue_are_no_parts() -> None:
    raw = multipart(part("text/plain", "seen")).replace(b"\r\n\r\n--b\r\n", b"\r\n\r\npreamble\r\n--b\r\n", 1)
    mail = Mail(raw + b"epilogue")
    assert [p.payload for p in mail.parts] == [b"seen"]
    assert DefectKind.BOUNDARY_MISSING not in kinds(mail)


def test_empty_parts_and_parts_without_header() -> None:
    mail = Mail(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\nbody\r\n--b\r\n\r\n--b--"
    )
    assert [p.payload for p in mail.parts] == [b"", b"body", b""]


def test_a_delimiter_is_a_whole_line() -> None:
    mail = Mail(multipart(part("text/plain", "a\r\n--bb\r\n--b-\r\nx--b\r\n --b")))
    assert len(mail.parts) == 1
    spaced = Mail(multipart(part("text/plain"), part("text/plain")).replace(b"--b\r\n", b"--b \t\r\n"))
    assert len(spaced.parts) == 2


def test_the_outer_boundary_ends_an_inner_multipart() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\none"
    mail = Mail(multipart(inner, part("text/plain", "two")))
    assert [p.payload for p in mail.parts] == [b"one", b"two"]
    assert DefectKind.MULTIPART_TRUNCATED in kinds(mail)


def test_enclosed_messages_are_descended_into() -> None:
    enclosed = b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: text/html\r\n\r\n<p>deep"
    mail = Mail(multipart(part("text/plain", "top"), enclosed))
    assert [(p.path, p.content_type) for p in mail.parts] == [("1", "text/plain"), ("2.1", "text/html")]
    assert [(c.path, c.content_type) for c in mail.containers] == [
        ("", "multipart/mixed"),
        ("2", "message/rfc822"),
    ]
    assert mail.parts[1].headers.first("subject") == "inner"
    assert mail.text == "top\ndeep"


def test_an_encoded_message_is_decoded_and_reported() -> None:
    octets = base64.encodebytes(b"Subject: inner\r\n\r\nhidden")
    mail = Mail(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + octets)
    assert mail.text == "hidden"
    assert DefectKind.ENCODED_CONTAINER in kinds(mail)


def test_digest_parts_are_messages() -> None:
    mail = Mail(multipart(b"\r\nSubject: one\r\n\r\ntext", kind="multipart/digest"))
    assert [c.content_type for c in mail.containers] == ["multipart/digest", "message/rfc822"]


@pytest.mark.parametrize(
    ("kind", "defect"),
    [
        ("multipart/mixed", DefectKind.MULTIPART_WITHOUT_BOUNDARY),
        ("multipart/mixed; boundary=zz", DefectKind.BOUNDARY_MISSING),
        ("text", DefectKind.INVALID_CONTENT_TYPE),
        ("te xt/plain", DefectKind.INVALID_CONTENT_TYPE),
    ],
)
def test_what_cannot_be_split_is_text(kind: str, defect: DefectKind) -> None:
    mail = Mail(part(kind, "content"))
    assert [(p.content_type, p.text) for p in mail.parts] == [("text/plain", "content")]
    assert defect in kinds(mail)


@pytest.mark.parametrize(
    ("encoding", "content", "expected", "defect"),
    [
        ("base64", b"aGVsbG8=", b"hello", None),
        ("BASE64 ", b"aGVs\r\nbG8=\r\n", b"hello", None),
        ("base64", b"aGVsbG8", b"hello", DefectKind.BAD_BASE64),
        ("base64", b"aG!VsbG8=", b"hello", DefectKind.BAD_BASE64),
        ("base64", b"aGVsbG8=\r\nIHRoZXJl", b"hello there", DefectKind.BAD_BASE64),
        ("base64", b"aGVsbG8hI", b"hello!", DefectKind.BAD_BASE64),
        ("base64", b"", b"", None),
        ("quoted-printable", b"a=3Db=\r\nc =E9", b"a=bc \xe9", None),
        ("quoted-printable", b"a=ZZ", b"a=ZZ", DefectKind.BAD_QP),
        ("8bit", b"caf\xe9", b"caf\xe9", None),
        ("x-uuencode", b"begin 644 a", b"begin 644 a", None),
        ("zip", b"abc", b"abc", DefectKind.UNKNOWN_ENCODING),
    ],
)
def test_transfer_encodings(
    encoding: str, content: bytes, expected: bytes, defect: DefectKind | None
) -> None:
    mail = Mail(b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + content)
    assert mail.parts[0].payload == expected
    found = kinds(mail) & {DefectKind.BAD_BASE64, DefectKind.BAD_QP, DefectKind.UNKNOWN_ENCODING}
    assert found == ({defect} if defect else set())


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ("attachment; filename=a.txt", "a.txt"),
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=a b.txt; size=3", "a b.txt"),
        (r'attachment; filename="a\"b.txt"', 'a"b.txt'),
        ("attachment; filename*=utf-8'en'caf%C3%A9.txt", "café.txt"),
        ("attachment; filename*=iso-8859-1''caf%E9.txt", "café.txt"),
        ("attachment; filename*0=long; filename*1=name.txt", "longname.txt"),
        ("attachment; filename*0*=utf-8''caf%C3; filename*1*=%A9.txt", "café.txt"),
        ('attachment; filename*1="b.txt"; filename*0="a"', "ab.txt"),
        ('attachment; filename="=?utf-8?q?caf=C3=A9.txt?="', "café.txt"),
        ("attachment; filename*=hex''%61", "a"),
        ('attachment; filename="unclosed', "unclosed"),
        ("attachment", None),
    ],
)
def test_file_names(disposition: str, expected: str | None) -> None:
    only = Mail(f"Content-Disposition: {disposition}\r\n\r\nx".encode()).parts[0]
    assert only.filename == expected
    assert only.disposition == "attachment"
    assert only.is_attachment


def test_the_name_of_the_type_is_a_file_name_too() -> None:
    assert Mail(part("application/pdf; name=a.pdf")).parts[0].filename == "a.pdf"


def test_attachments_and_images() -> None:
    mail = Mail(
        multipart(
            part("text/plain", "read me"),
            part("text/plain", "kept", disposition="attachment; filename=a.txt"),
            part("image/gif", "GIF89a"),
            part("application/octet-stream", PNG),
            part("application/octet-stream", base64.encodebytes(PNG), **{"transfer-encoding": "base64"}),
            part("application/pdf", "%PDF"),
        )
    )
    assert [p.path for p in mail.attachments] == ["2", "3", "4", "5", "6"]
    assert [p.path for p in mail.images] == ["3", "4", "5"]
    assert mail.text == "read me"


def test_parts_and_depth_are_bounded() -> None:
    many = Mail(multipart(*[part("text/plain")] * 50), limits=Limits(parts=10))
    assert len(many.parts) < 10 + 1
    assert DefectKind.TOO_MANY_PARTS in kinds(many)
    deep = part("text/plain", "bottom")
    for level in range(6):
        deep = multipart(deep, boundary=f"n{level}")
    shallow = Mail(deep, limits=Limits(depth=3))
    assert len(shallow.containers) == 3
    assert DefectKind.TOO_DEEP in kinds(shallow)
    assert "bottom" in shallow.text


def test_text_is_decoded_before_attachments_when_room_is_short() -> None:
    raw = multipart(part("application/zip", "z" * 900), part("text/plain", "text " * 20))
    mail = Mail(raw, limits=Limits(decoded_octets=300))
    assert mail.text == "text " * 20
    assert len(mail.parts[0].payload) == 200
    assert DefectKind.DECODED_TOO_LARGE in kinds(mail)
    assert mail.parts[0].size == 900

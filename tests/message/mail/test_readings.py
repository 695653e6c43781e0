"""Where readers differ, each way to take a part is examined, and the difference is a defect.

An ordinary run tries two hundred of each, and 2,000 with `pytest --hypothesis-profile=many`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.message.mail import DefectKind, Limits, Mail
from tamis.message.mail.opaque import OpaqueError, opaque_content
from tests.message.mail.test_visible import found

K = DefectKind
TRIES = settings(max_examples=max(200, settings().max_examples), deadline=None)
TEXT = b"Our miracle cure is here, see http://listed.example/ for more.\r\n"
BASE64 = base64.encodebytes(TEXT).replace(b"\n", b"\r\n")


def kinds(mail: Mail) -> set[DefectKind]:
    return {defect.kind for defect in mail.defects}


def seen(mail: Mail) -> bool:
    return found(mail) and "listed.example" in {url.host for url in mail.urls}


def uuencoded(octets: bytes, name: bytes = b"invoice.exe") -> bytes:
    lines = (binascii.b2a_uu(octets[at : at + 45]) for at in range(0, len(octets), 45))
    return b"begin 644 " + name + b"\r\n" + b"".join(lines).replace(b"\n", b"\r\n") + b"`\r\nend\r\n"


def yencoded(octets: bytes, name: bytes = b"invoice.exe") -> bytes:
    shifted = ((octet + 42) % 256 for octet in octets)
    body = b"".join(b"=%c" % ((c + 64) % 256) if c in b"\0\r\n=" else b"%c" % c for c in shifted)
    return b"=ybegin line=128 size=%d name=%s\r\n%s\r\n=yend size=%d\r\n" % (
        len(octets),
        name,
        body,
        len(octets),
    )


ENCODED = {"base64": BASE64, "quoted-printable": TEXT.replace(b"i", b"=69"), "x-uuencode": uuencoded(TEXT)}


@TRIES
@given(
    st.sampled_from(sorted(ENCODED)),
    st.lists(
        st.sampled_from(["7bit", "8bit", "binary", "base64", "quoted-printable", "x-unknown"]), max_size=3
    ),
    st.integers(0, 3),
    st.sampled_from(["{}", " {} ", "{} (a comment)", "(a comment) {}", "{};", '"{}"', "\t{}", "X: {}\r\n y"]),
)
def test_any_of_several_encodings_is_undone(name: str, others: list[str], at: int, form: str) -> None:
    if form.startswith("X"):
        form = "{}"
    values = [*others[:at], form.format(name.upper() if at else name), *others[at:]]
    fields = "".join(f"Content-Transfer-Encoding: {value}\r\n" for value in values).encode()
    mail = Mail(b"Content-Type: text/plain\r\n" + fields + b"\r\n" + ENCODED[name])
    assert seen(mail)
    if len(values) > 1:
        assert K.DUPLICATE_SINGLETON in kinds(mail)


@pytest.mark.parametrize("before", [b"\xbf\xff>>? ", b"caf\xe9 \xff\xfe\xfb "])
def test_base64_in_either_alphabet(before: bytes) -> None:
    """RFC 4648 5: some readers know "-" and "_", others skip them."""
    octets = base64.urlsafe_b64encode(before + TEXT)
    assert b"_" in octets or b"-" in octets
    assert seen(Mail(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + octets))


@TRIES
@given(st.data())
def test_soft_breaks_part_no_word(data: st.DataObject) -> None:
    """Anywhere, with blanks and tabs behind (RFC 2045 6.7 rule 3), with whatever line end, some octets encoded."""
    written = b""
    for octet in TEXT.rstrip():
        if data.draw(st.integers(0, 9)) == 0:
            blanks = data.draw(st.sampled_from([b"", b" ", b"  \t", b"\t"]))
            written += b"=" + blanks + data.draw(st.sampled_from([b"\r\n", b"\n"]))
        coded = data.draw(st.integers(0, 9)) == 0
        written += data.draw(st.sampled_from([b"=%02X", b"=%02x"])) % octet if coded else b"%c" % octet
    mail = Mail(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + written)
    assert seen(mail), written


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"a=\rb\nc", b"ab\nc"),
        (b"a=  ", b"a"),
        (b"a=", b"a"),
        (b"a=zz=3d", b"a=zz="),
        (b"caf\xe9=20", b"caf\xe9 "),
    ],
)
def test_quoted_printable_as_readers_take_it(octets: bytes, expected: bytes) -> None:
    mail = Mail(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + octets)
    assert mail.parts[0].payload == expected


TYPES = (
    "text/plain",
    "text/html",
    "application/octet-stream",
    "image/png",
    "multipart/mixed; boundary=x",
    "nonsense",
)


@TRIES
@given(
    st.lists(st.sampled_from(TYPES), max_size=3),
    st.integers(0, 3),
    st.sampled_from(["text/html", "text/plain"]),
)
def test_any_of_several_types_is_read(others: list[str], at: int, kind: str) -> None:
    fields = "".join(f"Content-Type: {one}\r\n" for one in [*others[:at], kind, *others[at:]]).encode()
    text = b"<p>" + TEXT.replace(b"miracle", b"mir<b>a</b>cle") + b"</p>" if kind == "text/html" else TEXT
    mail = Mail(fields + b"\r\n" + text)
    assert seen(mail)
    if others:
        assert K.DUPLICATE_SINGLETON in kinds(mail)


NAMES = (
    'Content-Disposition: attachment; filename="a.txt"; filename="{}"',
    'Content-Disposition: attachment; filename="{}"; filename="a.txt"',
    "Content-Disposition: attachment; filename=a.txt\r\nContent-Disposition: attachment; filename={}",
    'Content-Disposition: attachment filename="{}"',
    'Content-Disposition: attachment; filename="a.txt" filename="{}"',
    "Content-Disposition: attachment; filename*=utf-8''{}; filename=a.txt",
    "Content-Disposition: attachment; filename*0=a; filename*1=.txt; filename={}",
    'Content-Disposition: attachment; filename="a.txt"\r\nContent-Type: application/x; name="{}"',
    'Content-Type: application/x name="{}"',
    'Content-Type: application/x; name="a.txt"; name="{}"',
    "Content-Disposition: inline; filename=a.txt; FILENAME={}",
)


@pytest.mark.parametrize("fields", NAMES)
def test_each_name_of_a_file_counts(fields: str) -> None:
    mail = Mail(fields.format("run.vbs").encode() + b"\r\n\r\nx")
    assert "run.vbs" in {part.filename for part in mail.attachments}


@pytest.mark.parametrize("disposition", ["attachment", "inline"])
def test_what_some_reader_shows_is_text(disposition: str) -> None:
    fields = f"Content-Disposition: {disposition}\r\nContent-Disposition: inline\r\n\r\n"
    part = b"--b\r\nContent-Type: text/plain\r\n" + fields.encode() + TEXT
    assert seen(
        Mail(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n" + part + b"--b--\r\n")
    )


CHARSETS = (
    *(
        "utf-16",
        "utf-16le",
        "utf-16be",
        "utf-32",
        "utf-32le",
        "utf-32be",
        "utf-7",
        "utf-8",
        "us-ascii",
        "none",
        "x-odd",
    ),
    *(
        "iso-2022-jp",
        "x-iso-2022-jp",
        "csISO2022JP",
        "ibm037",
        "cp1140",
        "koi8-r",
        "gb2312",
        "x-sjis",
        "hz-gb-2312",
    ),
)
CODECS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8", "utf-8-sig", "utf-7", "cp037")


@pytest.mark.parametrize("label", CHARSETS)
@pytest.mark.parametrize("codec", CODECS)
def test_charsets_as_labelled_and_as_they_are(codec: str, label: str) -> None:
    """But what needs a label for anybody to read it."""
    if codec == "cp037" and label not in {"ibm037", "cp1140"}:
        return
    field = "" if label == "none" else f"; charset={label}"
    octets = TEXT.decode().encode(codec)
    mail = Mail(f"Content-Type: text/plain{field}\r\n\r\n".encode() + octets)
    assert seen(mail), (mail.visible, mail.readings)


@pytest.mark.parametrize("name", ["invoice.exe", "a b.pdf", "letter"])
@pytest.mark.parametrize("encode", [uuencoded, yencoded])
def test_files_within_text(encode: object, name: str) -> None:
    assert callable(encode)
    octets = bytes(range(256)) * 3
    mail = Mail(
        b"Content-Type: text/plain\r\n\r\nsee below\r\n\r\n" + encode(octets, name.encode()) + b"bye\r\n"
    )
    assert [(part.filename, part.payload) for part in mail.attachments] == [(name, octets)]


@pytest.mark.parametrize(
    "magic",
    [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"%PDF-1.7", b"PK\x03\x04", b"MZ\x90\0", b"\x7fELF"],
)
def test_a_file_that_calls_itself_text(magic: bytes) -> None:
    mail = Mail(
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode(magic + b"\0" * 50)
    )
    assert len(mail.attachments) == 1
    assert len(mail.images) == (magic[:3] in (b"\x89PN", b"\xff\xd8\xff", b"GIF"))
    assert len(mail.documents) == magic.startswith(b"%PDF")
    assert K.MISLABELLED_CONTENT in kinds(mail)


MIXED = b"Content-Type: multipart/mixed; boundary="
INNER = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + BASE64


@pytest.mark.parametrize(
    ("raw", "defect"),
    [
        (b"Content-Type: multipart/mixed\r\n\r\n--b\r\n" + INNER + b"--b--\r\n", K.MULTIPART_WITHOUT_BOUNDARY),
        (MIXED + b"other\r\n\r\n--b\r\n" + INNER + b"--b--\r\n", K.BOUNDARY_MISSING),
        (MIXED + b"a; boundary=b\r\n\r\n--b\r\n" + INNER + b"--b--\r\n", K.DUPLICATE_PARAMETER),
        (MIXED + b"b\r\n\r\n" + TEXT + b"--b\r\n\r\nx\r\n--b--\r\n", K.TEXT_OUTSIDE_PARTS),
        (MIXED + b"b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n" + TEXT, K.TEXT_OUTSIDE_PARTS),
        (MIXED + b"b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n" + INNER, None),
        (MIXED + b"b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
         + base64.encodebytes(b"--b\r\n" + INNER + b"--b--\r\n"), K.ENCODED_CONTAINER),
        (b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n"
         + base64.encodebytes(INNER), K.DUPLICATE_SINGLETON),
        (b"Content-Type: message/partial; number=1; total=2; id=a\r\n\r\n" + INNER, K.PARTIAL_MESSAGE),
        (b"Content-Type: message/partial; number=2; total=2; id=a\r\n\r\n" + TEXT, K.PARTIAL_MESSAGE),
        (b"Content-Type: message/external-body; access-type=URL; URL=\"http://listed.example/\"\r\n\r\nX: y\r\n\r\n"
         b"miracle cure", K.EXTERNAL_BODY),
        (b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n"
         + TEXT.replace(b"cle", b" \r\ncle").replace(b"listed", b"lis \r\nted"), None),
        (b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n> "
         + TEXT.replace(b"cle", b" \r\n> cle").replace(b"listed", b"lis \r\n>ted"), None),
        (b"Content-Type: text/plain\r\n\r\n<html><p>" + TEXT.replace(b"miracle", b"mir<i></i>acle"), None),
        (b"Content-Type: \"text/html\"\r\n\r\n<p>" + TEXT.replace(b"miracle", b"mir<i></i>acle"), None),
        (b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"a" * 10) + b"\r\n" + BASE64, K.BAD_BASE64),
    ],
)  # fmt: skip
def test_structures_that_readers_take_differently(raw: bytes, defect: DefectKind | None) -> None:
    mail = Mail(raw)
    assert seen(mail), (mail.visible, mail.parts, mail.readings)
    if defect is not None:
        assert defect in kinds(mail)


def test_too_many_readings_are_said_to_be_left() -> None:
    fields = b"".join(b"Content-Type: text/x-%d\r\n" % n for n in range(19))
    mail = Mail(fields + b"\r\nx", limits=Limits(readings=5))
    assert len(mail.readings) == 5
    assert K.TOO_MANY_READINGS in kinds(mail)


def test_parts_as_most_take_them_are_no_more_for_it() -> None:
    mail = Mail(b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n<p>x</p>")
    assert [part.content_type for part in mail.parts] == ["text/plain"]
    assert [part.content_type for part in mail.readings] == ["text/html"]


@pytest.mark.parametrize("kind", ["text/enriched", "text/richtext"])
def test_commands_of_enriched_text_part_no_word(kind: str) -> None:
    text = TEXT.replace(b"miracle", b"mir<bold>acl</bold><color><param>red</param>e</color>")
    assert seen(Mail(f"Content-Type: {kind}\r\n\r\n".encode() + text))


@pytest.mark.parametrize("kind", ["text/rtf", "application/rtf", "text/richtext"])
def test_rtf_is_read_as_shown(kind: str) -> None:
    text = (
        b"{\\rtf1{\\fonttbl zebra}Our mir{\\b ac}\\'6c\\u101?{\\v zebra} cure is here, "
        b"see http://lis{\\i ted}.example/}"
    )
    assert seen(Mail(f"Content-Type: {kind}\r\n\r\n".encode() + text))


@pytest.mark.parametrize("kind", ["html", "HTML; charset=utf-8", "text html"])
def test_a_type_without_a_slash(kind: str) -> None:
    text = b"<p>" + TEXT.replace(b"miracle", b"mir<b>a</b>cle") + b"</p>"
    assert seen(Mail(f"Content-Type: {kind}\r\n\r\n".encode() + text))


@pytest.mark.parametrize("line", ["no field at all", "Content-Type text/plain", "\u00e9: x", "()"])
def test_a_line_within_a_header_that_is_no_field(line: str) -> None:
    part = (
        f"Content-Type: text/plain\r\n{line}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + BASE64
    )
    assert seen(Mail(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part + b"\r\n--b--\r\n"))


@pytest.mark.parametrize(
    "subject",
    ["=?utf-8?q?Our_miracle_cure", "=?utf-8?b?T3VyIG1pcmFjbGUgY3VyZQ==?", "=??q?Our_miracle_cure?="],
)
def test_encoded_words_without_an_end_or_a_charset(subject: str) -> None:
    assert Mail(f"Subject: {subject}\r\n\r\n".encode()).subject == "Our miracle cure"


def der(tag: int, *pieces: bytes, endless: bool = False) -> bytes:
    """A value in BER (X.690), of definite or indefinite length."""
    inner = b"".join(pieces)
    if endless:
        return bytes([tag, 0x80]) + inner + b"\0\0"
    size = len(inner).to_bytes(4, "big").lstrip(b"\0")
    return (
        bytes([tag]) + (bytes([len(inner)]) if len(inner) < 128 else bytes([0x80 | len(size)]) + size) + inner
    )


def opaque(entity: bytes, endless: bool, pieces: int, *, packed: bool) -> bytes:
    """Signed or compressed data with an entity within (RFC 5652, RFC 3274)."""
    entity = zlib.compress(entity) if packed else entity
    step = max(1, len(entity) // pieces)
    strings = [der(0x04, entity[at : at + step]) for at in range(0, len(entity), step)]
    string = der(0x04, entity) if pieces == 1 else der(0x24, *strings, endless=endless)
    data = der(0x06, bytes.fromhex("2a864886f70d010701"))
    inner = der(0x30, data, der(0xA0, string, endless=endless), endless=endless)
    kind = "2a864886f70d0109100109" if packed else "2a864886f70d010702"
    held = der(0x30, der(0x02, b"\1"), der(0x31, b""), inner, endless=endless)
    return der(0x30, der(0x06, bytes.fromhex(kind)), der(0xA0, held, endless=endless), endless=endless)


@TRIES
@given(
    st.booleans(),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from(
        [
            "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
            "application/x-pkcs7-mime",
            "application/octet-stream; name=smime.p7m",
            'application/octet-stream\r\nContent-Disposition: attachment; filename="smime.p7z"',
        ]
    ),
    st.booleans(),
)
def test_what_is_signed_or_compressed_is_read(
    endless: bool, pieces: int, packed: bool, kind: str, whole: bool
) -> None:
    entity = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + BASE64
    octets = base64.encodebytes(opaque(entity, endless, pieces, packed=packed))
    part = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + octets
    if not whole:
        part = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part + b"\r\n--b--\r\n"
    assert seen(Mail(part))


@given(st.binary(max_size=400), st.integers(0, 400))
def test_no_octets_of_a_signed_part_do_harm(octets: bytes, at: int) -> None:
    entity = opaque(b"\r\nhi\r\n", endless=True, pieces=3, packed=False)
    for one in (octets, entity[:at], entity[:at] + octets):
        with contextlib.suppress(OpaqueError):
            opaque_content(one, 1000)


def test_what_is_no_signed_part_is_told() -> None:
    part = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
    assert K.MISLABELLED_CONTENT in kinds(Mail(part))


def test_signatures_or_keys_alone_are_none() -> None:
    empty = der(
        0x30, der(0x02, b"\1"), der(0x31, b""), der(0x30, der(0x06, bytes.fromhex("2a864886f70d010701")))
    )
    octets = der(0x30, der(0x06, bytes.fromhex("2a864886f70d010702")), der(0xA0, empty))
    part = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert K.MISLABELLED_CONTENT not in kinds(Mail(part + base64.encodebytes(octets)))


def test_a_compressed_part_has_a_bound() -> None:
    bomb = opaque(b"\r\n" + b"miracle cure " * 1_000_000, endless=False, pieces=1, packed=True)
    part = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail = Mail(part + base64.encodebytes(bomb), limits=Limits(decoded_octets=200_000))
    assert K.DECODED_TOO_LARGE in kinds(mail)
    assert sum(len(one.payload) for one in mail.parts) <= 200_000

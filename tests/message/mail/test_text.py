"""Charsets, as labelled and as mislabelled."""

from __future__ import annotations

import codecs
import encodings.aliases
import pkgutil

import pytest

from tamis.message.mail import DefectKind, Limits, Mail
from tamis.message.mail import text as module
from tamis.message.mail.text import codec


def text(octets: bytes, charset: str | None) -> Mail:
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    return Mail(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + octets)


@pytest.mark.parametrize(
    ("octets", "charset", "expected"),
    [
        (b"plain", None, "plain"),
        ("é".encode(), None, "é"),
        (b"\xe9", None, "é"),
        (b"\x93q\x94", "us-ascii", "\u201cq\u201d"),
        (b"\x93q\x94", "iso-8859-1", "\u201cq\u201d"),
        (b"\x93q\x94", '"Windows-1252"', "\u201cq\u201d"),
        ("é".encode(), "UTF8", "é"),
        ("\ufeffé".encode(), "utf-8", "é"),
        ("什么鎔".encode("gb18030"), "gb2312", "什么鎔"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("日本".encode("euc_jp"), "x-euc-jp", "日本"),
        ("日本".encode("iso2022_jp"), "ISO-2022-JP", "日本"),
        ("한국".encode("cp949"), "ks_c_5601-1987", "한국"),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
        ("Привет".encode("cp1251"), "cp-1251", "Привет"),
        ("ไทย".encode("cp874"), "tis-620", "ไทย"),
        ("héllo".encode("utf-16"), "utf-16", "héllo"),
        ("é".encode(), "x-unknown", "é"),
        (b"\xe9", "no-such-charset", "é"),
        (b"+ADw-b+AD4-", "utf-7", "+ADw-b+AD4-"),
        (b"\xff", "utf-8", "\ufffd"),
    ],
)
def test_charsets(octets: bytes, charset: str | None, expected: str) -> None:
    assert text(octets, charset).text == expected


@pytest.mark.parametrize("charset", ["no-such-charset", "utf-7", "hex", "idna", "x" * 500])
def test_an_unknown_charset_is_reported(charset: str) -> None:
    assert DefectKind.UNKNOWN_CHARSET in {defect.kind for defect in text(b"x", charset).defects}


@pytest.mark.parametrize(
    ("octets", "charset"), [(b"\xff", "utf-8"), (b"\x93", "us-ascii"), (b"\xff\xff", "euc-jp")]
)
def test_octets_that_the_charset_lacks_are_reported(octets: bytes, charset: str) -> None:
    assert DefectKind.MISLABELLED_CHARSET in {defect.kind for defect in text(octets, charset).defects}


def test_no_codec_that_is_not_a_text_encoding_is_reached() -> None:
    names = {module.name for module in pkgutil.iter_modules(encodings.__path__)} | set(
        encodings.aliases.aliases
    )
    reached = {found for name in names if (found := codec(name)) is not None}
    assert all(codecs.lookup(name)._is_text_encoding for name in reached)
    unwanted = {
        "utf-7",
        "idna",
        "punycode",
        "unicode-escape",
        "raw-unicode-escape",
        "undefined",
        "mbcs",
        "oem",
    }
    assert not {codecs.lookup(name).name for name in reached} & unwanted


def test_every_codec_named_exists_and_decodes_leniently() -> None:
    for charset, name in module._CODECS.items():
        assert isinstance(bytes(range(256)).decode(name, "replace"), str), charset
    assert set(module._ALIASES.values()) <= set(module._CODECS)


def test_html_names_its_charset_itself() -> None:
    source = "<meta charset=koi8-r><p>Привет".encode("koi8-r")
    assert Mail(b"Content-Type: text/html\r\n\r\n" + source).text == "Привет"


def test_text_is_bounded() -> None:
    mail = Mail(b"\r\n" + b"a" * 100, limits=Limits(text_characters=10))
    assert mail.text == "a" * 10
    assert DefectKind.TEXT_TRUNCATED in {defect.kind for defect in mail.defects}

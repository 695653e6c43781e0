"""Octets to characters, by a charset that the sender chose and may have chosen badly."""

from __future__ import annotations

import binascii
import codecs
import re
from functools import lru_cache

import webencodings

from tamis.message.mail.defects import DefectKind, DefectReport

# Only these codecs are ever looked up: Python's registry also holds zlib, hex, rot13, idna, punycode, UTF-7,
# which are no charsets of mail, or are means of attack.
_CODECS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32",
    "utf-32le": "utf-32-le",
    "utf-32be": "utf-32-be",
    "us-ascii": "ascii",
    # Senders write iso-8859-1 and mean windows-1252, as the WHATWG Encoding Standard has it.
    "iso-8859-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    # GBK and GB 2312 are subsets of GB 18030; senders label the larger with the name of the smaller.
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "euc-kr": "cp949",
    "ks-c-5601-1987": "cp949",
    "johab": "johab",
    "iso-2022-kr": "iso2022_kr",
    "shift-jis": "cp932",
    "euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-jp-1": "iso2022_jp_1",
    "iso-2022-jp-2": "iso2022_jp_2",
    "iso-2022-jp-3": "iso2022_jp_3",
    "iso-2022-jp-2004": "iso2022_jp_2004",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "ibm437": "cp437",
    "ibm850": "cp850",
    "ibm852": "cp852",
    "ibm855": "cp855",
    "ibm858": "cp858",
    "ibm866": "cp866",
    # EBCDIC: Outlook reads it.
    **{f"ibm{n:03}": f"cp{n:03}" for n in (37, 273, 500, 1026, 1140)},
    **{f"iso-8859-{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-{n}": f"cp{n}" for n in (874, 932, 936, 949, 950, *range(1250, 1259))},
}
_ALIASES = {
    "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "utf-32-le": "utf-32le",
    "utf-32-be": "utf-32be",
    "ascii": "us-ascii",
    "us": "us-ascii",
    "ansi-x3.4-1968": "us-ascii",
    "iso646-us": "us-ascii",
    "7bit": "us-ascii",
    "latin1": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "l1": "iso-8859-1",
    "8859-1": "iso-8859-1",
    "iso8859-1": "iso-8859-1",
    "iso88591": "iso-8859-1",
    "iso-88591": "iso-8859-1",
    "iso8859": "iso-8859-1",
    "latin2": "iso-8859-2",
    "latin5": "iso-8859-9",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "ansi": "windows-1252",
    "gb-2312": "gb2312",
    "gb2312-80": "gb2312",
    "gb-2312-80": "gb2312",
    "chinesebig5": "big5",
    "chinese": "gb2312",
    "x-gbk": "gbk",
    "cp936": "gbk",
    "euc-cn": "gb2312",
    "hz": "hz-gb-2312",
    "big-5": "big5",
    "cn-big5": "big5",
    "x-big5": "big5",
    "ks-c-5601": "ks-c-5601-1987",
    "ksc5601": "ks-c-5601-1987",
    "ksc-5601": "ks-c-5601-1987",
    "korean": "euc-kr",
    "euckr": "euc-kr",
    "uhc": "euc-kr",
    "x-windows-949": "euc-kr",
    "sjis": "shift-jis",
    "x-sjis": "shift-jis",
    "ms-kanji": "shift-jis",
    "eucjp": "euc-jp",
    "x-euc-jp": "euc-jp",
    "cp-850": "ibm850",
    "koi8r": "koi8-r",
    "koi8": "koi8-r",
    "x-koi8-r": "koi8-r",
    **dict.fromkeys(("ebcdic-cp-us", "ebcdic-cp-ca", "ebcdic-cp-nl", "ebcdic-cp-wt", "csibm037"), "ibm037"),
    **dict.fromkeys(("ebcdic-cp-be", "ebcdic-cp-ch", "csibm500"), "ibm500"),
    # its letters and digits are those of 37
    **dict.fromkeys(("ibm1047", "cp1047", "ibm-1047"), "ibm037"),
    "mac": "macintosh",
    "macroman": "macintosh",
    "x-mac-roman": "macintosh",
    **{f"iso8859-{n}": f"iso-8859-{n}" for n in (*range(2, 12), *range(13, 17))},
    **{f"cp{n}": f"windows-{n}" for n in (874, 932, 949, 950, *range(1250, 1259))},
    **{f"cp-{n}": f"windows-{n}" for n in range(1250, 1259)},
    **{f"win-{n}": f"windows-{n}" for n in range(1250, 1259)},
    **{f"windows{n}": f"windows-{n}" for n in range(1250, 1259)},
    **{f"x-cp{n}": f"windows-{n}" for n in range(1250, 1259)},
    **{
        f"{prefix}{n}": f"ibm{n}"
        for prefix in ("cp", "ibm-")
        for n in ("037", "273", "437", "500", "850", "852", "855", "858", "866", "1026", "1140")
    },
}
# Octets below 0x80 do not stand for ASCII there.
_NOT_ASCII = frozenset(
    {"utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "hz", "iso2022_kr"}
    | {"cp037", "cp273", "cp500", "cp1026", "cp1140"}
    | {name for name in _CODECS.values() if name.startswith("iso2022_jp")}
)
_SINGLE_OCTET = re.compile(r"cp125|cp874|cp0|cp1026|cp1140|cp273|cp4|cp500|cp8|iso8859|koi8|mac")
_CHARSET_CHARACTERS = 60  # characters of a charset's name; beyond: `unknown_charset`
_SEPARATORS = re.compile(r"[\s_]+")


@lru_cache(maxsize=512)
def codec(charset: str) -> str | None:
    """Python's codec for a charset's name or a known alias of it; ``None`` when unknown or refused.

    UTF-7 is refused: it hides markup in ASCII, and RFC 2152 is no longer in use in mail.
    """
    if len(charset) > _CHARSET_CHARACTERS:
        return None
    name = _SEPARATORS.sub("-", charset.strip().strip("\"'").lower())
    found = _CODECS.get(_ALIASES.get(name, name)) or _CODECS.get(name.removeprefix("x-"))
    if found is None:
        known = webencodings.lookup(name)  # the labels of the WHATWG Encoding Standard
        found = _CODECS.get(known.name) if known else None
    return found


def decode(octets: bytes, charset: str | None, report: DefectReport, where: str) -> str:
    """``octets`` as characters; octets that are none in ``charset`` become U+FFFD.

    Without a charset, with an unknown one, or with ASCII that is not ASCII: UTF-8 if it is well-formed,
    else windows-1252. A defect is reported for an unknown charset, and for octets that the charset lacks.
    """
    marked = _marked(octets)
    if marked is not None:  # a byte order mark has precedence over a label (Encoding Standard 6.1)
        if charset and codec(charset) not in _SAME_MARK[marked]:
            report.add(DefectKind.MISLABELLED_CHARSET, charset, where)
        return _decoded(octets, marked, charset, report, where)
    name = codec(charset) if charset else "ascii"
    if name is None:
        if charset is not None and charset.lower() not in {"x-unknown", "unknown-8bit", "default", "unknown"}:
            report.add(DefectKind.UNKNOWN_CHARSET, charset, where)
        elif not octets.isascii():
            report.add(DefectKind.UNKNOWN_CHARSET, charset or "", where)
        name = "ascii"
    if name not in _NOT_ASCII and octets.isascii():
        return octets.decode("ascii")
    if name == "ascii":
        if charset is not None and codec(charset) == "ascii":
            report.add(DefectKind.MISLABELLED_CHARSET, charset, where)
        return guess(octets)
    return _decoded(octets, name, charset, report, where)


def _decoded(octets: bytes, name: str, charset: str | None, report: DefectReport, where: str) -> str:
    if _SINGLE_OCTET.match(name):
        text = codecs.charmap_decode(octets, "strict", _table(name))[0]
        if "\ufffd" in text:
            report.add(DefectKind.MISLABELLED_CHARSET, charset, where)
        return text
    try:
        text = octets.decode(name)
    except UnicodeError:
        text = _replaced(octets, name)
        report.add(DefectKind.MISLABELLED_CHARSET, charset, where)
    return text.removeprefix("\ufeff")


_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SAME_MARK = {
    "utf-32": {"utf-32", "utf-32-le", "utf-32-be"},
    "utf-16": {"utf-16", "utf-16-le", "utf-16-be"},
}


def _marked(octets: bytes) -> str | None:
    """The codec that a byte order mark names; UTF-8's says nothing that the octets don't."""
    if octets[:1] not in (b"\xff", b"\xfe", b"\0"):
        return None
    return next((name for mark, name in _MARKS if octets.startswith(mark)), None)


_UTF_7 = re.compile(r"(?:x-|cs)?(?:unicode-?(?:[12]-?[01]-?)?)?utf-?7\Z")
_SAMPLE = 2048
_ESCAPE = re.compile(rb"\x1b(?:\$[@ABC(]|\([JI])")


def other_readings(octets: bytes, charset: str | None) -> tuple[str, ...]:
    """What ``octets`` are to readers that take no notice of the label, or of what ``decode`` prefers to it.

    Only where that shows: a label under which ASCII is other than ASCII on what looks like ASCII, UTF-7, UTF-16 and
    ISO-2022-JP that nothing names, and a byte order mark against the label.
    """
    sample = octets[:_SAMPLE]
    marked = _marked(octets)
    name = codec(charset) if charset else None
    found: list[str] = []
    if b"\0" in sample:
        wide = _wide(sample)
        if wide and wide not in {marked, name}:
            found.append(octets.decode(wide, "ignore").removeprefix("\ufeff"))
    elif name in _NOT_ASCII and _is_legible(sample):
        found.append(guess(octets))
    elif charset is not None and is_utf_7(charset):
        found.append(utf_7(octets))
    elif b"\x1b" in octets and _ESCAPE.search(octets):
        found.append(octets.decode("iso2022_jp_ext", "ignore"))
    if marked is not None and name is not None and name not in _SAME_MARK[marked]:
        found.append(octets.decode(name, "ignore"))
    return tuple(found)


_LEGIBLE = bytes(range(0x20, 0x7F)) + b"\t\r\n"


def _is_legible(sample: bytes) -> bool:
    return 10 * len(sample.translate(None, _LEGIBLE)) < len(sample)


def _wide(sample: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, by where the NULs of its ASCII letters stand."""
    if len(sample) >= 8 and 10 * sample.count(b"\0") > 7 * len(sample):
        return "utf-32-be" if not sample[0] else "utf-32-le"
    even, odd = sample[::2].count(b"\0"), sample[1::2].count(b"\0")
    if max(even, odd) * 5 < len(sample) or min(even, odd) * 20 > len(sample):
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


_SHIFTED = re.compile(rb"\+([A-Za-z0-9+/]*+)-?")


def is_utf_7(charset: str) -> bool:
    """Whether a label means UTF-7."""
    return _UTF_7.match(charset.strip().lower()) is not None


def utf_7(octets: bytes) -> str:
    """UTF-7 (RFC 2152), leniently."""
    return _SHIFTED.sub(_shifted, octets).decode("utf-8", "replace")


def _shifted(found: re.Match[bytes]) -> bytes:
    letters = found[1]
    if not letters:
        return b"+"
    wide = binascii.a2b_base64(letters[: len(letters) - (len(letters) % 4 == 1)] + b"=" * (-len(letters) % 4))
    return wide[: len(wide) // 2 * 2].decode("utf-16-be", "ignore").encode("utf-8", "replace")


_PIECE = 65_536
_BIG_ENDIAN = {"utf-16": b"\xfe\xff", "utf-32": b"\0\0\xfe\xff"}


def _replaced(octets: bytes, name: str) -> str:
    """With U+FFFD for what is no character; Unicode piece by piece: millions of errors in one call stop all threads."""
    if not name.startswith("utf-"):  # the others' decoders can't go on where they left off after all errors
        return octets.decode(name, "replace")
    if name in _BIG_ENDIAN:  # incremental decoders insist on a byte order mark
        mark = _BIG_ENDIAN[name]
        is_big = octets.startswith(mark)
        octets = octets.removeprefix(mark) if is_big else octets.removeprefix(mark[::-1])
        name += "-be" if is_big else "-le"
    decoder = codecs.getincrementaldecoder(name)("replace")
    pieces = [decoder.decode(octets[at : at + _PIECE]) for at in range(0, len(octets), _PIECE)]
    return "".join((*pieces, decoder.decode(b"", final=True)))


@lru_cache(maxsize=128)
def _table(name: str) -> str:
    """A single-octet codec's characters, U+FFFD among them: an error handler would cost much at each octet."""
    return "".join(bytes([octet]).decode(name, "replace") for octet in range(256))


def guess(octets: bytes) -> str:
    """Unlabelled octets as characters: UTF-8 if they are well-formed UTF-8, else windows-1252."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return codecs.charmap_decode(octets, "strict", _table("cp1252"))[0]
    return text.removeprefix("\ufeff")


def is_utf8(octets: bytes) -> bool:
    """Whether ``octets`` are well-formed UTF-8."""
    try:
        codecs.utf_8_decode(octets, "strict", True)
    except UnicodeDecodeError:
        return False
    return True

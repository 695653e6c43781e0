"""Hostile messages, each with the defects that must at least be reported, and why it is in the corpus.

``python -m tests.message.mail.hostile_cases DIRECTORY`` writes them out as NN-name.eml; with ``--golden`` instead of
a directory it renews hostile/golden.json, which is to be read before it is committed.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tamis.message.mail import DefectKind, Mail

K = DefectKind
HEAD = (
    b"From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: hello\r\n"
    b"Date: Thu, 22 Aug 2002 18:26:25 +0700\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"
)
GOLDEN = Path(__file__).parent / "hostile" / "golden.json"


@dataclass(frozen=True)
class Case:
    """A hostile message: ``build`` makes its octets, ``expected`` kinds of defect must be among those found."""

    name: str
    build: Callable[[], bytes]
    expected: frozenset[DefectKind]
    reason: str


CASES: list[Case] = []


def case(name: str, raw: bytes | Callable[[], bytes], expected: set[DefectKind], reason: str) -> None:
    """Add a case to the corpus, numbered."""
    build = raw if callable(raw) else partial(bytes, raw)
    CASES.append(Case(f"{len(CASES) + 1:02d}-{name}", build, frozenset(expected), reason))


def body(octets: bytes, kind: bytes = b"text/plain; charset=utf-8", more: bytes = b"") -> bytes:
    """A message of one part."""
    return HEAD + b"Content-Type: " + kind + b"\r\n" + more + b"\r\n" + octets


def html(source: str) -> bytes:
    """A message of one HTML part."""
    return body(source.encode(), b"text/html; charset=utf-8")


def field(line: bytes) -> bytes:
    """A message with one more field."""
    return HEAD + line + b"\r\n\r\ntext\r\n"


def instead(name: bytes, value: bytes) -> bytes:
    """A message in which one of the usual fields has another value."""
    lines = [
        name + b": " + value if line.lower().startswith(name.lower() + b":") else line
        for line in HEAD.split(b"\r\n")
    ]
    return b"\r\n".join(lines) + b"\r\ntext\r\n"


def multipart(
    *parts: bytes, boundary: bytes = b"b", close: bool = True, kind: bytes = b"multipart/mixed"
) -> bytes:
    """A multipart message; each part has its header and body already."""
    delimiter = b"--" + boundary
    inner = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts)
    return body(inner + (delimiter + b"--\r\n" if close else b""), kind + b'; boundary="' + boundary + b'"')


TEXT = b"Content-Type: text/plain\r\n\r\nvisible"


def _nested(depth: int) -> bytes:
    inner = TEXT
    for level in range(depth):
        name = b"n%d" % level
        inner = (
            b"Content-Type: multipart/mixed; boundary=" + name + b"\r\n\r\n--" + name + b"\r\n" + inner
            + b"\r\n--" + name + b"--\r\n"
        )  # fmt: skip
    return HEAD + inner


def _nested_messages(depth: int) -> bytes:
    return HEAD + b"Content-Type: message/rfc822\r\n\r\n" * depth + TEXT


case("empty", b"", {K.MISSING_FROM, K.MISSING_DATE}, "no octet at all")
case("one-newline", b"\n", {K.MISSING_FROM}, "an empty header")
case("only-cr", b"\r", {K.BARE_CR}, "a CR that ends no line")
case("only-nul", b"\0" * 1000, {K.NUL, K.HEADER_WITHOUT_COLON}, "NUL octets where the header should be")
case("no-header", b"just text\r\nmore text\r\n", {K.HEADER_WITHOUT_COLON}, "text that begins at once")
case(
    "no-blank-line", HEAD + b"this is the body\r\n", {K.HEADER_WITHOUT_COLON}, "no empty line before the body"
)
case("header-only", HEAD[:-2], set(), "the header ends with the message, without a line end")
case(
    "mbox-line",
    b"From ann@example.com Thu Aug 22 12:36:23 2002\n" + HEAD + b"\r\ntext",
    {K.MBOX_FROM},
    "mbox",
)
case("colon-first", b": value\r\n" + HEAD + b"\r\n", {K.HEADER_WITHOUT_COLON}, "a field without a name")
case("fold-first", b" folded\r\n" + HEAD + b"\r\n", {K.HEADER_WITHOUT_COLON}, "a continuation of nothing")
case("obs-fold", instead(b"Subject", b"a\r\n \r\n\t\r\n b"), set(), "RFC 5322 4.2: folds of white space only")
case(
    "space-before-colon",
    HEAD.replace(b"Subject:", b"Subject \t:") + b"\r\n",
    set(),
    "RFC 5322 4.5: obsolete white space",
)
case("nul-in-header", instead(b"Subject", b"a\0b"), {K.NUL}, "NUL within a field")
case(
    "bare-cr-in-header",
    instead(b"Subject", b"a\rBcc: x@example.com"),
    {K.BARE_CR},
    "a field smuggled behind CR",
)
case("bare-lf", body(b"a\nb\r\n"), {K.BARE_LF}, "SMTP smuggling: LF alone in a message of CRLF lines")
case("eight-bit-header", instead(b"Subject", b"caf\xe9"), {K.RAW_8BIT_HEADER}, "Latin-1 octets, unencoded")
case("eight-bit-name", b"Subj\xe9ct: x\r\n" + HEAD + b"\r\n", {K.HEADER_WITHOUT_COLON}, "octets in a name")
case("two-from", HEAD + b"From: eve@example.net\r\n\r\n", {K.DUPLICATE_SINGLETON}, "which From is shown?")
case("two-subjects", HEAD + b"Subject: other\r\n\r\n", {K.DUPLICATE_SINGLETON}, "which Subject is shown?")
case(
    "two-content-types",
    HEAD + b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n<b>x</b>",
    {K.DUPLICATE_SINGLETON},
    "which type is used?",
)
case(
    "huge-header", instead(b"Subject", b"a" * 900_000), {K.HEADER_TOO_LONG, K.LINE_TOO_LONG}, "one long line"
)
case("headers-10000", HEAD + b"X-A: b\r\n" * 10_000 + b"\r\ntext", {K.TOO_MANY_HEADERS}, "10,000 fields")
case(
    "header-block-5mb",
    lambda: HEAD + (b"X-A: " + b"b" * 9000 + b"\r\n") * 550 + b"\r\ntext",
    {K.TOO_MANY_HEADERS},
    "5 MB of header",
)
case("folds-100000", lambda: instead(b"Subject", b"a\r\n " * 100_000), {K.HEADER_TOO_LONG}, "100,000 folds")
case("long-name", b"A" * 100_000 + b": x\r\n" + HEAD + b"\r\n", {K.LINE_TOO_LONG}, "a name of 100,000 octets")
case("no-from", b"Subject: x\r\n\r\n", {K.MISSING_FROM, K.MISSING_DATE}, "RFC 5322 3.6")
case("date-day-99", instead(b"Date", b"Thu, 99 Aug 2002 99:99:99 +9999"), {K.IMPOSSIBLE_DATE}, "no such day")
case(
    "date-zone",
    instead(b"Date", b"Thu, 22 Aug 2002 18:26:25 +9999999999"),
    {K.IMPOSSIBLE_DATE},
    "no such zone",
)
case("date-digits", instead(b"Date", b"1" * 60_000), {K.IMPOSSIBLE_DATE}, "int() of many digits is slow")
case("date-garbage", instead(b"Date", b"\xff,;:()<>@"), {K.IMPOSSIBLE_DATE}, "no date at all")
case("word-flood", lambda: instead(b"Subject", b"=?" * 32_000), {K.UNDECODABLE_WORD}, "beginnings of words")
case("word-flood-2", lambda: instead(b"Subject", b"=?a?b?" * 10_000), {K.UNDECODABLE_WORD}, "nearly words")
case(
    "words-5000",
    lambda: instead(b"Subject", b" ".join([b"=?utf-8?q?=C3?="] * 3000)),
    {K.MISLABELLED_CHARSET},
    "words with halves of characters",
)
case(
    "word-hex",
    instead(b"Subject", b"=?hex?q?6869?="),
    {K.UNKNOWN_CHARSET},
    "a Python codec that is no charset",
)
case("word-zlib", instead(b"Subject", b"=?zlib?b?eJxLBAAAYgBi?="), {K.UNKNOWN_CHARSET}, "a bomb as a charset")
case(
    "word-idna",
    lambda: instead(b"Subject", b"=?idna?q?" + b"a" * 9000 + b"?="),
    {K.UNKNOWN_CHARSET},
    "slow codec",
)
case(
    "word-utf7",
    instead(b"Subject", b"=?utf-7?q?+ADw-script+AD4-?="),
    {K.UNKNOWN_CHARSET},
    "UTF-7 hides markup",
)
case(
    "word-base64-junk",
    instead(b"Subject", b"=?utf-8?b?!!!!?="),
    {K.UNDECODABLE_WORD},
    "base64 without base64",
)
case("word-nested", instead(b"Subject", b"=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3F=3D?="), set(), "decoded once only")
case("from-open-comments", lambda: instead(b"From", b"(" * 60_000), set(), "((((")
case("from-open-angles", lambda: instead(b"From", b"<" * 60_000), set(), "<<<<")
case("from-quotes", lambda: instead(b"From", b'"' * 60_000 + b"\\"), set(), 'quotes: """"')
case(
    "from-quoted-angles", lambda: instead(b"From", b'<"\\' * 20_000), set(), "quotes in angles that never end"
)
case(
    "from-commas",
    lambda: instead(b"From", b"".join(b"a%d@example.com," % n for n in range(4000))),
    {K.TOO_MANY_ADDRESSES},
    "4,000 mailboxes",
)
case("from-groups", lambda: instead(b"From", b"g:" * 30_000 + b";" * 4), set(), "groups in groups")
case("from-two-at", instead(b"From", b"<ann@example.com@evil.example.net>"), set(), "which domain counts?")
case(
    "from-display-address",
    instead(b"From", b'"bank@example.com" <eve@example.net>'),
    set(),
    "a name as address",
)
case("from-empty", instead(b"From", b"Ann <>"), set(), "no address")
case("from-garbage", instead(b"From", b"\xff\xfe@@@<<>>((\\"), {K.RAW_8BIT_HEADER}, "no sense at all")
case("parameters-flood", lambda: field(b"Content-Type: text/plain" + b";" * 60_000), set(), ";;;;")
case(
    "parameters-equals",
    lambda: field(b"Content-Type: text/plain" + b"; a=" * 15_000),
    set(),
    "15,000 parameters",
)
case("parameters-spaces", lambda: field(b"Content-Type: text/plain;" + b" " * 60_000 + b"x"), set(), "spaces")
case(
    "rfc2231-sections",
    lambda: field(b"Content-Disposition: attachment" + b"".join(b"; filename*%d=a" % n for n in range(4000))),
    set(),
    "4,000 sections of a file name",
)
case(
    "rfc2231-number",
    field(b"Content-Disposition: x; filename*" + b"9" * 5000 + b"=a"),
    set(),
    "a huge section number",
)
case("type-garbage", field(b'Content-Type: \xff\xff/;;"='), {K.INVALID_CONTENT_TYPE}, "no type")
case("type-one-word", field(b"Content-Type: text"), {K.INVALID_CONTENT_TYPE}, "RFC 2045 5.1: no subtype")
case(
    "no-boundary",
    body(b"--x\r\n\r\ny", b"multipart/mixed"),
    {K.MULTIPART_WITHOUT_BOUNDARY},
    "nothing to split by",
)
case(
    "boundary-absent",
    body(b"text", b"multipart/mixed; boundary=zz"),
    {K.BOUNDARY_MISSING},
    "no delimiter line",
)
case("not-closed", multipart(TEXT, TEXT, close=False), {K.MULTIPART_TRUNCATED}, "no closing delimiter")
case(
    "boundary-prefix",
    multipart(TEXT, TEXT + b"\r\n--bb\r\n--b-\r\n --b", boundary=b"b"),
    set(),
    "nearly delimiters",
)
case(
    "nested-prefix",
    multipart(
        b"Content-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n"
        + TEXT
        + b"\r\n--bb\r\n"
        + TEXT
        + b"\r\n--bb--",
        TEXT,
    ),
    set(),
    "the inner boundary begins with the outer one",
)
case(
    "same-boundary",
    multipart(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + TEXT, TEXT),
    {K.BOUNDARY_MISSING},
    "a multipart within itself",
)
case("boundary-long", multipart(TEXT, boundary=b"x" * 900), {K.INVALID_BOUNDARY}, "RFC 2046 5.1.1: 70 octets")
case(
    "boundary-spaces",
    multipart(TEXT).replace(b"--b\r\n", b"--b \t \r\n"),
    set(),
    "white space after a delimiter",
)
case(
    "boundary-dash",
    lambda: multipart(TEXT, b"\r\n" + b"-" * 1_000_000, boundary=b"-"),
    set(),
    "a boundary of dashes",
)
case(
    "near-boundaries",
    lambda: multipart(TEXT, b"\r\n--bx" * 400_000),
    {K.TOO_MANY_PARTS},
    "400,000 lines that begin as delimiters do",
)
case(
    "preamble",
    multipart(TEXT).replace(b"--b\r\n", b"preamble\r\n--b\r\n", 1) + b"epilogue",
    set(),
    "unseen text",
)
case("parts-5000", lambda: multipart(*[TEXT] * 5000), {K.TOO_MANY_PARTS}, "5,000 parts")
case(
    "parts-empty-100000",
    lambda: body(b"--b\r\n" * 100_000, b"multipart/mixed; boundary=b"),
    {K.TOO_MANY_PARTS},
    "100,000 delimiters and nothing between them",
)
case("depth-200", partial(_nested, 200), {K.TOO_DEEP}, "200 multiparts, each in another")
case("messages-1000", partial(_nested_messages, 1000), {K.TOO_DEEP}, "1,000 messages, each in another")
case(
    "message-base64",
    body(
        base64.encodebytes(HEAD + b"\r\nhidden text"),
        b"message/rfc822",
        b"Content-Transfer-Encoding: base64\r\n",
    ),
    {K.ENCODED_CONTAINER},
    "RFC 2045 6.4: an enclosed message, encoded to hide it",
)
case(
    "digest",
    multipart(b"\r\n" + HEAD + b"\r\nin a digest", kind=b"multipart/digest"),
    set(),
    "RFC 2046 5.1.5: parts are messages unless they say otherwise",
)
BASE64 = b"Content-Transfer-Encoding: base64\r\n"
QP = b"Content-Transfer-Encoding: quoted-printable\r\n"
case("base64-junk", body(b"aGV!s\xffbG8=", more=BASE64), {K.BAD_BASE64}, "octets that are no base64")
case("base64-odd", body(b"aGVsbG8gd29ybGQhI", more=BASE64), {K.BAD_BASE64}, "six bits left over")
case(
    "base64-joined", body(b"aGVsbG8=\r\nIHdvcmxk\r\n", more=BASE64), {K.BAD_BASE64}, "text after the padding"
)
case("base64-padding", lambda: body(b"aa=" * 300_000, more=BASE64), {K.BAD_BASE64}, "300,000 paddings")
case("base64-only-padding", lambda: body(b"=" * 1_000_000, more=BASE64), set(), "nothing but padding")
case(
    "base64-40mb",
    lambda: body((b"QUFB" * 18 + b"\r\n") * 540_000, more=BASE64),
    {K.DECODED_TOO_LARGE},
    "40 MB of base64",
)
case("qp-junk", body(b"=ZZ=3=\xff = \r\n==", more=QP), {K.BAD_QP}, "RFC 2045 6.7")
case(
    "qp-spaces",
    lambda: body((b"=" + b" " * 5000 + b"x") * 200, more=QP),
    {K.BAD_QP},
    "spaces after each sign",
)
case(
    "encoding-unknown",
    body(b"x", more=b"Content-Transfer-Encoding: zip\r\n"),
    {K.UNKNOWN_ENCODING},
    "RFC 2045 6.1: no such encoding",
)
case(
    "uuencode",
    body(b"begin 644 a\r\n#86)C\r\n`\r\nend\r\n", more=b"Content-Transfer-Encoding: x-uuencode\r\n"),
    set(),
    "known, and left as it is",
)
for refused in (
    b"hex",
    b"zlib",
    b"bz2",
    b"rot13",
    b"idna",
    b"punycode",
    b"unicode_escape",
    b"utf-7",
    b"\xff",
    b"../x",
):
    case(
        "charset-" + refused.decode("ascii", "replace").replace("\ufffd", "octet").replace("../", "path-"),
        body(b"+ADw-b+AD4- \\x41 abc", b"text/plain; charset=" + refused),
        {K.UNKNOWN_CHARSET},
        "a codec of Python's that is no charset, or none at all",
    )
case(
    "charset-long",
    lambda: body(b"x", b"text/plain; charset=" + b"a" * 60_000),
    {K.UNKNOWN_CHARSET},
    "a long name",
)
case(
    "charset-wrong",
    body(b"\xe9\xe8", b"text/plain; charset=utf-8"),
    {K.MISLABELLED_CHARSET},
    "Latin-1 as UTF-8",
)
case(
    "charset-utf16-odd",
    body(b"\x00a\x00b\xd8", b"text/plain; charset=utf-16"),
    {K.MISLABELLED_CHARSET},
    "half a unit",
)
case(
    "ascii-eight-bit",
    body(b"\x93hi\x94", b"text/plain; charset=us-ascii"),
    {K.MISLABELLED_CHARSET},
    "cp1252 as ASCII",
)
case(
    "text-20mb", lambda: body(b"word " * 4_000_000), {K.DECODED_TOO_LARGE, K.TEXT_TRUNCATED}, "20 MB of text"
)
case("one-line-5mb", lambda: body(b"a" * 5_000_000), {K.TEXT_TRUNCATED}, "one word of 5 MB")
case(
    "attachment-50mb",
    lambda: multipart(TEXT, b"Content-Type: a/b\r\n\r\n" + b"x" * 50_000_000),
    {K.DECODED_TOO_LARGE},
    "memory must not grow with an attachment",
)
case("cut", HEAD + b"\r\ntext", set(), "see test_cut: the caller says that it cut the message")
case("html-open-tags", lambda: html("<" * 500_000), set(), "<<<<")
case("html-ampersands", lambda: html("&" * 500_000), set(), "&&&&")
case(
    "html-entities",
    lambda: html("&#x110000;&#0;&#xd800;&bogus;&#" + "9" * 100_000),
    set(),
    "impossible references",
)
case(
    "html-div",
    lambda: html("<div>" * 200_000),
    {K.HTML_TRUNCATED},
    "200,000 open elements: quadratic in parsers",
)
case("html-div-2900", lambda: html("<div>" * 2900), set(), "as deep as the parser is fed directly")
case(
    "html-font-p",
    lambda: html("".join(f"<font a={n}>" for n in range(20_000)) + "x<p>" * 20_000),
    {K.HTML_TRUNCATED},
    "reopened formatting",
)
case(
    "html-font-p-small",
    lambda: html("".join(f"<b {n}>" for n in range(1400)) + "x<p>" * 1400),
    set(),
    "the same, small",
)
case(
    "html-font-p-least",
    lambda: html("".join(f"<b {n}>" for n in range(390)) + "x<p>" * 390),
    set(),
    "smaller still",
)
case(
    "html-attributes",
    lambda: html("<a " + " ".join(f"a{n}" for n in range(100_000)) + ">x"),
    set(),
    "100,000 attributes",
)
case(
    "html-attributes-direct",
    lambda: html("<a " + " ".join(f"{n:x}" for n in range(12_000)) + ">x"),
    set(),
    "64 KiB of them",
)
case(
    "html-parts-attributes",
    lambda: multipart(
        *[b"Content-Type: text/html\r\n\r\n<a " + b" ".join(b"%x" % n for n in range(9000)) + b">"] * 100
    ),
    set(),
    "many HTML parts, each costly",
)
case("html-quotes", lambda: html("<a '><a \" " * 60_000), set(), "quotes that swallow markup")
case("html-comments", lambda: html("<!--" * 200_000), set(), "comments that never end")
case(
    "html-scripts", lambda: html("<script>" * 50_000 + "</style" * 10_000), set(), "raw text that never ends"
)
case(
    "html-select",
    lambda: html("<select>" + "<option>" * 100_000),
    {K.HTML_TRUNCATED},
    "options copied by parsers",
)
case(
    "html-selectedcontent",
    lambda: html("<select><button><selectedcontent></button>" + "<option selected>" * 900),
    set(),
    "parsers copy the selected option",
)
case("html-templates", lambda: html("<template>" * 2500 + "x"), set(), "templates in templates")
case("html-tables", lambda: html("<table><td>" * 1400 + "x"), set(), "tables in tables")
case("html-foster", lambda: html("<table>" + "x<b>" * 2900), set(), "text moved before the table")
case(
    "html-links-nested",
    lambda: html("<a href=//h.example.com/><table><td>" * 900 + "text " * 8000),
    set(),
    "nested link texts",
)
case(
    "html-hidden-nested",
    lambda: html('<p><span style="display:none">' * 1400 + "x"),
    set(),
    "hidden within hidden",
)
case(
    "html-hidden-root",
    html('<html hidden style="display:none"><body style="display:none">seen'),
    set(),
    "the root hidden",
)
case("html-frameset", html("<frameset><frame src=http://f.example.com/>"), set(), "no body at all")
case("html-svg-scripts", html("<svg><style><script><template><svg><style>x</svg>y"), set(), "foreign content")
case("html-nul", html("a<\0script>b</\0script>\0c"), {K.NUL}, "NUL in tag names")
case("html-plaintext", html("<plaintext>" + "</plaintext><b>x" * 300), set(), "an element that never ends")
case("html-image-only", html("<img src=http://img.example.com/a.png>"), set(), "not an empty message")
case("html-style-flood", lambda: html("<p style=" + "display " * 7000 + ">x"), set(), "a long style")
case(
    "html-1mb-data",
    lambda: html('<img src="data:image/png;base64,' + "A" * 900_000 + '">x'),
    set(),
    "an image in a URL",
)
case(
    "urls-10000",
    lambda: body(b"".join(b"http://h%d.example.com/ " % n for n in range(10_000))),
    {K.URL_LIMIT},
    "10,000 distinct URLs",
)
case(
    "urls-links-10000",
    lambda: html("".join(f"<a href=http://h{n}.example.com/>" for n in range(10_000))),
    {K.HTML_TRUNCATED, K.URL_LIMIT},
    "10,000 distinct links",
)
case("urls-same", lambda: body(b"http://a.example.com " * 48_000), {K.URL_LIMIT}, "one URL 48,000 times")
case("urls-slashes", lambda: body(b"://" * 340_000), set(), "://://")
case("urls-www", lambda: body(b"www." * 250_000), set(), "www.www.")
case("urls-dotcom", lambda: body(b".com" * 250_000), set(), ".com.com")
case("urls-labels", lambda: body(b"a-." * 300_000 + b"com"), set(), "a name of 300,000 labels")
case("urls-brackets", lambda: body(b"http://a.example.com/" + b")" * 900_000), set(), "))))")
case("urls-long", lambda: body(b"http://" + b"a" * 1_000_000), set(), "a host of a million characters")
case(
    "urls-idn", lambda: body("http://{}.example.com/".format("\u00fc" * 100_000).encode()), set(), "slow IDNA"
)
case(
    "urls-punycode",
    body(b"http://xn--99999999999.example.com http://xn--\xff.example.com"),
    set(),
    "no punycode",
)
case(
    "urls-userinfo",
    body(b"http://bank.example.com@192.0.2.1:80\\@evil.example.net/ http://[2001:db8::1]/"),
    set(),
    "a bank's name before the at sign",
)
case(
    "urls-dotted",
    "Subject: İİİ\n\nİ http://A.example.com/ www.example.org/İ example.net".encode(),
    set(),
    "lower() grows",
)
case(
    "scripts-mixed",
    lambda: body("a\u044f\u03b1漢かカ한\u0627שไ\U0001d400\uff21\u0301".encode() * 20_000),
    set(),
    "letters of many scripts",
)
case(
    "scripts-distinct",
    lambda: body("".join(map(chr, range(0x10000, 0x50000))).encode()),
    set(),
    "262,144 distinct",
)
case("zero-width", body("\u200b\u200c\u200d\ufeff".encode() * 50_000), set(), "text that is none")
case(
    "kitchen-sink",
    lambda: bytes(range(256)) * 4000,
    {K.NUL, K.HEADER_WITHOUT_COLON},
    "every octet, many times",
)
case(
    "texts-wide",
    lambda: multipart(
        *[b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "\U0001f600".encode() + b"a" * 1_040_000] * 8
    ),
    {K.TEXT_TRUNCATED},
    "one wide character makes a million take four octets each",
)
case(
    "octets-undefined",
    lambda: body(b"\x81" * 8_000_000, b"text/plain; charset=iso-8859-1"),
    {K.TEXT_TRUNCATED},
    "an error for each octet",
)
case(
    "utf16-surrogates",
    lambda: body(b"\xd8\x00" * 4_000_000, b"text/plain; charset=utf-16be"),
    {K.TEXT_TRUNCATED},
    "an error for each unit",
)


def _nested_scans() -> bytes:
    inner = TEXT + b"\r\n--n" * 2_000_000
    for level in range(25):
        name = b"n%d" % level
        inner = (
            b"Content-Type: multipart/mixed; boundary=" + name + b"\r\n\r\n--" + name + b"\r\n" + inner
            + b"\r\n--" + name + b"--\r\n"
        )  # fmt: skip
    return HEAD + inner


case(
    "nested-scans-10mb",
    _nested_scans,
    {K.DECODED_TOO_LARGE},
    "10 MB searched for a boundary at each of 25 depths",
)
case(
    "header-words-mb",
    lambda: HEAD + (b"X: " + b"=?utf-8?q?=e9?= =?gbk?b?gg=?=" * 2000 + b"\r\n") * 16 + b"\r\n",
    {K.MISLABELLED_CHARSET},
    "32,000 words, none decodable",
)
case(
    "html-hidden-9900",
    lambda: html("<div style=display:none>" * 9900),
    set(),
    "hidden in hidden, beyond direct parsing",
)
case(
    "html-bodies",
    lambda: html("".join(f"<body a{n}=1>" for n in range(2990))),
    set(),
    "attributes gather on one body",
)


case(
    "styles-nested",
    lambda: html("<div style='color:#fff;opacity:.5'>" * 10_000 + "x"),
    set(),
    "a style for each of 10,000 elements within each other",
)
case(
    "styles-distinct",
    lambda: html("".join(f"<p style=\"content:'{n}';font-size:{n}px\">x</p>" for n in range(9000))),
    {K.STYLE_TRUNCATED},
    "no two styles alike, each with a string",
)
case(
    "style-sheet-large",
    lambda: html(f"<style>{'.a{display:none}' * 60_000}</style><p class=a>x</p>"),
    {K.STYLE_TRUNCATED},
    "a sheet of nearly a megabyte",
)
case(
    "style-sheets-many",
    lambda: html("<style>.a{display:none}</style>" * 5000 + "<p class=a>x</p>"),
    {K.STYLE_TRUNCATED},
    "sheets without end",
)
case(
    "style-selectors",
    lambda: html(f"<style>{'*,b,div *,div>*,[a]{color:#fff}' * 1500}</style>" + "<div><b>x</b></div>" * 1400),
    {K.STYLE_TRUNCATED},
    "each selector is about every element",
)
case(
    "style-descendants",
    lambda: html(f"<style>{'div ' * 60}p{{display:none}}</style>" + "<div>" * 2900 + "x"),
    set(),
    "a selector whose matching goes up and down the tree",
)
case(
    "style-brackets",
    lambda: html("<style>" + "a{display:none;b:" + "([{" * 20_000 + "</style>x"),
    {K.STYLE_TRUNCATED},
    "brackets within each other",
)
case(
    "style-rules-nested",
    lambda: html("<style>" + "@media all{" * 25 + ".a{display:none}" + "}" * 25 + "</style><p class=a>x</p>"),
    set(),
    "rules within rules",
)
case(
    "style-attribute-large",
    lambda: html(f"<p style='{'color:red;' * 90_000}'>x</p>"),
    set(),
    "a style of nearly a megabyte",
)
case(
    "style-escapes",
    lambda: html("<p style='" + "\\64 isplay:none;" * 4000 + "'>x</p>"),
    set(),
    "every name is escaped",
)
case(
    "types-many",
    lambda: (
        HEAD
        + b"".join(b"Content-Type: text/html; a=%d\r\n" % n for n in range(1900))
        + b"\r\n"
        + b"<p>x" * 20_000
    ),
    {K.DUPLICATE_SINGLETON},
    "a page to be read in very many ways",
)
case(
    "boundaries-many",
    lambda: body(b"--b\r\n\r\nx\r\n" * 400, b"multipart/mixed" + b"; boundary=c" * 50 + b"; boundary=b"),
    {K.DUPLICATE_PARAMETER},
    "a boundary of many",
)
case(
    "types-within-types",
    lambda: body(
        b"".join(
            b"--%d\r\nContent-Type: multipart/mixed; boundary=x; boundary=%d\r\n\r\n" % (n, n + 1)
            for n in range(28)
        )
        + b"--28\r\n\r\nx",
        b"multipart/mixed; boundary=x; boundary=0",
    ),
    {K.DUPLICATE_PARAMETER},
    "two readings in each of two readings",
)
case(
    "uuencode-many",
    lambda: body(b"begin 644 a\r\n#86)C\r\n`\r\nend\r\n" * 10_000),
    {K.TOO_MANY_READINGS},
    "files within text without end",
)
case(
    "uuencode-open",
    lambda: body(b"begin 644 a\r\n" * 60_000),
    set(),
    "files that begin and never end",
)
case("yenc-open", lambda: body(b"=ybegin line=1 name=a\r\n" * 40_000), set(), "the same in yEnc")
case(
    "utf7-shifts",
    lambda: body(b"+AGE-" * 200_000, b"text/plain; charset=utf-7"),
    set(),
    "each letter is coded",
)
case(
    "marks-combining",
    lambda: body("e\u0301\u0327\u0316".encode() * 120_000),
    {K.LONG_TEXT},
    "to be put in order",
)
case(
    "ligatures", lambda: body("\ufdfa".encode() * 340_000), {K.LONG_TEXT}, "NFKC makes 18 characters of each"
)
case(
    "soft-breaks",
    lambda: body(b"a= \t\r\n" * 300_000, more=b"Content-Transfer-Encoding: quoted-printable\r\n"),
    set(),
    "a soft break for each letter",
)


def summary(mail: Mail) -> dict[str, object]:
    """What the golden file holds of a message: enough to see what an examination made of it."""
    return {
        "subject": (mail.subject or "")[:60],
        "from": [[mailbox.display[:40], mailbox.address[:60]] for mailbox in mail.from_addresses[:3]],
        "date": mail.date.isoformat() if mail.date else None,
        "parts": [[part.path, part.content_type, part.size] for part in mail.parts[:5]],
        "counts": [len(mail.headers), len(mail.parts), len(mail.containers), len(mail.urls), len(mail.text)],
        "text": mail.text[:80],
        "hosts": [url.host[:60] for url in mail.urls[:5]],
        "defects": sorted({defect.kind.value for defect in mail.defects}),
    }


def main(arguments: list[str]) -> int:
    """Write the corpus, or renew the golden file."""
    if arguments == ["--golden"]:
        golden = {each.name: summary(Mail(each.build())) for each in CASES}
        GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=True) + "\n", encoding="ascii")
    elif len(arguments) == 1:
        directory = Path(arguments[0])
        directory.mkdir(parents=True, exist_ok=True)
        for each in CASES:
            (directory / f"{each.name}.eml").write_bytes(each.build())
    else:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

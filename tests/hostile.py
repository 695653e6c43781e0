"""Messages that are meant to cost much: each at the size at which it hurts most, for tests and benchmarks."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from PIL import Image, ImageDraw

from tests.attachments import archive, blank_png, letter, macro_document, nested
from tests.disk_images import fat, vhd
from tests.message.mail.hostile_cases import CASES

TARPIT = "tarpit.example"
"""No DNS server ever answers for a name below this (tests.real.tarpit)."""

_HEAD = (
    b"From: Stranger <stranger@example.net>\r\nTo: marie@example.com\r\nSubject: Papers\r\n"
    b"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
)
_TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
_HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n"
_LARGE = 1_000_000  # octets

RULES = """
[[rule]]
name = "nested_repeats"
match = ['(a+)+$', '(a|a)*b', '([a-z]+)*[0-9]', '(x+x+)+y']
where = ["subject", "text", "raw"]
action = "score"
points = 1.0

[[rule]]
name = "many_states"
match = ['a.{500}b', '(?:.{0,30}a){8}z', '[ab]*a[ab]{200}c']
where = ["text", "headers"]
action = "score"
points = 1.0
"""
"""A rule file whose patterns take other engines for ever."""


def _text(octets: bytes) -> bytes:
    return _HEAD + _TEXT + octets + b"\r\n"


def _links(count: int, domain: str) -> bytes:
    return _text(b" ".join(f"https://h{n}.d{n}.{domain}/p".encode() for n in range(count)))


def page(side: int = 1600) -> bytes:
    """An image full of small letters: tesseract reads it for many seconds."""
    generator = random.Random(5)
    drawn = Image.new("L", (side, side), "white")
    draw = ImageDraw.Draw(drawn)
    for y in range(0, side, 14):
        line = "".join(generator.choices("abcdefghijklmnop RSTUVW", k=side // 6))
        draw.text((0, y), line, fill="black", font_size=12)
    written = io.BytesIO()
    drawn.save(written, "PNG")
    return written.getvalue()


def _ocr() -> bytes:
    """Pages that differ, so that none is remembered, and one that is tiny as a file and huge as an image."""
    bright = {f"{n}.png": page(1600 - n) for n in range(3)}
    return letter(bright | {"huge.png": blank_png(20_000, 20_000)}, kind="image/png")


def _zips() -> bytes:
    zeros = archive({"zeros": bytes(60_000_000)})
    many = archive({f"{n}.txt": b"x" for n in range(20_000)})
    return letter(
        {
            "bomb.zip": nested(3, {"a": zeros, "b": zeros}),
            "many.zip": many,
            "deep.zip": nested(30, {"x": b"x"}),
            "disk.vhd": vhd(fat({f"{n}.bin": bytes(3000) for n in range(100)})),
            "cut.vhdx": b"vhdxfile" + bytes(200_000),
        }
    )


def _many_documents() -> bytes:
    document = macro_document("Sub AutoOpen()\r\n" + "x = Chr(65)\r\n" * 300 + "End Sub")
    return letter({f"{n}.doc": document for n in range(100)})


def _parts() -> bytes:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    return _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 5000 + b"--b--\r\n"


def _attachments() -> bytes:
    part = b'--b\r\nContent-Type: application/octet-stream; name="a.zip"\r\n\r\nPK\x03\x04\r\n'
    return _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 5000 + b"--b--\r\n"


def _named(name: str) -> Callable[[], bytes]:
    return next(case for case in CASES if case.name.endswith(name)).build


ATTACKS: Mapping[str, Callable[[], bytes]] = MappingProxyType(
    {
        "OCR bomb": _ocr,
        "zip bombs": _zips,
        "100 macro documents": _many_documents,
        "patterns that explode": lambda: _text(b"a" * _LARGE) + b"ab" * 60_000 + b"x" * 60_000,
        "10,000 URLs": lambda: _links(10_000, "example.com"),
        "10,000 links": lambda: (
            _HEAD
            + _HTML
            + b"".join(
                b"<a href=http://h%d.example%d.com/>www.bank%d.com</a>" % (n, n, n) for n in range(10_000)
            )
        ),
        "links into a tarpit": lambda: _links(200, TARPIT),
        "5,000 parts": _parts,
        "5,000 attachments": _attachments,
        "8 MB of line ends": lambda: _text(b"\r\n" * 4_000_000),
        "boundaries within boundaries": _named("nested-scans-10mb"),
        "characters in halves": _named("utf16-surrogates"),
        "open elements": _named("html-div"),
        "hidden in hidden": _named("html-hidden-9900"),
        "words in the header": _named("header-words-mb"),
        "names of many letters": lambda: _HEAD.replace(b"Stranger", b"\xd0\xb0" * 30_000) + _TEXT + b"x\r\n",
        "100,000 recipients": lambda: (
            _HEAD.replace(b"marie@example.com", b"a@b.example,\r\n " * 100_000) + b"\r\nx\r\n"
        ),
        "data URLs": lambda: (
            _HEAD + _HTML + b"<img src='data:image/png;base64," + b"QUFB" * 250_000 + b"'>" * 5000
        ),
    }
)
"""Name -> what makes the message."""


_TEXTS = (
    *("(", "[{(<", "http://", "http://a.", "a.", ".", "a@", "a@b.example ", "/", ":", "www.", " ", "\r\n"),
    *("\r", "\0", "1", "a.com ", "a.com.b.org.c.net.", "http://a.example/?u=", "http://a.example/%25"),
    *("a@b.example/", "http://a.example/aHR0cDovL2IuZXhhbXBsZS8= ", "http://xn--aaaaaaaa.com/ "),
    *("http://h\u00fc.ex\u00e4mple.com/ ", "http://0x7f/ ", "\u202e", "\u0301", "\u0344", "\ufdfa"),
    *("\u1100\u1161\u11a8", "v\u200bi\u200ba ", "hxxp://a[.]b "),
)
_MARKUP = (
    *("<!--", "<!--->", "<", "</", "<a ", "<a href='", "<div>", "<table><tr><td>", "<b><a href=x>", "&amp;"),
    *("&#x", "<form action=http://a.example><input type=password>", "<![CDATA[", "<p style='display:none'>x"),
    *("<style>a{", "<script></scrip", "<svg><math>", "<template>", "<base href=http://a.example/>"),
    *(
        "<img src='data:image/png,",
        "<a href=http://a.example>www.b.example</a>",
        "<select><option>",
        "<a x='",
    ),
    *("<meta charset=x>", "<title>"),
)
_FIELDS = {
    b"From": (
        "(",
        '"',
        "a@",
        "<",
        "\\",
        ".",
        "bank@bank.example ",
        "=?utf-8?b?0LA=?= ",
        "\u0430\u0435",
        "xn--",
    ),
    b"To": ("a@b.example, ", "g: a@b.example; ", "<a@b.example> "),
    b"Reply-To": ("a@b.example, ", "(", "@"),
    b"Subject": ("=?utf-8?q?=41?= ", "=?utf-8?q?", "=?", " ", "=?utf-8*", "\u4e2d", "a "),
    b"Date": ("1 ", "(", "Sun, "),
    b"Message-ID": ("<", "a@", "("),
    b"Received": ("from a [192.0.2.1] (", "(", "for <a@b.example> "),
    b"Authentication-Results": ("x; dkim=pass (a) header.d=b; ", "(", ";", '"'),
    b"DKIM-Signature": ("v=1; a=rsa-sha256; h=a:b:c; ", ";", "h=from:", "b=A A "),
    b"ARC-Seal": ("i=1; a=rsa-sha256; cv=none; ", "i=", ";"),
    b"List-Unsubscribe": ("<https://a.example/>, ", "<", "("),
    b"Content-Type": ("text/plain; ", "; a=b", '; a="\\', "; name*0*=a%41", "/"),
    b"Content-Disposition": ("attachment; filename=a.", "; filename*0*=a%41"),
    b"Content-Transfer-Encoding": ("base64 ", "("),
}
_CODED = {
    (b"base64", b"utf-8"): ("QUFB", "=", "!", "QQ==\r\n"),
    (b"quoted-printable", b"utf-8"): ("=", "=41", "=\r\n", " =\r\n"),
    (b"x-uuencode", b"utf-8"): ("begin 644 a.exe\r\n",),
    (b"8bit", b"utf-16"): ("\u00d8", "A"),
    (b"8bit", b"hz-gb-2312"): ("~{",),
    (b"8bit", b"iso-2022-jp"): ("\x1b$B",),
    (b"8bit", b"utf-7"): ("+ADw-",),
}
_AGAIN = (
    *("Received: from a ([192.0.2.1]) by b; Sun, 1 Mar 2026 12:00:00 +0000", "From: a@b.example"),
    *("Subject: a", "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=x; b=y"),
    *("Cc: a@b.example", "X-A: b", "ARC-Seal: i=1; a=rsa-sha256; d=a.example; s=s; cv=none; b=y"),
    *("Authentication-Results: a; spf=pass", ":"),
)
_PARTS = (
    *("text/plain\r\n\r\nx", "text/html\r\n\r\n<a href=http://a.example>b</a>"),
    *("message/rfc822\r\n\r\nFrom: a@b.example\r\n", "application/zip; name=a.zip\r\n\r\nPK\x03\x04"),
    "message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@b.example",
    *("multipart/mixed; boundary=b\r\n", "image/png; name=a.png\r\n\r\nx"),
    "application/pdf; name=a.pdf\r\n\r\n%PDF-1.4",
)


def shapes(octets: int) -> Iterator[tuple[str, bytes]]:
    """Named messages of about this size in which one piece is repeated, each where some reader could take it ill."""

    def filled(piece: str) -> bytes:
        encoded = piece.encode("utf-8", "surrogatepass")
        return encoded * (octets // len(encoded))

    for piece in _TEXTS:
        yield f"text {piece!r}", _text(filled(piece))
    for piece in _MARKUP:
        yield f"markup {piece!r}", _HEAD + _HTML + filled(piece)
    for field, pieces in _FIELDS.items():
        others = b"".join(line for line in _HEAD.splitlines(keepends=True) if not line.startswith(field))
        for piece in pieces:
            value = filled(piece)
            for kind, fold in (("whole", len(value)), ("folded", 70)):
                lines = b"\r\n ".join(value[at : at + fold] for at in range(0, len(value), fold))
                yield f"{field.decode()} {kind} {piece!r}", others + field + b": " + lines + b"\r\n\r\nx\r\n"
    for (encoding, charset), pieces in _CODED.items():
        coded = _TEXT.replace(b"utf-8\r\n", charset + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n")
        for piece in pieces:
            yield f"{encoding.decode()} {charset.decode()} {piece!r}", _HEAD + coded + filled(piece)
    for line in _AGAIN:
        yield f"field again {line!r}", filled(line + "\r\n") + _HEAD + b"\r\nx\r\n"
    for part in _PARTS:
        mixed = _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        yield f"part again {part!r}", mixed + filled(f"--b\r\nContent-Type: {part}\r\n") + b"--b--\r\n"

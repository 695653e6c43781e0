"""Messages that are meant to cost much: each at the size at which it hurts most, for tests and benchmarks."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image, ImageDraw

from tests.attachments import archive, blank_png, letter, macro_document, nested
from tests.mail.hostile_cases import CASES

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

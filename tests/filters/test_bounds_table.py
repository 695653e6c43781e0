"""Every row of docs/bounds.md: a message that exceeds the bound is made, and what the row promises is seen.

A row either names in code font what tells of the cut, or says behind a colon, or by an outcome that is no answer, why
nothing can be hidden behind it.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import zxingcpp
from PIL import Image

from tamis.contract.ask import answered
from tamis.contract.finding import Revealed
from tamis.contract.questions import Question, ReadFiles
from tamis.contract.service_protocols import FileFacts
from tamis.filters.attachment_types import AttachmentTypes
from tamis.filters.image_text import ImageText, seen_in
from tamis.filters.malformed import Malformed
from tamis.message.file_names import Risk
from tamis.message.mail import DefectKind, Limits, Mail
from tamis.message.mail.code_links import CHARACTERS
from tamis.services.files import disk_images
from tamis.services.files.images import kept_codes, kept_text
from tamis.services.files.reading import read_job
from tamis.services.files.unpacking import inspect_job
from tests.attachments import archive, letter
from tests.builders import message
from tests.disk_images import fat
from tests.docs.bounds import Number, numbers

HEADER = b"From: a@example.net\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
KINDS = {kind.value for kind in DefectKind} | {risk.value for risk in Risk}
_NAMED = re.compile(r"`([a-z_0-9]+)`")
_OUTCOMES = re.compile(
    r": |unavailable|permerror|refused|failed|fails|a failure|count(?: for nothing)?$|counts$|there is no|no signature"
    r"|change nothing|do not change|no word|asked|not fetched|not learned|it is none|keep what|others? are let through"
    r"|nothing is known|taken to be there|left alone|wait|last seven labels|the literal ends|cut to it|not proposed"
    r"|the oldest|smaller ones|it counts all the same|mailbox of its own|not looked up|^cut$|they have earned"
    r"|is said to be"
)


def html(markup: str) -> Mail:
    return Mail(HEADER + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + markup.encode())


def text(words: str) -> Mail:
    return Mail(HEADER + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + words.encode())


def field(value: str) -> Mail:
    return Mail(HEADER + value.encode() + b"\r\n\r\nx\r\n")


def opaque_part(string: bytes) -> Mail:
    """A signed S/MIME part whose content is written as `string`."""
    inner = b"0\x80\x06\x01*\xa0\x80" + string + b"\0\0\0\0"
    signed = b"0\x80\2\1\x01" + b"1\0" + inner + b"\0\0"
    octets = b"0\x80\x06\x09*\x86H\x86\xf7\r\x01\x07\x02\xa0\x80" + signed + b"\0" * 4
    head = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return Mail(HEADER + head + base64.encodebytes(octets))


def script(code: str) -> Mail:
    return html(f"<script>{code}</script>")


def kinds_of(mail: Mail) -> set[str]:
    """What `malformed` says of a message."""
    return set(Malformed().examine(message(mail.raw)).facts.get("kinds", ()))


def told_of(octets: bytes) -> set[str]:
    """What is told of an image, a drawing or a document that the reader of files reads."""
    [facts] = read_job({"seconds": 20, "languages": (), "pages": 1}, [octets])["files"]
    mail = text("x")
    return {str(kind) for kind in seen_in([FileFacts(**facts)], mail).cuts}


def risks_of(name: str, content: bytes, **bounds: float) -> set[str]:
    """What is told of an attachment."""
    found = inspect_job({"files": [[name, True]], "bounds": bounds}, [content])
    return {str(risk) for one in found["objects"] for risk in one["risks"]}


def qr_codes(number: int) -> bytes:
    """A picture with so many QR codes."""
    side = 100
    sheet = Image.new("L", (side * number, side), 255)
    for at in range(number):
        code = zxingcpp.create_barcode(f"http://h{at}.example/", zxingcpp.BarcodeFormat.QRCode)
        made = Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=3))
        sheet.paste(made.convert("L").resize((side - 20, side - 20)), (side * at + 10, 10))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def pdf(pages: int = 1, links: int = 0, stream: bytes = b"") -> bytes:
    """A document with links on its first page, and a packed stream beside."""
    kids = " ".join(f"{10 + at} 0 R" for at in range(pages))
    annotations = "".join(
        f"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(http://h{at}.example/)>>>>"
        for at in range(links)
    )
    out = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    out += f"2 0 obj<</Type/Pages/Count {pages}/Kids[{kids}]>>endobj\n".encode()
    for at in range(pages):
        own = f"/Annots[{annotations}]" if at == 0 else ""
        out += f"{10 + at} 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]{own}>>endobj\n".encode()
    if stream:
        packed = zlib.compress(stream)
        out += (
            b"5 0 obj<</Filter/FlateDecode/Length %d>>stream\n" % len(packed)
            + packed
            + b"\nendstream endobj\n"
        )
    return out + b"trailer<</Root 1 0 R>>\n%%EOF\n"


def links(number: int) -> str:
    return "".join(f'<a href="http://a.example/{at}">x</a>' for at in range(number))


def b64(words: str) -> str:
    return base64.b64encode(words.encode()).decode()


def nested_code(depth: int) -> str:
    code = "'http://h.example/'"
    for _ in range(depth):
        code = f"'{b64(code)}'"
    return code


def parts(number: int) -> Mail:
    return Mail(letter({f"{at}.txt": b"x" for at in range(number)}))


def tnef(attributes: int) -> bytes:
    one = struct.pack("<BHHI", 2, 0x9999, 6, 0) + b"\0\0"
    return b"\x78\x9f\x3e\x22\0\0" + one * attributes


def page_of_cells(number: int) -> bytes:
    return b"%tamis-page\n<table>" + (b"<tr>" + b"<td bgcolor=#000></td>" * (number // 20) + b"</tr>") * 20


def defects(raw: bytes | str | Mail, **limits: int) -> set[str]:
    """The kinds of defects of a message; of a text in HTML when it is a str."""
    if isinstance(raw, str):
        raw = html(raw)
    octets = raw.raw if isinstance(raw, Mail) else raw
    return {defect.kind.value for defect in Mail(octets, limits=Limits(**limits)).defects}


def left_out_of(files: dict[str, bytes], kind: str) -> set[str]:
    """What S22 says of a message with such files, were all of them read."""

    def read(question: Question[Any]) -> list[FileFacts]:
        assert isinstance(question, ReadFiles)
        return [FileFacts("x") for _ in question.files]

    told = answered(ImageText().examine(message(letter(files, kind=kind))), read)
    assert isinstance(told, Revealed)
    return {str(cut) for cut in told.seen.cuts}


def image(number: int, size: int = 0) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"%05d" % number + bytes(200 + size)


def with_small(name: str, value: int) -> set[str]:
    """What is told of a disk with two files where a bound of the reader is so small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_images, name, value)
        return risks_of("a.img", fat({"a.txt": b"x" * 3000, "b.txt": b"y" * 3000}))


def _nested_documents(depth: int) -> str:
    markup = "<p>x"
    for _ in range(depth):
        markup = f'<iframe src="data:text/html;base64,{b64(markup)}">'
    return markup


def _enclosed(depth: int) -> bytes:
    return HEADER + b"Content-Type: message/rfc822\r\n\r\n" * depth + b"x"


def _doubly_encoded(number: int) -> bytes:
    part = b"--b\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\neHh4eA==\r\n"
    return HEADER + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + part * number + b"--b--\r\n"


def _wrapped(depth: int) -> str:
    link = "http://h.example/"
    for _ in range(depth):
        link = f"https://www.google.com/url?q={quote(link, safe='')}"
    return link


def _grid() -> bytes:
    return (
        b"<table>" + (b"<tr>" + b"<td bgcolor=#000 width=4 height=4></td>" * 18 + b"</tr>") * 18 + b"</table>"
    )


def _two_large_tiles() -> bytes:
    tile = base64.encodebytes(image(1, 1_100_000))
    part = b"--b\r\nContent-Type: image/png\r\nContent-ID: <%d>\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n"
    page = b'--b\r\nContent-Type: text/html\r\n\r\n<img src="cid:1"><img src="cid:2">\r\n'
    return (
        HEADER
        + b'Content-Type: multipart/related; boundary="b"\r\n\r\n'
        + page
        + part % (1, tile)
        + part % (2, tile)
        + b"--b--\r\n"
    )


def _blank(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


def _many_streams() -> bytes:
    return b"".join(pdf(stream=bytes(1_000_000) + b"%d" % n) for n in range(18))


def _rtf_in_tnef(control: bytes, times: int) -> bytes:
    packed = struct.pack("<IIII", 0, 0, 0x75465A4C, 0) + control * times
    prop = struct.pack("<IHHII", 1, 0x0102, 0x1009, 1, len(packed)) + packed.ljust(
        -(-len(packed) // 4) * 4, b"\0"
    )
    return b"\x78\x9f\x3e\x22\0\0" + struct.pack("<BHHI", 1, 0x9003, 6, len(prop)) + prop + b"\0\0"


SVG = "<svg>" + "<rect/>" * 3
MAIL, FILES, FILTERS = "tamis/message/mail/", "tamis/services/files/", "filters/"
EXCEEDED: dict[str, Callable[[], set[str]]] = {
    MAIL + "arranged.py _MOST_NODES": lambda: defects("<b style='float:right'>x</b>" * 2100),
    MAIL + "arranged.py _MOST_RULES": lambda: defects(
        "<style>" + ".a{order:1}" * 400 + "</style><p class=a>x"
    ),
    MAIL + "arranged.py _CHARACTERS": lambda: defects(
        "".join(f"<p><b style='order:1'>{'x' * 1900}</b><b style='order:2'>y</b></p>" for _ in range(30))
    ),
    MAIL + "arranged.py _PIECE_CHARACTERS": lambda: defects(f"<b style='order:1'>{'x' * 2100}</b>"),
    MAIL + "arranged.py _READ_CHARACTERS": lambda: defects("<div style='float:right'>" * 1900 + "x" * 5000),
    MAIL + "authors.py MOST_AUTHORS": lambda: defects(
        HEADER.replace(b"a@example.net", b",".join(b"a%d@h%d.example" % (n, n) for n in range(11))) + b"\r\nx"
    ),
    MAIL + "blocks.py _CHARACTERS": lambda: defects("<table>" + "<tr>" + "<td>a</td>" * 900 + "</table>"),
    MAIL + "code_links.py CHARACTERS": lambda: defects(script("x" * (CHARACTERS + 9))),
    MAIL + "code_links.py _DEPTH": lambda: defects(script(nested_code(6))),
    MAIL + "code_links.py _TOKENS": lambda: defects(
        script(" ".join(b64(f"http://h{n}.example") for n in range(50)))
    ),
    MAIL + "code_links.py _TOKENS_TRIED": lambda: defects(script("abcdefghijklm " * 2100)),
    MAIL + "code_links.py _URLS": lambda: defects(
        script(" ".join(f"http://h.example/{n}" for n in range(210)))
    ),
    MAIL + "css.py _SELECTORS": lambda: defects(
        "<style>" + ",".join(f".c{n}" for n in range(60)) + "{display:none}</style>x"
    ),
    MAIL + "css.py _NESTED": lambda: defects(
        "<style>.a{display:none;width:" + "calc(" * 40 + "1px" + ")" * 40 + "}</style><p class=a>x"
    ),
    MAIL + "css.py _RULES_DEEP": lambda: defects(
        "<style>" + "@media screen{" * 6 + ".a{display:none}" + "}" * 6 + "</style><p class=a>x"
    ),
    MAIL + "destinations.py _MOST_INNER": lambda: defects(
        '<a href="x-run:' + "|".join(f"http://h{n}.example/" for n in range(7)) + '">x</a>'
    ),
    MAIL + "drawings.py _PAGE_CHARACTERS": lambda: defects("<p>" + "x" * 1_048_600),
    MAIL + "drawings.py _SVG_CHARACTERS": lambda: defects(SVG + "<g/>" * 70_000 + "</svg>"),
    MAIL + "drawings.py _DRAWINGS": lambda: defects("".join(f"{SVG}{n}</svg>" for n in range(7))),
    MAIL + "drawings.py _MOST_FOUND": lambda: defects("".join(f"{SVG}{n}</svg>" for n in range(210))),
    MAIL + "drawings.py _MOST_TILES": lambda: defects(
        "".join(f'<img src="data:image/png;base64,{b64(str(n))}">' for n in range(26))
    ),
    MAIL + "drawings.py _TILE_OCTETS": lambda: defects(_two_large_tiles()),
    MAIL + "file_links.py _MOST": lambda: defects(
        letter({"a.txt": b" ".join(b"http://h.example/%d" % n for n in range(410))})
    ),
    MAIL + "html.py _NESTED": lambda: defects(_nested_documents(6)),
    MAIL + "html.py _DOCUMENTS": lambda: defects("<iframe srcdoc='<p>x'></iframe>" * 25),
    MAIL + "limits.py headers": lambda: defects(b"X-A: b\r\n" * 2010 + HEADER + b"\r\nx"),
    MAIL + "limits.py header_octets": lambda: defects(field("X-A: " + "b " * 33_000)),
    MAIL + "limits.py header_block_octets": lambda: defects(
        b"X-A: " + b"b " * 600_000 + b"\r\n" + HEADER + b"\r\nx"
    ),
    MAIL + "limits.py addresses": lambda: defects(
        field("To: " + ",".join(f"a{n}@h.example" for n in range(1010)))
    ),
    MAIL + "limits.py parts": lambda: defects(parts(510)),
    MAIL + "limits.py depth": lambda: defects(_enclosed(40)),
    MAIL + "limits.py boundary_octets": lambda: defects(
        HEADER + b'Content-Type: multipart/mixed; boundary="' + b"b" * 1100 + b'"\r\n\r\nx'
    ),
    MAIL + "limits.py scan_octets": lambda: defects(parts(9), scan_octets=100),
    MAIL + "limits.py near_boundaries": lambda: defects(
        HEADER + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--bx\r\n" * 20 + b"--b\r\n\r\nx",
        near_boundaries=9,
    ),
    MAIL + "limits.py decoded_octets": lambda: defects(parts(9), decoded_octets=5),
    MAIL + "limits.py html_characters": lambda: defects("<p>" + "x" * 1100, html_characters=1000),
    MAIL + "limits.py html_tags": lambda: defects("<p>x" * 10_010),
    MAIL + "limits.py links": lambda: defects(links(20), links=10),
    MAIL + "limits.py text_characters": lambda: defects(text("word " * 210_000)),
    MAIL + "limits.py urls": lambda: defects(text(" ".join(f"http://h.example/{n}" for n in range(2010)))),
    MAIL + "limits.py url_characters": lambda: defects(text("http://h.example/" + "x" * 8200)),
    MAIL + "limits.py opened": lambda: defects(links(310)),
    MAIL + "limits.py files": lambda: defects(parts(101)),
    MAIL + "limits.py hosts": lambda: defects(
        "".join(f'<a href="http://h{n}.example/">x</a>' for n in range(41))
    ),
    MAIL + "limits.py searched_octets": lambda: defects(text("a word\r\n" * 20_000)),
    MAIL + "limits.py readings": lambda: defects(_doubly_encoded(55)),
    MAIL + "limits.py reading_octets": lambda: defects(_doubly_encoded(9), reading_octets=10),
    MAIL + "limits.py style_characters": lambda: defects(
        "<style>" + ".a{display:none}" * 4200 + "</style><p class=a>x"
    ),
    MAIL + "limits.py style_rules": lambda: defects(
        "<style>" + ".a{display:none}" * 310 + "</style><p class=a>x"
    ),
    MAIL + "mail.py _DATE_CHARACTERS": lambda: defects(
        b"Date: Sun, 1 Mar 2026 12:00:00 +0000" + b" " * 190 + b"(x)\r\nFrom: a@b.example\r\n\r\nx"
    ),
    MAIL + "mailboxes.py _DOMAIN_CHARACTERS": lambda: defects(
        HEADER.replace(b"example.net", b"a." * 600 + b"example") + b"\r\nx"
    ),
    MAIL + "markup.py _VALUE_CHARACTERS": lambda: defects(
        "<p>x" * 3100 + f'<a href="http://h.example/{"x" * 66_000}">x</a>'
    ),
    MAIL + "markup.py _ATTRIBUTES_CHARACTERS": lambda: defects(
        "<p>x" * 3100 + f"<a {'y=1 ' * 33_000} href=http://h.example/>x</a>"
    ),
    MAIL + "part.py _MOST_FIELDS": lambda: defects(HEADER + b"Content-Type: text/plain\r\n" * 22 + b"\r\nx"),
    MAIL + "part.py _MOST_NAMES": lambda: defects(
        HEADER
        + b"Content-Disposition: attachment"
        + b"".join(b"; filename=a%d.txt" % n for n in range(22))
        + b"\r\n\r\nx"
    ),
    MAIL + "redirects.py MOST_TARGETS": lambda: defects(
        '<a href="http://a.example/?' + "&".join(f"u=http://h{n}.example/" for n in range(14)) + '">x'
    ),
    MAIL + "redirects.py _PIECES": lambda: defects(
        '<a href="http://a.example/?'
        + "&".join(f"x{n}={b64(f'http://h{n}.example/')}" for n in range(30))
        + '">x'
    ),
    MAIL + "opaque.py _DEPTH": lambda: kinds_of(opaque_part(b"$\x80" * 30)),
    MAIL + "opaque.py _VALUES": lambda: kinds_of(opaque_part(b"$\x80" + b"\4\0" * 100_010 + b"\0\0")),
    MAIL + "references.py _CSS_CHARACTERS": lambda: defects("<style>" + "a{}" * 90_000 + "</style>x"),
    MAIL + "references.py _COMMENTS": lambda: defects("<!--[if mso]><p>x</p><![endif]-->" * 210),
    MAIL + "references.py _CANDIDATES": lambda: defects(
        '<img srcset="' + ",".join(f"http://h.example/{n} {n}x" for n in range(25)) + '">'
    ),
    MAIL + "references.py DATA_CHARACTERS": lambda: defects(
        f'<iframe src="data:text/html,{"x" * 1_048_600}">',
        html_characters=3_000_000,
        text_characters=3_000_000,
    ),
    MAIL + "references.py _LINK_TEXTS": lambda: defects(
        "".join(f'<a href="http://h.example/{n}">{"x" * 900}</a>' for n in range(310))
    ),
    MAIL + "retold.py _MOST": lambda: defects('<a href="http://h.example/">x</a>' + "<i hidden>x</i>" * 2010),
    MAIL + "selectors.py _SELECTOR_CHARACTERS": lambda: defects(
        "<style>." + "a" * 310 + "{display:none}</style><p class=a>x"
    ),
    MAIL + "selectors.py _POSITIONAL": lambda: defects(
        "<style>" + "".join(f"p:nth-child({n}){{display:none}}" for n in range(12)) + "</style><p>x"
    ),
    MAIL + "selectors.py _STEPS": lambda: defects(
        "<style>" + "p p p{display:none}" * 290 + "</style>" + "<p>x" * 2000
    ),
    MAIL + "text.py _CHARSET_CHARACTERS": lambda: defects(
        HEADER + b"Content-Type: text/plain; charset=" + b"x" * 70 + b"\r\n\r\nx"
    ),
    MAIL + "transfer.py _SEGMENTS": lambda: defects(
        HEADER + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"eA==\r\n" * 1010
    ),
    MAIL + "turned.py _MOST": lambda: defects("<bdo dir=rtl>x</bdo>" * 210),
    MAIL + "urls.py _REPETITIONS": lambda: defects(text("http://h.example/ " * 210), urls=20),
    MAIL + "urls.py _MOST_DEFUSED": lambda: defects(text("bad[.]com " * 210)),
    MAIL + "words.py _MOST_WORDS": lambda: defects(field("Subject: " + "=?utf-8?q?a?= " * 1010)),
    MAIL + "words.py MOST_PARAMETERS": lambda: defects(
        HEADER + b"Content-Type: text/plain" + b"".join(b"; a%d=b" % n for n in range(110)) + b"\r\n\r\nx"
    ),
    MAIL + "words.py _SECTIONS": lambda: defects(
        HEADER
        + b"Content-Disposition: attachment"
        + b"".join(b"; filename*%d=b" % n for n in range(110))
        + b"\r\n\r\nx"
    ),
    MAIL + "wrappers.py MOST_NESTED": lambda: defects(f'<a href="{_wrapped(8)}">x</a>'),
    MAIL + "written_links.py CHARACTERS": lambda: defects(f'<a href="http://h.example/{"x" * 8200}">x</a>'),
    MAIL + "written_links.py _PARAMETERS": lambda: defects(
        '<a href="http://h.example/?' + "&".join(f"a{n}=http://h{n}.example" for n in range(1010)) + '">x</a>'
    ),
    "tamis/message/names.py _MOST": lambda: defects(text("http://" + "\u00e9" * 1100 + ".example/")),
    "tamis/rules/places.py MAX_OCTETS": lambda: defects(text("a word\r\n" * 20_000)),
    "tamis/rules/tables.py MOST_HOSTS": lambda: defects(
        text(" ".join(f"http://h{n}.example/" for n in range(2010)))
    ),
    FILES + "active.py _MOST": lambda: risks_of(
        "a.docx",
        archive(
            {
                "word/_rels/document.xml.rels": b"".join(
                    b'<Relationship Target="http://h.example/%d" TargetMode="External"/>' % n
                    for n in range(510)
                )
            }
        ),
    ),
    FILES + "containers.py _MOST_STRINGS": lambda: risks_of(
        "a.bin", b"\0\1\2\3" * 500 + b"\0".join(b"http://h.example/%d" % n for n in range(5010))
    ),
    FILES + "documents.py _MAX_LINKS": lambda: told_of(pdf(links=70)),
    FILES + "documents.py _PAGE_LINKS": lambda: told_of(pdf(links=210)),
    FILES + "documents.py _URL_CHARACTERS": lambda: told_of(
        pdf(links=1).replace(b"http://h0.example/", b"http://h0.example/" + b"x" * 8200)
    ),
    FILES + "drawn.py _MOST_CELLS": lambda: told_of(page_of_cells(41_000)),
    FILES + "drawn.py _MOST_GRIDS": lambda: told_of(b"%tamis-page\n" + _grid() * 13),
    FILES + "drawn.py _DEEPEST": lambda: told_of(b"%tamis-page\n" + b"<div>" * 50),
    FILES + "images.py _MAX_PIXELS": lambda: told_of(_blank(6000, 5100)),
    FILES + "documents.py _LINKS_COUNTED": lambda: told_of(
        pdf(links=210)
    ),  # there are more than _PAGE_LINKS then
    FILES + "images.py TEXT_CHARACTERS": lambda: set(kept_text("x" * 4001)["cuts"]),
    FILES + "images.py _CODE_CHARACTERS": lambda: set(kept_codes(["x" * 2001])["cuts"]),
    FILES + "containers.py _MOST_RTF_STEPS": lambda: risks_of("a.rtf", b"{\\rtf1" + b"{" * 1_000_010),
    FILES + "containers.py MOST_MESSAGES": lambda: risks_of(
        "a.mbox", b"From a@b.example Sun\nFrom: a@b.example\nTo: b\nSubject: c\n\nx\n\n" * 101
    ),
    FILES + "disk_images.py _CPU_SECONDS": lambda: with_small("_CPU_SECONDS", 0),
    FILES + "disk_images.py _LISTED_OCTETS": lambda: with_small("_LISTED_OCTETS", 9),
    FILES + "images.py MAX_CODES": lambda: told_of(qr_codes(6)),
    FILES + "pdf_links.py _MOST_STREAMS": lambda: risks_of("a.pdf", pdf() + b"stream\n" * 2010),
    FILES + "pdf_links.py _STREAM_OCTETS": lambda: risks_of("a.pdf", pdf(stream=bytes(1_100_000))),
    FILES + "pdf_links.py _ALL_OCTETS": lambda: risks_of("a.pdf", _many_streams()),
    FILES + "pdf_links.py _MOST": lambda: risks_of(
        "a.pdf", pdf() + b" ".join(b"(http://h.example/%d)" % n for n in range(5010))
    ),
    FILES + "tnef.py _MOST": lambda: risks_of("winmail.dat", tnef(20_010)),
    FILES + "tnef.py _MOST_RTF": lambda: risks_of("winmail.dat", _rtf_in_tnef(b"\0" + b"x" * 8, 600_000)),
    FILES + "unpacking.py TEXT_CHARACTERS": lambda: risks_of("a.txt", b"a word\n" * 160_000),
    FILES + "unpacking.py _MOST_PICTURES": lambda: risks_of(
        "a.zip", archive({f"{n}.png": _blank(90 + n, 9) for n in range(9)})
    ),
    FILES + "unpacking.py _PICTURE_OCTETS": lambda: risks_of(
        "a.zip", archive({"a.png": _blank(90, 9) + bytes(5_250_000)}), ratio=99_999
    ),
    FILES + "unpacking.py _MOST_LINKS": lambda: risks_of(
        "a.zip",
        archive(
            {
                f"{at}.txt": b" ".join(b"http://h%d.example/%d" % (at, n) for n in range(300))
                for at in range(2)
            }
        ),
    ),
    FILES + "unpacking.py octets": lambda: risks_of(
        "a.zip", archive({"a": bytes(5000), "b": b"x"}), octets=1000
    ),
    FILES + "unpacking.py members": lambda: risks_of(
        "a.zip", archive({str(n): b"x" for n in range(9)}), members=3
    ),
    FILES + "unpacking.py depth": lambda: risks_of(
        "a.zip", archive({"b.zip": archive({"c": b"x"})}), depth=1
    ),
    FILES + "unpacking.py ratio": lambda: risks_of("a.zip", archive({"a": bytes(2_000_000)}), ratio=2),
    FILES + "unpacking.py seconds": lambda: risks_of("a.zip", archive({"a": b"x"}), seconds=-1.0),
    FILTERS + "image_text.py _MAX_IMAGES": lambda: left_out_of(
        {f"{n}.png": image(n) for n in range(6)}, "image/png"
    ),
    FILTERS + "image_text.py _MAX_OCTETS": lambda: left_out_of(
        {"a.png": image(1, 5_300_000), "b.png": image(2)}, "image/png"
    ),
    FILTERS + "image_text.py _MAX_DOCUMENT_OCTETS": lambda: left_out_of(
        {"b.pdf": pdf(), "a.pdf": pdf() + bytes(8_400_000)}, "application/pdf"
    ),
    FILTERS + "image_text.py _MAX_DOCUMENTS": lambda: left_out_of(
        {f"{n}.pdf": pdf() + b"%%%d" % n for n in range(5)}, "application/pdf"
    ),
    FILTERS + "image_text.py _MAX_URLS": lambda: {
        str(kind)
        for kind in seen_in(
            [FileFacts("x", links=[[f"http://h{n}.example/", ""] for n in range(90)])], text("x")
        ).cuts
    },
    FILTERS + "image_text.py _TEXT_CHARACTERS": lambda: {
        str(kind) for kind in seen_in([FileFacts("x", text="a word " * 3000)], text("x")).cuts
    },
    FILTERS + "lookalike_domain.py _MAX_LINKS": lambda: defects(
        text(" ".join(f"http://h{n}.example/" for n in range(110)))
    ),
    FILTERS + "shared/link_hosts.py MOST": lambda: defects(
        "".join(f'<a href="http://h{n}.example/">x</a>' for n in range(41))
    ),
}
"""How each bound is exceeded, and what is told then."""


ROWS = [row for row in numbers() if row.beyond]


def _id(row: Number) -> str:
    return row.key


@pytest.mark.parametrize("row", [row for row in ROWS if KINDS & set(_NAMED.findall(row.beyond))], ids=_id)
def test_what_a_bound_cuts_is_told_as_the_row_says(row: Number) -> None:
    named = KINDS & set(_NAMED.findall(row.beyond))
    assert EXCEEDED[row.key]() & named


@pytest.mark.parametrize("row", [row for row in ROWS if not KINDS & set(_NAMED.findall(row.beyond))], ids=_id)
def test_a_row_without_a_sign_says_why_nothing_is_hidden(row: Number) -> None:
    assert _OUTCOMES.search(row.beyond), row.beyond
    assert "left out" not in row.beyond or ":" in row.beyond, row.beyond


def test_no_message_is_made_for_a_bound_that_is_gone() -> None:
    assert set(EXCEEDED) <= {row.key for row in ROWS}


def test_every_sign_can_weigh() -> None:
    """Each kind of defect can be given points, and so can each risk of files."""
    for kind in DefectKind:
        Malformed.options.model_validate({"points": {kind.value: 4.0}})
    for risk in Risk:
        AttachmentTypes.options.model_validate({"points": {risk.value: 4.0}})

"""The readers of files: attachments in a helper process, images and documents."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

from PIL import Image

from tamis.message.mail.drawings import PAGE, TILES, packed_tiles
from tests.attachments import PDF, PROGRAM, archive, blank_png, macro_document, nested
from tests.disk_images import dmg, fat, packed, partitioned, vhd
from tests.documents import pdf, qr_code, written
from tests.services.files.hostile_readers import TEN_THOUSAND, Hostile, Reader, file, picture
from tests.services.files.test_contents import (
    URL,
    _attribute,
    _relationship,
    docx,
    iso,
    local_zip,
    message,
    onenote,
    pdf_with,
    rtf_package,
    tnef,
)

_UNPACKING = "tamis.services.files.unpacking"
_CONTAINERS = "tamis.services.files.containers"
_TNEF = b"\x78\x9f\x3e\x22\x01\x00"
_DISK = fat({"run.exe": PROGRAM, "note.txt": b"see https://listed.example/x"})
_FLAT = "its parts follow one another and name no other"


def _far(length: int) -> bytes:
    """A named property whose name is longer than the file."""
    named = struct.pack("<IHH", 1, 0x1E, 0x8001) + bytes(16) + struct.pack("<II", 1, length)
    return _attribute(0x9005, named)


def _png(image: Image.Image) -> bytes:
    made = io.BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


def _looped_fat() -> bytes:
    """A file whose chain of clusters ends in its own beginning."""
    looped = bytearray(fat({"a.txt": bytes(2000)}))
    for table in (512, 512 + 1536):
        looped[table + 3 : table + 6] = b"\x03\x20\x00"
    return bytes(looped)


def _looped_ole() -> bytes:
    """A compound file whose table of sectors leads from the first one back to it."""
    octets = bytearray(macro_document("Sub A()\r\nEnd Sub"))
    struct.pack_into("<I", octets, 512 + 4, 1)
    return bytes(octets)


def _overlapping() -> bytes:
    """A ZIP whose directory names the same member ten thousand times."""
    octets = archive({"a.zip": archive({"b.txt": b"x"})})
    at, end = octets.rindex(b"PK\x01\x02"), octets.rindex(b"PK\x05\x06")
    directory = octets[at:end] * TEN_THOUSAND
    told = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, TEN_THOUSAND, TEN_THOUSAND, len(directory), at, 0)
    return octets[:at] + directory + told


def _looped_pdf() -> bytes:
    """Pages whose tree is its own branch."""
    tree = b"2 0 obj<</Type/Pages/Count 9/Kids[2 0 R 2 0 R]/Parent 2 0 R>>endobj\n"
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" + tree + b"trailer<</Root 1 0 R>>\n%%EOF\n"
    )


def _relations(octets: bytes) -> bytes:
    return archive({"[Content_Types].xml": b"<Types/>", "word/_rels/document.xml.rels": octets})


def _script(code: bytes) -> bytes:
    return b"<html><script>" + code + b"</script></html>"


def _disk(name: str, made: bytes, bomb: Hostile | None = None) -> Reader:
    """A kind of image that 7-Zip reads."""
    hostile = {
        "bomb": bomb or Hostile(lambda: made + bytes(3_000_000)),
        "many": Hostile(lambda: made * (TEN_THOUSAND // 500)),
    }
    impossible = {"loop": "the disk within has it: disc"}
    return Reader(
        name, ("tamis.services.files.disk_images",), file("disk"), lambda: made, hostile, impossible
    )


READERS = (
    Reader(
        "zip",
        (_UNPACKING, _CONTAINERS, "tamis.services.files.members"),
        file("a.zip"),
        lambda: archive({"dir/a.txt": b"hello" * 50, "b.bin": PROGRAM}),
        {
            "bomb": Hostile(lambda: nested(9, {"a": bytes(9_000_000)}), ("archive_limit",)),
            "loop": Hostile(_overlapping, ("archive_limit",)),
            "many": Hostile(
                lambda: (
                    b"".join(local_zip(f"d{n}/", b"") for n in range(TEN_THOUSAND)) + archive({"a": b"x"})
                ),
                ("archive_limit",),
            ),
        },
    ),
    Reader(
        "gzip",
        (_UNPACKING,),
        file("a.gz"),
        lambda: gzip.compress(b"hello" * 50, mtime=0),
        {
            "bomb": Hostile(lambda: gzip.compress(bytes(60_000_000), 9, mtime=0), ("archive_limit",)),
            "many": Hostile(lambda: gzip.compress(b"x", mtime=0) * TEN_THOUSAND),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "disc",
        (_UNPACKING, "tamis.services.files.disk_images"),
        file("a.iso"),
        lambda: iso("run.bin", PROGRAM),
        {
            "bomb": Hostile(lambda: gzip.compress(iso("a", bytes(60_000_000)), mtime=0), ("archive_limit",)),
            "loop": Hostile(_looped_fat),
            "many": Hostile(lambda: fat({f"{n}.t": b"" for n in range(110)}) * 10),
        },
    ),
    _disk("partitions", partitioned(_DISK)),
    _disk("VHD", vhd(_DISK)),
    _disk("DMG", dmg(_DISK), Hostile(lambda: dmg(bytes(20_000_000)))),
    _disk("WIM", packed({"a.txt": b"x" * 900}, "wim")),
    _disk("ext", bytes(1080) + b"\x53\xef\x01\0" + bytes(3000)),
    _disk("SquashFS", b"hsqs" + bytes(3000)),
    _disk("UDF", bytes(34_817) + b"NSR02" + bytes(3000)),
    Reader(
        "OneNote",
        (_CONTAINERS,),
        file("a.one"),
        lambda: onenote(b"hello", PROGRAM, name="run.exe"),
        {
            "bomb": Hostile(
                lambda: (
                    onenote()
                    + (b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac" + b"\xff" * 20)
                    * TEN_THOUSAND
                ),
                ("archive_limit",),
            ),
            "many": Hostile(lambda: onenote(*[b"x"] * TEN_THOUSAND), ("archive_limit",)),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "TNEF",
        ("tamis.services.files.tnef",),
        file("winmail.dat"),
        lambda: tnef("invoice.exe", PROGRAM, "<a href=http://a.example/>x</a>"),
        {
            "bomb": Hostile(lambda: _TNEF + _far(300_000_000) * TEN_THOUSAND),
            "many": Hostile(
                lambda: _TNEF + (_attribute(0x9002, b"") + _attribute(0x800F, b"x")) * TEN_THOUSAND,
                ("archive_limit", "not_read"),
            ),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "compound file (MSG, OLE)",
        (_CONTAINERS, "tamis.services.files.macros"),
        file("a.msg"),
        lambda: macro_document('Sub AutoOpen()\r\nShell "cmd"\r\nEnd Sub'),
        {
            "bomb": Hostile(lambda: macro_document("x = Chr(65)\r\n" * 600), ("macro",)),
            "loop": Hostile(_looped_ole),
            "many": Hostile(lambda: macro_document("Sub A()\r\nEnd Sub") * 1000, ("macro",)),
        },
    ),
    Reader(
        "RTF objects",
        (_CONTAINERS,),
        file("a.rtf"),
        lambda: rtf_package("x.bin", PROGRAM),
        {
            "bomb": Hostile(lambda: b"{\\rtf1" + b"{" * 2_000_000, ("not_read",)),
            "many": Hostile(lambda: b"{\\rtf1" + b"{\\object{\\*\\objdata 0105}}" * TEN_THOUSAND),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "PDF",
        ("tamis.services.files.pdf_links", "tamis.services.files.macros", _CONTAINERS),
        file("a.pdf"),
        lambda: pdf_with("x.bin", PROGRAM),
        {
            "bomb": Hostile(
                lambda: PDF + b"/FlateDecode>>stream\n" + zlib.compress(b"/URI(" * 9_000_000),
                ("links_left_out",),
            ),
            "loop": Hostile(_looped_pdf),
            "many": Hostile(
                lambda: PDF + (b"/FlateDecode>>stream\n" + zlib.compress(b"x")) * TEN_THOUSAND,
                ("links_left_out",),
            ),
        },
    ),
    Reader(
        "PDF pages",
        ("tamis.services.files.documents", "tamis.services.files.reading", "tamis.services.files.pdf_links"),
        picture,
        lambda: pdf(written("see http://a.example/")),
        {
            "bomb": Hostile(lambda: pdf(*[written("x" * 2000)] * 30), ("long_file",)),
            "loop": Hostile(_looped_pdf),
            "many": Hostile(lambda: PDF + b"(http://a.example/) " * TEN_THOUSAND),
        },
    ),
    Reader(
        "image and QR code",
        ("tamis.services.files.images", "tamis.services.files.reading"),
        picture,
        lambda: _png(qr_code(URL)),
        {
            "bomb": Hostile(lambda: blank_png(20_000, 20_000), ("too large", "long_file")),
            "many": Hostile(lambda: blank_png(64, 64) * TEN_THOUSAND),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "SVG",
        ("tamis.services.files.drawn",),
        picture,
        lambda: b"<svg width='90' height='90'><rect x='1' y='1' width='9' height='9'/></svg>",
        {
            "bomb": Hostile(lambda: b"<svg>" + b"<g>" * TEN_THOUSAND),
            "loop": Hostile(lambda: b"<svg><g id='a'><use href='#a'/><use href='#a'/></g></svg>"),
            "many": Hostile(lambda: b"<svg>" + b"<rect width='9' height='9'/>" * TEN_THOUSAND),
        },
    ),
    Reader(
        "codes drawn in a page",
        ("tamis.services.files.drawn",),
        picture,
        lambda: PAGE + b"<table>" + b"<tr><td bgcolor=black></td><td></td></tr>" * 21 + b"</table>",
        {
            "bomb": Hostile(lambda: PAGE + b"<table><tr><td>" * 3000, ("too_many_images",)),
            "many": Hostile(
                lambda: PAGE + b"<table>" + (b"<tr>" + b"<td bgcolor=black></td>" * 200) * 250,
                ("too_many_images",),
            ),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "tiles",
        ("tamis.services.files.drawn",),
        picture,
        lambda: packed_tiles([[_png(qr_code(URL))], [_png(qr_code(URL))]]),
        {
            "bomb": Hostile(lambda: packed_tiles([[blank_png(20_000, 20_000)] * 4])),
            "many": Hostile(lambda: TILES + struct.pack("!I", TEN_THOUSAND) * TEN_THOUSAND),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "office document",
        ("tamis.services.files.active", _UNPACKING),
        file("a.docx"),
        lambda: docx(
            word__rels_document__xml__rels=_relationship("hyperlink", URL),
            word_document__xml="<w:instrText>x",
        ),
        {
            "bomb": Hostile(lambda: _relations(b"<Relationship " * 70_000)),
            "loop": Hostile(lambda: _relations(_relationship("subDocument", "document.xml.rels").encode())),
            "many": Hostile(
                lambda: _relations(_relationship("hyperlink", URL + "%d").encode() * TEN_THOUSAND),
                ("links_left_out", "archive_limit"),
            ),
        },
    ),
    Reader(
        "page and its code",
        ("tamis.services.files.active", _CONTAINERS),
        file("a.html"),
        lambda: _script(b"var b=new Blob([atob('AAAA')]);a.href=URL.createObjectURL(b);a.download='x'"),
        {
            "bomb": Hostile(lambda: _script(b"'" + b"QUFB" * 500_000 + b"'"), ("long_file",)),
            "many": Hostile(
                lambda: b"<html>" + b"<a href='data:application/zip;base64,UEsDBAAAAAA='>" * TEN_THOUSAND,
                ("archive_limit",),
            ),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "shortcut (.lnk)",
        (_CONTAINERS,),
        file("a.lnk"),
        lambda: b"L\0\0\0\x01\x14\x02\0" + bytes(60) + URL.encode("utf-16-le"),
        {
            "bomb": Hostile(lambda: b"L\0\0\0\x01\x14\x02\0" + URL.encode("utf-16-le") * 40_000),
            "many": Hostile(
                lambda: (
                    b"L\0\0\0\x01\x14\x02\0"
                    + b"".join(f"http://h{n}.example/\n".encode("utf-16-le") for n in range(TEN_THOUSAND))
                ),
                ("links_left_out",),
            ),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "shortcut (.url) and other text",
        ("tamis.message.mail.file_links", "tamis.services.files.active"),
        file("a.url"),
        f"[InternetShortcut]\r\nURL={URL}\r\n".encode,
        {
            "bomb": Hostile(lambda: b"[InternetShortcut]\r\nURL=http://" + b"a" * 3_000_000, ("long_file",)),
            "many": Hostile(
                lambda: b"".join(b"URL=http://h%d.example/\n" % n for n in range(TEN_THOUSAND)),
                ("links_left_out", "archive_limit"),
            ),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "EPUB",
        (_UNPACKING,),
        file("a.epub"),
        lambda: archive({"mimetype": b"application/epub+zip", "a.xhtml": b"<html><p>hello</p></html>"}),
        {
            "bomb": Hostile(
                lambda: archive({"mimetype": b"application/epub+zip", "a.xhtml": b"<p>" * 9_000_000}),
                ("archive_limit", "long_file"),
            ),
            "many": Hostile(
                lambda: archive(
                    {"mimetype": b"application/epub+zip"} | {f"{n}.xhtml": b"" for n in range(TEN_THOUSAND)}
                ),
                ("archive_limit",),
            ),
        },
        {"loop": "a ZIP has it: zip"},
    ),
    Reader(
        "message and mailbox file",
        (_CONTAINERS,),
        file("a.eml"),
        lambda: message("<a href='http://a.example/'>x</a>"),
        {
            "bomb": Hostile(lambda: message("<div>" * 40_000)),
            "many": Hostile(
                lambda: (
                    b"From a@b.example Sun Mar  1 12:00:00 2026\nFrom: a@b.example\nTo: b\nSubject: x\n\nx\n\n"
                    * TEN_THOUSAND
                ),
                ("not_read",),
            ),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "uuencode and yEnc in a file",
        ("tamis.message.mail.embedded", _CONTAINERS),
        file("a.txt"),
        lambda: b"begin 644 a\r\n#86)C\r\n`\r\nend\r\n=ybegin line=1 name=a\r\nx\r\n=yend\r\n",
        {
            "bomb": Hostile(lambda: b"begin 644 a\r\n" * 60_000),
            "many": Hostile(
                lambda: b"begin 644 a\r\n#86)C\r\n`\r\nend\r\n" * TEN_THOUSAND, ("archive_limit",)
            ),
        },
        {"loop": _FLAT},
    ),
    Reader(
        "invitation in a file",
        (_CONTAINERS, "tamis.message.mail.cards"),
        file("a.ics"),
        lambda: (
            b"BEGIN:VCALENDAR\r\nSUMMARY:x\r\nATTACH;FILENAME=a.bin;ENCODING=BASE64:TVqQAAMA\r\nEND:VCALENDAR\r\n"
        ),
        {
            "bomb": Hostile(lambda: b"BEGIN:VCALENDAR\r\nX:" + b"\r\n " * 700_000, ("long_file",)),
            "many": Hostile(
                lambda: b"BEGIN:VCALENDAR\r\n" + b"ATTACH;ENCODING=BASE64:QUFB\r\n" * TEN_THOUSAND,
                ("archive_limit",),
            ),
        },
        {"loop": _FLAT},
    ),
)
"""Each in the helper process that reads it in earnest."""

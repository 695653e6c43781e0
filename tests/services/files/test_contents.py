"""Programs and links wherever they hide in files, and what no such file can do to us."""

from __future__ import annotations

import base64
import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import libarchive
import pypdfium2
import pytest

from tamis.message.file_names import Risk
from tamis.services.files.containers import ONENOTE
from tamis.services.files.helper import HelperPool
from tests.attachments import PDF, PROGRAM, archive
from tests.documents import qr_code

POOL = HelperPool("test-contents", processes=1, waiting=0, memory=768 * 1024 * 1024)
URL = "http://listed.example/x"


def looked(name: str, octets: bytes, **bounds: Any) -> list[dict[str, Any]]:
    """What the helper says of a file and of what is in it."""
    request = {"files": [[name, True]], "bounds": bounds}
    found = POOL.call("attachments", request, [octets], seconds=30)["objects"]
    assert isinstance(found, list)
    return found


def risks(name: str, octets: bytes) -> set[str]:
    return {risk for one in looked(name, octets) for risk in one["risks"]}


def links(name: str, octets: bytes) -> set[str]:
    return {link for one in looked(name, octets) for link in one["links"]}


# TNEF


def _attribute(name: int, data: bytes, level: int = 2) -> bytes:
    return struct.pack("<BHHI", level, name, 6, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def _property(kind: int, prop: int, data: bytes) -> bytes:
    return struct.pack("<HHII", kind, prop, 1, len(data)) + data.ljust(len(data) + -len(data) % 4, b"\0")


def tnef(name: str, octets: bytes, html: str = "") -> bytes:
    """A winmail.dat with one attachment, and a text."""
    properties = struct.pack("<I", 1) + _property(0x1F, 0x3707, name.encode("utf-16-le") + b"\0\0")
    body = struct.pack("<I", 1) + _property(0x102, 0x1013, html.encode())
    return (
        b"\x78\x9f\x3e\x22\x01\x00"
        + (_attribute(0x9003, body, 1) if html else b"")
        + _attribute(0x9002, b"\0" * 14)
        + _attribute(0x8010, b"SHORT~1.BIN\0")
        + _attribute(0x800F, octets)
        + _attribute(0x9005, properties)
    )


def onenote(*files: bytes, name: str = "") -> bytes:
    """A OneNote section with files embedded."""
    store = b"".join(
        bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
        + struct.pack("<QIQ", len(one), 0, 0)
        + one
        + b"\0" * 16
        for one in files
    )
    return ONENOTE + b"\0" * 200 + name.encode("utf-16-le") + b"\0" * 8 + store


def rtf_package(name: str, octets: bytes) -> bytes:
    """RTF with an OLE package."""
    native = b"\x02\0" + name.encode() + b"\0C:\\" + name.encode() + b"\0\0\0\x03\0"
    path = f"C:\\{name}\0".encode()
    native += struct.pack("<I", len(path)) + path + struct.pack("<I", len(octets)) + octets
    data = struct.pack("<III", 0x501, 2, 8) + b"Package\0" + struct.pack("<III", 0, 0, len(native)) + native
    return b"{\\rtf1{\\object\\objemb{\\*\\objdata " + data.hex().encode() + b"}}}"


def message(body: str, kind: str = "text/html", name: str = "") -> bytes:
    named = f"Content-Disposition: attachment; filename={name}\r\n" if name else ""
    return (
        f"From: a@sender.example\r\nTo: b@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n"
        f"{named}Content-Transfer-Encoding: base64\r\n\r\n{base64.encodebytes(body.encode('latin-1')).decode()}"
    ).encode()


def pdf_with(name: str, octets: bytes) -> bytes:
    """A PDF document with a file embedded."""
    document = pypdfium2.PdfDocument.new()
    document.new_page(200, 200)
    document.new_attachment(name).set_data(octets)
    made = io.BytesIO()
    document.save(made)
    document.close()
    return made.getvalue()


def iso(name: str, octets: bytes) -> bytes:
    """A disk image."""
    made = io.BytesIO()

    def write(piece: bytes) -> int:
        made.write(piece)
        return len(piece)

    with libarchive.custom_writer(write, "iso9660") as file:
        file.add_file_from_memory(name, len(octets), octets)
    return made.getvalue()


def docx(**parts: str) -> bytes:
    """An office document of these parts; "_" stands for "/" in their names, "__" for "."."""
    files = {"[Content_Types].xml": b"<Types/>"}
    files |= {name.replace("__", ".").replace("_", "/"): text.encode() for name, text in parts.items()}
    return archive(files)


def _relationship(kind: str, target: str) -> str:
    return (
        f'<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        f'relationships/{kind}" Target="{target}" TargetMode="External"/></Relationships>'
    )


def local_zip(name: str, octets: bytes) -> bytes:
    """A ZIP of a local header alone."""
    return struct.pack(
        "<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, len(octets), len(octets), len(name), 0
    ) + (name.encode() + octets)


def stored(files: dict[str, bytes]) -> bytes:
    """A ZIP in which nothing is packed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, octets in files.items():
            file.writestr(name, octets)
    return made.getvalue()


def renamed_in_directory(octets: bytes, old: bytes, new: bytes) -> bytes:
    """A ZIP whose directory has another name than its local header."""
    head, directory = octets[: octets.index(b"PK\x01\x02")], octets[octets.index(b"PK\x01\x02") :]
    return head + directory.replace(old, new)


ISO = iso("run.bin", PROGRAM)
PROGRAM_64 = base64.b64encode(PROGRAM + bytes(300)).decode()

HIDDEN: dict[str, tuple[str, bytes]] = {
    "winmail.dat": ("winmail.dat", tnef("invoice.exe", PROGRAM)),
    "winmail.dat called otherwise": ("letter.pdf", tnef("x.bin", PROGRAM)),
    "archive in winmail.dat": ("winmail.dat", tnef("a.zip", archive({"x.bin": PROGRAM}))),
    "OneNote": ("notes.one", onenote(b"hello", PROGRAM)),
    "RTF package": ("letter.rtf", rtf_package("x.bin", PROGRAM)),
    "RTF called .doc": ("letter.doc", rtf_package("x.bin", PROGRAM)),
    "message": ("fwd.eml", message(PROGRAM.decode("latin-1"), "application/octet-stream", "x.bin")),
    "message without a name": ("", message(PROGRAM.decode("latin-1"), "application/octet-stream", "x.bin")),
    "message in a ZIP": (
        "a.zip",
        archive({"fwd.eml": message(PROGRAM.decode("latin-1"), "application/x", "x.bin")}),
    ),
    "PDF": ("letter.pdf", pdf_with("x.bin", PROGRAM)),
    "ISO": ("disk.iso", ISO),
    "ISO that begins like an image": ("a.gif", b"GIF89a" + ISO[6:]),
    "ISO that begins like a document": ("a.pdf", b"%PDF-1.4" + ISO[8:]),
    "ISO in a ZIP": ("a.zip", archive({"disk.img": ISO})),
    "ZIP behind junk": ("a.zip", b"junk in front" + archive({"x.bin": PROGRAM})),
    "ZIP behind an image": ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(500) + archive({"x.bin": PROGRAM})),
    "first of two ZIPs": ("a.zip", archive({"x.bin": PROGRAM}) + archive({"readme.txt": b"hello"})),
    "second of two ZIPs": ("a.zip", archive({"readme.txt": b"hello"}) + archive({"x.bin": PROGRAM})),
    "left out of the directory": ("a.zip", local_zip("x.bin", PROGRAM) + archive({"readme.txt": b"hello"})),
    "7z behind junk": ("a.7z", b"junk" * 30 + b"7z\xbc\xaf\x27\x1c\x00 broken"),
    "data: in a page": (
        "a.html",
        f'<html><a download="x.exe" href="data:application/octet-stream;base64,{PROGRAM_64}">x</a>'.encode(),
    ),
    "ZIP behind a PDF": ("a.pdf", PDF + archive({"x.bin": PROGRAM})),
    "string in a page": ("a.html", f"<html><script>var a='{PROGRAM_64}'</script>".encode()),
    "invitation": (
        "a.ics",
        f"BEGIN:VCALENDAR\r\nATTACH;FILENAME=x.bin;ENCODING=BASE64;VALUE=BINARY:{PROGRAM_64}\r\n".encode(),
    ),
}


@pytest.mark.parametrize("place", sorted(HIDDEN))
def test_a_program_is_found_in_each_place(place: str) -> None:
    found = risks(*HIDDEN[place])
    if "broken" in str(HIDDEN[place][1][-8:]):
        assert found & {Risk.BROKEN_ARCHIVE, Risk.AMBIGUOUS_ARCHIVE}
    else:
        assert Risk.EXECUTABLE_IN_ARCHIVE in found, found


def test_names_that_do_not_agree() -> None:
    zipped = archive({"readme.txt": b"hello"})
    for octets in (
        renamed_in_directory(zipped, b"readme.txt", b"readme.exe"),
        renamed_in_directory(archive({"readme.exe": b"hello"}), b"readme.exe", b"readme.txt"),
    ):
        assert {Risk.AMBIGUOUS_ARCHIVE, Risk.EXECUTABLE_IN_ARCHIVE} <= risks("a.zip", octets)
    assert risks("a.zip", zipped) == set()


def test_ordinary_files_are_not_suspected() -> None:
    assert risks("letter.pdf", PDF) == set()
    assert risks("a.zip", archive({"a.txt": b"hello", "b/c.csv": b"1,2", "b/": b""})) == set()
    assert risks("a.docx", docx(word_document__xml="<w:document/>")) == set()
    assert risks("page.txt", b"<p>no script</p>") == set()
    book = stored({"mimetype": b"application/epub+zip", "a.xhtml": b"<html><p>hello</p></html>"})
    assert risks("book.epub", book) == set()
    assert risks("book.zip", book) == {Risk.RISKY_NAME}
    assert risks("data.dat", b"x" * 1080 + b"\x53\xef\x01\0" + b"y" * 3000) <= {Risk.NOT_READ}
    assert risks("list.csv", b"name,value\r\n=SUM(A1:A2),-1\r\n") == set()
    generator = random.Random(7)
    for _ in range(300):
        assert risks("report.pdf", generator.randbytes(700)) <= {Risk.NOT_READ}


def test_what_documents_do() -> None:
    linked = docx(word__rels_document__xml__rels=_relationship("hyperlink", URL))
    assert (risks("a.docx", linked), links("a.docx", linked)) == (set(), {URL})
    coded = docx(word__rels_document__xml__rels=_relationship("hyperlink", URL.replace("h", "&#104;", 1)))
    assert URL in links("a.docx", coded)
    wide = _relationship("hyperlink", URL).encode("utf-16")
    wide_rels = archive({"[Content_Types].xml": b"<Types/>", "word/_rels/document.xml.rels": wide})
    assert URL in links("a.docx", wide_rels)
    pieces = f"<w:p><w:t>see {URL[:13]}</w:t><w:b/><w:t>{URL[13:]}</w:t></w:p>"
    assert URL in links("a.docx", docx(word_document__xml=pieces))
    assert URL in links("a.xlsx", docx(xl_sharedStrings__xml=f"<si><t>{URL}</t></si>"))
    assert URL in links("a.xlsx", docx(xl_connections__xml=f'<webPr url="{URL}"/>'))
    named = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>'
    assert links("a.docx", docx(word_document__xml=named)) == set()
    remote = docx(word__rels_settings__xml__rels=_relationship("attachedTemplate", URL))
    assert Risk.REMOTE_TEMPLATE in risks("a.docx", remote)
    assert URL in links("a.docx", remote)
    fields = '<w:instrText>DDEAU</w:instrText><w:instrText>TO "c:\\x" "/k calc"</w:instrText>'
    assert Risk.DDE in risks("a.docx", docx(word_document__xml=fields))
    field = f'<w:instrText xml:space="preserve"> HYPERLINK "{URL}" </w:instrText>'
    assert URL in links("a.docx", docx(word_document__xml=field))
    assert Risk.MACRO in risks("a.xlsm", docx(xl_macrosheets_sheet1__xml="<x/>"))
    assert Risk.DDE in risks("a.csv", b"a,b\r\n=cmd|' /C calc'!A0\r\n")


HEADS = (
    *(
        b"%PDF-1.4\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"GIF89a",
        b"{\\rtf1 }",
        b"\x78\x9f\x3e\x22\x01\0",
        ONENOTE,
    ),
    *(b"<b></b>**ACE**", b"DAA\0", b"KDMV", b"<!--".ljust(32) + b"NXSB -->", b"PK\x03\x04", b"\x1f\x8b\x08"),
)
"""What a page may begin with, to be taken for something else by who looks at that; a browser shows it all the same."""


def test_what_pages_do() -> None:
    smuggling = (
        b"<html><script>var b=new Blob([atob('AAAA')]);a.href=URL.createObjectURL(b);a.download='x';a.click()"
        b"</script>"
    )
    assert Risk.SMUGGLING in risks("a.html", smuggling)
    assert Risk.SMUGGLING in risks("a.zip", archive({"a.svg": b"<svg>" + smuggling + b"</svg>"}))
    assert Risk.ACTIVE_IMAGE in risks("a.svg", b"<svg xmlns='x'><script>alert(1)</script></svg>")
    assert Risk.ACTIVE_IMAGE in risks("a.svg", b"<svg onload='location=1'></svg>")
    assert risks("a.svg", b"<svg><rect width='1'/></svg>") == {Risk.RISKY_NAME}
    assert risks("a.html", b"<html><p>hello</p>") == {Risk.RISKY_NAME}


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        *(("page.html", head + f'<a href="{URL[5:]}">x</a>'.encode()) for head in HEADS),
        ("data.json", b'{"to": "' + URL.replace("/", "\\/").encode() + b'"}'),
        ("winmail.dat", tnef("a.txt", b"x", f'<a href="{URL}">x</a>')),
        ("a.zip", archive({"a.html": f'<a href="{URL}">x</a>'.encode()})),
        ("a.zip", archive({"fwd.eml": message(f'<a href="{URL}">x</a>')})),
        ("fwd.eml", message(f'<a href="{URL}">x</a>')),
        ("page.mht", message(f'<a href="{URL}">x</a>')),
        ("a.zip", archive({"a.url": f"[InternetShortcut]\r\nURL={URL}\r\n".encode()})),
        ("a.one", onenote(b"x") + URL.encode("utf-16-le")),
        ("a.lnk", b"L\0\0\0\x01\x14\x02\0" + bytes(60) + URL.encode("utf-16-le")),
    ],
)
def test_links_within_files(name: str, octets: bytes) -> None:
    assert {URL, URL[5:]} & links(name, octets)


def _pdf_objects(*objects: bytes) -> bytes:
    """A PDF document of a page and of these objects, as they stand."""
    document = pypdfium2.PdfDocument.new()
    document.new_page(200, 200)
    made = io.BytesIO()
    document.save(made)
    document.close()
    return made.getvalue() + b"\n".join(objects)


@pytest.mark.parametrize(
    "written",
    [
        f"9 0 obj <</S/URI/URI({URL})>> endobj".encode(),
        b"9 0 obj <</S/URI/URI<" + URL.encode().hex().encode() + b">>> endobj",
        b"9 0 obj <</S/URI/URI(" + b"".join(b"\\%03o" % octet for octet in URL.encode()) + b")>> endobj",
        b"9 0 obj <</S/URI/URI(\xfe\xff" + URL.encode("utf-16-be") + b")>> endobj",
        b"9 0 obj <</Filter/FlateDecode>>stream\n"
        + zlib.compress(f"<</S/URI/URI({URL})>>".encode())
        + b"endstream",
        f"9 0 obj <</S/JavaScript/JS(app.launchURL\\('{URL}'\\))>> endobj".encode(),
        f"9 0 obj <</S/SubmitForm/F<</FS/URL/F({URL})>>>> endobj".encode(),
    ],
    ids=["plain", "hexadecimal", "octal", "UTF-16", "packed", "script", "form"],
)
def test_links_in_objects_of_a_pdf(written: bytes) -> None:
    assert any(link.startswith(URL) for link in links("a.pdf", _pdf_objects(written)))


def test_codes_in_pictures_within_files() -> None:
    made = io.BytesIO()
    qr_code(URL).save(made, "PNG")
    picture = made.getvalue()
    files = {"[Content_Types].xml": b"<Types/>", "word/media/image1.png": picture}
    assert URL in links("a.docx", archive(files))
    assert URL in links("a.zip", archive({"code.png": picture}))
    many = archive({f"{number}.png": picture[:-12] + bytes([number]) + picture[-12:] for number in range(20)})
    assert Risk.PICTURES_LEFT_OUT in risks("a.zip", many)


def test_names_in_headers_of_packed_files() -> None:
    packed = gzip.compress(b"hello", mtime=0)
    named = packed[:3] + b"\x08" + packed[4:10] + b"run.exe\0" + packed[10:]
    assert Risk.EXECUTABLE_IN_ARCHIVE in risks("letter.txt.gz", named)
    extra = struct.pack("<HHBI", 0x7075, 5 + len("run.exe"), 1, 0) + b"run.exe"
    local = (
        struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 1, 1, 5, len(extra))
        + b"a.txt"
        + extra
        + b"x"
    )
    assert Risk.EXECUTABLE_IN_ARCHIVE in risks("a.zip", local + archive({"b.txt": b"y"}))


def test_onenote_names() -> None:
    assert Risk.EXECUTABLE_IN_ARCHIVE in risks("a.one", onenote(b"plain", name="Open me.hta"))
    assert Risk.EMBEDDED_FILE in risks("a.one", onenote(b"plain"))


LARGE: dict[str, Callable[[], bytes]] = {
    "TNEF attributes": lambda: b"\x78\x9f\x3e\x22\x01\x00" + _attribute(0x8010, b"x") * 10_000,
    "TNEF attachments": lambda: (
        b"\x78\x9f\x3e\x22\x01\x00" + (_attribute(0x9002, b"") + _attribute(0x800F, b"x")) * 10_000
    ),
    "TNEF length": lambda: (
        b"\x78\x9f\x3e\x22\x01\x00" + struct.pack("<BHHI", 2, 0x800F, 6, 0xFFFFFFFF) + b"x" * 100_000
    ),
    "TNEF properties": lambda: tnef("a", b"x").replace(b"\0\0\0\0", b"\xff\xff\xff\xff"),
    "TNEF in TNEF": lambda: _nested_tnef(200),
    "RTF compressed": lambda: (
        b"\x78\x9f\x3e\x22\x01\x00"
        + _attribute(
            0x9003,
            struct.pack("<I", 1)
            + _property(0x102, 0x1009, bytes(8) + b"LZFu" + bytes(4) + b"\xff\x10\x0f" * 99_999),
        )
    ),
    "OneNote files": lambda: onenote(*[b"x"] * 10_000),
    "OneNote names": lambda: ONENOTE + "a.exe\0".encode("utf-16-le") * 50_000,
    "OneNote length": lambda: ONENOTE + bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + b"\xff" * 100,
    "RTF objects": lambda: b"{\\rtf1" + b"{\\object{\\*\\objdata 0105}}" * 10_000,
    "RTF groups": lambda: b"{\\rtf1" + b"{" * 500_000,
    "messages in messages": lambda: _nested_message(60),
    "message parts": lambda: (
        b"From: a@b.example\nSubject: x\nContent-Type: multipart/mixed; boundary=B\n" + b"\n--B\n\nx" * 10_000
    ),
    "ZIP local headers": lambda: local_zip("x", b"y") * 10_000 + archive({"a": b"b"}),
    "ZIP directories": lambda: archive({"a": b"b"}) * 3000,
    "ZIP bomb behind junk": lambda: b"junk" + archive({"zeros": bytes(50_000_000)}),
    "ZIP local bomb": lambda: local_zip("a", b"x") + archive({"zeros": bytes(50_000_000)}) * 3,
    "page strings": lambda: (
        b"<html><script>" + b"'" + b"QUFB" * 100 + b"'," * 1 + (b"'" + b"QUFB" * 100 + b"',") * 5000
    ),
    "page data": lambda: b"<html>" + b"<a href='data:application/zip;base64,UEsDBAAAAAA='>" * 10_000,
    "page in page in page": lambda: _nested_page(9),
    "open script tags": lambda: b"<svg" + b"<script " * 100_000,
    "relationships": lambda: docx(word__rels_document__xml__rels=_relationship("hyperlink", URL) * 10_000),
    "fields": lambda: docx(word_document__xml="<w:instrText>x" * 100_000),
    "invitation files": lambda: b"BEGIN:VCALENDAR\r\n" + b"ATTACH;ENCODING=BASE64:QUFB\r\n" * 10_000,
    "folded lines": lambda: b"BEGIN:VCALENDAR\r\nX:" + b"\r\n " * 300_000,
    "formulas": lambda: b"=a|" * 200_000,
    "links": lambda: b"".join(b"http://a%d.example/\n" % number for number in range(10_000)),
    "shares": lambda: b"\\\\a.b" * 100_000,
    "fields of no message": lambda: b"A: b\r\n " * 100_000,
    "PDF streams": lambda: b"%PDF-1.7\n" + b"/FlateDecode stream\n" * 20_000,
    "PDF bomb": lambda: b"%PDF-1.7\n/FlateDecode>>stream\n" + zlib.compress(b"/URI(" * 20_000_000),
    "PDF strings": lambda: b"%PDF-1.7\n" + b"/URI(" * 200_000,
    "PDF escapes": lambda: b"%PDF-1.7\n/URI(" + b"\\(" * 400_000,
    "strings": lambda: b"\0\1\2" + b"http://a.example/\0\1" * 50_000,
}


def _nested_tnef(depth: int) -> bytes:
    octets = PROGRAM
    for _ in range(depth):
        octets = tnef("winmail.dat", octets)
    return octets


def _nested_message(depth: int) -> bytes:
    octets = b"hello"
    for _ in range(depth):
        octets = (
            b"From: a@b.example\nTo: c@d.example\nSubject: x\nContent-Type: application/octet-stream; name=a.eml\n\n"
            + octets
        )
    return octets


def _nested_page(depth: int) -> bytes:
    text = "<html><script>x</script>"
    for _ in range(depth):
        text = f"<html><a href='data:application/xhtml;base64,{base64.b64encode(text.encode()).decode()}'>"
    return text.encode()


@pytest.mark.parametrize("name", sorted(LARGE))
def test_hostile_files_are_read_or_told_in_time(name: str) -> None:
    request = {"files": [["a.doc", True]], "bounds": {"seconds": 4.0}}
    answer = POOL.call("attachments", request, [LARGE[name]()], seconds=60)
    found = answer["objects"]
    assert found[0]["path"] == ["a.doc"]
    assert len(found) <= 1002
    assert answer["cpu_seconds"] < 8


def test_deep_nesting_is_told() -> None:
    assert Risk.ARCHIVE_LIMIT in risks("winmail.dat", _nested_tnef(20))


SEEDS = {
    **{name: octets for name, (_, octets) in HIDDEN.items() if len(octets) < 20_000},
    "docx": docx(
        word__rels_document__xml__rels=_relationship("hyperlink", URL), word_document__xml="<w:instrText>x"
    ),
    "tnef": tnef("a.txt", b"x" * 50, "<a href=x>"),
}


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_damaged_files_are_read_or_told(name: str) -> None:
    """Cut anywhere, with octets changed, doubled and left out; 40 of each kind, always the same ones."""
    octets = SEEDS[name]
    generator = random.Random(name)
    files = []
    for _ in range(40):
        damaged = bytearray(
            octets[: generator.randrange(len(octets) + 1)] if generator.random() < 0.4 else octets
        )
        for _ in range(generator.randrange(6)):
            if damaged:
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        if generator.random() < 0.3 and damaged:
            at = generator.randrange(len(damaged))
            damaged[at:at] = damaged[at : at + generator.randrange(200)]
        files.append(bytes(damaged))
    answer = POOL.call(
        "attachments", {"files": [["a", True]] * len(files), "bounds": {"seconds": 30}}, files, seconds=60
    )
    assert sum(one["path"] == ["a"] for one in answer["objects"]) == len(files)


def test_zip_library_agrees_on_ordinary_archives() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(50):
            file.writestr(f"dir/é{number}.txt", b"x" * number)
    found = looked("a.zip", made.getvalue())
    assert len(found) == 51
    assert found[0]["risks"] == []


def test_of_many_pictures_in_an_archive_some_are_read_and_nobody_knows_which() -> None:
    """Albums are honest, so what is left out is told and adds nothing by itself."""
    made = io.BytesIO()
    qr_code(URL).save(made, "PNG")
    album = archive({f"{n}.png": made.getvalue() for n in range(20)})
    chosen = set()
    for _ in range(4):
        found = looked("album.zip", album)
        chosen.add(tuple(one["path"][1] for one in found if one["links"]))
        assert sum(bool(one["links"]) for one in found) == 8
        assert sum("pictures_left_out" in one["risks"] for one in found) == 12
    assert len(chosen) > 1


def test_documents_that_start_programs_or_carry_code() -> None:
    launch = PDF.replace(b"<<>>\nendobj", b"<</OpenAction<</S/Launch/F(cmd.exe)>>>>\nendobj", 1)
    assert Risk.DDE in risks("a.pdf", launch)
    files = {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<x/>"}
    assert risks("a.odt", archive(files)) == set()
    assert Risk.MACRO in risks("a.odt", archive(files | {"Basic/Standard/Module1.xml": b"Sub x"}))


def test_files_encoded_in_text() -> None:
    lines = base64.encodebytes(PROGRAM * 3).decode()
    for text in (f"Save this:\n{lines}", f"begin-base64 644 run.exe\n{lines}====\n"):
        assert Risk.EXECUTABLE_IN_ARCHIVE in risks("readme.txt", text.encode())


def test_every_message_of_a_mailbox_file() -> None:
    """RFC 4155."""
    first = message("<p>hello</p>").decode("latin-1")
    last = message(f'<a href="{URL}">x</a>').decode("latin-1")
    program = message(PROGRAM.decode("latin-1"), "application/octet-stream", "run.exe").decode("latin-1")
    box = "".join(
        f"From a@sender.example Sun Mar  1 12:00:00 2026\r\n{one}\r\n" for one in (first, program, last)
    )
    assert URL in links("old.mbox", box.encode("latin-1"))
    assert Risk.EXECUTABLE_IN_ARCHIVE in risks("old.mbox", box.encode("latin-1"))
    many = f"From a@sender.example Sun Mar  1 12:00:00 2026\r\n{first}\r\n" * 101
    assert Risk.NOT_READ in risks("old.mbox", many.encode("latin-1"))


def test_a_name_ends_where_some_programs_end_it() -> None:
    assert Risk.DANGEROUS_NAME in risks("run.exe\0.txt", b"hello")

"""PDF documents (S22): text, links, codes, scanned pages, and hostile files."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tamis.base.errors import ServiceError
from tamis.contract.finding import Status
from tamis.contract.service_protocols import FileFacts, Services
from tamis.filters.image_text import ImageText
from tamis.filters.shared.attached import files_of
from tamis.message.mail import Mail
from tamis.services.files import reader as file_reader
from tamis.services.files.attachments import inspect
from tamis.services.files.reader import FileReader
from tamis.services.files.reading import read_job
from tamis.settings import ImageSettings
from tests.answering import looked
from tests.attachments import letter
from tests.builders import message
from tests.documents import pdf, qr_code, scanned, written
from tests.memory_state import MemoryState
from tests.services.files.test_images import NO_OCR, picture, saved


def invoice(canvas: Canvas) -> None:
    """Text, a link that pretends, and a QR code."""
    canvas.drawString(100, 700, "Your invoice is due, see http://bills.example.net/now")
    canvas.drawString(100, 600, "www.example.com")
    canvas.linkURL("https://pay.example.org/x", (95, 590, 300, 615))
    canvas.linkURL("javascript:alert(1)", (95, 490, 300, 515))
    canvas.drawImage(ImageReader(qr_code("https://login.example.org/")), 100, 300, 120, 120)


def read(octets: bytes, **request: Any) -> FileFacts:
    (facts,) = read_job(NO_OCR | request, [octets])["files"]
    return FileFacts(**facts)


def raw_pdf(content: bytes, media_box: str = "0 0 595 842", more: str = "", objects: bytes = b"") -> bytes:
    """A document by hand, for what no program writes."""
    stream = zlib.compress(content)
    return (
        (
            f"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
            f"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
            f"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[{media_box}]/Contents 4 0 R{more}>>endobj\n"
            f"4 0 obj<</Length {len(stream)}/Filter/FlateDecode>>stream\n"
        ).encode()
        + stream
        + b"\nendstream endobj\n"
        + objects
        + b"trailer<</Root 1 0 R>>\n%%EOF\n"
    )


def test_text_links_and_codes_of_the_first_pages() -> None:
    facts = read(pdf(invoice, written("second page"), written("third page"), written("fourth page")))
    assert "Your invoice is due" in facts.text
    assert "third page" in facts.text
    assert "fourth page" not in facts.text
    assert list(facts.links) == [["https://pay.example.org/x", "www.example.com"]]
    assert list(facts.codes) == ["https://login.example.org/"]
    assert facts.problem == ""


def test_a_password_is_told() -> None:
    locked = pdf(invoice, encrypt=StandardEncryption("secret", ownerPassword="owner"))
    assert read(locked).problem == "encrypted"
    (file,) = inspect(files_of(Mail(letter({"locked.pdf": locked}))))
    assert file["risks"] == ["encrypted_document"]
    only_printing = pdf(invoice, encrypt=StandardEncryption("", ownerPassword="owner"))
    assert "Your invoice is due" in read(only_printing).text  # anybody can open it
    (file,) = inspect(files_of(Mail(letter({"open.pdf": only_printing}))))
    assert file["risks"] == []


def test_documents_are_known_by_content_type_and_name() -> None:
    octets = pdf(invoice)
    late = b"\n" * 600 + octets  # readers' programs look for the mark in the first KiB
    for files, kind in (
        ({"a.bin": octets}, "application/octet-stream"),
        ({"a.pdf": late}, "application/octet-stream"),
        ({"a": late}, "application/pdf"),
    ):
        assert len(Mail(letter(files, kind=kind)).documents) == 1
    assert Mail(b"Content-Type: text/plain\n\nThe mark of a PDF is %PDF-1.4\n").documents == ()


def test_broken_documents_end_in_an_answer() -> None:
    good = pdf(invoice, scanned("text"))
    generator = random.Random(7)
    for _ in range(80):
        broken = bytearray(good[: generator.randrange(20, len(good))])
        for _ in range(10):
            broken[generator.randrange(len(broken))] = generator.randrange(256)
        read(bytes(broken))


@pytest.mark.parametrize(
    "box", ["0 0 0 0", "0 0 1e9 1e9", "0 0 1 99999", "-5 -5 -1 -1", "0 0 0.0001 0.0001", "x y z"]
)
def test_odd_pages_end_in_an_answer(box: str) -> None:
    read(raw_pdf(b"BT ET", box))


def test_a_page_that_takes_for_ever_is_left_in_time() -> None:
    """Each curve is an object of its own; rendering all of them takes many times the bound."""
    curves = b"".join(b"0 0 m %d %d 9 900 595 842 c S\n" % (n % 595, n % 842) for n in range(250_000))
    begun = time.process_time()
    facts = read(raw_pdf(curves), seconds=1.0)
    assert facts.problem == "no time left to read it"
    assert time.process_time() - begun < 10


def test_a_document_that_kills_its_reader_costs_images_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deadly(self: FileReader, files: list[bytes], seconds: float) -> list[FileFacts]:
        if any(octets.startswith(b"%PDF") for octets in files):
            raise ServiceError("a helper process is lost")
        return await real(self, files, seconds)

    real = FileReader._read
    monkeypatch.setattr(FileReader, "_read", deadly)
    image, document = saved(picture()), pdf(invoice)
    reader = FileReader(ImageSettings(ocr=False))
    seen, lost = asyncio.run(reader.read([image, document], MemoryState()))
    assert seen.perceptual
    assert lost.problem == "a helper process is lost"
    with pytest.raises(ServiceError):
        asyncio.run(reader.read([document], MemoryState()))


def test_memory_is_bounded_outside_of_python_as_well() -> None:
    """An image of 65,000 x 65,000 pixels in a page: what it would take is never had, and the next file is read."""
    packer = zlib.compressobj(1)
    line = bytes(65_000 // 8 * 100)
    pixels = b"".join(packer.compress(line) for _ in range(650)) + packer.flush()
    image = (
        b"5 0 obj<</Type/XObject/Subtype/Image/Width 65000/Height 65000/BitsPerComponent 1/ColorSpace/DeviceGray"
        b"/Filter/FlateDecode/Length %d>>stream\n" % len(pixels)
    )
    bomb = raw_pdf(
        b"595 0 0 842 0 0 cm /I Do",
        more="/Resources<</XObject<</I 5 0 R>>>>",
        objects=image + pixels + b"\nendstream endobj\n",
    )
    reader, state = FileReader(ImageSettings(ocr=False, seconds=5)), MemoryState()
    with contextlib.suppress(ServiceError):
        asyncio.run(reader.read([bomb], state))
    (facts,) = asyncio.run(reader.read([pdf(invoice)], state))
    assert "invoice" in facts.text
    helper = file_reader._POOL._idle[-1]._process.pid
    peak = int(Path(f"/proc/{helper}/status").read_text().partition("VmHWM:")[2].split()[0])
    assert peak < 512 * 1024  # KiB; without the bound it is more than 600 MiB


@pytest.mark.real
def test_scanned_pages_are_read_within_the_same_job() -> None:
    told = message(letter({"scan.pdf": pdf(scanned("CHEAP PILLS"), scanned("Votre commande"))}))
    told.services = Services(reader=FileReader(ImageSettings(seconds=25)))
    look = looked(ImageText(), told)
    assert look.finding is not None
    assert look.finding.status is Status.CLEAR
    assert "CHEAP PILLS" in look.seen.text
    assert "Votre commande" in look.seen.text


def test_a_document_is_read_once() -> None:
    state, octets = MemoryState(), pdf(invoice)
    reader = FileReader(ImageSettings(ocr=False))
    (first,) = asyncio.run(reader.read([octets], state))
    assert asyncio.run(reader.remembered([octets], state)) == [first]
    assert asyncio.run(FileReader(ImageSettings(ocr=False, pages=1)).remembered([octets], state)) == []

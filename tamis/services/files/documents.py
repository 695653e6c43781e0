"""PDF documents read: text, links, QR codes. Runs in a helper process only (see helper.py).

PDFium is the reader of Chromium: the one library with a free licence (BSD, Apache) that both gives text and renders
pages, for the scanned ones, and whose parsers are fuzzed all the time. Its memory is outside of Python's, so the
process's bound holds for it as well; rendering stops by itself when the time is up.
"""

from __future__ import annotations

import ctypes
import random
import time
from collections.abc import Iterator
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image

from tamis.message.mail.defects import DefectKind
from tamis.message.mail.sampling import Some, some_of
from tamis.services.files.images import TEXT_CHARACTERS, codes_in, kept_codes, kept_text, text_in
from tamis.services.files.pdf_links import pdf_links

_PAGE_SIDE = 2000  # pixels of a page's longer side: 170 dpi of A4, enough for OCR of common sizes
_SCANNED = 20  # characters of text below which a page is taken for a picture
_MAX_LINKS = 60  # links of one document; beyond: by lot, `long_file`
_PAGE_LINKS = 200  # links of one page whose text is read; beyond: by lot, `long_file`
_LINKS_COUNTED = 20_000  # links of one page of which those are; beyond: not looked at, `long_file`
_LOTS = random.SystemRandom()
_URL_CHARACTERS = 8192  # characters of a document's link; beyond: left out, `long_file`
_SHOWN_CHARACTERS = 200
"""Characters of the text under a link. Beyond: cut: no address that people read is longer."""
_SCHEMES = ("http://", "https://", "ftp://")
_NO_TIME = "no time left to read it"


def read_document(octets: bytes, languages: tuple[str, ...], pages: int, until: float) -> dict[str, Any]:
    """Text, QR codes and links ([target, text]) of the first pages; or the problem."""
    try:
        document = pdfium.PdfDocument(octets)
    except pdfium.PdfiumError as error:
        return {
            "problem": "encrypted" if error.err_code == raw.FPDF_ERR_PASSWORD else f"broken: {error}"[:100]
        }
    pieces: list[str] = []
    codes: list[str] = []
    links: list[list[str]] = []
    problem = ""
    cuts: list[str] = []
    try:
        if len(document) > pages:
            cuts.append(DefectKind.LONG_FILE)
        for number in range(min(len(document), pages)):
            if time.monotonic() > until:
                problem = _NO_TIME
                break
            try:
                page = document[number]
                text = page.get_textpage()
                words = " ".join(text.get_text_range(0, min(text.count_chars(), TEXT_CHARACTERS + 1)).split())
                on_page = _links(document, page, text)
                links += on_page.items
                cuts += [DefectKind.LONG_FILE] * on_page.is_cut
                image = _rendered(page, until)
                if image is None:
                    problem = _NO_TIME
                else:
                    codes += codes_in(image)
                    if len(words) < _SCANNED and languages:
                        told = text_in(image, languages, until)
                        words = f"{words} {told.get('text', '')}".strip()
                        problem = told.get("problem", "") or problem
                        cuts += told["cuts"]
                pieces.append(words)
                page.close()
            except (pdfium.PdfiumError, ValueError) as error:  # this page's, perhaps not the next one's
                problem = f"broken: {error}"[:100]
    finally:
        document.close()
    elsewhere = pdf_links(octets)
    known = {target for target, _ in links}
    links += ([target, ""] for target in elsewhere.found if target not in known)
    some = some_of(links, _MAX_LINKS, _LOTS)
    found = kept_text("\n".join(piece for piece in pieces if piece)), kept_codes(codes)
    cuts += [DefectKind.LONG_FILE] * (some.is_cut or elsewhere.cut)
    return {
        "text": found[0]["text"],
        "codes": found[1]["codes"],
        "links": some.items,
        "problem": problem,
        "cuts": sorted({*cuts, *found[0]["cuts"], *found[1]["cuts"]}),
    }


def _links(document: pdfium.PdfDocument, page: pdfium.PdfPage, text: pdfium.PdfTextPage) -> Some[list[str]]:
    """The link annotations that lead to the network (ISO 32000-2 12.5.6.5): target, and the text beneath; of many
    some by lot."""
    some = some_of(_annotations(page), _PAGE_LINKS, _LOTS)
    found: list[list[str]] = []
    is_cut = some.is_cut
    for link in some.items:
        action = raw.FPDFLink_GetAction(link)
        size = raw.FPDFAction_GetURIPath(document, action, None, 0)
        is_cut |= size > _URL_CHARACTERS
        if not 1 < size <= _URL_CHARACTERS:
            continue
        octets = ctypes.create_string_buffer(size)
        raw.FPDFAction_GetURIPath(document, action, octets, size)
        target = octets.value.decode("utf-8", "replace").strip()
        if not target.lower().startswith(_SCHEMES):
            continue
        shown, corners = "", raw.FS_RECTF()
        if raw.FPDFLink_GetAnnotRect(link, corners):
            shown = text.get_text_bounded(corners.left, corners.bottom, corners.right, corners.top)
        found.append([target, " ".join(shown.split())[:_SHOWN_CHARACTERS]])
    return Some(found, is_cut)


def _annotations(page: pdfium.PdfPage) -> Iterator[Any]:
    place = ctypes.c_int(0)
    for _ in range(_LINKS_COUNTED):
        link = raw.FPDF_LINK()
        if not raw.FPDFLink_Enumerate(page, place, link):
            return
        yield link


def _rendered(page: pdfium.PdfPage, until: float) -> Image.Image | None:
    """The page as a grey picture; None when the time is up before it is finished."""
    longer = max(page.get_size())
    if longer <= 0:
        raise ValueError("a page without a size")
    width, height = (max(1, round(side * _PAGE_SIDE / longer)) for side in page.get_size())
    bitmap = pdfium.PdfBitmap.new_native(width, height, raw.FPDFBitmap_Gray)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
    pause = raw.IFSDK_PAUSE(version=1)
    late = type(pause.NeedToPauseNow)(lambda _: time.monotonic() > until)
    pause.NeedToPauseNow = late
    flags = raw.FPDF_GRAYSCALE | raw.FPDF_ANNOT
    try:
        status = raw.FPDF_RenderPageBitmap_Start(bitmap, page, 0, 0, width, height, 0, flags, pause)
    finally:
        raw.FPDF_RenderPage_Close(page)
    return bitmap.to_pil() if status == raw.FPDF_RENDER_DONE else None

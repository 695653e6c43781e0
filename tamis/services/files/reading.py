"""The helper's job of reading images and documents (see helper.py)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tamis.message.mail.defects import DefectKind
from tamis.message.mail.drawings import PAGE, TILES, is_svg
from tamis.message.mail.part import is_pdf
from tamis.services.files.documents import read_document
from tamis.services.files.drawn import joined, pictures_of, svg_picture
from tamis.services.files.images import codes_drawn, read_image, read_picture


def read_job(request: Mapping[str, Any], blobs: Sequence[bytes]) -> dict[str, Any]:
    """`seconds` for all files, `languages` for OCR (none: no OCR), `pages` of a document; one answer a file."""
    until = time.monotonic() + float(request["seconds"])
    languages = tuple(request["languages"])
    files = []
    for octets in blobs:
        seen: dict[str, Any] = {
            "sha256": hashlib.sha256(octets).hexdigest(),
            "perceptual": "",
            "text": "",
            "codes": [],
            "links": [],
            "problem": "",
            "cuts": [],
        }
        if octets.startswith(PAGE):
            seen |= _drawn_codes(octets, until)
        elif octets.startswith(TILES):
            seen |= codes_drawn(joined(octets), until)
        elif is_svg(octets):
            picture = svg_picture(octets)
            seen |= {"problem": "no image"} if picture is None else read_picture(picture, languages, until)
        elif is_pdf(octets):
            seen |= read_document(octets, languages, int(request["pages"]), until)
        else:
            seen |= read_image(octets, languages, until)
        files.append(seen)
    return {"files": files}


def _drawn_codes(octets: bytes, until: float) -> dict[str, Any]:
    """What QR codes that are drawn in a page say."""
    cuts: set[str] = set()
    pictures = pictures_of(octets, until, lambda: cuts.add(DefectKind.TOO_MANY_IMAGES))
    found = codes_drawn(pictures, until)
    return found | {"cuts": sorted({*found["cuts"], *cuts})}

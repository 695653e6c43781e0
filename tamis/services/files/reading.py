"""The helper's job of reading images and documents (see helper.py)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tamis.message.mail.mime import is_pdf
from tamis.services.files.documents import read_document
from tamis.services.files.images import read_image


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
        }
        if is_pdf(octets):
            seen |= read_document(octets, languages, int(request["pages"]), until)
        else:
            seen |= read_image(octets, languages, until)
        files.append(seen)
    return {"files": files}

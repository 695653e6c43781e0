"""Images fingerprinted, their text and QR codes read. Runs in a helper process only (see helper.py)."""

from __future__ import annotations

import io
import random
import time
import warnings
from collections.abc import Iterable
from functools import cache
from typing import Any

import zxingcpp
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import NOT_READ
from tamis.message.mail.defects import DefectKind

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
_MAX_PIXELS = 30_000_000  # pixels of an image that is read; beyond: not read, `long_file`
_READ_SIDE = 1600  # pixels of the longer side that are read: more makes OCR slower, not better
_LEAST_WIDTH, _LEAST_HEIGHT = 60, 16  # what is smaller holds no text: icons, counters
TEXT_CHARACTERS = 4000
"""Characters that are kept of one file's text. Beyond: cut, `long_file`."""
MAX_CODES = 5
"""QR codes of one image or document. Beyond: by lot, `file_truncated`."""
_CODE_CHARACTERS = 2000  # characters of one QR code; beyond: cut, `file_truncated`
_QR = zxingcpp.barcode_formats_from_str("QRCode,MicroQRCode")
_FAINT = 128  # of 255: what differs less is made to differ more
_TINY = 240  # pixels of the longer side below which an image is enlarged
_BORDER = 16
_HASH_SIDE = 8
_TOO_LARGE = "too large"
_LOTS = random.SystemRandom()
_FLAT_BITS = 6  # a plain area has a fingerprint like every other plain area's

Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
ImageFile.LOAD_TRUNCATED_IMAGES = True  # readers' programs show them, too


def read_image(octets: bytes, languages: tuple[str, ...], until: float) -> dict[str, Any]:
    """Perceptual fingerprint, QR codes, text; or the problem. Without languages there is no OCR."""
    image = _opened(octets)
    if isinstance(image, str):
        cuts = [DefectKind.LONG_FILE] if image == _TOO_LARGE else []
        return {"problem": image, "cuts": cuts}
    return read_picture(image, languages, until)


def read_picture(image: Image.Image, languages: tuple[str, ...], until: float) -> dict[str, Any]:
    """The same of a picture that is decoded already, in grey."""
    seen: dict[str, Any] = {"perceptual": _perceptual(image)} | kept_codes(codes_in(image))
    if languages and image.width >= _LEAST_WIDTH and image.height >= _LEAST_HEIGHT:
        told = text_in(image, languages, until)
        seen |= told | {"cuts": [*seen["cuts"], *told["cuts"]]}
    return seen


def kept_codes(codes: Iterable[str]) -> dict[str, list[str]]:
    """The distinct QR codes of a file, of many some by lot, and which cuts that makes."""
    found = list(dict.fromkeys(codes))
    is_cut = len(found) > MAX_CODES or any(len(code) > _CODE_CHARACTERS for code in found)
    some = found if len(found) <= MAX_CODES else _LOTS.sample(found, MAX_CODES)
    return {
        "codes": [code[:_CODE_CHARACTERS] for code in some],
        "cuts": [DefectKind.FILE_TRUNCATED] if is_cut else [],
    }


def codes_drawn(pictures: Iterable[Image.Image], until: float) -> dict[str, list[str]]:
    """What the QR codes of several pictures say, while there is time."""
    codes: dict[str, None] = {}
    for picture in pictures:
        if time.monotonic() > until:
            return kept_codes(codes) | {"cuts": [DefectKind.FILE_TRUNCATED]}
        codes |= dict.fromkeys(codes_in(picture))
    return kept_codes(codes)


def codes_in(image: Image.Image) -> list[str]:
    """What the QR codes of an image say; faint ones with more contrast, tiny ones enlarged, on a white border."""
    if codes := _codes(image):
        return codes
    darkest, brightest = image.convert("L").getextrema()
    if not isinstance(darkest, (int, float)) or not isinstance(brightest, (int, float)):
        return []
    again = image.convert("L")
    if 0 < brightest - darkest < _FAINT:
        again = ImageOps.autocontrast(again)
    if max(again.size) < _TINY:
        factor = max(2, _TINY // max(again.size))
        again = again.resize((again.width * factor, again.height * factor), Image.Resampling.NEAREST)
        again = ImageOps.expand(again, _BORDER, 255)
    return [] if again.size == image.size and brightest - darkest >= _FAINT else _codes(again)


def _codes(image: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(image, formats=_QR) if code.text]


def fingerprint_of(octets: bytes) -> str:
    """An image's perceptual fingerprint; '' when it has none."""
    image = _opened(octets)
    return "" if isinstance(image, str) else _perceptual(image)


def _opened(octets: bytes) -> Image.Image | str:
    """The decoded first frame in grey, scaled down; or why there is none. Its size is known before it is decoded."""
    try:
        with Image.open(io.BytesIO(octets), formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                return _TOO_LARGE
            image.draft("L", (_READ_SIDE, _READ_SIDE))  # JPEG alone: decodes less
            if image.mode in {"RGBA", "LA", "PA", "P"}:  # transparent is white to most readers
                shown = image.convert("RGBA")
                white = Image.new("RGBA", shown.size, "white")
                white.alpha_composite(shown)
                grey = white.convert("L")
            else:
                grey = image.convert("L")
            grey.thumbnail((_READ_SIDE, _READ_SIDE))
            return grey
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _TOO_LARGE
    except UnidentifiedImageError:
        return "no image"
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError) as error:
        return f"broken: {type(error).__name__}"  # Pillow's decoders raise all of these


def _perceptual(image: Image.Image) -> str:
    """dHash by rows and by columns, 64 bits each: which of two neighbours is brighter, in a tiny copy."""
    bits = 0
    side = _HASH_SIDE
    rows = image.resize((side + 1, side), Image.Resampling.LANCZOS).tobytes()
    for y in range(side):
        for x in range(side):
            bits = bits << 1 | (rows[y * (side + 1) + x] < rows[y * (side + 1) + x + 1])
    columns = image.resize((side, side + 1), Image.Resampling.LANCZOS).tobytes()
    for y in range(side):
        for x in range(side):
            bits = bits << 1 | (columns[y * side + x] < columns[(y + 1) * side + x])
    return f"{bits:032x}" if _FLAT_BITS <= bits.bit_count() <= 128 - _FLAT_BITS else ""


def text_in(image: Image.Image, languages: tuple[str, ...], until: float) -> dict[str, Any]:
    """The text that OCR reads, or the problem; and what was cut."""
    import pytesseract  # noqa: PLC0415 # not needed where OCR is off

    left = until - time.monotonic()
    if left <= 0:
        return _not_read(f"{NOT_READ}: no time left")
    try:
        wanted = [language for language in languages if language in installed_languages()]
        if not wanted:
            return _not_read("none of the languages is installed")
        text = pytesseract.image_to_string(image, lang="+".join(wanted), timeout=left)
    except pytesseract.TesseractNotFoundError:
        return _not_read("tesseract is not installed")
    except (pytesseract.TesseractError, RuntimeError) as error:  # RuntimeError is its time-out
        return _not_read(f"{NOT_READ}: {str(error)[:100]}")
    return kept_text(" ".join(text.split()))


def _not_read(problem: str) -> dict[str, Any]:
    return {"problem": problem, "cuts": []}


def kept_text(text: str) -> dict[str, Any]:
    """As much of a file's text as is kept, and what cut that makes."""
    return {
        "text": text[:TEXT_CHARACTERS],
        "cuts": [DefectKind.LONG_FILE] if len(text) > TEXT_CHARACTERS else [],
    }


@cache
def installed_languages() -> frozenset[str]:
    """The languages that tesseract has here. Raises ServiceError when it fails."""
    import pytesseract  # noqa: PLC0415

    try:
        return frozenset(pytesseract.get_languages())
    except pytesseract.TesseractError as error:
        raise ServiceError(f"tesseract: {error}") from error

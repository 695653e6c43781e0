"""PDF documents and QR codes to attach, drawn when they are asked for."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, cast

import zxingcpp
from PIL import Image, ImageDraw
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

Page = Callable[[Canvas], object]
"""What draws a page."""


def pdf(*pages: Page, **how: Any) -> bytes:
    """A document. `how` is for the canvas, e.g. `encrypt`."""
    file = io.BytesIO()
    canvas = Canvas(file, invariant=1, **how)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def scanned(text: str) -> Page:
    """A page that is a picture of a text."""
    image = Image.new("L", (1240, 1754), "white")
    ImageDraw.Draw(image).text((100, 300), text, fill="black", font_size=60)
    return lambda canvas: canvas.drawImage(ImageReader(image), 0, 0, 595, 842)


def written(text: str) -> Page:
    """A page with a line of text."""
    return lambda canvas: canvas.drawString(100, 700, text)


def qr_code(text: str) -> Image.Image:
    """A picture of a QR code."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode).to_image(scale=5)
    height, width = code.shape
    return Image.frombytes("L", (width, height), bytes(cast("Any", code)))

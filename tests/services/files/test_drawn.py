"""QR codes however they are drawn: cells, characters, vectors, tiles; and what no drawing can do to us."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable

import pytest
import zxingcpp
from PIL import Image

from tamis.message.mail import Mail
from tamis.message.mail.drawings import PAGE, TILES
from tamis.services.files.helper import HelperPool

POOL = HelperPool("test-drawn", processes=1, waiting=0, memory=512 * 1024 * 1024)
URL = "http://pay.example/x1"


def modules() -> list[list[bool]]:
    """The modules of a QR code, dark ones true."""
    code = zxingcpp.create_barcode(URL, zxingcpp.BarcodeFormat.QRCode)
    image = Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=1, add_quiet_zones=False)).convert(
        "L"
    )
    return [[bool(image.getpixel((x, y)) == 0) for x in range(image.width)] for y in range(image.height)]


MODULES = modules()
SIDE = len(MODULES)


def codes(*files: bytes) -> set[str]:
    """What the helper reads."""
    request = {"seconds": 20.0, "languages": (), "pages": 1}
    return {
        code for one in POOL.call("reading", request, files, seconds=30)["files"] for code in one["codes"]
    }


def page(markup: str, kind: str = "text/html") -> Mail:
    header = f"From: a@sender.example\r\nMIME-Version: 1.0\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n"
    return Mail(header.encode() + markup.encode())


def _table(cell: Callable[[bool], str], row: str = "<tr>{}</tr>") -> str:
    rows = "".join(row.format("".join(map(cell, line))) for line in MODULES)
    return f"<p>Scan</p><table cellspacing=0 cellpadding=0>{rows}</table><p>Thanks</p>"


def _runs(line: list[bool]) -> list[tuple[bool, int]]:
    runs: list[tuple[bool, int]] = []
    for dark in line:
        if runs and runs[-1][0] is dark:
            runs[-1] = (dark, runs[-1][1] + 1)
        else:
            runs.append((dark, 1))
    return runs


def _halves(invert: bool = False) -> str:
    letters = {(False, False): " ", (True, False): "\u2580", (False, True): "\u2584", (True, True): "\u2588"}
    quiet = [[False] * (SIDE + 4)] * 2
    lines = [*quiet, *([False] * 2 + line + [False] * 2 for line in MODULES), *quiet]
    lines += quiet[: len(lines) % 2]
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return "\n".join(
        "".join(letters[a ^ invert, b ^ invert] for a, b in zip(*pair, strict=True)) for pair in pairs
    )


def _braille() -> str:
    bits = {(0, 0): 1, (0, 1): 2, (0, 2): 4, (1, 0): 8, (1, 1): 16, (1, 2): 32, (0, 3): 64, (1, 3): 128}

    def letter(left: int, top: int) -> str:
        dark = (bit for (x, y), bit in bits.items() if _dark(left + x, top + y))
        return chr(0x2800 + sum(dark))

    return "\n".join("".join(letter(x, y) for x in range(0, SIDE, 2)) for y in range(0, SIDE, 4))


def _dark(x: int, y: int) -> bool:
    return x < SIDE and y < SIDE and MODULES[y][x]


def _image(dark: int = 0, light: int = 255, scale: int = 4) -> Image.Image:
    image = Image.new("L", (SIDE + 8, SIDE + 8), light)
    for y, line in enumerate(MODULES):
        for x, is_dark in enumerate(line):
            image.putpixel((x + 4, y + 4), dark if is_dark else light)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def _png(image: Image.Image) -> bytes:
    made = io.BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


_PLACED = "".join(
    f'<div style="position:absolute;left:{5 * x}px;top:{5 * y}px;width:5px;height:5px;background:#000"></div>'
    for y, line in enumerate(MODULES)
    for x, is_dark in enumerate(line)
    if is_dark
)
_SHADOW = ",".join(
    f"{5 * x}px {5 * y}px 0 #000"
    for y, line in enumerate(MODULES)
    for x, is_dark in enumerate(line)
    if is_dark
)
_SVG_RECTS = "".join(
    f'<rect x="{x + 4}" y="{y + 4}" width="1" height="1"/>'
    for y, line in enumerate(MODULES)
    for x, is_dark in enumerate(line)
    if is_dark
)
_SVG_PATH = "".join(
    f"M{x + 4} {y + 4}h1v1h-1z" for y, line in enumerate(MODULES) for x, is_dark in enumerate(line) if is_dark
)
_SVG = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE + 8} {SIDE + 8}">'
    '<rect width="100%" height="100%" fill="#fff"/>'
)

_DATA_SVG = base64.b64encode(f"{_SVG}{_SVG_RECTS}</svg>".encode()).decode()

PAGES: dict[str, str] = {
    "bgcolor": _table(lambda dark: f'<td width=5 height=5 bgcolor="{"#000" if dark else "#fff"}"></td>'),
    "style": _table(
        lambda dark: f'<td style="width:4px;height:4px;background-color:{"black" if dark else "white"}"></td>'
    ),
    "dark cells alone": _table(
        lambda dark: "<td style='background:#111'>&nbsp;</td>" if dark else "<td>&nbsp;</td>"
    ),
    "classes": "<style>.a{background:#000}.b{background:#fff}</style>"
    + _table(lambda dark: f'<td class="{"a" if dark else "b"}"></td>'),
    "inverted": _table(lambda dark: f'<td bgcolor="{"#ffffff" if dark else "#000000"}"></td>'),
    "faint": _table(lambda dark: f'<td bgcolor="{"#d0d0d0" if dark else "#ffffff"}"></td>'),
    "coloured": _table(lambda dark: f'<td bgcolor="{"navy" if dark else "lightyellow"}"></td>'),
    "joined cells": "<table>"
    + "".join(
        "<tr>"
        + "".join(f"<td colspan={n} bgcolor={'#000' if dark else '#fff'}></td>" for dark, n in _runs(line))
        + "</tr>"
        for line in MODULES
    )
    + "</table>",
    "wide cells": "<table>"
    + "".join(
        "<tr>"
        + "".join(f"<td width={5 * n} bgcolor={'#000' if dark else '#fff'}></td>" for dark, n in _runs(line))
        + "</tr>"
        for line in MODULES
    )
    + "</table>",
    "divs": "".join(
        "<div>"
        + "".join(f'<i style="background:{"#000" if dark else "#fff"}"></i>' for dark in line)
        + "</div>"
        for line in MODULES
    ),
    "spans and line breaks": "<br>".join(
        "".join(f'<span style="background:{"#000" if dark else "#fff"}">&nbsp;</span>' for dark in line)
        for line in MODULES
    ),
    "a grid": f'<div style="display:grid;grid-template-columns:repeat({SIDE},5px)">'
    + "".join(f'<i style="background:{"#000" if dark else "#fff"}"></i>' for line in MODULES for dark in line)
    + "</div>",
    "placed": f"<div style='position:relative'>{_PLACED}</div>",
    "shadows": f'<div style="width:5px;height:5px;box-shadow:{_SHADOW}"></div>',
    "half blocks": f"<pre>{_halves()}</pre>",
    "half blocks, inverted": f"<pre>{_halves(invert=True)}</pre>",
    "blocks in cells": _table(lambda dark: f"<td>{chr(0x2588) if dark else '&nbsp;'}</td>"),
    "svg within": f"<p>x</p>{_SVG}{_SVG_RECTS}</svg>",
    "svg path": f"<p>x</p>{_SVG}<path d='{_SVG_PATH}'/></svg>",
    "data:": f'<img src="data:image/png;base64,{base64.b64encode(_png(_image())).decode()}">',
    "data:, svg": f'<img src="data:image/svg+xml;base64,{_DATA_SVG}">',
}
TEXTS: dict[str, str] = {
    "half blocks": f"Scan this:\n\n{_halves()}\n\nThanks",
    "full blocks": "\n".join("".join("\u2588\u2588" if dark else "  " for dark in line) for line in MODULES),
    "squares": "\n".join("".join("\u2b1b" if dark else "\u2b1c" for dark in line) for line in MODULES),
    "braille": _braille(),
    "letters": "\n".join("".join("##" if dark else "  " for dark in line) for line in MODULES),
}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_codes_drawn_in_markup(name: str) -> None:
    assert URL in codes(*page(PAGES[name]).drawings.found)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_codes_drawn_in_text(name: str) -> None:
    assert URL in codes(*page(TEXTS[name], "text/plain").drawings.found)


@pytest.mark.parametrize(("across", "down"), [(2, 1), (1, 2), (2, 2), (3, 3), (1, 4)])
def test_tiles_of_one_code(across: int, down: int) -> None:
    image = _image()
    width, height = image.width // across, image.height // down
    tiles = {}
    rows = []
    for y in range(down):
        row = ""
        for x in range(across):
            right = image.width if x == across - 1 else width * (x + 1)
            bottom = image.height if y == down - 1 else height * (y + 1)
            tiles[f"{x}{y}"] = _png(image.crop((width * x, height * y, right, bottom)))
            row += f'<td><img src="cid:{x}{y}"></td>'
        rows.append(f"<tr>{row}</tr>")
    parts = "".join(
        f"\r\n--B\r\nContent-Type: image/png\r\nContent-ID: <{name}>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.encodebytes(octets).decode()}"
        for name, octets in tiles.items()
    )
    mail = Mail(
        "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=B\r\n\r\n--B\r\nContent-Type: text/html\r\n\r\n"
        f"<table>{''.join(rows)}</table>{parts}\r\n--B--\r\n".encode()
    )
    assert codes(*mail.drawings.found) == {URL}


@pytest.mark.parametrize(
    "image",
    [
        _image(dark=255, light=0),
        _image(dark=200, light=235),
        _image(scale=1),
        _image(dark=90, light=140, scale=2),
    ],
    ids=["inverted", "faint", "tiny", "faint and small"],
)
def test_images_that_are_hard_to_read(image: Image.Image) -> None:
    assert codes(_png(image)) == {URL}


def test_ordinary_pages_have_nothing_drawn() -> None:
    rows = "".join(f"<tr><td class=x>{n}</td><td bgcolor=#eee>{n * n}</td></tr>" for n in range(40))
    assert page("<p>Hello</p>").drawings.found == ()
    assert page(f"<table>{rows}</table>").drawings.found == ()
    assert page("Hello\n" + "=" * 70 + "\n- a\n- b\n", "text/plain").drawings.found == ()


@pytest.mark.parametrize(
    "octets",
    [
        PAGE + b"<table>" + b"<tr>" * 50_000,
        PAGE + b"<table>" + b"<tr><td bgcolor=#000 colspan=999 rowspan=999></td>" * 3000,
        PAGE + b"<div>" * 100_000,
        PAGE
        + (b"<div>" + b"<i style='background:#000;width:99999px;height:.0001px'></i>" * 40 + b"</div>")
        * 2000,
        PAGE + b"<div style='box-shadow:" + b"9999px 9999px 0 #000," * 20_000 + b"'>",
        PAGE + b"<div style='box-shadow:" + b"1px" * 100_000 + b"'>",
        PAGE + ("\u2588" * 5000 + "\n").encode() * 500,
        PAGE + b"\xff\x00" * 100_000,
        PAGE,
        TILES + b"\xff\xff\xff\xfe",
        TILES + (b"\x00\x00\x00\x00" * 100_000),
        TILES + (len(PNG := _png(Image.new("L", (2000, 2000)))).to_bytes(4, "big") + PNG) * 24 + b"\xff" * 4,
        b"<svg>" + b"<g>" * 100_000,
        b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="99999999"/>',
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><image href="/etc/passwd"/></svg>',
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink"><g id="a">'
        + b'<use x:href="#a"/>' * 20
        + b"</g></svg>",
        b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><svg>&b;</svg>',
    ],
    ids=range(17),
)
def test_hostile_drawings_are_read_or_told_in_time(octets: bytes) -> None:
    begun = time.process_time()
    answer = POOL.call("reading", {"seconds": 5.0, "languages": (), "pages": 1}, [octets], seconds=120)
    assert answer["files"][0]["codes"] == []
    assert time.process_time() - begun < 5

"""Pictures drawn with cells, characters, shadows or vectors, and images cut into tiles, made images again.

Runs in a helper process only. Nothing is laid out as a browser would: a QR code is a grid, so grids are looked for.
"""

from __future__ import annotations

import io
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

import resvg_py
from PIL import Image, ImageColor, ImageDraw, UnidentifiedImageError
from selectolax.lexbor import LexborHTMLParser, LexborNode

from tamis.message.mail.drawings import PAGE, TILES
from tamis.message.mail.markup import FORMATTING, RENAMED
from tamis.message.mail.sampling import some_of

_SCALE = 4  # pixels of a module
_LEAST = 17  # rows of a grid: a QR code has 21, and rows may be joined
_MOST_CELLS = 40_000
"""Cells of one page, as the largest QR code has 31,329. Beyond: not drawn; `too_many_images`."""
_MOST_SIDE = 800  # modules; beyond: not drawn: no code has so many
_MOST_GRIDS = 12  # pictures of one page; beyond: by lot, `too_many_images`
_WHITE, _BLACK = 255, 0
_LOTS = random.SystemRandom()
Cut = Callable[[], None]
"""What is told that something was left out."""
_SVG_SIDE = 900
_QUIET = 4

# Which parts of a character's cell are dark: as columns x rows of halves.
_HALVES = {
    "\u2588": "1111", "\u2580": "1100", "\u2584": "0011", "\u258c": "1010", "\u2590": "0101", "\u2596": "0010",
    "\u2597": "0001", "\u2598": "1000", "\u2599": "1011", "\u259a": "1001", "\u259b": "1110", "\u259c": "1101",
    "\u259d": "0100", "\u259e": "0110", "\u259f": "0111", "\u2593": "1111", "\u2592": "1111",
}  # fmt: skip
_SQUARE_DARK = frozenset(
    "\u25a0\u2b1b\u25fc\u25fe\U0001f7e5\U0001f7e6\U0001f7e7\U0001f7e8\U0001f7e9\U0001f7ea\U0001f7eb\u26ab"
)
_SQUARE_LIGHT = frozenset("\u25a1\u2b1c\u25fb\u25fd\u26aa\u3000")
_DARK_LETTERS = frozenset("#@XMW*%0")
_PENS = frozenset(_HALVES) | _SQUARE_DARK | _SQUARE_LIGHT | _DARK_LETTERS | frozenset("\u2591 .-_")
_MOST_LETTERS = 24
"""Different ones in one line of a picture. Beyond: no picture, unless it is braille: no code is drawn so."""
_DECLARATION = re.compile(r"([a-z-]{3,30})\s*:\s*([^;}]{1,200})", re.IGNORECASE)
_COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|rgba?\([^)]{5,60}\)|hsla?\([^)]{5,60}\)|\b[a-z]{3,20}\b", re.IGNORECASE
)
_RULE = re.compile(r"([^{}]{1,300})\{([^{}]{0,2000})\}")
_SIMPLE = re.compile(r"(?:[a-z0-9]*)([.#][\w-]{1,60})\s*$", re.IGNORECASE)
_LENGTH = re.compile(r"(-?[0-9]{1,5}(?:\.[0-9]{1,4})?)\s*(px|pt|em|rem|%|vw)?", re.IGNORECASE)
_SHADOW = re.compile(
    r"(-?[0-9]{1,5}(?:\.[0-9]{1,4})?)(?:px|em|rem|pt)?\s+(-?[0-9]{1,5}(?:\.[0-9]{1,4})?)(?:px|em|rem|pt)?"
    r"(?:\s+-?[0-9.]{1,5}(?:px|em|rem|pt)?){0,2}\s*(#[0-9a-f]{3,8}|rgba?\([^)]{5,60}\)|[a-z]{3,20})?",
    re.IGNORECASE,
)


class _Box(NamedTuple):
    left: float
    top: float
    width: float
    height: float
    grey: int


def pictures_of(octets: bytes, until: float, cut: Cut) -> Iterator[Image.Image]:
    """The pictures in markup or text that `drawings` packed, as far as there is time; `cut` is called where some are
    left out."""
    text = octets.removeprefix(PAGE).decode("utf-8", "replace")
    text = _shallow(text, cut)
    tree = LexborHTMLParser(text)
    some = some_of(_all(text, tree, _styles(tree), until, cut), _MOST_GRIDS, _LOTS)
    if some.is_cut:
        cut()
    for boxes in some.items:
        # what surrounds it may be as light as the light modules, or as dark as the dark ones
        for ground in (_WHITE, _BLACK):
            if (picture := _drawn(boxes, ground)) is not None:
                yield picture


def _all(
    text: str, tree: LexborHTMLParser, styles: dict[str, str], until: float, cut: Cut
) -> Iterator[list[_Box]]:
    yield from _grids(tree, styles, until, cut)
    yield from _placed(tree, styles, until)
    yield from _shadows(text)
    for lines in _character_lines(text, tree):
        yield _from_lines(lines)


def joined(octets: bytes) -> Iterator[Image.Image]:
    """Tiles put together in the ways in which they fit: as they stand, in one row, in one column."""
    rows = [[_tile(tile) for tile in row] for row in _tiles(octets)]
    grid = [[tile for tile in row if tile is not None] for row in rows]
    flat = [tile for row in grid for tile in row]
    if len(flat) < 2:
        return
    ways = [grid, [flat], [[tile] for tile in flat]]
    sizes = [size for size in range(2, 5) if len(flat) % size == 0]
    ways += ([flat[at : at + size] for at in range(0, len(flat), size)] for size in sizes)
    seen: set[tuple[int, ...]] = set()
    for way in ways:
        shape = tuple(map(len, way))
        if shape in seen or not _fits(way):
            continue
        seen.add(shape)
        yield _put_together(way)


def svg_picture(octets: bytes) -> Image.Image | None:
    """A drawing in SVG made an image; nothing outside of it is loaded."""
    text = octets.decode("utf-8", "replace")
    text = re.sub(
        r"\b(?:xlink:)?href\s*=\s*(\"(?!data:|#)[^\"]*\"|'(?!data:|#)[^']*')", "", text, flags=re.IGNORECASE
    )
    begin = text.lower().find("<svg")
    if begin > 0:
        text = text[begin:]
    if "xmlns=" not in text[:2000]:
        text = text.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    if text.count("<g") - text.count("</g") > _DEEPEST or not _has_sane_sides(text):
        return None
    try:
        made = resvg_py.svg_to_bytes(
            svg_string=text, width=_SVG_SIDE, background="#ffffff", skip_system_fonts=True
        )
        image = Image.open(io.BytesIO(bytes(made)), formats=("PNG",))
        return image.convert("L") if image.height <= 4 * _SVG_SIDE else None
    except (ValueError, OSError, UnidentifiedImageError):
        return None


_ROOT = re.compile(r"<svg\b([^>]{0,4000})", re.IGNORECASE)
_SIDES = re.compile(r"\b(width|height)\s*=\s*[\"']\s*([0-9.]{1,12})\s*(?:px)?\s*[\"']", re.IGNORECASE)
_VIEW = re.compile(
    r"viewBox\s*=\s*[\"'][\s,]*[-0-9.e]+[\s,]+[-0-9.e]+[\s,]+([0-9]{1,9})[0-9.]*[\s,]+([0-9]{1,9})",
    re.IGNORECASE,
)
_LONGEST = 6  # times the shorter side; beyond: not drawn: no code is so long


def _has_sane_sides(text: str) -> bool:
    """Whether a drawing's sides, as far as they are told, make a picture: its height follows from them."""
    root = _ROOT.search(text)
    told = {found[1].lower(): _length(found[2]) for found in _SIDES.finditer(root[1])} if root else {}
    view = _VIEW.search(root[1]) if root else None
    pairs = [(told.get("width", 0.0), told.get("height", 0.0))]
    if view is not None:
        pairs.append((float(view[1]), float(view[2])))
    if len(told) == 1 and view is None:
        return max(told.values()) < _MOST_SIDE
    return all(not a or not b or max(a, b) <= _LONGEST * min(a, b) for a, b in pairs)


def _tiles(octets: bytes) -> Iterator[list[bytes]]:
    at = len(TILES)
    row: list[bytes] = []
    while at + 4 <= len(octets):
        length = int.from_bytes(octets[at : at + 4], "big")
        at += 4
        if length == 0xFFFFFFFF:
            yield row
            row = []
        else:
            row.append(octets[at : at + length])
            at += length


def _tile(octets: bytes) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(octets), formats=("PNG", "JPEG", "GIF", "BMP", "WEBP")) as image:
            if image.width * image.height > 4_000_000:
                return None
            shown = image.convert("RGBA")
            white = Image.new("RGBA", shown.size, "white")
            white.alpha_composite(shown)
            return white.convert("L")
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, Image.DecompressionBombError):
        return None


def _fits(way: Sequence[Sequence[Image.Image]]) -> bool:
    if any(not row or abs(min(t.height for t in row) - max(t.height for t in row)) > _QUIET for row in way):
        return False
    widths = [sum(tile.width for tile in row) for row in way]
    return (
        max(widths) - min(widths) <= _QUIET * 2
        and max(widths) <= 4000
        and sum(row[0].height for row in way) <= 4000
    )


def _put_together(way: Sequence[Sequence[Image.Image]]) -> Image.Image:
    width = max(sum(tile.width for tile in row) for row in way)
    picture = Image.new("L", (width, sum(row[0].height for row in way)), _WHITE)
    top = 0
    for row in way:
        left = 0
        for tile in row:
            picture.paste(tile, (left, top))
            left += tile.width
        top += row[0].height
    return picture


# Markup

_OPENS = re.compile(
    r"<(/?)(div|span|center|section|article|main|a|x-f|ul|ol|dl|table|body|html)\b[^>]*>", re.IGNORECASE
)
_DEEPEST = 40  # nested elements; beyond: left out, `too_many_images`


def _shallow(text: str, cut: Cut) -> str:
    """Markup without tags that open too deep, in which a parser would lose itself."""
    depth = 0

    def kept(tag: re.Match[str]) -> str:
        nonlocal depth
        depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth <= _DEEPEST:
            return tag[0]
        cut()
        return ""

    return _OPENS.sub(kept, FORMATTING.sub(RENAMED, text)) if "<" in text else text


def _styles(tree: LexborHTMLParser) -> dict[str, str]:
    """Declarations by ".class" and "#id"; other selectors are not looked at."""
    styles: dict[str, str] = {}
    for node in tree.css("style"):
        for rule in _RULE.finditer(node.text()[:262_144]):
            for selector in rule[1].split(","):
                if named := _SIMPLE.search(selector.strip()):
                    styles[named[1]] = styles.get(named[1], "") + ";" + rule[2]
                elif selector.strip().lower() in {"td", "i", "b", "span", "div", "p", "x", "u", "s"}:
                    styles[selector.strip().lower()] = rule[2]
    return styles


def _declared(node: LexborNode, styles: dict[str, str]) -> dict[str, str]:
    """What an element's classes, id and style say, the nearest last."""
    attributes = node.attributes
    text = [styles.get(node.tag or "", "")]
    text += (styles.get(f".{name}", "") for name in (attributes.get("class") or "").split()[:5])
    text += (styles.get(f"#{attributes.get('id')}", ""), (attributes.get("style") or "")[:4000])
    declared = {found[1].lower(): found[2].strip() for found in _DECLARATION.finditer(";".join(text))}
    if colour := attributes.get("bgcolor"):
        declared.setdefault("background-color", colour)
    for name in ("width", "height"):
        if value := attributes.get(name):
            declared.setdefault(name, value)
    return declared


def _grey(colour: str | None) -> int | None:
    """A colour's brightness; None when it is none or transparent."""
    if not colour:
        return None
    found = _COLOUR.search(colour)
    while found is not None:
        try:
            red, green, blue, *alpha = ImageColor.getrgb(found[0].replace(" ", ""))
            if alpha and alpha[0] < 64:
                return None
            return (299 * red + 587 * green + 114 * blue) // 1000
        except ValueError:
            found = _COLOUR.search(colour, found.end())
    return None


def _background(declared: dict[str, str]) -> int | None:
    grey = _grey(declared.get("background-color"))
    return grey if grey is not None else _grey(declared.get("background"))


def _length(text: str | None) -> float:
    found = _LENGTH.match(text or "")
    return float(found[1]) if found else 0.0


def _children(node: LexborNode) -> list[LexborNode]:
    found: list[LexborNode] = []
    child = node.child
    while child is not None:
        if child.tag and child.tag[0] not in "-_!":
            found.append(child)
        child = child.next
    return found


def _grids(tree: LexborHTMLParser, styles: dict[str, str], until: float, cut: Cut) -> Iterator[list[_Box]]:
    """Elements whose children are rows of cells, and those whose cells are parted by line breaks."""
    room = _MOST_CELLS
    for node in tree.css("body,tbody,div,p,pre,center,span,ul,section,td,a,x-f"):
        children = _children(node)
        room -= len(children)
        if room < 0 or time.monotonic() > until:
            cut()
            return
        if len(children) < _LEAST:
            continue
        breaks = sum(child.tag == "br" for child in children)
        if breaks >= _LEAST - 1:
            rows: list[list[LexborNode]] = [[]]
            for child in children:
                if child.tag == "br":
                    rows.append([])
                else:
                    rows[-1].append(child)
        else:
            rows = [_children(child) for child in children]
        if sum(map(bool, rows)) < _LEAST:
            wrapped = _by_width(children, styles, _declared(node, styles))
            if wrapped is None:
                continue
            rows = wrapped
        room -= sum(map(len, rows))
        if room < 0:
            cut()
            return
        yield _from_cells(rows, styles)


def _by_width(
    children: list[LexborNode], styles: dict[str, str], parent: dict[str, str]
) -> list[list[LexborNode]] | None:
    """Rows of cells that float or stand in a grid of fixed width."""
    if len(children) < _LEAST * _LEAST:
        return None
    columns = 0
    template = parent.get("grid-template-columns", "")
    if found := re.search(r"repeat\(\s*([0-9]{1,3})", template):
        columns = int(found[1])
    elif template:
        columns = len(template.split())
    else:
        cell = _length(_declared(children[0], styles).get("width"))
        columns = round(_length(parent.get("width")) / cell) if cell else 0
    if not columns:
        side = round(len(children) ** 0.5)
        columns = side if side * side == len(children) else 0
    if not _LEAST <= columns <= _MOST_SIDE:
        return None
    return [children[at : at + columns] for at in range(0, len(children), columns)]


def _from_cells(rows: list[list[LexborNode]], styles: dict[str, str]) -> list[_Box]:
    boxes: list[_Box] = []
    taken: dict[tuple[int, int], bool] = {}
    sizes: list[tuple[int, float, float, int, int, int | None]] = []
    for number, row in enumerate(rows[:_MOST_SIDE]):
        for cell in row[:_MOST_SIDE]:
            declared = _declared(cell, styles)
            across, down = _span(cell, "colspan"), _span(cell, "rowspan")
            grey = _background(declared)
            if grey is None and (text := cell.text()[:8]).strip("\u00a0 \n"):
                letter = text.strip()[:1]
                grey = _BLACK if letter in _HALVES or letter in _SQUARE_DARK else None
            sizes.append(
                (number, _length(declared.get("width")), _length(declared.get("height")), across, down, grey)
            )
    widths = sorted(size[1] for size in sizes if size[1] > 0)
    unit = widths[0] if len(widths) == len(sizes) and widths else 0.0
    heights = sorted(size[2] for size in sizes if size[2] > 0)
    tall = heights[0] if len(heights) == len(sizes) and heights else 0.0
    spans = any(size[3] > 1 for size in sizes)
    left, top, last, row_height = 0, 0, 0, 1
    for number, width, height, across, down, grey in sizes:
        if number != last:
            top += row_height * max(1, number - last)
            left, last, row_height = 0, number, 1
        wide = max(1, round(width / unit)) if unit and not spans else across
        high = max(1, round(height / tall)) if tall and down == 1 else down
        if down == 1:
            row_height = max(row_height, high)
        while taken.get((left, top)):
            left += 1
        if down > 1:
            taken |= {(left + x, top + y): True for x in range(wide) for y in range(1, down)}
        if left > _MOST_SIDE or top > _MOST_SIDE:
            return []
        if grey is not None:
            boxes.append(_Box(left, top, wide, high, grey))
        left += wide
    return boxes


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return min(_MOST_SIDE, int(value)) if value.isdecimal() and 0 < len(value) < 4 and int(value) else 1


def _placed(tree: LexborHTMLParser, styles: dict[str, str], until: float) -> Iterator[list[_Box]]:
    """Elements that are placed by left and top."""
    boxes: list[_Box] = []
    for node in tree.css("[style],[class]"):
        declared = _declared(node, styles)
        if "left" not in declared or "top" not in declared or len(boxes) >= _MOST_CELLS:
            continue
        if time.monotonic() > until:
            return
        grey = _background(declared)
        width, height = _length(declared.get("width")), _length(declared.get("height"))
        if grey is not None and width > 0 and height > 0:
            boxes.append(_Box(_length(declared["left"]), _length(declared["top"]), width, height, grey))
    yield boxes


def _shadows(text: str) -> Iterator[list[_Box]]:
    """One element with many shadows."""
    for found in re.finditer(r"box-shadow\s*:\s*([^;\"'}]{200,400000})", text, re.IGNORECASE):
        boxes: list[_Box] = []
        for one in islice(_SHADOW.finditer(found[1]), _MOST_CELLS):
            grey = _grey(one[3])
            boxes.append(_Box(float(one[1]), float(one[2]), 0, 0, _BLACK if grey is None else grey))
        offsets = sorted({box.left for box in boxes} | {box.top for box in boxes})
        steps = [after - before for before, after in pairwise(offsets) if after > before]
        if len(boxes) > _LEAST and steps:
            unit = min(steps)
            yield [box._replace(width=unit, height=unit) for box in boxes]


def _drawn(boxes: list[_Box], ground: int) -> Image.Image | None:
    """Boxes on a ground, the smallest of them one module; None when that is no picture."""
    if not _LEAST < len(boxes) <= _MOST_CELLS:
        return None
    unit = min(min(box.width, box.height) for box in boxes)
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    wide = max(box.left + box.width for box in boxes) - left
    high = max(box.top + box.height for box in boxes) - top
    if unit <= 0 or not _LEAST <= wide / unit <= _MOST_SIDE or not _LEAST <= high / unit <= _MOST_SIDE:
        return None
    scale = _SCALE / unit
    border = _QUIET * _SCALE
    picture = Image.new("L", (round(wide * scale) + 2 * border, round(high * scale) + 2 * border), ground)
    draw = ImageDraw.Draw(picture)
    for box in boxes:
        x, y = round((box.left - left) * scale) + border, round((box.top - top) * scale) + border
        right = round((box.left - left + box.width) * scale) + border - 1
        bottom = round((box.top - top + box.height) * scale) + border - 1
        draw.rectangle((x, y, max(x, right), max(y, bottom)), fill=box.grey)
    return picture


# Characters


def _character_lines(text: str, tree: LexborHTMLParser) -> Iterator[list[str]]:
    """Runs of lines that are made of few different characters."""
    if "<" in text:
        broken = re.sub(r"<(?:br|/p|/div|/tr|/li)\b[^>]{0,200}>", "\n", text, flags=re.IGNORECASE)
        body = LexborHTMLParser(broken).body
        text = body.text() if body is not None else ""
    run: list[str] = []
    for line in [*text.replace("\u00a0", " ").split("\n"), "end"]:
        letters = set(line.strip())
        drawn = (
            bool(letters)
            and (len(letters) <= _MOST_LETTERS or max(letters) >= "\u2800")
            and all(map(_draws, letters))
        )
        if drawn or (not letters and run):
            run.append(line)
            continue
        if len(run) >= 6:
            yield run[:_MOST_SIDE]
        run = []


def _draws(c: str) -> bool:
    return c in _PENS or "\u2800" <= c <= "\u28ff"


def _from_lines(lines: list[str]) -> list[_Box]:
    """A character is one wide and two high, those that are square two wide; braille has two by four dots."""
    boxes: list[_Box] = []
    braille = any("\u2800" < c <= "\u28ff" for line in lines for c in line)
    for number, line in enumerate(lines):
        left = 0.0
        if len(boxes) > _MOST_CELLS:
            break
        for c in line[: 2 * _MOST_SIDE]:
            if braille:
                boxes += (_Box(left + x, 4.0 * number + y, 1, 1, _BLACK) for x, y in _dots(ord(c) - 0x2800))
                left += 2
                continue
            top = 4.0 * number
            if c in _SQUARE_DARK:
                boxes.append(_Box(left, top, 4, 4, _BLACK))
            elif c in _DARK_LETTERS:
                boxes.append(_Box(left, top, 2, 4, _BLACK))
            elif halves := _HALVES.get(c):
                for at, (x, y) in enumerate(((0, 0), (1, 0), (0, 2), (1, 2))):
                    if halves[at] == "1":
                        boxes.append(_Box(left + x, top + y, 1, 2, _BLACK))
            left += 4 if c in _SQUARE_DARK or c in _SQUARE_LIGHT else 2
    return boxes


def _dots(bits: int) -> Iterator[tuple[int, int]]:
    if 0 < bits < 256:
        for bit, place in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
            if bits >> bit & 1:
                yield place

"""Style sheets and style attributes (CSS) read as far as they can hide text: declarations, selectors, colours, lengths.

tinycss2 reads them; what it would take long for, or call itself too often for, is cut before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import tinycss2
import tinycss2.ast
import tinycss2.color4

Declarations = Mapping[str, tuple[str, bool]]
"""Of one rule: property -> value, lower-cased, and whether it is important."""
Rgb = tuple[float, float, float]
"""Red, green and blue, 0 to 1."""

_PROPERTIES = frozenset(
    {
        *("display", "visibility", "opacity", "filter", "mso-hide", "color", "-webkit-text-fill-color"),
        *(
            "background",
            "background-color",
            "background-image",
            "font",
            "font-size",
            "text-indent",
            "position",
        ),
        *("left", "right", "top", "bottom", "margin-left", "margin-top", "margin", "transform", "clip"),
        *("clip-path", "height", "max-height", "width", "max-width", "overflow", "overflow-x", "overflow-y"),
    }
)
PALE = 0.1
"""Opacity up to which text can't be seen."""
TRANSPARENT = "transparent"
"""Stands for a colour that lets through what is behind."""
_SELECTOR_CHARACTERS = 300  # characters of a selector; beyond: its rule hides nothing
_SELECTORS = 50  # selectors of one rule; beyond: they hide nothing
_NESTED = 30  # brackets within each other in a style; beyond: not read; `style_truncated`
_RULES_DEEP = 4  # rules within each other; beyond: they hide nothing
_REMEMBERED = 300


@dataclass(slots=True)
class Room:
    """How many characters of styles may still be parsed in one message, and whether some were not."""

    characters: int
    cut: bool = False


@lru_cache(maxsize=2048)
def colour(written: str) -> Rgb | str | None:
    """A colour; TRANSPARENT; None for what is no colour, or one that depends on something."""
    found = tinycss2.color4.parse_color(written)
    if found is None and re.fullmatch(r"[0-9a-f]{6}", written):
        found = tinycss2.color4.parse_color(f"#{written}")  # HTML's attributes do without "#"
    if found is None or found == "currentcolor":
        return None
    if found.alpha <= PALE:
        return TRANSPARENT
    if found.space != "srgb":
        found = found.to("srgb")
    red, green, blue = (max(0.0, min(1.0, one or 0.0)) for one in found.coordinates)
    return red, green, blue


_FUNCTION = re.compile(r"(?:url|[a-z-]*gradient|image-set|image)\([^)]*\)*")


def has_image(value: str) -> bool:
    """Whether a background's value has an image, or colours that run into each other."""
    return _FUNCTION.search(value) is not None


def ground(value: str) -> Rgb | str | None:
    """The colour in a background's value; TRANSPARENT when there is none."""
    found = colour(value)
    if found is None:
        words = _FUNCTION.sub(" ", value).split()[:9]
        found = next((one for word in words if (one := colour(word))), TRANSPARENT)
    return found


_LENGTH = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))(px|pt|em|rem|ex|ch|%|in|cm|mm|pc|vw|vh|q)?(?![\w.%])")
_PIXELS = {"px": 1.0, "pt": 4 / 3, "in": 96.0, "cm": 37.8, "mm": 3.78, "pc": 16.0, "q": 0.945, "rem": 16.0}
_RELATIVE = {"em": 1.0, "%": 0.01, "ex": 0.5, "ch": 0.5}
_VIEW = 10.0
_SIZES = {"xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0}


def length(value: str, size: float) -> float | None:
    """The first length in a value, in pixels, None without one; of letters of `size` pixels, as a percentage is."""
    for found in _LENGTH.finditer(value[:200]):
        number, unit = float(found[1][:12]), found[2] or ""
        if not unit and number and found.end() < len(value):
            continue  # a weight before a font's size
        if unit in _RELATIVE:
            return number * _RELATIVE[unit] * size
        return number * (_VIEW if unit in {"vw", "vh"} else _PIXELS.get(unit, 1.0))
    return None


def share(value: str) -> float | None:
    """A number or a percentage as a number, None for what is neither."""
    found = re.fullmatch(r"([-+]?(?:\d{1,9}\.?\d{0,9}|\.\d{1,9}))(%?)", value)
    return None if found is None else float(found[1]) * (0.01 if found[2] else 1.0)


def font_size(values: Mapping[str, str], size: float) -> float:
    """The size of letters in pixels that declarations give to an element in one with letters of `size`."""
    for name in ("font", "font-size"):
        value = values.get(name)
        if value in _SIZES:
            size = _SIZES[value]
        elif value is not None and "(" not in value:
            found = length(value, size)
            size = size if found is None else found
    return size


def inline(style: str, room: Room) -> Declarations:
    """The declarations of a style attribute."""
    read = _simple
    if _NOT_SIMPLE.search(style):
        if len(style) <= room.characters and _depth(style) <= _NESTED:
            room.characters -= len(style)
            read = _parsed
        else:
            room.cut = True
    return read(style) if len(style) <= _REMEMBERED else read.__wrapped__(style)


_NOT_SIMPLE = re.compile(r"[\\(\"']|/\*")


@lru_cache(maxsize=2048)
def _simple(style: str) -> Declarations:
    """The declarations of a style without escapes, comments, functions and strings, where ";" and ":" are just that."""
    found: dict[str, tuple[str, bool]] = {}
    for declaration in style.lower().split(";"):
        name, _, value = declaration.partition(":")
        name = name.strip()
        if name in _PROPERTIES:
            value, mark, _ = value.partition("!")
            if bool(mark) or name not in found or not found[name][1]:
                found[name] = (" ".join(value.split()), bool(mark))
    return found


@lru_cache(maxsize=2048)
def _parsed(style: str) -> Declarations:
    return _declared(tinycss2.parse_blocks_contents(style))


def _declared(nodes: list[tinycss2.ast.Node]) -> Declarations:
    found: dict[str, tuple[str, bool]] = {}
    for node in nodes:
        if isinstance(node, tinycss2.ast.Declaration) and node.lower_name in _PROPERTIES:
            name = node.lower_name
            if node.important or name not in found or not found[name][1]:
                value = [one for one in node.value if one.type != "comment"]
                found[name] = (" ".join(_serialised(value).lower().split()), bool(node.important))
    return found


def _serialised(nodes: list[tinycss2.ast.Node]) -> str:
    # an escaped letter is that letter
    return "".join(one.value if one.type == "ident" else tinycss2.serialize([one]) for one in nodes)


_BRACKET = re.compile(r"[(){}\[\]]")


def _depth(css: str) -> int:
    """How deep brackets are within each other: the parser calls itself for them."""
    deepest = depth = 0
    for bracket in _BRACKET.findall(css):
        depth += 1 if bracket in "({[" else -1
        deepest = max(deepest, depth)
    return deepest


def rules_of(sheet: str, room: Room) -> Iterator[tuple[str, Declarations]]:
    """Each selector of a style sheet with its declarations, of rules that hold on a screen of whatever width."""
    text = sheet[: room.characters]
    room.characters -= len(text)
    room.cut |= len(text) < len(sheet)
    if _depth(text) > _NESTED:
        room.cut = True
        return
    text = text.replace("<!--", "").replace("-->", "")
    yield from _rules(tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True), _RULES_DEEP)


def _rules(nodes: list[tinycss2.ast.Node], deep: int) -> Iterator[tuple[str, Declarations]]:
    """Each selector with its declarations, of rules that hold on a screen of whatever width."""
    for node in nodes:
        if isinstance(node, tinycss2.ast.QualifiedRule):
            declarations = _declared(
                tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True)
            )
            if declarations:
                for selector in tinycss2.serialize(node.prelude).split(",")[:_SELECTORS]:
                    yield selector.strip(), declarations
        elif isinstance(node, tinycss2.ast.AtRule) and node.content and deep:
            condition = tinycss2.serialize(node.prelude).strip().lower()
            if node.lower_at_keyword in {"supports", "layer"} or (
                node.lower_at_keyword == "media" and _holds(condition)
            ):
                yield from _rules(
                    tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True), deep - 1
                )


_SCREENS = (380.0, 1200.0)
_WIDTH = re.compile(r"\(\s*(min|max)-(?:device-)?width\s*:\s*([\d.]+)(px|em|rem)?\s*\)")


def _holds(condition: str) -> bool:
    """Whether a media condition holds on a telephone and on a desk."""
    return any(all(_holds_at(query.strip(), width) for width in _SCREENS) for query in condition.split(","))


def _holds_at(query: str, width: float) -> bool:
    for bound, number, unit in _WIDTH.findall(query):
        pixels = (
            float(number.strip(".") or 0) * (16 if unit in {"em", "rem"} else 1)
            if number.count(".") < 2
            else 0.0
        )
        if (width < pixels) if bound == "min" else (width > pixels):
            return False
    rest = _WIDTH.sub("", query).replace("only", "").replace("and", "").strip()
    return rest in {"", "all", "screen"}


_IGNORED_PSEUDO = re.compile(r":(?!root|not\(|first-|last-|only-|nth-|empty|is\(|where\()")
_COMBINED = re.compile(r"[\s>+~]+")
_SPECIFIC = re.compile(r"(#)|([.\[:])|(\w)")


def target(selector: str) -> tuple[str, bool] | None:
    """The elements that a selector is about, as a selector without combinators, and whether that is all it says;
    None for what is about no element as it is shown first."""
    if not selector or len(selector) > _SELECTOR_CHARACTERS or _IGNORED_PSEUDO.search(selector):
        return None
    if "(" in selector or "[" in selector:
        simple = "(" not in selector and not _COMBINED.search(selector)
        return (
            (selector, True)
            if simple
            else (re.split(r"[:(]", _COMBINED.split(selector)[-1])[0] or "*", False)
        )
    last = _COMBINED.split(selector)[-1]
    return (last.partition(":")[0] or "*", last == selector and ":" not in last)


def specificity(selector: str) -> int:
    identity = selector.count("#")
    classes = selector.count(".") + selector.count("[")
    return 100 * identity + 10 * classes + (selector[:1].isalpha())

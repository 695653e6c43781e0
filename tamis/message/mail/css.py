"""Style sheets and style attributes (CSS) read as far as they can hide text: rules, declarations, colours, lengths.

tinycss2 reads them; what it would take long for, or call itself too often for, is cut before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import tinycss2
import tinycss2.ast
import tinycss2.color4

from tamis.message.mail.selectors import alternatives

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
        *("scale", "translate", "rotate", "zoom", "inset", "mask", "mask-image", "mix-blend-mode"),
        *(
            "letter-spacing",
            "line-height",
            "content-visibility",
            "text-shadow",
            "-webkit-text-stroke",
            "-webkit-text-stroke-width",
        ),
        "all",
    }
)
RESETS: Mapping[str, frozenset[str]] = {
    "all": _PROPERTIES,
    "background": frozenset({"background-color", "background-image"}),
    "font": frozenset({"font-size", "line-height"}),
    "inset": frozenset({"left", "right", "top", "bottom"}),
    "margin": frozenset({"margin-left", "margin-top"}),
    "mask": frozenset({"mask-image"}),
    "overflow": frozenset({"overflow-x", "overflow-y"}),
    "-webkit-text-stroke": frozenset({"-webkit-text-stroke-width"}),
}
"""Shorthands, and what each sets anew, whatever it was before (CSS Cascading 4)."""
SHORTHANDS: Mapping[str, tuple[str, ...]] = {
    name: tuple(one for one, longhands in RESETS.items() if name in longhands and name != one)
    for name in _PROPERTIES
}
"""The shorthands that set a property."""
_SAME = {
    **{f"-{maker}-{name}": name for maker in ("webkit", "moz", "ms") for name in _PROPERTIES},
    "block-size": "height",
    "max-block-size": "max-height",
    "inline-size": "width",
    "max-inline-size": "max-width",
}
_KNOWN = {**_SAME, **{name: name for name in _PROPERTIES}}
"""How properties are written -> their names here."""
_DISPLAYS = frozenset(
    """
    none block inline inline-block inline-flex inline-grid inline-table flex grid table table-cell table-row
    table-caption table-column table-column-group table-row-group table-header-group table-footer-group list-item
    contents flow flow-root ruby run-in -webkit-box
    """.split()  # noqa: SIM905
)
_COLOURS = frozenset({"color", "background-color", "-webkit-text-fill-color"})
_NUMBERS = frozenset({"opacity", "font-size", "width", "height", "max-width", "max-height", "text-indent"})
_EVERYWHERE = frozenset({"inherit", "initial", "unset", "revert", "revert-layer", "currentcolor"})
_NUMBER = re.compile(
    r"[-+.\d]|auto$|none$|normal$|(?:xx?-)?(?:small|large)$|xxx-large$|medium$|smaller$|larger$"
)
PALE = 0.1
"""Opacity up to which text can't be seen."""
TRANSPARENT = "transparent"
"""Stands for a colour that lets through what is behind."""
_SELECTORS = 50  # selectors of one rule; beyond: they hide nothing; `style_truncated`
_NESTED = 30  # brackets within each other in a style; beyond: not read; `style_truncated`
_RULES_DEEP = 4  # rules within each other; beyond: they hide nothing; `style_truncated`
_REMEMBERED = 300


@dataclass(slots=True)
class Room:
    """How many characters of styles may still be parsed in one message, and whether some were not."""

    characters: int
    cut: bool = False


_SYSTEM: Mapping[str, Rgb] = {
    **dict.fromkeys(("canvastext", "buttontext", "fieldtext", "marktext", "windowtext"), (0.0, 0.0, 0.0)),
    **dict.fromkeys(("text", "infotext", "menutext", "captiontext"), (0.0, 0.0, 0.0)),
    **dict.fromkeys(("linktext", "visitedtext", "activetext"), (0.0, 0.0, 0.93)),
    **dict.fromkeys(("canvas", "field", "window", "background"), (1.0, 1.0, 1.0)),
    "mark": (1.0, 1.0, 0.0),
}
"""Colours that the system names (CSS Color 4, 6.2), as most systems have them."""
_LIGHTEST = {"lab": 100.0, "lch": 100.0, "oklab": 1.0, "oklch": 1.0}
_GREYISH = 0.05


def _grey(found: tinycss2.color4.Color) -> Rgb | None:
    """A colour by its lightness (CSS Color 4) that is next to grey, None for others."""
    lightest = _LIGHTEST[found.space]
    light, first, second = (one or 0.0 for one in found.coordinates)
    strength = abs(first) if found.space.endswith("ch") else max(abs(first), abs(second))
    if strength > _GREYISH * lightest:
        return None
    level = max(0.0, min(1.0, light / lightest))
    return level, level, level


@lru_cache(maxsize=2048)
def colour(written: str) -> Rgb | str | None:
    """A colour; TRANSPARENT; None for what is no colour, or one that depends on something."""
    if (named := _SYSTEM.get(written)) is not None:
        return named
    found = tinycss2.color4.parse_color(written)
    if found is None and re.fullmatch(r"[0-9a-f]{6}", written):
        found = tinycss2.color4.parse_color(f"#{written}")  # HTML's attributes do without "#"
    if found is None or found == "currentcolor":
        return None
    if found.alpha <= PALE:
        return TRANSPARENT
    if found.space in _LIGHTEST:
        return _grey(found)
    if found.space in {"hsl", "hwb"}:
        found = found.to("srgb")  # tinycss2 converts no others; those are near enough
    red, green, blue = (max(0.0, min(1.0, one or 0.0)) for one in found.coordinates)
    return red, green, blue


_FUNCTION = re.compile(r"(?:url|[a-z-]*gradient|image-set|image)\([^)]*\)*")


_GRADIENT = re.compile(r"gradient\((?:to [a-z ]{3,20},|[-\d.]{1,9}deg,)?\s*(#?[a-z0-9]{3,30})\b")


def has_image(value: str) -> bool:
    """Whether a background's value has an image, or colours that run into each other."""
    return _FUNCTION.search(value) is not None


def ground(value: str) -> Rgb | str | None:
    """The colour in a background's value; TRANSPARENT when there is none."""
    found = colour(value)
    if found is None:
        words = _FUNCTION.sub(" ", value).split()[:9]
        found = next((one for word in words if (one := colour(word))), TRANSPARENT)
        if found == TRANSPARENT and (gradient := _GRADIENT.search(value)):
            found = colour(gradient[1]) or TRANSPARENT
    return found


_LENGTH = re.compile(
    r"([-+]?(?:\d+\.?\d*|\.\d+))"
    r"(px|pt|%|r?(?:em|ex|ch|cap|ic|lh)|in|cm|mm|pc|q|(?:[sld]?v|cq)(?:w|h|i|b|min|max))?(?![\w.%])"
)
_PIXELS = {"px": 1.0, "pt": 4 / 3, "in": 96.0, "cm": 37.8, "mm": 3.78, "pc": 16.0, "q": 0.945}
_PIXELS |= {"rem": 16.0, "rlh": 19.0, "rcap": 11.0, "ric": 16.0, "rex": 8.0, "rch": 8.0}
_RELATIVE = {"em": 1.0, "%": 0.01, "ex": 0.5, "ch": 0.5, "cap": 0.7, "ic": 1.0, "lh": 1.2}
_VIEW = 10.0
"""Pixels of a hundredth of the window, or of what contains an element."""
_MEDIUM = 16.0
_SIZES = {"xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": _MEDIUM, "large": 18.0, "x-large": 24.0}
_SIZES |= {"xx-large": 32.0, "xxx-large": 48.0, "initial": _MEDIUM}
_SYSTEM_FONTS = frozenset({"caption", "icon", "menu", "message-box", "small-caption", "status-bar"})


def length(value: str, size: float) -> float | None:
    """The first length in a value, in pixels, None without one; of letters of `size` pixels, as a percentage is."""
    for found in _LENGTH.finditer(value[:200]):
        number, unit = float(found[1][:12]), found[2] or ""
        if not unit and number and found.end() < len(value):
            continue  # a weight before a font's size
        if unit in _RELATIVE:
            return number * _RELATIVE[unit] * size
        return number * (_PIXELS.get(unit, _VIEW) if unit else 1.0)
    return None


def share(value: str) -> float | None:
    """A number or a percentage as a number, None for what is neither."""
    found = re.fullmatch(r"([-+]?(?:\d{1,9}\.?\d{0,9}|\.\d{1,9}))(%?)", value)
    return None if found is None else float(found[1]) * (0.01 if found[2] else 1.0)


def font_size(values: Mapping[str, str], size: float) -> float:
    """The size of letters in pixels that declarations give to an element in one with letters of `size`; the usual one
    where it is computed."""
    for name in ("font", "font-size"):
        value = values.get(name)
        if value is None:
            continue
        if "(" in value:
            size = _MEDIUM
            continue
        found = length(value, size)
        named = (_SIZES[word] for word in value.split() if word in _SIZES)
        usual = _MEDIUM if name == "font" and value in _SYSTEM_FONTS else size
        size = next(named, usual) if found is None else found
    return size


def inline(style: str, room: Room) -> Declarations:
    """The declarations of a style attribute."""
    read = _simple
    if not is_simple(style):
        if len(style) <= room.characters and _depth(style) <= _NESTED:
            room.characters -= len(style)
            read = _parsed
        else:
            room.cut = True
    return read(style) if len(style) <= _REMEMBERED else read.__wrapped__(style)


_NOT_SIMPLE = re.compile(r"[\\(\"']|/\*")


def is_simple(style: str) -> bool:
    """Whether a style attribute is read without the parser, and so takes no room."""
    return _NOT_SIMPLE.search(style) is None


@lru_cache(maxsize=2048)
def _simple(style: str) -> Declarations:
    """The declarations of a style without escapes, comments, functions and strings, where ";" and ":" are just that."""
    found: dict[str, tuple[str, bool]] = {}
    for declaration in style.lower().split(";"):
        name, _, value = declaration.partition(":")
        known = _KNOWN.get(name.strip())
        if known is not None:
            value, mark, _ = value.partition("!")
            _put(found, known, " ".join(value.split()), important=bool(mark))
    return found


def _put(found: dict[str, tuple[str, bool]], name: str, value: str, *, important: bool) -> None:
    """A declaration, unless an important one is there, or browsers don't know its value: one before it holds then."""
    if (important or name not in found or not found[name][1]) and _is_valid(name, value):
        found[name] = (value, important)
        for other in RESETS.get(name, ()):
            if other != name and other in found and (important or not found[other][1]):
                del found[other]


def _is_valid(name: str, value: str) -> bool:
    if value in _EVERYWHERE or ("(" in value and name != "all"):
        return True
    if name == "all":
        return False
    if name == "display":
        return value.partition(" ")[0] in _DISPLAYS
    if name in _COLOURS:
        return colour(value) is not None
    return name not in _NUMBERS or _NUMBER.match(value) is not None


@lru_cache(maxsize=2048)
def _parsed(style: str) -> Declarations:
    return _declared(tinycss2.parse_blocks_contents(style))


def _declared(nodes: list[tinycss2.ast.Node]) -> Declarations:
    found: dict[str, tuple[str, bool]] = {}
    for node in nodes:
        if isinstance(node, tinycss2.ast.Declaration) and (name := _KNOWN.get(node.lower_name)) is not None:
            value = [one for one in node.value if one.type != "comment"]
            text = " ".join(_serialised(value).lower().split())
            _put(found, name, text, important=bool(node.important))
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


class StyleRule(NamedTuple):
    """One selector of a style sheet with its declarations; ``is_sure`` unless only some programs may apply it."""

    selector: str
    declarations: Declarations
    is_sure: bool


def rules_of(sheet: str, room: Room) -> Iterator[StyleRule]:
    """The rules of a style sheet that hold, or may hold, on a screen of whatever width."""
    text = sheet[: room.characters]
    room.characters -= len(text)
    room.cut |= len(text) < len(sheet)
    if _depth(text) > _NESTED:
        room.cut = True
        return
    text = text.replace("<!--", "").replace("-->", "")
    nodes = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    yield from _rules(nodes, room, is_sure=True)


def _rules(
    nodes: list[tinycss2.ast.Node], room: Room, deep: int = _RULES_DEEP, *, is_sure: bool
) -> Iterator[StyleRule]:
    for node in nodes:
        if isinstance(node, tinycss2.ast.QualifiedRule):
            yield from _rule(node, room, (), deep, is_sure=is_sure)
        elif isinstance(node, tinycss2.ast.AtRule) and node.content:
            holds = _at(node.lower_at_keyword, tinycss2.serialize(node.prelude).strip().lower())
            if holds is not False:
                if not deep:
                    room.cut = True
                    return
                inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
                yield from _rules(inner, room, deep - 1, is_sure=is_sure and holds is True)


def _rule(
    node: tinycss2.ast.QualifiedRule, room: Room, around: tuple[str, ...], deep: int, *, is_sure: bool
) -> Iterator[StyleRule]:
    """A rule, and those nested in it (CSS Nesting), which few programs for mail know."""
    content = tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True)
    selectors = alternatives(tinycss2.serialize(node.prelude))
    room.cut |= len(selectors) > _SELECTORS
    selectors = selectors[:_SELECTORS]
    if around:
        parent = around[0]
        selectors = [one.replace("&", parent) if "&" in one else f"{parent} {one}" for one in selectors]
    if declarations := _declared(content):
        for selector in selectors:
            yield StyleRule(selector, declarations, is_sure and not around)
    for inner in content:
        if isinstance(inner, tinycss2.ast.QualifiedRule) and selectors:
            if not deep:
                room.cut = True
                return
            yield from _rule(inner, room, (selectors[0],), deep - 1, is_sure=is_sure)


def _at(keyword: str, condition: str) -> bool | None:
    """Whether what stands within an at-rule holds; None where programs or screens differ."""
    if keyword in {"supports", "layer"}:
        return True
    if keyword == "media":
        return _holds(condition)
    return None if keyword == "container" else False


_SCREENS = (380.0, 1200.0)
_WIDTH = re.compile(r"\(\s*(min|max)-(?:device-)?width\s*:\s*([\d.]+)(px|em|rem)?\s*\)")
_RANGE = re.compile(r"\(\s*width\s*([<>])=?\s*([\d.]+)(px|em|rem)?\s*\)")
_NEVER = re.compile(r"prefers-color-scheme\s*:\s*dark|yahoo|prefers-contrast|forced-colors")


def _holds(condition: str) -> bool | None:
    """Whether a media condition holds on a telephone and on a desk; None where that can't be told."""
    found = [_query(query.strip()) for query in condition.split(",")]
    return True if True in found else None if None in found else False


def _query(query: str) -> bool | None:
    if _NEVER.search(query):
        return False
    told = [_holds_at(query, width) for width in _SCREENS]
    return False if False in told else None if None in told else True


def _holds_at(query: str, width: float) -> bool | None:
    for bound, number, unit in (*_WIDTH.findall(query), *_RANGE.findall(query)):
        pixels = (
            float(number.strip(".") or 0) * (16 if unit in {"em", "rem"} else 1)
            if number.count(".") < 2
            else 0.0
        )
        if (width < pixels) if bound in {"min", ">"} else (width > pixels):
            return False
    rest = _RANGE.sub("", _WIDTH.sub("", query))
    words = [word for word in rest.split() if word not in {"only", "and"}]
    if words in (["not", "print"], ["not", "speech"]):
        return True
    if words[:1] in (
        ["print"],
        ["speech"],
        ["tty"],
        ["tv"],
        ["aural"],
        ["braille"],
        ["embossed"],
        ["handheld"],
    ):
        return False
    return True if set(words) <= {"all", "screen"} else None

"""What declarations of CSS take an element's text from the page, surely or perhaps, and what brings it back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tamis.message.mail.css import PALE, colour, has_image, length, share

_FAR = 400.0
"""Pixels beyond the edge from which on text is off the page."""
_SQUEEZED = 5.0
"""Pixels by which letters are drawn together from which on none can be told from the next."""
_TURNS = ("transform", "translate", "scale", "zoom")
_MOVES = ("text-indent", "margin-left", "margin-top", "margin")
_PLACES = ("left", "right", "top", "bottom", "inset")
_GONE = {
    "filter": re.compile(r"(?:opacity\(|alpha\(\s*opacity\s*=)\s*0*(?:\.0\d*)?%?\s*\)"),
    "clip": re.compile(r"\Arect\((?:[\s,]*[01](?:px|em)?\b){4}"),
    "clip-path": re.compile(
        r"\A(?:inset\(\s*(?:[5-9]\d|100)(?:\.\d+)?%|(?:circle|ellipse)\(\s*0|polygon\(\s*(?:0(?:px|%)?[\s,]*)+\))"
    ),
    "transform": re.compile(
        r"scale[xy3d]{0,2}\(\s*0*(?:\.0\d*)?\s*[,)]|translate[xyz3d]{0,2}\([^)]{0,60}-\s?\d{3}|rotate[xy]\(\s*90deg"
    ),
}


_HARMLESS = {
    **{name: {"none"} for name in ("transform", "translate", "rotate", "filter", "clip-path")},
    **{name: {"none"} for name in ("mask", "mask-image")},
    "scale": {"none", "1", "100%"},
    "zoom": {"1", "100%", "normal"},
    "mix-blend-mode": {"normal"},
    "position": {"static", "relative", "sticky", "-webkit-sticky"},
}
"""Properties that may take text away in more ways than are known here, and values that don't."""
_COMPUTED = ("display", "visibility", "opacity", "font", "font-size", "text-indent")


MOVING = frozenset({*_MOVES, *_PLACES, "transform", "scale", "zoom"}) | {
    *("max-height", "height", "max-width", "width")
}
"""What takes an element's text away so that an element within can undo it for its own."""


def comes_back(values: Mapping[str, str], size: float) -> bool:
    """Whether an element may have undone for its text what took the one around it off its place."""
    if values.get("position") in {"absolute", "fixed"}:
        return True
    if "text-indent" in values or any(values.get(one, "none") != "none" for one in _TURNS):
        return True
    moved = (values[name] for name in (*_MOVES, *_PLACES) if name in values)
    return any("(" in one or (length(one, size) or 0.0) >= _FAR for one in moved)


def is_computed(written: str) -> bool:
    """Whether a colour depends on what is not known here."""
    return "(" in written and colour(written) is None and not has_image(written)


def is_doubtful(values: Mapping[str, str]) -> bool:
    """Whether declarations may take an element's text from the page in a way that is not known here."""
    if any(name in values and values[name] not in harmless for name, harmless in _HARMLESS.items()):
        return True
    if any("(" in values.get(name, "") for name in _COMPUTED):
        return True
    if (
        values.get("letter-spacing", "").startswith("-")
        and (length(values["letter-spacing"], 16.0) or 0.0) <= -_SQUEEZED
    ):
        return True
    if "line-height" in values and values.get("overflow", "visible") != "visible":
        return (length(values["line-height"], 16.0) or 0.0) <= 1.0 and values["line-height"][:1] == "0"
    return any(is_computed(values.get(name, "")) for name in ("color", "background", "background-color"))


def why_gone(values: Mapping[str, str], size: float) -> Iterator[str]:
    """The properties that take an element's text from the page."""
    opacity = share(values["opacity"]) if "opacity" in values else None
    if opacity is not None and opacity <= PALE:
        yield "opacity"
    if values.get("content-visibility") == "hidden":
        yield "content-visibility"
    for name in ("zoom", "scale"):
        if (times := share(values.get(name, "1").partition(" ")[0])) is not None and times <= PALE:
            yield name
    placed = values.get("position", "static") != "static"
    for name in (*_MOVES, *(_PLACES if placed else ())):
        if "-" in values.get(name, ""):
            furthest = min((length(word, size) or 0.0 for word in values[name].split()[:4]), default=0.0)
            if furthest <= -_FAR:
                yield name
    cut = any(values.get(n, "visible") != "visible" for n in ("overflow", "overflow-y", "overflow-x"))
    for name in ("max-height", "height", "max-width", "width") if cut else ():
        measured = length(values[name], size) if name in values and "(" not in values[name] else None
        if measured is not None and measured <= 1.0:
            yield name
    for name, pattern in _GONE.items():
        if name in values and pattern.search(values[name]):
            yield name

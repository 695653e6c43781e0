"""Which text of a page its style hides: by style attribute, by HTML's attributes and by style sheets.

What counts is what a person sees on white paper: nothing, or letters too small, too pale or too far away to read. Not
every reader's program applies a style sheet, and not all of CSS is done here: so text is hidden by degrees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tamis.base.derived import derived
from tamis.message.mail.css import (
    RESETS,
    SHORTHANDS,
    TRANSPARENT,
    Rgb,
    Room,
    colour,
    font_size,
    ground,
    has_image,
    inline,
    is_simple,
    rules_of,
)
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.hiding import MOVING, comes_back, is_computed, is_doubtful, why_gone
from tamis.message.mail.limits import Limits
from tamis.message.mail.selectors import Selectors, specificity

_WHITE: Rgb = (1.0, 1.0, 1.0)
_BLACK: Rgb = (0.0, 0.0, 0.0)
_LINK: Rgb = (0.0, 0.0, 0.93)
_NEAR = 0.07
"""Difference of each of red, green and blue up to which text can't be told from what is behind it."""
_SMALL = 2.0
"""Pixels up to which letters can't be read."""
_PAGE = frozenset({"html", "body"})
"""What readers' programs put into a page of their own: it can't be hidden as a whole."""


class Hidden(IntEnum):
    """How surely text is hidden."""

    NO = 0
    DOUBT = 1
    """By what is not done here, or a rule that may not hold; as likely it is seen."""
    MAYBE = 2
    """For Outlook alone, or by a colour on an image."""
    SHEET = 3
    """By a style sheet, which some readers' programs leave out."""
    YES = 4


_HINTS = (
    *("hidden", "mso-hide", "opacity", "text-indent", "clip", "max-", "scale", "translate", "rotate"),
    *(
        "overflow",
        "\\",
        "zoom",
        "matrix",
        "filter",
        "inset",
        "mask",
        "blend",
        "absolute",
        "fixed",
        "calc(",
        "var(",
    ),
    *("gradient", "mix(", "min(", "clamp(", "<details", "<dialog", "<audio", "<video", "<object", "<canvas"),
    *("<datalist", "<rp", "<svg", "<annotation", "<progress", "<meter", "popover", "table-column"),
    *("letter-spacing:-", "letter-spacing: -"),
)
# Far off the page, or with letters of next to no size. Patterns that begin with what is rare are quick.
_FAR_OFF = re.compile(r"-\d{3}|-\d{1,9}r?em")
_TINY = re.compile(
    r"font(?:-size)?\s*:\s*[\"']?[^;\"'>]{0,40}?(?<![\d.#])"
    r"(?:0|\.\d|[012](?:\.\d*)?(?:px|pt|em|rem|%)?(?![\d.%])|\d{1,2}%)"
)
_COLOURED = re.compile(
    r"(?:(back)ground(?:-color)?|color|bg(color)|\btext(?==))\s*[:=]\s*[\"']?\s*([^;\"'>}!]{1,60})"
)


def may_hide(markup: str) -> bool:
    """Whether anything in markup may hide text; cheap, and rather yes than no."""
    markup = markup.lower()
    if any(hint in markup for hint in _HINTS) or _TINY.search(markup):
        return True
    # most properties that are "none", borders that collapse and the "-800" of telephone numbers hide nothing
    if ("none" in markup and "display" in markup) or ("collapse" in markup and "visib" in markup):
        return True
    if ("margin" in markup or "position" in markup) and _FAR_OFF.search(markup):
        return True
    texts: set[Rgb] = {_BLACK}
    grounds: set[Rgb] = {_WHITE}
    for is_ground, is_attribute, written in set(_COLOURED.findall(markup)):
        value = written.strip()
        read = ground if is_ground else colour
        found = read(value)
        if not found and " " in value:  # an attribute without quotation marks, and the next one
            found = read(value.split()[0])
        if found == TRANSPARENT and not is_ground:
            return True
        if isinstance(found, tuple):
            (grounds if is_ground or is_attribute else texts).add(found)
    return any(_is_near(one, other) for one in texts for other in grounds)


def _is_near(one: Rgb, other: Rgb) -> bool:
    return all(abs(a - b) <= _NEAR for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class _State:
    """What an element's text inherits; each `_by` is how surely that holds."""

    gone: Hidden = Hidden.NO
    away: Hidden = Hidden.NO
    """Off its place, or cut off: what is within can be brought back."""
    invisible: Hidden = Hidden.NO
    size: float = 16.0
    size_by: Hidden = Hidden.YES
    colour: Rgb | None = _BLACK
    colour_by: Hidden = Hidden.YES
    ground: Rgb | None = _WHITE
    ground_by: Hidden = Hidden.YES

    @derived
    def within(self) -> dict[tuple[str | bool | None, ...], _State]:
        """What elements have made of it, by all of them that matters (`_remembered`)."""
        return {}

    @property
    def takes_room(self) -> bool:
        """Whether the text, seen or not, is in its place on the page."""
        return max(self.gone, self.away) <= Hidden.DOUBT and self.size > _SMALL

    @derived
    def degree(self) -> Hidden:
        """How surely the text is hidden."""
        found = max(self.gone, self.away, self.invisible)
        if self.size <= _SMALL:
            found = max(found, self.size_by)
        if found < Hidden.YES and self.colour and self.ground and _is_near(self.colour, self.ground):
            found = max(found, min(self.colour_by, self.ground_by))
        return found


_START = _State()


class Texts(NamedTuple):
    """The text of a page: what is seen; with what is hidden by whatever but YES as well; what is hidden, by more than
    MAYBE; what is seen beyond DOUBT; and the nodes of text, blanks aside, that are hidden by more than MAYBE."""

    seen: str
    with_doubtful: str
    hidden: str
    certain: str
    nodes: tuple[LexborNode, ...] = ()


def divided(
    tree: LexborHTMLParser,
    sheets: list[str],
    room: Room,
    limits: Limits,
    report: DefectReport,
    where: str,
    *,
    removes: bool = False,
) -> Texts:
    """The text of a page's body, divided by whether it is hidden, which ``removes`` takes from the tree. Raises
    SelectolaxError."""
    by_sheet = _applied(tree, sheets, room, limits, report, where)
    body = tree.body
    if body is None:
        return Texts("", "", "", "")
    seen: list[str] = []
    certain: list[str] = []
    doubtful: list[str] = []
    hidden: list[str] = []
    gone: list[LexborNode] = []
    states: dict[int, _State] = {}
    for node in body.traverse(include_text=True):
        parent = node.parent
        above = states.get(parent.mem_id, _START) if parent is not None else _START
        if node.tag == "-text":
            text = node.text_content or ""
            degree = above.degree
            if degree <= Hidden.DOUBT:
                seen.append(text)
                doubtful.append(text)
                if degree is Hidden.NO:
                    certain.append(text)
                if hidden and hidden[-1] != "\n":
                    hidden.append("\n")
                continue
            if degree > Hidden.MAYBE and (removes or not text.isspace()):
                gone.append(node)
            if degree < Hidden.YES:
                doubtful.append(text)
            if above.takes_room and text.isspace():
                seen.append(text)
                certain.append(text)
            elif degree > Hidden.MAYBE:
                hidden.append(text)
            continue
        attributes = node.attributes
        place = node.mem_id
        known = by_sheet.get(place)
        if known is not None:
            states[place] = _styled(node.tag, attributes, known, above, room)
        elif node.tag in _BY_TAG or not _TELLING.isdisjoint(attributes):
            states[place] = _remembered(node.tag, attributes, above, room)
        elif above is not _START:
            states[place] = above
    if removes:
        for node in gone:
            node.decompose()
    if room.cut:
        report.add(DefectKind.STYLE_TRUNCATED, limits.style_characters, where)
    nodes = () if removes else tuple(gone)
    return Texts("".join(seen), "".join(doubtful), "".join(hidden), "".join(certain), nodes)


@dataclass(slots=True)
class _BySheet:
    """What style sheets say of one element: property -> ((important, specificity, order), value); and what rules say
    that may not be about it."""

    values: dict[str, tuple[tuple[bool, int, int], str]]
    doubtful: dict[str, str]


def _applied(
    tree: LexborHTMLParser, sheets: list[str], room: Room, limits: Limits, report: DefectReport, where: str
) -> dict[int, _BySheet]:
    """What style sheets say of which element."""
    found: dict[int, _BySheet] = {}
    selectors = Selectors(tree)
    for number, rule in enumerate(rule for sheet in sheets for rule in rules_of(sheet, room)):
        if number >= limits.style_rules:
            report.add(DefectKind.STYLE_TRUNCATED, number, where)
            break
        nodes, is_sure = selectors.about(rule.selector)
        rank = specificity(rule.selector)
        for node in nodes:
            one = found.setdefault(node.mem_id, _BySheet({}, {}))
            for name, (value, important) in rule.declarations.items():
                if not (is_sure and rule.is_sure):
                    one.doubtful[name] = value
                    continue
                weight = (important, rank, number)
                if all(
                    one.values[other][0] <= weight
                    for other in (name, *SHORTHANDS[name])
                    if other in one.values
                ):
                    one.values[name] = (weight, value)
                    for other in RESETS.get(name, ()):
                        if (
                            other not in rule.declarations
                            and other in one.values
                            and one.values[other][0] <= weight
                        ):
                            del one.values[other]
    if selectors.cut:
        report.add(DefectKind.STYLE_TRUNCATED, "selectors", where)
    return found


_COLOUR_BY_TAG = {"font": "color", "body": "text"}
"""The attributes that give a text its colour (HTML Standard 15.3.1, 15.3.4)."""
_TELLING = frozenset({"style", "text", "bgcolor", "background", "color", "size", "hidden", "href", "popover"})
"""The attributes that `_styled` looks at, whatever the element."""


def _remembered(tag: str | None, attributes: Mapping[str, str | None], above: _State, room: Room) -> _State:
    """As `_styled`, once for elements alike: a page has hundreds of cells and few ways to write one."""
    style = attributes.get("style")
    if style and not is_simple(style):  # it takes room each time
        return _styled(tag, attributes, None, above, room)
    get = attributes.get
    present = [name in attributes for name in ("hidden", "href", "open", "popover")]
    size = get("size") if tag == "font" else None
    drawn = (get("width"), get("height")) if tag == "svg" else ()
    painted = (get("bgcolor"), get("background"), get(_COLOUR_BY_TAG.get(tag or "", "")))
    alike = (tag, style, size, *painted, *present, *drawn)
    state = above.within.get(alike)
    if state is None:
        state = above.within[alike] = _styled(tag, attributes, None, above, room)
    return state


def _styled(
    tag: str | None,
    attributes: Mapping[str, str | None],
    known: _BySheet | None,
    above: _State,
    room: Room,
) -> _State:
    """What an element makes of what it inherits."""
    state = _attributed(tag or "", attributes, above)
    style = attributes.get("style")
    declared = inline(style, room) if style else {}
    if not declared and known is None:
        return state
    values: dict[str, str] = {}
    degrees: dict[str, Hidden] = {}
    sheet = known.values if known is not None else {}
    for name, (_, value) in sheet.items():
        values[name], degrees[name] = value, Hidden.SHEET
    for name, (value, important) in declared.items():
        if important or not any(sheet[one][0][0] for one in (name, *SHORTHANDS[name]) if one in sheet):
            values[name], degrees[name] = value, Hidden.YES
            for other in RESETS.get(name, ()):
                if other not in declared and other in sheet and (important or not sheet[other][0][0]):
                    values.pop(other, None)
    is_page = tag in _PAGE
    state = _declared(state, above, values, degrees, is_page=is_page)
    if known is not None and known.doubtful and state.degree is Hidden.NO:
        guessed = _declared(state, above, known.doubtful, {}, is_page=is_page)
        if guessed.degree:
            return replace(state, gone=Hidden.DOUBT)
    return state


_FALLBACKS = frozenset(
    {"audio", "video", "object", "canvas", "datalist", "rp", "defs", "desc", "progress", "meter"}
    | {"annotation", "annotation-xml"}
)
"""Elements whose content is shown where what they stand for is not."""
_CLOSED = frozenset({"details", "dialog"})
_NOTHING = frozenset({"0", "0px", "0%"})
_CONTROLS = frozenset({"button", "input", "select", "textarea"})
_PAINTED: Mapping[str, Rgb] = {
    **dict.fromkeys(_CONTROLS, (0.94, 0.94, 0.94)),
    "mark": (1.0, 1.0, 0.0),
    "dialog": _WHITE,
}
"""Elements with colours of their own (HTML Standard 15): black letters on this."""
_CONTROL_SIZE = 13.3
_BY_TAG = frozenset({"table", "summary", "svg", *_FALLBACKS, *_CLOSED, *_PAINTED})
"""Elements that matter without an attribute."""


def _attributed(tag: str, attributes: Mapping[str, str | None], state: _State) -> _State:
    """What the element is by itself, and what HTML's own attributes say."""
    if tag in _PAINTED:
        ground_here = _PAINTED[tag]
        state = replace(state, colour=_BLACK, colour_by=Hidden.YES, ground=ground_here, ground_by=Hidden.YES)
        if tag in _CONTROLS:
            state = replace(state, size=_CONTROL_SIZE, size_by=Hidden.YES)
    elif tag == "font" and (steps := _STEPS.match(attributes.get("size") or "")):
        state = replace(state, size=_font_step(steps), size_by=Hidden.YES)
    painted = attributes.get("bgcolor")
    if painted:
        state = _on(state, colour(painted.strip().lower()), Hidden.YES)
    if attributes.get("background"):
        state = replace(state, ground_by=Hidden.MAYBE)  # the image may be of another colour, or not be loaded
    written = attributes.get(_COLOUR_BY_TAG.get(tag, ""))
    if written:
        state = _in(state, colour(written.strip().lower()), Hidden.YES)
    if tag == "table":  # colour and size don't go into tables in quirks mode (HTML Standard 15.3.10)
        state = replace(
            state, colour_by=min(state.colour_by, Hidden.MAYBE), size_by=min(state.size_by, Hidden.MAYBE)
        )
    elif tag == "a" and "href" in attributes:
        state = replace(state, colour=_LINK, colour_by=Hidden.YES)
    if tag in _FALLBACKS or (tag in _CLOSED and "open" not in attributes):
        state = replace(state, gone=max(state.gone, Hidden.DOUBT))
    elif tag == "summary" and state.gone is Hidden.DOUBT:
        state = replace(state, gone=Hidden.NO)
    elif tag == "svg" and any(
        (attributes.get(side) or "").strip() in _NOTHING for side in ("width", "height")
    ):
        state = replace(state, gone=Hidden.YES)
    if "popover" in attributes:
        state = replace(state, gone=max(state.gone, Hidden.DOUBT))
    if "hidden" in attributes and tag not in _PAGE:
        state = replace(state, gone=Hidden.YES)
    return state


_STEPS = re.compile(r"\s*([-+]?)(\d{1,9})")
_STEP_SIZES = (10.0, 13.0, 16.0, 18.0, 24.0, 32.0, 48.0)
_USUAL_STEP = 3


def _font_step(written: re.Match[str]) -> float:
    """The pixels of a font's size attribute (HTML Standard, rules for parsing a legacy font size)."""
    number = int(written[2])
    step = _USUAL_STEP + (number if written[1] == "+" else -number) if written[1] else number
    return _STEP_SIZES[max(1, min(len(_STEP_SIZES), step)) - 1]


def _on(state: _State, painted: Rgb | str | None, by: Hidden) -> _State:
    if painted == TRANSPARENT:
        return state
    return replace(state, ground=painted if isinstance(painted, tuple) else None, ground_by=by)


def _in(state: _State, written: Rgb | str | None, by: Hidden) -> _State:
    if written == TRANSPARENT:
        return replace(state, colour=state.ground or _WHITE, ground=state.ground or _WHITE, colour_by=by)
    return replace(state, colour=written, colour_by=by) if isinstance(written, tuple) else state


def _declared(
    state: _State, above: _State, values: Mapping[str, str], degrees: Mapping[str, Hidden], *, is_page: bool
) -> _State:
    """What declarations make of a state. A property without a degree holds surely."""
    by = degrees.get
    surely = Hidden.YES
    if "all" in values:  # attributes, too
        state = replace(above, **_INITIAL) if values["all"] == "initial" else above
    gone, away = state.gone, state.away
    display = values.get("display", "")
    if display in _NO_BOXES and not is_page:
        gone = max(gone, by("display", surely))
    elif display:
        gone = above.gone  # it undoes the attribute `hidden`
    if values.get("mso-hide") == "all":
        gone = max(gone, Hidden.MAYBE)
    invisible = state.invisible
    if values.get("visibility", "inherit") not in _INHERITED:
        is_out = values["visibility"] in {"hidden", "collapse"} and not is_page
        invisible = by("visibility", surely) if is_out else Hidden.NO
    size, size_by = state.size, state.size_by
    for name in ("font", "font-size"):
        if name in values:
            size, size_by = font_size({name: values[name]}, size), by(name, surely)
    reasons = tuple(why_gone(values, size))
    if away and not reasons and comes_back(values, size):
        away = Hidden.DOUBT
    for name in reasons:
        if name in MOVING:
            away = max(away, by(name, surely))
        else:
            gone = max(gone, by(name, surely))
    if not gone and not away and is_doubtful(values):
        gone = Hidden.DOUBT
    told = (gone, away, invisible, size, size_by)
    if told != (state.gone, state.away, state.invisible, state.size, state.size_by):
        state = replace(state, gone=gone, away=away, invisible=invisible, size=size, size_by=size_by)
    for name in ("background", "background-color"):
        if name in values:
            painted = None if is_computed(values[name]) else ground(values[name])
            state = _on(state, painted, by(name, surely))
    images = [values[name] for name in ("background", "background-image") if has_image(values.get(name, ""))]
    if images:
        state = _on(state, ground(images[-1]), Hidden.MAYBE)
        state = replace(state, ground_by=Hidden.MAYBE)
    for name in ("color", "-webkit-text-fill-color"):
        if name not in values:
            continue
        written = values[name]
        if is_computed(written):
            state = replace(state, colour=None)
        else:
            state = _in(state, _BLACK if written == "initial" else colour(written), by(name, surely))
    if any(values.get(name, "none") not in {"none", "0"} for name in _DRAWN):
        state = replace(state, colour_by=min(state.colour_by, Hidden.DOUBT))
    return state


_INHERITED = frozenset({"inherit", "unset", "revert", "revert-layer"})
_INITIAL: Mapping[str, Any] = {
    "invisible": Hidden.NO,
    "size": _START.size,
    "size_by": Hidden.YES,
    "colour": _BLACK,
    "colour_by": Hidden.YES,
}
"""What `all: initial` does to what is inherited."""
_NO_BOXES = frozenset({"none", "table-column", "table-column-group"})
"""Values of display whose content is not shown (CSS 2.2, 17.2)."""
_DRAWN = ("text-shadow", "-webkit-text-stroke", "-webkit-text-stroke-width")
"""What shows letters whatever their colour."""

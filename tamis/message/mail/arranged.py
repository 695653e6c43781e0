"""What style makes of a page's text: text that it puts in, and text that it shows in another order than it is written.

Nothing is laid out: what matters is which words a reader could see, so pieces are put side by side in every order that
a declaration asks for (CSS Generated Content 3, CSS Flexible Box 1, CSS Positioned Layout 3, CSS Grid 1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from tamis.message.mail.blocks import EDGE
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.hints import Hints
from tamis.message.mail.references import css_unescaped

_MOST_NODES = 2000  # elements that style moves or adds to; beyond: as they are written; `html_truncated`
_MOST_RULES = 300  # rules of that kind; beyond: they do nothing; `html_truncated`
_CHARACTERS = 32_768  # characters of all text in another order; beyond: as it is written; `html_truncated`
_PIECE_CHARACTERS = 2000  # characters of one piece of it; beyond: as it is written; `html_truncated`
_READ_CHARACTERS = 2_097_152
"""Characters that are read to find them, those of elements within each other again. Beyond: as it is written;
`html_truncated`."""

_DECLARATION = re.compile(r"([a-z-]{3,40})\s*:\s*([^;}]{1,400})", re.IGNORECASE)
_PUTS_IN = re.compile(
    r"(?<![\w-])(?:content|list-style(?:-type)?|symbols|quotes|prefix|suffix)\s*:", re.IGNORECASE
)
_STRING = re.compile(r"\"((?:[^\"\\\n]|\\.){0,500})\"|'((?:[^'\\\n]|\\.){0,500})'")
_GENERATED = re.compile(
    rf"{_STRING.pattern}|attr\(\s*([\w-]{{1,60}})[^)]{{0,60}}\)|var\(\s*(--[\w-]{{1,60}})[^)]{{0,200}}\)",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"(--[\w-]{1,60})\s*:\s*([^;}]{1,400})")
_PSEUDO = re.compile(r"::?(before|after|marker)\s*$", re.IGNORECASE)
_PLACED = ("order", "left", "right", "inset", "grid-column", "grid-row", "grid-area")
_MOVES = Hints(
    [
        ("-reverse", "-reverse"),
        ("float", r"float\s*:\s*(?:right|inline-end)"),
        *((name, rf"{name}(?<![\w-]{name})[\w-]{{0,7}}\s*:") for name in _PLACED),
        ("dir", r"dir\s*=\s*[\"']?\s*rtl"),
        ("direction", r"direction\s*:\s*rtl"),
        ("translate", r"translatex?\s*\("),
        ("scale", r"scale(?:x|3d)?\s*\("),
        ("rotatey", r"rotatey\s*\("),
        *((f"<{name}", rf"<{name}\s[^>]{{0,200}}\bx\s*=") for name in ("text", "tspan")),
    ]
)
_STYLED = "[style],[dir],text[x],tspan[x]"
_NUMBER = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]{1,4})?")
_TURNS = re.compile(r"(?:scalex?|scale3d)\(\s*-|rotatey\(\s*-?(?:1[0-9]{2}deg|0?\.5turn)", re.IGNORECASE)
_SHIFTS = re.compile(r"translatex?\(\s*(-?[0-9.]{1,9})", re.IGNORECASE)
_NESTED = 60
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]")


@dataclass(slots=True)
class _Room:
    """What may still be looked at of one page; says when something was not."""

    report: DefectReport
    where: str
    nodes: int = _MOST_NODES
    characters: int = _CHARACTERS
    effort: int = _READ_CHARACTERS

    def takes_node(self) -> bool:
        self.nodes -= 1
        if self.nodes < 0:
            self.cut()
        return self.nodes >= 0

    def cut(self) -> None:
        self.report.add(DefectKind.HTML_TRUNCATED, "text in another order", self.where)


def arranged(
    tree: LexborHTMLParser, markup: str, sheets: Iterable[str], report: DefectReport, where: str
) -> Iterator[str]:
    """The texts that style makes of a page, beside the one that is written. Changes the tree.

    Raises SelectolaxError.
    """
    room = _Room(report, where)
    sheets = list(sheets)
    if any(_PUTS_IN.search(sheet) for sheet in sheets) or "list-style" in markup.lower():
        strings, changed = _put_in(tree, sheets, room)
        yield from strings
        if changed and tree.body is not None:
            yield tree.body.text()
    if _MOVES.are_in(markup):
        yield from _moved(tree, sheets, room)


def _rules(sheets: Iterable[str], wanted: Callable[[str], object], room: _Room) -> Iterator[tuple[str, str]]:
    number = 0
    for sheet in sheets:
        for block in sheet.split("}"):
            before, _, declared = block.rpartition("{")
            if not wanted(declared):
                continue
            number += 1
            if number > _MOST_RULES:
                room.cut()
                return
            yield re.split("[{;]", before)[-1].strip(), declared


def _nodes(tree: LexborHTMLParser, selector: str, room: _Room) -> Iterator[LexborNode]:
    try:
        found = tree.css(selector)
    except SelectolaxError:
        return
    for node in found:
        if not room.takes_node():
            return
        yield node


def _put_in(tree: LexborHTMLParser, sheets: list[str], room: _Room) -> tuple[list[str], bool]:
    """Put the text of style sheets before and after elements: the strings that belong to none, and whether any does."""
    variables = {found[1]: found[2] for sheet in sheets for found in _VARIABLE.finditer(sheet)}
    loose: list[str] = []
    changed = False
    for selectors, declared in _rules(sheets, _PUTS_IN.search, room):
        values = {found[1].lower(): found[2] for found in _DECLARATION.finditer(declared)}
        loose += (
            css_unescaped(one[1] or one[2] or "") for name in values for one in _strings(name, values[name])
        )
        content = values.get("content", "")
        for selector in selectors.split(","):
            pseudo = _PSEUDO.search(selector)
            if not content or pseudo is None:
                continue
            for node in _nodes(tree, selector[: pseudo.start()].strip() or "body", room):
                if room.effort < 0:
                    room.cut()
                    return loose, changed
                if text := _text_of(content, node, variables):
                    room.effort -= len(text)
                    if pseudo[1].lower() == "after":  # a block's end stands between them in the tree
                        loose.append(_text(node, room) + text)
                    _insert(node, text, before=pseudo[1].lower() != "after")
                    changed = True
    for node in tree.css("[style*=list-style]"):
        loose += (one[1] or one[2] or "" for one in _STRING.finditer(node.attributes.get("style") or ""))
    return loose, changed


def _strings(name: str, value: str) -> Iterator[re.Match[str]]:
    if name != "content" and _PUTS_IN.match(f"{name}:"):
        yield from _STRING.finditer(value)


def _text_of(content: str, node: LexborNode, variables: dict[str, str]) -> str:
    """What a value of `content` stands for at an element."""
    pieces: list[str] = []
    for found in _GENERATED.finditer(content):
        string, other, attribute, variable = found.groups()
        if attribute:
            pieces.append(node.attributes.get(attribute.lower()) or "")
        elif variable:
            pieces += (
                css_unescaped(one[1] or one[2] or "") for one in _STRING.finditer(variables.get(variable, ""))
            )
        else:
            pieces.append(css_unescaped(string or other or ""))
    return "".join(pieces)


def _insert(node: LexborNode, text: str, *, before: bool) -> None:
    first = node.first_child
    if before and first is not None:
        first.insert_before(text)
    else:
        node.insert_child(text)


@dataclass(slots=True)
class _Group:
    """The children of one element that have a place: what orders them, and their text."""

    pieces: list[tuple[float, str]] = field(default_factory=list)


def _moved(tree: LexborHTMLParser, sheets: list[str], room: _Room) -> Iterator[str]:
    """The texts of elements whose parts are shown in another order."""
    styles: dict[int, str] = {}
    found: dict[int, LexborNode] = {}
    for selector, declared in _rules(sheets, _MOVES.are_in, room):
        for node in _nodes(tree, selector, room):
            styles[node.mem_id] = f"{styles.get(node.mem_id, '')};{declared}"
            found[node.mem_id] = node
    for node in tree.css(_STYLED):
        written = node.attributes.get("style") or ""
        if "x" in node.attributes or node.attributes.get("dir") or _MOVES.are_in(written):
            if not room.takes_node():
                break
            styles[node.mem_id] = f"{styles.get(node.mem_id, '')};{written}"
            found[node.mem_id] = node
    groups: dict[int, _Group] = {}
    for number, (place, node) in enumerate(found.items()):
        values = {one[1].lower(): one[2].lower() for one in _DECLARATION.finditer(styles[place])}
        yield from _turned(node, values, room)
        at = _place(node, values, number)
        if at is not None and node.parent is not None:
            group = groups.setdefault(node.parent.mem_id, _Group())
            group.pieces.append((at, _text(node, room)))
    for group in groups.values():
        if len(group.pieces) > 1:
            in_order = [text for _, text in sorted(group.pieces, key=lambda piece: piece[0])]
            yield from _joined(in_order, room)


def _turned(node: LexborNode, declared: dict[str, str], room: _Room) -> Iterator[str]:
    """The text of an element that shows its children, or its letters, the other way round."""
    flow = f"{declared.get('flex-direction', '')} {declared.get('flex-flow', '')}"
    if "-reverse" in flow:
        yield from _joined([_text(child, room) for child in reversed(_children(node))], room)
    if (
        declared.get("direction", "").startswith("rtl")
        or (node.attributes.get("dir") or "").strip().lower() == "rtl"
    ):
        pieces = list(_backwards(node, room))
        if not any(map(_RIGHT_TO_LEFT.search, pieces)):  # else it is how they are written
            yield from _joined(pieces, room)
    if _TURNS.search(declared.get("transform", "")) or declared.get("scale", "").startswith("-"):
        yield from _joined([_text(node, room)[::-1]], room)


def _place(node: LexborNode, declared: dict[str, str], number: int) -> float | None:
    """What orders an element, which is the `number`th, among its siblings; None when nothing does."""
    if declared.get("float", "").startswith(("right", "inline-end")):
        return -float(number)
    for name, sign in (
        ("order", 1),
        ("left", 1),
        ("inset-inline-start", 1),
        ("grid-column", 1),
        ("right", -1),
    ):
        for written in (name, f"{name}-start"):
            if told := _NUMBER.search(declared.get(written, "")):
                return sign * float(told[0])
    if numbers := _NUMBER.findall(declared.get("inset", "")):
        return float(numbers[-1])
    if len(numbers := _NUMBER.findall(declared.get("grid-area", ""))) > 1:
        return float(numbers[1])
    if shift := _SHIFTS.search(declared.get("transform", "")):
        return float(shift[1]) if _NUMBER.fullmatch(shift[1]) else None
    if node.tag in {"text", "tspan"} and (told := _NUMBER.match(node.attributes.get("x") or "")):
        return float(told[0])
    return None


def _children(node: LexborNode) -> list[LexborNode]:
    return list(node.iter(include_text=True))


def _backwards(node: LexborNode, room: _Room, depth: int = 0) -> Iterator[str]:
    """The texts within an element, the last first."""
    for child in reversed(_children(node)):
        room.effort -= 64
        if child.tag == "-text" or depth >= _NESTED or room.effort < 0:
            yield _text(child, room)
        else:
            yield from _backwards(child, room, depth + 1)


def _text(node: LexborNode, room: _Room) -> str:
    if room.effort < 0:
        room.cut()
        return ""
    text = (node.text_content if node.tag == "-text" else node.text()) or ""
    room.effort -= len(text) + 64
    text = text.replace(EDGE, "").strip()
    if len(text) > _PIECE_CHARACTERS:
        room.cut()
    return text[:_PIECE_CHARACTERS]


def _joined(pieces: list[str], room: _Room) -> Iterator[str]:
    """The pieces side by side: as one word, and as words."""
    for separator in ("", " "):
        text = separator.join(pieces)
        room.characters -= len(text)
        if room.characters < 0:
            room.cut()
            return
        yield text
        if max(map(len, pieces), default=0) < 2:
            return

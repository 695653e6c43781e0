"""A small reader of UCL, the language of rspamd's configuration, with the line of every key.

No library for Python reads it whole and keeps the lines: one binds a C library of 2018, the other knows no macros.
What is read is what configurations have: sections with names, arrays, strings of three kinds, here-documents, comments
and macros. Numbers stay text; nothing is evaluated, and variables are left to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from tamis.base.errors import ConfigError

MAX_DEPTH = 40  # sections within sections; beyond: the file is refused
MAX_NODES = 100_000  # keys and values of one file; beyond: the file is refused


class NodeKind(StrEnum):
    """What a node is."""

    SCALAR = "scalar"
    OBJECT = "object"
    ARRAY = "array"
    MACRO = "macro"


@dataclass(slots=True, eq=False)
class Node:
    """A key with its value. A macro's text is its argument; an array's items have no key."""

    key: str
    place: str
    kind: NodeKind = NodeKind.SCALAR
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, key: str) -> list[Node]:
        """The children of a key: UCL takes several for an array."""
        return [one for one in self.children if one.key == key]

    def get(self, key: str, default: str = "") -> str:
        """The last scalar of a key."""
        found = [one.text for one in self.all(key) if one.kind is NodeKind.SCALAR]
        return found[-1] if found else default

    def values(self, key: str) -> list[Node]:
        """The scalars of a key, whether they stand as one, as several or as an array."""
        return [
            leaf for one in self.all(key) for leaf in (one.children if one.kind is NodeKind.ARRAY else [one])
        ]

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    @property
    def shown(self) -> str:
        """One line of it, as it would be written."""
        if self.kind is NodeKind.MACRO:
            return f".{self.key} {self.text}"
        value = {NodeKind.OBJECT: "{…}", NodeKind.ARRAY: "[…]"}.get(self.kind, self.text)
        return f"{self.key} = {value}" if self.key else value


_SPACE = re.compile(r"(?:[\s;,]|#[^\n]*)*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[^\s\"'{}\[\]=:;,#]+")
_BARE = re.compile(r"[^\n;,{}\[\]#]*")
_HERE = re.compile(r"<<([A-Z]+)\n(.*?)\n\1(?=[\s;,]|$)", re.DOTALL)
_MACRO = re.compile(r"\.([a-z_]+)[ \t]*(?:\(([^)]*)\))?[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def read_ucl(text: str, source: str) -> Node:
    """The whole of a text as an object. Raises ConfigError with file and line."""
    return _Ucl(text, source).read()


class _Ucl:
    def __init__(self, text: str, source: str) -> None:
        self._text, self._source = text, source
        self._at = self._counted = self._nodes = 0
        self._line = 1

    def read(self) -> Node:
        root = Node("", f"{self._source}:1", NodeKind.OBJECT)
        self._skip(_SPACE)
        whole = self._text.startswith("{", self._at)
        if whole:
            self._at += 1
        self._members(root, 0, closed=whole)
        self._skip(_SPACE)
        if self._at < len(self._text):
            self._refuse("something behind the last brace")
        return root

    def _members(self, into: Node, depth: int, *, closed: bool) -> None:
        while True:
            self._skip(_SPACE)
            if self._at >= len(self._text):
                if closed:
                    self._refuse(f"the section {into.key or 'of the whole'} is not closed")
                return
            if self._text[self._at] == "}":
                if not closed:
                    self._refuse("a brace that closes nothing")
                self._at += 1
                return
            into.children.append(self._member(depth))

    def _member(self, depth: int) -> Node:
        if self._text[self._at] == "." and (found := _MACRO.match(self._text, self._at)):
            return self._macro(found)
        node = self._new(self._key())
        self._skip(_BLANK)
        if self._text[self._at : self._at + 1] in ("=", ":"):
            self._at += 1
            self._skip(_BLANK)
        elif self._text[self._at : self._at + 1] in ('"', "'") and self._is_section():
            node.kind = NodeKind.OBJECT  # worker "normal" { … }: a section in a section
            inner = self._new(self._string())
            self._skip(_BLANK)
            self._value(inner, depth + 2)
            node.children.append(inner)
            return node
        elif bare := re.compile(r"([A-Za-z_][\w.-]*)\s*\{").match(self._text, self._at):
            node.kind = NodeKind.OBJECT
            inner = self._new(bare[1])
            self._at = bare.end() - 1
            self._value(inner, depth + 2)
            node.children.append(inner)
            return node
        self._value(node, depth + 1)
        return node

    def _is_section(self) -> bool:
        quoted = _QUOTED.match(self._text, self._at) or _SINGLE.match(self._text, self._at)
        return quoted is not None and re.compile(r"\s*\{").match(self._text, quoted.end()) is not None

    def _macro(self, found: re.Match[str]) -> Node:
        node = self._new(found[1])
        node.kind = NodeKind.MACRO
        self._at = found.end()
        node.children = [
            Node(name.strip(), node.place, text=value.strip().strip("\"'"))
            for name, _, value in (
                one.partition("=") for one in re.split("[;,]", found[2] or "") if one.strip()
            )
        ]
        node.text = self._scalar()
        return node

    def _key(self) -> str:
        if self._text[self._at] in "\"'":
            return self._string()
        found = _BARE_KEY.match(self._text, self._at)
        if found is None:
            self._refuse(f"a key was expected, not {self._text[self._at]!r}")
        self._at = found.end()
        return found[0]

    def _value(self, node: Node, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._refuse(f"sections more than {MAX_DEPTH} deep")
        if self._at >= len(self._text):
            self._refuse(f"{node.key} has no value")
        sign = self._text[self._at]
        if sign == "{":
            self._at += 1
            node.kind = NodeKind.OBJECT
            self._members(node, depth, closed=True)
        elif sign == "[":
            self._at += 1
            node.kind = NodeKind.ARRAY
            self._items(node, depth)
        elif sign in "}]":
            self._refuse(f"{node.key} has no value")
        else:
            node.text = self._scalar()

    def _items(self, node: Node, depth: int) -> None:
        while True:
            self._skip(_SPACE)
            if self._at >= len(self._text):
                self._refuse(f"the array {node.key} is not closed")
            if self._text[self._at] == "]":
                self._at += 1
                return
            item = self._new("")
            self._value(item, depth + 1)
            node.children.append(item)

    def _scalar(self) -> str:
        sign = self._text[self._at : self._at + 1]
        if sign in ('"', "'") and sign:
            return self._string()
        if found := _HERE.match(self._text, self._at):
            self._at = found.end()
            return found[2]
        bare = _BARE.match(self._text, self._at)
        assert bare is not None  # it matches nothing, too
        if bare.end() == self._at:
            self._refuse("a value was expected")
        self._at = bare.end()
        return bare[0].strip()

    def _string(self) -> str:
        single = self._text[self._at] == "'"
        found = (_SINGLE if single else _QUOTED).match(self._text, self._at)
        if found is None:
            self._refuse("a string has no end")
        self._at = found.end()
        if single:
            return found[1].replace("\\'", "'")
        return re.sub(
            r"\\(?:u([0-9A-Fa-f]{4})|(.))",
            lambda one: (
                _letter(one[1]) if one[1] else _ESCAPES.get(one[2], one[2] if one[2] in '"\\/' else one[0])
            ),
            found[1],
            flags=re.DOTALL,
        )

    def _skip(self, what: re.Pattern[str]) -> None:
        while True:
            found = what.match(self._text, self._at)
            assert found is not None  # it matches nothing, too
            self._at = found.end()
            if not self._text.startswith("/*", self._at):
                return
            self._comment()

    def _comment(self) -> None:
        begun, depth = self._at, 0
        for found in re.compile(r"/\*|\*/").finditer(self._text, self._at):
            depth += 1 if found[0] == "/*" else -1
            if depth == 0:
                self._at = found.end()
                return
        self._at = begun
        self._refuse("a comment has no end")

    def _new(self, key: str) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(f"more than {MAX_NODES} keys and values")
        return Node(key, self._place())

    def _place(self) -> str:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return f"{self._source}:{self._line}"

    def _refuse(self, problem: str) -> NoReturn:
        raise ConfigError(self._place(), "", problem)


def _letter(digits: str) -> str:
    code = int(digits, 16)
    return "\ufffd" if 0xD800 <= code < 0xE000 or not code else chr(code)

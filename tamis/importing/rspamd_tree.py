"""rspamd's configuration folder: its files as nodes, its maps as lines, and who accounted for which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tamis.base.errors import ConfigError
from tamis.importing.bounded_files import ReadingBudget
from tamis.importing.gathering import Fate, Gathering, Line
from tamis.importing.ucl import Node, NodeKind, read_ucl

MOST_INCLUDES = 10  # files that include each other; beyond: refused
_UNUSED = frozenset(
    (
        *("message", "priority", "one_shot", "group", "groups", "policy", "require_action", "honor_action"),
        *("inverse_symbol", "symbols_prefixes", "prefilter", "retransmits", "log_clean"),
    )
)
"""Keys of sections that come over without them."""
_SCHEME = re.compile(r"^(?:(?:fallback\+)?file://|(?:regexp|regex|glob|glob_multi|regexp_multi);)+")
_LIKE_FILE = re.compile(r"/|^\$|^[\w+]+;")
_LIKE_PATTERN = re.compile(r"^/.*/[imsxurgULO]*$")
_OWN = re.compile(r"^(?:\$\{?(?:LOCAL_)?CONFDIR\}?|/etc/rspamd)(?=/)")


@dataclass(frozen=True, slots=True)
class MapLine:
    """A line of a map: what is listed, and what stands behind it."""

    line: Line
    key: str
    value: str


class RspamdTree:
    """The folder. Every node and line that is handed out is accounted for, by whoever takes it or by `rest`."""

    def __init__(self, root: Path, into: Gathering, budget: ReadingBudget) -> None:
        self.root = root
        self.into = into
        self._budget = budget
        self._known: set[Node] = set()
        self._read: set[Path] = set()
        self._maps: dict[Path, list[MapLine]] = {}

    def nodes(self, path: Path, depth: int = 0) -> Node:
        """A file's keys; what it includes from the folder stands in its place. Raises ConfigError."""
        if depth > MOST_INCLUDES:
            raise ConfigError(str(path), "", f"files that include each other, more than {MOST_INCLUDES} deep")
        self._read.add(path)
        root = read_ucl(self._budget.text(path), self.shown(path))
        for node in list(root.walk()):
            node.children = [one for child in node.children for one in self._included(child, depth)]
        return root

    def _included(self, node: Node, depth: int) -> Iterator[Node]:
        if node.kind is not NodeKind.MACRO or node.key not in ("include", "includes", "try_include"):
            yield node
            return
        self._known.add(node)
        path = self.inside(node.text)
        if path is None or not path.is_file():
            self.into.tell(Line(node.place, node.shown), Fate.SILENT, "names no file of this folder")
            return
        self.into.tell(Line(node.place, node.shown), Fate.OVER, "the file is read here")
        yield from self.nodes(path, depth + 1).children

    def inside(self, text: str) -> Path | None:
        """The file of the folder that a path or URL names; None for any other."""
        plain = _SCHEME.sub("", text.strip())
        if found := _OWN.match(plain):
            plain = plain[found.end() + 1 :]
        elif plain.startswith(("/", "$")) or "://" in plain:
            return None
        path = (self.root / plain).resolve()
        return path if path.is_relative_to(self.root.resolve()) else None

    def shown(self, path: Path) -> str:
        """A file as the report names it: from the folder on."""
        return str(path.resolve().relative_to(self.root.resolve()))

    def account(self, node: Node, fate: Fate, told: str) -> None:
        """Account for a node, and for all below it that nobody accounted for."""
        for one in node.walk():
            if one in self._known:
                continue
            self._known.add(one)
            self.into.tell(
                Line(one.place, one.shown), fate, told if one is node else f"with {node.key or 'it'}"
            )

    def is_known(self, node: Node) -> bool:
        """Whether a node is accounted for."""
        return node in self._known

    def rest(self, node: Node, fate: Fate, told: str) -> None:
        """Account for what is left below a node."""
        for one in node.children:
            if not self.is_known(one):
                self.account(one, fate, told)
            elif one.children:
                self.rest(one, fate, told)

    def map_lines(self, node: Node) -> tuple[list[MapLine], str]:
        """The lines of all maps that a node names, or that stand in it; and what could not be read."""
        lines: list[MapLine] = []
        problems: list[str] = []
        for leaf in node.children if node.kind is NodeKind.ARRAY else [node]:
            if leaf.kind is NodeKind.OBJECT:
                urls = leaf.values("urls") + leaf.values("url")
                inline = leaf.values("data")
            else:
                urls_not_patterns = _LIKE_FILE.search(leaf.text) and not _LIKE_PATTERN.match(leaf.text)
                urls, inline = ([leaf], []) if urls_not_patterns else ([], [leaf])
            self._known.update(inline)
            lines += [MapLine(Line(one.place, one.shown), one.text, "") for one in inline]
            for url in urls:
                path = self.inside(url.text)
                if path is None:
                    problems.append(f"{url.text} is outside the folder: copy it in, if it is yours")
                elif path.is_file():
                    lines += self._map(path)
        return lines, "; ".join(problems)

    def _map(self, path: Path) -> list[MapLine]:
        """A map's lines; comments and blank ones are accounted for here, once."""
        if path in self._maps:
            return self._maps[path]
        self._read.add(path)
        found: list[MapLine] = []
        for number, text in enumerate(self._budget.text(path).split("\n"), 1):
            line = Line(f"{self.shown(path)}:{number}", text.strip())
            plain = _without_comment(text)
            if plain:
                key, value = _parted(plain)
                found.append(MapLine(line, key, value))
            else:
                self.into.tell(line, Fate.SILENT)
        self._maps[path] = found
        return found

    def others(self) -> Iterator[Path]:
        """The files of the folder that nobody read, by name. Raises ConfigError."""
        waiting = [self.root]
        seen = 0
        while waiting:
            folder = waiting.pop()
            try:
                paths = sorted(folder.iterdir())
            except OSError as error:
                raise ConfigError(str(folder), "", f"can't be read: {error.strerror or error}") from None
            for path in paths:
                seen += 1
                if seen > 10_000:
                    raise ConfigError(str(self.root), "", "more than 10,000 files")
                if path.is_dir() and not path.is_symlink():
                    waiting.append(path)
                elif path.resolve() not in {one.resolve() for one in self._read}:
                    yield path


def _without_comment(text: str) -> str:
    """A map's line without its comment, which a `#` within a pattern is not."""
    plain = text.strip()
    return "" if plain.startswith("#") else re.sub(r"\s#.*$", "", plain).strip()


def _parted(text: str) -> tuple[str, str]:
    """What is listed, and the value behind it. A pattern can have blanks."""
    found = re.match(r"^(/(?:[^/\\]|\\.)*/[A-Za-z]*)\s*(.*)$", text)
    if found:
        return found[1], found[2]
    key, _, value = text.partition(" ")
    return key.strip("\"'"), value.strip()

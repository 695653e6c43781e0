"""Which elements a style sheet's selector is about, in linear time.

lexbor matches what a selector says of one element. What it says of those around is matched here: lexbor tries every way
in which ancestors fit, which takes ages in elements that are nested deep.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

_SELECTOR_CHARACTERS = 300  # characters of a selector; beyond: its rule hides nothing; `style_truncated`
_STEPS = 50_000  # elements that selectors are held against; beyond: not held against; `style_truncated`
_POSITIONAL = 10
"""Parts that count elements, or look into them. Beyond: the rule is in doubt; `style_truncated`."""

_ESCAPE = r"\\(?:[0-9a-fA-F]{1,6}\s?|.)"
_COMPOUND = rf"(?:{_ESCAPE}|\[[^\]]*+\]|\((?:[^()]|\([^()]*+\))*+\)|[^\s>+~\\\[(])++"
_PIECE = re.compile(rf"\s*([>+~])\s*|(\s+)|({_COMPOUND})", re.DOTALL)
_ESCAPED = re.compile(_ESCAPE, re.DOTALL)
# What holds only later (":hover"), or is about no element ("::before").
_NOT_AT_FIRST = re.compile(r":(?!root|not\(|first-|last-|only-|nth-|empty|is\(|where\(|has\(|lang\()")
_COUNTS = re.compile(r":(?:nth-|only-of|has\()")
_WITHIN = re.compile(r"\((?=[^)]*[>+~\s][^)]*\))[^)]*\)")
_LANGUAGE = re.compile(r":lang\(\s*([\w-]{1,35})\s*\)")  # lexbor does not know it
_FORMULA = re.compile(r":nth-[a-z-]+\([^)]*\)")


class Selectors:
    """Matches selectors against one page. ``cut`` says that a bound was met."""

    def __init__(self, tree: LexborHTMLParser) -> None:
        self._tree = tree
        self._known: dict[str, list[LexborNode] | None] = {}
        self._steps = _STEPS
        self._positional = _POSITIONAL
        self.cut = False

    def about(self, selector: str) -> tuple[list[LexborNode], bool]:
        """The elements that a selector is about as the page is shown first, and whether that is sure."""
        if len(selector) > _SELECTOR_CHARACTERS or self._steps <= 0:
            self.cut = True
            return [], False
        if not selector or _NOT_AT_FIRST.search(_ESCAPED.sub("x", selector)):
            return [], True
        pieces = list(_pieces(selector))
        found = self._of(pieces[-1][1]) if pieces else None
        if found is None:
            return self._likely(pieces[-1][1] if pieces else "*"), False
        if len(pieces) == 1:
            return found, True
        matched = self._of(pieces[0][1])
        for combinator, compound in pieces[1:]:
            others = self._of(compound)
            if matched is None or others is None or self._steps <= 0:
                return found, False
            matched = self._related(others, combinator, {node.mem_id for node in matched})
        return matched or [], True

    def _of(self, compound: str) -> list[LexborNode] | None:
        """The elements that a selector without combinators is about; None where that can't be told."""
        if compound not in self._known:
            self._known[compound] = self._asked(compound)
        found = self._known[compound]
        self._steps -= 1 + len(found or ())
        return found

    def _asked(self, compound: str) -> list[LexborNode] | None:
        if _WITHIN.search(_FORMULA.sub("", compound)):
            return None
        if _COUNTS.search(compound):
            self._positional -= 1
            if self._positional < 0:
                self.cut = True
                return None
        try:
            return self._tree.css(_LANGUAGE.sub(r'[lang|="\1"]', compound))
        except SelectolaxError:
            return None

    def _likely(self, compound: str) -> list[LexborNode]:
        """Those that may be meant by what can't be matched: what is said before its first condition."""
        plain = re.split(r"[:(\[]", compound)[0]
        return (self._of(plain) if plain else None) or self._of("*") or []

    def _related(self, nodes: list[LexborNode], combinator: str, to: set[int]) -> list[LexborNode]:
        """Those of nodes that stand to one of the nodes `to` as a combinator says."""
        self._steps -= len(nodes)
        if combinator == ">":
            return [node for node in nodes if _is_in(node.parent, to)]
        if combinator == "+":
            return [node for node in nodes if _is_in(_before(node), to)]
        next_one: Callable[[LexborNode], LexborNode | None] = _before if combinator == "~" else _parent
        known: dict[int, bool] = {}
        return [node for node in nodes if self._leads(node, next_one, to, known)]

    def _leads(
        self,
        node: LexborNode,
        next_one: Callable[[LexborNode], LexborNode | None],
        to: set[int],
        known: dict[int, bool],
    ) -> bool:
        """Whether going on from a node leads to one of `to`; nobody is passed twice."""
        passed: list[int] = []
        found = False
        at = next_one(node)
        while at is not None:
            if at.mem_id in to:
                found = True
                break
            if at.mem_id in known:
                found = known[at.mem_id]
                break
            passed.append(at.mem_id)
            at = next_one(at)
        self._steps -= len(passed)
        known.update(dict.fromkeys(passed, found))
        return found


def _pieces(selector: str) -> Iterator[tuple[str, str]]:
    """The parts of a selector that are about one element each, with the combinator before each."""
    combinator = ""
    for sign, blank, compound in (found.groups() for found in _PIECE.finditer(selector.strip())):
        if compound:
            yield combinator, compound
            combinator = ""
        else:
            combinator = sign or combinator or (" " if blank else "")


def _is_in(node: LexborNode | None, nodes: set[int]) -> bool:
    return node is not None and node.mem_id in nodes


def _parent(node: LexborNode) -> LexborNode | None:
    return node.parent


def _before(node: LexborNode) -> LexborNode | None:
    """The element before a node."""
    found = node.prev
    while found is not None and (found.tag or "-").startswith("-"):
        found = found.prev
    return found


_COMMA = re.compile(rf"{_ESCAPE}|\[[^\]]*+\]|\((?:[^()]|\([^()]*+\))*+\)|(,)", re.DOTALL)


def alternatives(selectors: str) -> list[str]:
    """A list of selectors taken apart at its commas, not at those within brackets."""
    commas = [found.start() for found in _COMMA.finditer(selectors) if found[1]]
    ends = [*commas, len(selectors)]
    begins = [0, *(at + 1 for at in commas)]
    return [selectors[begin:end].strip() for begin, end in zip(begins, ends, strict=True)]


_NAMES = re.compile(r"(#)|([.\[]|(?<!:):(?!where\(|is\(|not\())")


def specificity(selector: str) -> int:
    """What decides between rules about one element (Selectors 3, 9)."""
    marks = [found[1] for found in _NAMES.finditer(_ESCAPED.sub("x", selector))]
    identities = sum(1 for one in marks if one)
    types = sum(1 for _, compound in _pieces(selector) if compound[:1].isalpha())
    return 10_000 * identities + 100 * (len(marks) - identities) + types

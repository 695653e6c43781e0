"""Boolean expressions over names: `a and not (b or 2 of (c, d, e))`. Bounded, and plain data once they are read.

An expression is True, False, a name, or a list: ["not", x], ["and", x, …], ["or", x, …], ["least", n, x, …].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Sequence
from typing import Any

Expression = bool | str | Sequence[Any]
Truth = Callable[[Container[str]], bool]
"""Whether an expression holds when exactly the names that are contained hold."""

MAX_DEPTH = 32  # levels of an expression; beyond: the rule file is refused
MAX_NODES = 500  # names and operators of an expression; beyond: the rule file is refused
_TOKEN = re.compile(r"\s*(?:([a-z][a-z0-9_]*)|([0-9]{1,3})|([(),])|(\S))")


class ExpressionError(ValueError):
    """What is wrong, and at which character (from 0)."""

    def __init__(self, problem: str, place: int) -> None:
        super().__init__(problem)
        self.place = place


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._place = 0
        self._nodes = 0
        self.names: list[tuple[str, int]] = []

    def read(self) -> Expression:
        found = self._either(0)
        kind, word, place = self._peek()
        if kind:
            raise ExpressionError(f"expected 'and', 'or' or the end, not {word!r}", place)
        return found

    def _peek(self) -> tuple[str, str, int]:
        if self._place >= len(self._text):
            return "", "", len(self._text)
        found = _TOKEN.match(self._text, self._place)
        assert found is not None
        group = found.lastindex or 0
        if group == 4:
            raise ExpressionError(f"{found[4]!r} has no meaning here", found.start(4))
        return ("", "name", "number", "sign")[group], found[group], found.start(group)

    def _next(self) -> tuple[str, str, int]:
        token = self._peek()
        self._place = token[2] + len(token[1])
        return token

    def _expect(self, wanted: str) -> None:
        _, word, place = self._next()
        if word != wanted:
            raise ExpressionError(f"expected {wanted!r}, not {word or 'the end'!r}", place)

    def _either(self, depth: int) -> Expression:
        return self._joined("or", depth, lambda: self._joined("and", depth, lambda: self._one(depth)))

    def _joined(self, word: str, depth: int, inner: Callable[[], Expression]) -> Expression:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep", self._place)
        parts = [inner()]
        while self._peek()[1] == word:
            self._next()
            parts.append(inner())
        return parts[0] if len(parts) == 1 else [word, *parts]

    def _one(self, depth: int) -> Expression:
        kind, word, place = self._next()
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError(f"more than {MAX_NODES} terms", place)
        if word == "not":
            if depth > MAX_DEPTH:
                raise ExpressionError(f"nested more than {MAX_DEPTH} deep", place)
            return ["not", self._one(depth + 1)]
        if word == "(":
            inner = self._either(depth + 1)
            self._expect(")")
            return inner
        if kind == "number":
            return self._least(int(word), place, depth)
        if kind != "name" or word in ("and", "or", "of"):
            raise ExpressionError(f"expected a name, not {word or 'the end'!r}", place)
        self.names.append((word, place))
        return word

    def _least(self, number: int, place: int, depth: int) -> Expression:
        self._expect("of")
        self._expect("(")
        parts = [self._either(depth + 1)]
        while self._peek()[1] == ",":
            self._next()
            parts.append(self._either(depth + 1))
        self._expect(")")
        if not 1 <= number <= len(parts):
            raise ExpressionError(f"{number} of {len(parts)} can never be", place)
        return ["least", number, *parts]


def parse(text: str) -> tuple[Expression, list[tuple[str, int]]]:
    """The expression, and its names with their places. Raises ExpressionError."""
    parser = _Parser(text)
    return parser.read(), parser.names


def reduce(one: Expression, value: Callable[[str], Expression]) -> Expression:
    """The expression with every name replaced, made as short as what is known allows."""
    if isinstance(one, bool):
        return one
    if isinstance(one, str):
        return value(one)
    kind = one[0]
    if kind == "not":
        inner = reduce(one[1], value)
        return (not inner) if isinstance(inner, bool) else ["not", inner]
    least = int(one[1]) if kind == "least" else len(one) - 1 if kind == "and" else 1
    parts = [reduce(part, value) for part in one[2 if kind == "least" else 1 :]]
    least -= sum(part is True for part in parts)
    unknown = [part for part in parts if not isinstance(part, bool)]
    if least <= 0:
        return True
    if least > len(unknown):
        return False
    if len(unknown) == 1:
        return unknown[0]
    if least == len(unknown):
        return ["and", *unknown]
    return ["or", *unknown] if least == 1 else ["least", least, *unknown]


def holds(one: Expression, hits: Collection[str]) -> bool:
    """Whether it is true when exactly the names in `hits` are."""
    return reduce(one, lambda name: name in hits) is True


def names_of(one: Expression) -> set[str]:
    """Every name in it."""
    if isinstance(one, bool):
        return set()
    if isinstance(one, str):
        return {one}
    return set().union(*(names_of(part) for part in one[1:] if not isinstance(part, int)))


def truth(one: Expression, cost: Callable[[str], int] = len) -> Truth:
    """What answers whether it holds, faster than `holds`; names that cost less are asked first."""
    if isinstance(one, bool):
        return lambda hits: one
    if isinstance(one, str):
        return lambda hits: one in hits
    if one[0] == "not":
        inner = truth(one[1], cost)
        return lambda hits: not inner(hits)
    parts = one[2 if one[0] == "least" else 1 :]
    names = sorted((part for part in parts if isinstance(part, str)), key=cost)  # before what is joined
    others = [truth(part, cost) for part in parts if not isinstance(part, str)]
    if one[0] == "least":
        return _at_least(int(one[1]), names, others)
    return _all(names, others) if one[0] == "and" else _any(names, others)


# loops, for generators that `all` and `any` read cost twice as much


def _all(names: Sequence[str], others: Sequence[Truth]) -> Truth:
    def hold(hits: Container[str]) -> bool:
        for name in names:
            if name not in hits:
                return False
        for other in others:  # noqa: SIM110 - see above
            if not other(hits):
                return False
        return True

    return hold


def _any(names: Sequence[str], others: Sequence[Truth]) -> Truth:
    def hold(hits: Container[str]) -> bool:
        for name in names:
            if name in hits:
                return True
        for other in others:  # noqa: SIM110 - see above
            if other(hits):
                return True
        return False

    return hold


def _at_least(least: int, names: Sequence[str], others: Sequence[Truth]) -> Truth:
    def hold(hits: Container[str]) -> bool:
        lacking, left = least, len(names) + len(others)
        for name in names:
            lacking -= name in hits
            left -= 1
            if not 0 < lacking <= left:
                return lacking <= 0
        for other in others:
            lacking -= other(hits)
            left -= 1
            if not 0 < lacking <= left:
                break
        return lacking <= 0

    return hold


def size(one: Expression) -> int:
    """How many terms it has."""
    return 1 if isinstance(one, bool | str) else 1 + sum(size(p) for p in one[1:] if not isinstance(p, int))


def written(one: Expression, *, inner: bool = False) -> str:
    """The expression as people write it; `inner`: within another, so in parentheses where it joins."""
    if isinstance(one, bool | str):
        return str(one).lower() if isinstance(one, bool) else one
    if one[0] == "not":
        return f"not {written(one[1], inner=True)}"
    if one[0] == "least":
        return f"{one[1]} of ({', '.join(written(part) for part in one[2:])})"
    joined = f" {one[0]} ".join(written(part, inner=True) for part in one[1:])
    return f"({joined})" if inner else joined

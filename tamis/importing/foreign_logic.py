"""Boolean expressions of other filters (SpamAssassin's meta rules, rspamd's composites) as a rule's `when`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

MOST_TOKENS = 400  # of one expression; beyond: it does not come over, and the report says why
MOST_DEPTH = 30  # parentheses within parentheses; beyond: likewise
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)(?![\w.])"
    r"|(?P<sign>&&?|\|\|?|!(?!=)|[<>]=?|==|!=|[()+])|(?P<name>[~^-]?(?:[A-Za-z_]|g[+-]?:)[\w.:]*(?:\[[^\]]*\])?)|(?P<other>\S))"
)
_WORDS = {"and": "&", "or": "|", "not": "!", "&&": "&", "||": "|"}
_COMPARED = {"<", "<=", ">", ">=", "==", "!="}


class NoLogicError(ValueError):
    """An expression without an equal here: the message says what it has none for."""


@dataclass(frozen=True, slots=True)
class _Sum:
    """Terms that are added, each true or false; alone, or held against a number."""

    terms: tuple[str, ...]

    def text(self) -> str:
        return self.terms[0] if len(self.terms) == 1 else f"({' or '.join(self.terms)})"

    def against(self, sign: str, number: float) -> str:
        if sign == ">":
            return self.at_least(math.floor(number) + 1)
        if sign == ">=":
            return self.at_least(math.ceil(number))
        if sign == "<":
            return _negated(self.at_least(math.ceil(number)))
        if sign == "<=":
            return _negated(self.at_least(math.floor(number) + 1))
        if number != int(number):
            raise NoLogicError("a comparison that is always the same")
        if number <= 0:
            exactly = _negated(self.at_least(1))
        elif number >= len(self.terms):
            exactly = self.at_least(int(number))
        else:
            exactly = f"({self.at_least(int(number))} and not {self.at_least(int(number) + 1)})"
        return exactly if sign == "==" else _negated(exactly)

    def at_least(self, number: int) -> str:
        if not 1 <= number <= len(self.terms):
            raise NoLogicError("a comparison that is always the same")
        if number == 1:
            return self.text()
        return f"{number} of ({', '.join(self.terms)})" if len(self.terms) > 1 else self.terms[0]


def _negated(text: str) -> str:
    return f"not ({text})" if " " in text else f"not {text}"


class _Reader:
    def __init__(self, text: str, named: Callable[[str], str]) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._named = named
        for found in _TOKEN.finditer(text.rstrip()):
            kind = found.lastgroup or "other"
            word = found[kind]
            if kind == "other":
                raise NoLogicError(f"arithmetic or a sign that rules don't have: {word}")
            word = _WORDS.get(word.lower(), word)
            self._tokens.append(("sign" if word in "&|!" else kind, word))
            if len(self._tokens) > MOST_TOKENS:
                raise NoLogicError(f"an expression of more than {MOST_TOKENS} words")
        self._at = 0

    def read(self) -> str:
        found = self._joined("|", 0)
        if self._at < len(self._tokens):
            raise NoLogicError(f"something unexpected: {self._tokens[self._at][1]}")
        return found.text()

    def _peek(self) -> str:
        kind, word = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        return word if kind == "sign" else ""

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise NoLogicError("the expression ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _joined(self, sign: str, depth: int) -> _Sum:
        """Terms joined by one operator: `|` binds less than `&`. A bare sum stays one: what compares it may follow."""
        if depth > MOST_DEPTH:
            raise NoLogicError(f"parentheses more than {MOST_DEPTH} deep")
        parts = [self._joined("&", depth) if sign == "|" else self._compared(depth)]
        while self._peek() == sign:
            self._next()
            parts.append(self._joined("&", depth) if sign == "|" else self._compared(depth))
        if len(parts) == 1:
            return parts[0]
        if sign == "|":
            return _Sum((f"({' or '.join(one.text() for one in parts)})",))
        return _Sum((" and ".join(one.text() for one in parts),))

    def _compared(self, depth: int) -> _Sum:
        found = [self._one(depth)]
        while self._peek() == "+":
            self._next()
            found.append(self._one(depth))
        added = found[0] if len(found) == 1 else _Sum(tuple(one.text() for one in found))
        if self._peek() not in _COMPARED:
            return added
        sign = self._next()[1]
        kind, word = self._next()
        if kind != "number":
            raise NoLogicError("a comparison with something else than a number")
        return _Sum((added.against(sign, float(word)),))

    def _one(self, depth: int) -> _Sum:
        kind, word = self._next()
        if kind == "name":
            return _Sum((self._named(word),))
        if word == "!":
            if depth > MOST_DEPTH:
                raise NoLogicError(f"more than {MOST_DEPTH} negations in a row")
            return _Sum((_negated(self._one(depth + 1).text()),))
        if word == "(":
            found = self._joined("|", depth + 1)
            if self._next()[1] != ")":
                raise NoLogicError("a parenthesis is not closed")
            return found
        raise NoLogicError(f"a number or sign where a name is expected: {word}")


def when(text: str, named: Callable[[str], str]) -> str:
    """An expression as Tamis writes it. `named` gives the name here of a rule there, or raises NoLogicError, as does
    what has no equal here."""
    return _Reader(text, named).read()

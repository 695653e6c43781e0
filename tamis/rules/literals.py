"""What must stand in a text for a pattern to match there: literals, by which one pass rules most patterns out.

A small reader of RE2's syntax. What it does not understand it calls unknown, and such a pattern is always asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

MOST = 32  # literals of one set; beyond: the set is not used, and the pattern is asked of more messages
MOST_SETS = 3  # sets of literals of one pattern; beyond: not used, and the pattern is asked of more messages
LONGEST = 12  # characters of a literal; beyond: the literal ends there
SHORTEST = 3
_CLASS_MEMBERS = 6
_MAX_DEPTH = 50  # groups within groups; beyond: the pattern is asked of every message

Literals = frozenset[str]


@dataclass(frozen=True, slots=True)
class _Needs:
    """`exact`: all texts that a part can match, where they are few. `some`: literals of which one must be there."""

    exact: Literals | None = None
    some: Literals | None = None

    def best(self) -> Literals | None:
        """The literals that say most."""
        own = self.exact if self.exact and _weight(self.exact) >= SHORTEST else None
        return better(own, self.some)


_EMPTY = _Needs(frozenset({""}))
_ANY = _Needs()


def better(one: Literals | None, other: Literals | None) -> Literals | None:
    """Of two requirements the one that fewer texts meet: with longer literals, then with fewer."""
    if one is None or other is None:
        return one or other
    return max((one, other), key=lambda these: (min(_weight(these), 7), -len(these)))


def _letter(sign: str) -> _Needs:
    """One character; those whose lower case is several are unknown, for engines fold them otherwise."""
    low = sign.lower()
    return _Needs(frozenset({low})) if len(low) == 1 else _ANY


def _weight(these: Literals) -> int:
    """Octets of the shortest: an ideograph tells as much as three letters."""
    return min(len(one.encode("utf-8", "replace")) for one in these)


class _UnknownError(Exception):
    pass


def alternatives(pattern: str) -> list[tuple[str, tuple[Literals, ...]]]:
    """The alternatives of a pattern, each with its flags, and with sets of literals (in lower case): of each set one
    must stand in a text that the alternative matches. No set: unknown."""
    try:
        reader = _Reader(pattern)
        return [(reader.flags + pattern[start:end], needs) for start, end, needs in reader.branches()]
    except (_UnknownError, IndexError, ValueError, RecursionError):
        return [(pattern, ())]


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self.flags = self._flags()

    def _flags(self) -> str:
        if self._text.startswith("(?"):
            end = self._text.find(")")
            if end > 2 and set(self._text[2:end]) <= set("ims"):
                self._at = end + 1
                return self._text[: end + 1]
        return ""

    def branches(self) -> list[tuple[int, int, tuple[Literals, ...]]]:
        """Begin, end and needs of each alternative of the whole."""
        found = []
        while True:
            start = self._at
            every: list[Literals] = []
            self._sequence(0, every)
            found.append((start, self._at, tuple(every[:MOST_SETS])))
            if self._at >= len(self._text):
                return found
            if self._text[self._at] != "|":
                raise _UnknownError
            self._at += 1

    def _either(self, depth: int) -> _Needs:
        parts = [self._sequence(depth)]
        while self._at < len(self._text) and self._text[self._at] == "|":
            self._at += 1
            parts.append(self._sequence(depth))
        if all(part.exact is not None for part in parts):
            exact = frozenset[str]().union(*(part.exact or () for part in parts))
            if len(exact) <= MOST:
                return _Needs(exact)
        bests = [part.best() for part in parts]
        if any(best is None for best in bests):
            return _ANY
        some = frozenset[str]().union(*(best or () for best in bests))
        return _Needs(some=some) if len(some) <= MOST else _ANY

    def _sequence(self, depth: int, every: list[Literals] | None = None) -> _Needs:
        """What a row of parts needs; all sets of which one literal must be there go to `every`."""
        if depth > _MAX_DEPTH:
            raise _UnknownError
        run: Literals = frozenset({""})  # what the parts since the last unknown one can match
        some: Literals | None = None
        alone = True
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            needs = self._repeated(self._one(depth))
            joined = None
            if needs.exact is not None and len(run) * len(needs.exact) <= MOST:
                joined = frozenset((one + two)[: LONGEST + 1] for one, two in product(run, needs.exact))
                if any(len(text) > LONGEST for text in joined):
                    joined = None
            if joined is not None:
                run = joined
                continue
            alone = False
            for required in (_Needs(run).best(), needs.best() if needs.exact is None else None):
                some = better(some, required)
                if required is not None and every is not None:
                    every.append(required)
            run = needs.exact if needs.exact is not None else frozenset({""})
        last = _Needs(run).best()
        if last is not None and every is not None:
            every.append(last)
        return _Needs(run) if alone else _Needs(some=better(some, last))

    def _repeated(self, needs: _Needs) -> _Needs:
        """The needs of a part with what stands behind it: `?`, `*`, `+`, `{n,m}`."""
        while self._at < len(self._text) and self._text[self._at] in "?*+{":
            sign = self._text[self._at]
            self._at += 1
            least, most = {"?": (0, 1), "*": (0, 9), "+": (1, 9)}.get(sign, (0, 0))
            if sign == "{":
                end = self._text.index("}", self._at)
                low, comma, high = self._text[self._at : end].partition(",")
                if not low.isdecimal():
                    raise _UnknownError
                least = int(low)
                most = int(high) if high else 9 if comma else least
                self._at = end + 1
            if self._at < len(self._text) and self._text[self._at] == "?":
                self._at += 1
            if least == 0:
                optional = needs.exact is not None and most == 1 and len(needs.exact) < MOST
                needs = _Needs((needs.exact or frozenset()) | {""}) if optional else _ANY
            elif most > 1:
                needs = _Needs(some=needs.best())
        return needs

    def _one(self, depth: int) -> _Needs:
        sign = self._text[self._at]
        self._at += 1
        if sign == "(":
            return self._group(depth)
        if sign == "[":
            return self._members()
        if sign == "\\":
            return self._escaped()
        if sign in "^$":
            return _EMPTY
        if sign == ".":
            return _ANY
        return _letter(sign)

    def _group(self, depth: int) -> _Needs:
        if self._text.startswith("?", self._at):
            if not self._text.startswith("?:", self._at):
                raise _UnknownError
            self._at += 2
        needs = self._either(depth + 1)
        if self._text[self._at] != ")":
            raise _UnknownError
        self._at += 1
        return needs

    def _escaped(self) -> _Needs:
        sign = self._text[self._at]
        self._at += 1
        if sign in "bBAz":
            return _EMPTY
        if sign == "x":
            return _letter(self._hexadecimal())
        if sign in "pP":
            self._at = self._text.index("}", self._at) + 1 if self._text[self._at] == "{" else self._at + 1
            return _ANY
        if sign.isalnum():
            if sign not in "dDsSwW":
                raise _UnknownError
            return _ANY
        return _Needs(frozenset({sign}))

    def _hexadecimal(self) -> str:
        if self._text[self._at] == "{":
            end = self._text.index("}", self._at)
            digits = self._text[self._at + 1 : end]
            self._at = end + 1
        else:
            digits = self._text[self._at : self._at + 2]
            self._at += 2
        return chr(int(digits, 16))

    def _members(self) -> _Needs:
        """A class: its few members, or anything."""
        members: set[str] = set()
        unknown = self._text[self._at] == "^"
        self._at += unknown
        first = True
        while first or self._text[self._at] != "]":
            first = False
            sign = self._text[self._at]
            self._at += 1
            if sign == "[" and self._text[self._at] == ":":
                self._at = self._text.index(":]", self._at) + 2
                unknown = True
            elif sign == "\\":
                needs = self._escaped()
                unknown |= needs.exact is None
                members |= needs.exact or frozenset()
            else:
                needs = _letter(sign)
                unknown |= needs.exact is None
                members |= needs.exact or frozenset()
            if self._text[self._at] == "-" and self._text[self._at + 1] != "]":
                unknown = True
                self._at += 1
        self._at += 1
        return _ANY if unknown or len(members) > _CLASS_MEMBERS else _Needs(frozenset(members))

"""Patterns at work (RE2): time linear in the text, and one pass over each place for what patterns need.

There are no back-references and no look-around, and so nothing that could explode. `\\b` and `\\w` know ASCII only;
`\\pL` is any letter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from tamis.rules.literals import alternatives

if TYPE_CHECKING:
    import re2

PATTERN_MEMORY = 256 * 1024  # octets of memory of one pattern; beyond: the rule file is refused
MAX_LITERALS = 500_000
"""Characters of all literals over a place. Beyond: the rule files are refused."""
MAX_UNFILTERED = 500
"""Alternatives of patterns over a place without a literal of three letters: each is asked of each message. Beyond: the
rule files are refused."""

_FEW = 40  # branches of a place that may be asked together; beyond: only those without literals are asked so
_MOST_WORK = 4_000_000
"""Octets of a text times instructions of the patterns that are asked together. Beyond: they are asked one by one."""
_NEVER = -1  # no text is so short
_FIRST = itemgetter(0)
_TOGETHER_MEMORY = 1 << 20  # octets for an automaton; beyond: states are made anew, all are asked
_ALONE_MEMORY = 128 * 1024
"""Octets for the automaton of one branch, which grows with the texts it reads. Beyond: its states are made anew: the
answer is the same. The few branches that can't do with so little get PATTERN_MEMORY."""
_ALONE_KEPT = 768
"""Automata of single branches that a process keeps, those that texts asked for last. Beyond: made anew in 0.1 ms: the
answer is the same."""
_SEARCHED_KEPT = 128
"""Compiled patterns that a process keeps for long texts and for showing where they match. Beyond: made anew: the
answer is the same."""
_SIZES_KEPT = 16_384
"""Patterns of which it is known that they are good, and how long. Beyond: looked at anew: the answer is the same."""


class PatternError(ValueError):
    """A pattern that the engine refuses; `place` is the character where, None where that is not known."""

    def __init__(self, problem: str, place: int | None = None) -> None:
        super().__init__(problem)
        self.place = place


_NOT_LINEAR = "look-around and back-references are not there, so that the time is linear in the text"
_LOOKING = re.compile(r"\(\?<?[=!]|\\[1-9]|\(\?P=|\(\?>|\(\?\(|[*+?}]\+")
"""What needs more than linear time, or looks as if it did."""


def _options(memory: int, *, latin: bool, ignore_case: bool = False) -> re2.Options:
    import re2  # noqa: PLC0415 # only processes that have rules load the engine

    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    options.case_sensitive = not ignore_case
    if latin:
        options.encoding = re2.Options.Encoding.LATIN1
    return options


@lru_cache(maxsize=_SEARCHED_KEPT)
def compiled(pattern: str, *, place: str, ignore_case: bool) -> re2.Pattern:
    """One pattern by itself. Raises PatternError."""
    import re2  # noqa: PLC0415 # see _options

    try:
        options = _options(PATTERN_MEMORY, latin=place == "raw", ignore_case=ignore_case)
        return re2.compile(pattern.encode("latin-1" if place == "raw" else "utf-8"), options)
    except UnicodeEncodeError:
        raise PatternError("raw octets are no text: write \\xNN for them") from None
    except re2.error as error:
        told = error.args[0] if error.args else ""
        raise _refusal(
            pattern, told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        ) from None


@lru_cache(maxsize=_SIZES_KEPT)
def program_size(pattern: str, *, place: str, ignore_case: bool) -> int:
    """Instructions of one pattern's program: what its automaton costs at worst for each octet. The program itself,
    which may never be needed, is not kept. Raises PatternError."""
    return int(compiled.__wrapped__(pattern, place=place, ignore_case=ignore_case).programsize)


_WHOLE = ("missing )", "unexpected )")
"""Of these the engine names the whole pattern."""
_NO_GROUP = re.compile(r"\(\?P(?!<)")


def _refusal(pattern: str, told: str) -> PatternError:
    """What the engine said, with the place in the pattern that it named."""
    problem, colon, named = told.partition(": ")
    place = _place_of(pattern, named) if colon and named and problem not in _WHOLE else None
    if place is not None and _LOOKING.match(pattern, max(0, place - (pattern[place : place + 1] == "+"))):
        return PatternError(f"{told}; {_NOT_LINEAR}", place)
    return PatternError(told, place)


def _place_of(pattern: str, named: str) -> int | None:
    """Where a part of a pattern begins, of several places the first that is not behind a backslash."""
    if named == "(?P":  # begins what is good as well
        found = _NO_GROUP.search(pattern)
        return found.start() if found else None
    if (
        named.startswith("{") and pattern.count(named) > 1
    ):  # repetitions multiply: it is not said which is too much
        return None
    at = pattern.find(named)
    while at > 0:
        behind = len(pattern[:at]) - len(pattern[:at].rstrip("\\"))
        if behind % 2 == 0:
            return at
        at = pattern.find(named, at + 1)
    return at if at >= 0 else None


class Matcher:
    """The patterns of one place: (rule, pattern, whether case is ignored).

    One automaton of many patterns has a state for each mixture of what may still follow, and would be built anew all
    the time. So the one pass (Aho-Corasick, over folded letters) looks for literals only, of which one must be there
    for a pattern to match (tamis.rules.literals); the patterns whose literals are there are asked by themselves. Those
    that have none, or all of a place that has few, are asked together where the text is short.
    """

    def __init__(self, place: str, patterns: Sequence[tuple[str, str, bool]]) -> None:
        import ahocorasick_rs  # noqa: PLC0415 # see _options

        self._place = place
        self._branches: list[_Branch] = []
        always: list[int] = []
        numbers: dict[str, int] = {}
        owners: list[list[int]] = []
        for rule, pattern, ignore_case in patterns:
            for text, needed in alternatives(pattern):
                sets = [
                    frozenset(numbers.setdefault(literal.casefold(), len(numbers)) for literal in literals)
                    for literals in sorted(needed, key=_commonness)
                ]
                owners += [[] for _ in range(len(numbers) - len(owners))]
                for number in sets[0] if sets else ():
                    owners[number].append(len(self._branches))
                if not sets:
                    always.append(len(self._branches))
                number = len(self._branches)
                self._branches.append(_Branch(number, rule, pattern, text, ignore_case, tuple(sets[1:])))
        if len(always) > MAX_UNFILTERED:
            raise PatternError(
                f"too many patterns over {place} without three letters that must stand there (bound: {MAX_UNFILTERED})"
            )
        if sum(map(len, numbers)) > MAX_LITERALS:
            raise PatternError(
                f"the patterns over {place} are too large together (bound: {MAX_LITERALS} characters)"
            )
        self._owners = list(map(tuple, owners))
        self._literals = ahocorasick_rs.AhoCorasick(numbers) if numbers else None
        self._always = tuple(always)
        self._unfiltered = _Together(place, [self._branches[number] for number in always])
        self._few = _Together(place, self._branches if len(self._branches) <= _FEW else ())

    def patterns(self, octets: bytes) -> dict[str, set[str]]:
        """The patterns that match, by rule."""
        found: dict[str, set[str]] = {}
        met = self._few.met(octets)
        if met is not None:
            for branch in met:
                found.setdefault(branch.rule, set()).add(branch.pattern)
            return found
        met = self._unfiltered.met(octets)
        for branch in met or ():
            found.setdefault(branch.rule, set()).add(branch.pattern)
        for branch in self._candidates(octets, () if met is not None else self._always):
            if branch.pattern not in found.get(branch.rule, ()) and self._matches(branch, octets):
                found.setdefault(branch.rule, set()).add(branch.pattern)
        return found

    def _matches(self, branch: _Branch, octets: bytes) -> bool:
        """Whether one branch matches. Where is not asked for, and a set of one does not look for it."""
        met = _alone(branch, self._place).numbers_met(octets)
        if met is not None:
            return bool(met)
        one = compiled(branch.text, place=self._place, ignore_case=branch.ignore_case)
        return one.search(octets) is not None

    def _candidates(self, octets: bytes, always: Iterable[int]) -> Iterator[_Branch]:
        """The branches that may match, by their literals, and those that are always asked."""
        asked = set(always)
        there: set[int] = set()
        if self._literals is not None:
            folded = octets.decode("latin-1" if self._place == "raw" else "utf-8", "replace").casefold()
            there.update(map(_FIRST, self._literals.find_matches_as_indexes(folded, overlapping=True)))
            asked.update(chain.from_iterable(map(self._owners.__getitem__, there)))
        branches, lacks = self._branches, there.isdisjoint
        for number in asked:
            branch = branches[number]
            for literals in branch.further:  # a loop, for `any` costs twice as much
                if lacks(literals):
                    break
            else:
                yield branch


@dataclass(frozen=True, slots=True, eq=False)  # found by its identity: no two need be compared
class _Branch:
    """One alternative of a pattern; of each set of `further` literals one must be there as well."""

    number: int
    rule: str
    pattern: str
    text: str
    ignore_case: bool
    further: tuple[frozenset[int], ...]


class _Together:
    """Branches that one automaton asks in one pass, made when it is first needed."""

    def __init__(
        self, place: str, branches: Sequence[_Branch], memories: Sequence[int] = (_TOGETHER_MEMORY,)
    ) -> None:
        self._place = place
        self._memories = memories
        """Octets that it may have, the first that is enough."""
        self._branches = branches
        self._longest = None if branches else _NEVER
        """Octets of a text that is worth it; None: not worked out yet."""
        self._set: re2.Set

    def met(self, octets: bytes) -> Iterable[_Branch] | None:
        """The branches that match; None where the text is too long for them, or there are none."""
        numbers = self.numbers_met(octets)
        return None if numbers is None else [self._branches[number] for number in numbers]

    def numbers_met(self, octets: bytes) -> Sequence[int] | None:
        """As `met`, the places of the branches among those that are asked."""
        longest = self._longest
        if longest is None:
            longest = self._longest = self._made()
        if len(octets) > longest:
            return None
        return self._set.Match(octets) or ()

    def _made(self) -> int:
        """Make the automaton. It has a new state for each octet at worst, which costs as much as the patterns are long:
        more than asking them one by one."""
        size = 1 + sum(
            program_size(one.text, place=self._place, ignore_case=one.ignore_case) for one in self._branches
        )
        for memory in self._memories:
            made = self._set_within(memory)
            if made is not None:
                self._set = made
                return _MOST_WORK // size
        return _NEVER

    def _set_within(self, memory: int) -> re2.Set | None:
        """The automaton, None where it is too large."""
        import re2  # noqa: PLC0415 # see _options

        made = re2.Set.SearchSet(_options(memory, latin=self._place == "raw"))
        try:
            for one in self._branches:
                text = f"(?i:{one.text})" if one.ignore_case else one.text
                made.Add(text.encode("latin-1" if self._place == "raw" else "utf-8"))
            made.Compile()
        except re2.error:
            return None
        return made


@lru_cache(maxsize=_ALONE_KEPT)
def _alone(branch: _Branch, place: str) -> _Together:
    """What asks for one branch alone."""
    return _Together(place, (branch,), (_ALONE_MEMORY, PATTERN_MEMORY))


def _commonness(literals: Collection[str]) -> tuple[int, int]:
    """Less for literals that fewer texts have: long ones, and few."""
    return -min(len(one.encode("utf-8", "replace")) for one in literals), len(literals)


def positions(
    octets: bytes, patterns: Iterable[str], *, place: str, ignore_case: bool, most: int
) -> list[tuple[int, str]]:
    """Where patterns begin to match, in order; at most `most` of each."""
    found: list[tuple[int, str]] = []
    for pattern in patterns:
        searched = compiled(pattern, place=place, ignore_case=ignore_case).finditer(octets)
        found += [(match.start(), pattern) for match in islice(searched, most)]
    return sorted(found)


def matchers(patterns: Iterable[tuple[str, str, str, bool]]) -> Mapping[str, Matcher]:
    """A matcher a place, from (place, rule, pattern, whether case is ignored)."""
    by_place: dict[str, list[tuple[str, str, bool]]] = {}
    for place, rule, pattern, ignore_case in patterns:
        by_place.setdefault(place, []).append((rule, pattern, ignore_case))
    return {place: Matcher(place, found) for place, found in by_place.items()}

"""Patterns at work: all patterns of one place in one automaton, whose time is linear in the text (RE2).

There are no back-references and no look-around, and so nothing that could explode. `\\b` and `\\w` know ASCII only;
`\\pL` is any letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from tamis.rules.literals import alternatives

if TYPE_CHECKING:
    import re2

PATTERN_MEMORY = 256 * 1024  # octets of memory of one pattern; beyond: the rule file is refused
SET_MEMORY = 32 * 1024 * 1024
"""Octets of memory of all literals over a place. Beyond: the rule files are refused."""
MAX_UNFILTERED = 500
"""Alternatives of patterns over a place without a literal of three letters: each is asked of each message. Beyond: the
rule files are refused."""


class PatternError(ValueError):
    """A pattern that the engine refuses."""


def _options(memory: int, *, latin: bool, ignore_case: bool = False) -> re2.Options:
    import re2  # noqa: PLC0415 # only processes that have rules load the engine

    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    options.case_sensitive = not ignore_case
    if latin:
        options.encoding = re2.Options.Encoding.LATIN1
    return options


@lru_cache(maxsize=4096)
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
        raise PatternError(
            told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        ) from None


class Matcher:
    """The patterns of one place: (rule, pattern, whether case is ignored).

    One automaton of many patterns has a state for each mixture of what may still follow, and would be built anew all
    the time. So the one pass looks for literals only, of which one must be there for a pattern to match
    (tamis.rules.literals), and the few patterns whose literal is there are asked by themselves.
    """

    def __init__(self, place: str, patterns: Sequence[tuple[str, str, bool]]) -> None:
        import re2  # noqa: PLC0415 # see _options

        self._place = place
        self._branches: list[tuple[str, str, str, bool, int]] = []
        self._owners: list[list[tuple[int, int]]] = []
        self._always: list[int] = []
        numbers: dict[str, int] = {}
        for rule, pattern, ignore_case in patterns:
            for branch, needed in alternatives(pattern):
                one = len(self._branches)
                self._branches.append((rule, pattern, branch, ignore_case, len(needed)))
                if not needed:
                    self._always.append(one)
                for which, literals in enumerate(needed):
                    for literal in literals:
                        number = numbers.setdefault(literal, len(numbers))
                        if number == len(self._owners):
                            self._owners.append([])
                        self._owners[number].append((one, 1 << which))
        if len(self._always) > MAX_UNFILTERED:
            raise PatternError(
                f"too many patterns over {place} without three letters that must stand there (bound: {MAX_UNFILTERED})"
            )
        self._set = re2.Set.SearchSet(_options(SET_MEMORY, latin=place == "raw"))
        try:
            for literal in numbers:
                text = f"(?i:{re2.escape(literal)})"
                self._set.Add(text.encode("latin-1" if place == "raw" else "utf-8"))
            self._set.Compile()
        except re2.error:
            raise PatternError(
                f"the patterns over {place} are too large together (bound: {SET_MEMORY} octets)"
            ) from None

    def patterns(self, octets: bytes) -> dict[str, set[str]]:
        """The patterns that match, by rule."""
        there: dict[int, int] = dict.fromkeys(self._always, 0)
        if self._owners:
            for number in self._set.Match(octets) or ():
                for one, which in self._owners[number]:
                    there[one] = there.get(one, 0) | which
        found: dict[str, set[str]] = {}
        for one, which in there.items():
            rule, pattern, branch, ignore_case, needed = self._branches[one]
            if which + 1 != 1 << needed or pattern in found.get(rule, ()):
                continue
            if compiled(branch, place=self._place, ignore_case=ignore_case).search(octets) is not None:
                found.setdefault(rule, set()).add(pattern)
        return found


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

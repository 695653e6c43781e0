"""Patterns at work (RE2): time linear in the text, and one pass over each place for what patterns need.

There are no back-references and no look-around, and so nothing that could explode. `\\b` and `\\w` know ASCII only;
`\\pL` is any letter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
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
    the time. So the one pass (Aho-Corasick, over folded letters) looks for literals only, of which one must be there
    for a pattern to match (tamis.rules.literals); the few patterns whose literals are there are asked by themselves.
    """

    def __init__(self, place: str, patterns: Sequence[tuple[str, str, bool]]) -> None:
        import ahocorasick_rs  # noqa: PLC0415 # see _options

        self._place = place
        self._branches: list[_Branch] = []
        self._always: list[int] = []
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
                    self._always.append(len(self._branches))
                self._branches.append(_Branch(rule, pattern, text, ignore_case, tuple(sets[1:])))
        if len(self._always) > MAX_UNFILTERED:
            raise PatternError(
                f"too many patterns over {place} without three letters that must stand there (bound: {MAX_UNFILTERED})"
            )
        if sum(map(len, numbers)) > MAX_LITERALS:
            raise PatternError(
                f"the patterns over {place} are too large together (bound: {MAX_LITERALS} characters)"
            )
        self._owners = list(map(tuple, owners))
        self._literals = ahocorasick_rs.AhoCorasick(numbers) if numbers else None

    def patterns(self, octets: bytes) -> dict[str, set[str]]:
        """The patterns that match, by rule."""
        asked = set(self._always)
        there: set[int] = set()
        if self._literals is not None:
            folded = octets.decode("latin-1" if self._place == "raw" else "utf-8", "replace").casefold()
            there = {
                number for number, _, _ in self._literals.find_matches_as_indexes(folded, overlapping=True)
            }
            for number in there:
                asked.update(self._owners[number])
        found: dict[str, set[str]] = {}
        for number in asked:
            branch = self._branches[number]
            if any(map(there.isdisjoint, branch.further)) or branch.pattern in found.get(branch.rule, ()):
                continue
            one = compiled(branch.text, place=self._place, ignore_case=branch.ignore_case)
            if one.search(octets) is not None:
                found.setdefault(branch.rule, set()).add(branch.pattern)
        return found


@dataclass(frozen=True, slots=True)
class _Branch:
    """One alternative of a pattern; of each set of `further` literals one must be there as well."""

    rule: str
    pattern: str
    text: str
    ignore_case: bool
    further: tuple[frozenset[int], ...]


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

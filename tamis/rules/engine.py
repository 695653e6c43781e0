"""Patterns at work: all patterns of one place in one automaton, whose time is linear in the text (RE2).

There are no back-references and no look-around, and so nothing that could explode. `\\b` and `\\w` know ASCII only;
`\\pL` is any letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re2

PATTERN_MEMORY = 256 * 1024  # octets of memory of one pattern; beyond: the rule file is refused
SET_MEMORY = 8 * 1024 * 1024
"""Octets of memory of all patterns over a place. Beyond: the rule files are refused."""


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
    """The patterns of one place: (rule, pattern, whether case is ignored)."""

    def __init__(self, place: str, patterns: Sequence[tuple[str, str, bool]]) -> None:
        import re2  # noqa: PLC0415 # see _options

        self._rules = [rule for rule, _, _ in patterns]
        self._set = re2.Set.SearchSet(_options(SET_MEMORY, latin=place == "raw"))
        try:
            for _, pattern, ignore_case in patterns:
                text = f"(?i:{pattern})" if ignore_case else pattern
                self._set.Add(text.encode("latin-1" if place == "raw" else "utf-8"))
            self._set.Compile()
        except re2.error:
            raise PatternError(
                f"the patterns over {place} are too large together (bound: {SET_MEMORY} octets)"
            ) from None

    def rules(self, octets: bytes) -> set[str]:
        """The rules of which a pattern matches."""
        return {self._rules[number] for number in self._set.Match(octets) or ()}


def matchers(patterns: Iterable[tuple[str, str, str, bool]]) -> Mapping[str, Matcher]:
    """A matcher a place, from (place, rule, pattern, whether case is ignored)."""
    by_place: dict[str, list[tuple[str, str, bool]]] = {}
    for place, rule, pattern, ignore_case in patterns:
        by_place.setdefault(place, []).append((rule, pattern, ignore_case))
    return {place: Matcher(place, found) for place, found in by_place.items()}

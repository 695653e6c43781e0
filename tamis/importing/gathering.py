"""What an import gathers: settings, rules and list entries, and an account of every line of the input."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tamis.base.errors import ConfigError
from tamis.base.toml_text import toml_value
from tamis.contract.lists import Colour, Subject, normalise_pattern
from tamis.database.list_entries import NewEntry
from tamis.message.address import PLATFORM
from tamis.rules.engine import MAX_UNFILTERED, PatternError, program_size
from tamis.rules.expression import ExpressionError, parse, size
from tamis.rules.literals import alternatives
from tamis.rules.rule_file import MAX_EXPANDED, MAX_FILE, MAX_RULES

MOST_ENTRIES = 200_000  # list entries of one import; beyond: the report says of each that it was left out
_SHOWN = 200  # characters of a line that the report shows
_LONGEST_NAME = 40
_LONGEST_WHEN = 4000
_SECRET = re.compile(
    r"(?i)(\b\w*(?:passw(?:or)?d|secret|token|api_?key)\w*\s*[=: ]\s*)\S+|(://[^\s/:@]*:)[^\s@/]+(?=@)"
)
"""What a report must not show: the value of such a key, and the password of a URL."""
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class Fate(StrEnum):
    """What became of a line or an object of the input."""

    OVER = "came over"
    ELSEWHERE = "has an equivalent"
    NONE = "has none"
    SILENT = "says nothing"
    """A comment, or what is not in force where it comes from."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line or an object of the input: `place` is FILE:LINE, `text` what stands there."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Account:
    """What the report says of one line."""

    line: Line
    fate: Fate
    told: str


SettingCheck = Callable[[str, str, Any], str]
"""What is wrong with a setting, by scope, key and value; "" when it is good."""


class Gathering:
    """Fills up while an input is read. `check` says whether a setting would be taken; `taken` are the names that rules
    can't have. `scope` is whose entries and policy these are."""

    def __init__(
        self, check: SettingCheck, taken: frozenset[str] = frozenset(), scope: str = PLATFORM
    ) -> None:
        self.scope = scope
        self.settings: dict[str, Any] = {}
        """Settings outside policy, by dotted key."""
        self.policy: dict[str, dict[str, Any]] = {}
        """Policy by scope and dotted key."""
        self.rules: dict[str, dict[str, Any]] = {}
        """Tables of a rule file by name, those that others name first."""
        self.entries: dict[tuple[str, Subject, str], NewEntry] = {}
        self.hints: list[str] = []
        """What the report says at its end, beside the lines."""
        self._check = check
        self._taken = taken
        self._accounts: list[Account] = []
        self._unfiltered: Counter[str] = Counter()
        self._sizes: dict[str, int] = {}
        self._octets = 0

    @property
    def accounts(self) -> Sequence[Account]:
        """What became of every line, in their order."""
        return self._accounts

    def tell(self, line: Line, fate: Fate, told: str = "") -> None:
        """Account for a line."""
        text = _SECRET.sub(lambda found: f"{found[1] or found[2]}…", line.text)
        shown = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
        self._accounts.append(Account(Line(line.place, shown), fate, told))

    def sort(self) -> None:
        """Bring the accounts into the order of their places: what is only known at the end of the input comes late."""
        files: dict[str, int] = {}
        for one in self._accounts:
            files.setdefault(one.line.place.rpartition(":")[0] or one.line.place, len(files))

        def order(one: Account) -> tuple[int, int]:
            file, _, number = one.line.place.rpartition(":")
            return (files[file], int(number)) if number.isdecimal() else (files[file or one.line.place], 0)

        self._accounts.sort(key=order)

    def count(self) -> Counter[Fate]:
        """How many lines had which fate."""
        return Counter(one.fate for one in self._accounts)

    def set(self, key: str, value: Any, *, scope: str = "") -> str:
        """Take a setting; what begins with "policy." is set for the scope. Returns why it can't be, "" when it is."""
        inner = key.removeprefix("policy.")
        where = scope or self.scope
        if inner == key:
            if self.scope != PLATFORM:
                return "it holds for the whole platform, not for a domain or a mailbox"
            problem = self._check("", key, value)
            if not problem:
                self.settings[key] = value
            return problem
        problem = self._check(where, inner, value)
        if not problem:
            self.policy.setdefault(where, {})[inner] = value
        return problem

    def set_told(self, line: Line, key: str, value: Any, *, scope: str = "", told: str = "") -> None:
        """Take a setting, and account for its line."""
        problem = self.set(key, value, scope=scope)
        if problem:
            self.tell(line, Fate.NONE, f"{key} can't be {_short(value)}: {problem}")
        else:
            self.tell(line, Fate.OVER, f"{key} = {_short(value)}{'; ' + told if told else ''}")

    def extend(self, key: str, defaults: Sequence[str], value: str) -> str:
        """Add to a setting that is a list, the default first. Returns why it can't be, "" when it is there."""
        present = list(self.settings.get(key, defaults))
        return "" if value in present else self.set(key, [*present, value])

    def enter(
        self,
        colour: Colour,
        subject: Subject,
        pattern: str,
        *,
        scope: str = "",
        note: str = "",
        expires: Any = None,
    ) -> str:
        """Take a list entry. Returns why it can't be, "" when it is there."""
        try:
            normal = normalise_pattern(subject, pattern)
        except ConfigError as error:
            return error.problem
        where = scope or self.scope
        if len(self.entries) >= MOST_ENTRIES:
            return f"more than {MOST_ENTRIES} entries"
        self.entries[where, subject, normal] = NewEntry(
            colour=colour,
            subject=subject,
            pattern=normal,
            scope=where,
            origin="import",
            note=note[:_SHOWN],
            expires=expires,
        )
        return ""

    def forget(self, subject: Subject, pattern: str, *, scope: str = "") -> bool:
        """Take an entry back; whether it was there."""
        try:
            normal = normalise_pattern(subject, pattern)
        except ConfigError:
            return False
        return self.entries.pop((scope or self.scope, subject, normal), None) is not None

    def name(self, text: str) -> str:
        """A name for a rule, after what it was called; no other rule or filter has it."""
        plain = _NOT_IN_NAMES.sub("_", text.lower()).strip("_") or "rule"
        plain = plain if plain[0].isalpha() and len(plain) > 1 else f"r_{plain}"
        name, number = plain[:_LONGEST_NAME], 1
        while name in self.rules or name in self._taken:
            number += 1
            end = f"_{number}"
            name = plain[: _LONGEST_NAME - len(end)] + end
        return name

    def drop_rules(self, names: Sequence[str]) -> None:
        """Take rules back, of which others were to be made that can't be."""
        for name in names:
            del self.rules[name]

    def add_rule(self, name: str, keys: dict[str, Any]) -> str:
        """Take a rule's table, whose patterns are good (`unfit`). Returns why not, "" when it is there."""
        if self.scope != PLATFORM:
            return "rules are the platform's; for a domain or a mailbox only `leave_out` and `points` differ"
        octets = sum(len(str(value)) for value in keys.values()) + 200
        if len(self.rules) >= MAX_RULES or self._octets + octets > MAX_FILE // 2:
            return f"more rules than Tamis reads ({MAX_RULES}, or {MAX_FILE // 2} octets)"
        size_here, problem = self._size(keys.get("when", ""))
        if problem:
            return problem
        free = [place for place in keys.get("where", ()) for one in keys["match"] if _is_free(one)]
        for place in free:
            if self._unfiltered[place] >= MAX_UNFILTERED // 2:
                return "too many patterns that need no three letters in a row: each would be tried on each message"
        self._unfiltered.update(free)
        self._sizes[name] = size_here
        self._octets += octets
        self.rules[name] = keys
        return ""

    def _size(self, when: str) -> tuple[int, str]:
        """The terms of an expression with those of the rules it names, and what is wrong with it."""
        if not when:
            return 1, ""
        try:
            expression, names = parse(when)
        except ExpressionError as error:
            return 0, f"the expression is too much for a rule: {error}"
        terms = size(expression) + sum(self._sizes.get(name, 1) for name, _ in names)
        if terms > MAX_EXPANDED or len(when) > _LONGEST_WHEN:
            return 0, "the expression is too long, with the rules that it names"
        return terms, ""


def unfit(pattern: str, where: Sequence[str], *, ignore_case: bool) -> str:
    """Why a pattern is none for rules, "" when it is good."""
    if len(pattern) > 1000:
        return "the pattern is longer than 1,000 characters"
    if not pattern:
        return "the pattern is empty"
    try:
        for place in where:
            program_size(pattern, place=place, ignore_case=ignore_case)
    except PatternError as error:
        return f"RE2, whose time is linear, does not take the pattern: {error}"
    return ""


def _is_free(pattern: str) -> bool:
    return any(not needed for _, needed in alternatives(pattern))


def _short(value: Any) -> str:
    text = toml_value(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def spread(text: str) -> Iterator[str]:
    """The words of a line in which addresses stand, however they are separated."""
    yield from (word for word in re.split(r"[\s,;]+", text) if word)

"""SpamAssassin's configuration files (Mail::SpamAssassin::Conf): lines, conditions, includes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.base.errors import ConfigError
from tamis.importing.bounded_files import ReadingBudget
from tamis.importing.gathering import Fate, Gathering, Line
from tamis.importing.spamassassin_rules import RuleGathering
from tamis.importing.spamassassin_settings import tell_setting

VERSION = 4.0
"""As which release conditions like `if (version >= 3.4)` are read."""
MOST_INCLUDES = 10  # files that include each other; beyond: refused
_CONDITION = re.compile(r"(?i)^(if|ifplugin|else|endif)\b\s*(.*)$")
_RULE_KEYS = frozenset(
    (
        *("header", "body", "rawbody", "uri", "full", "meta", "mimeheader", "uri_detail", "askdns"),
        *(
            "score",
            "describe",
            "tflags",
            "priority",
            "test",
            "reuse",
            "shortcircuit",
            "lang",
            "replace_rules",
        ),
        *("uridnsbl", "uridnssub", "urirhsbl", "urirhssub", "urinsrhsbl", "urinsrhssub"),
        *("urifullnsrhsbl", "urifullnsrhssub"),
    )
)
_PLUGIN = "Mail::SpamAssassin::Plugin::"


@dataclass(frozen=True, slots=True)
class _Block:
    """An open `if`: where it begins, whether its condition holds, and whether all around it is in force."""

    place: str
    holds: bool
    around: bool

    @property
    def in_force(self) -> bool:
        return self.holds and self.around


def read_spamassassin(paths: Sequence[Path], into: Gathering, budget: ReadingBudget) -> None:
    """Read files in their order, as SpamAssassin would: what comes later wins. Raises ConfigError."""
    reader = _Conf(into, budget)
    for path in paths:
        reader.read(path)
    reader.end()


class _Conf:
    def __init__(self, into: Gathering, budget: ReadingBudget) -> None:
        self._into = into
        self._budget = budget
        self._rules = RuleGathering(into)
        self._including: list[Path] = []

    def read(self, path: Path) -> None:
        if path in self._including or len(self._including) >= MOST_INCLUDES:
            raise ConfigError(str(path), "", f"includes itself, or more than {MOST_INCLUDES} files deep")
        self._including.append(path)
        blocks: list[_Block] = []
        for line in self._lines(path):
            text = _without_comment(line.text)
            if not text:
                self._into.tell(line, Fate.SILENT)
            elif condition := _CONDITION.match(text):
                self._turn(line, blocks, condition[1].lower(), condition[2])
            elif blocks and not blocks[-1].in_force:
                self._into.tell(
                    line, Fate.SILENT, f"not in force: the condition of {blocks[-1].place} does not hold"
                )
            else:
                self._take(line, text, path)
        if blocks:
            raise ConfigError(blocks[-1].place, "", "this if has no endif")
        self._including.pop()

    def end(self) -> None:
        """What is known only now: rules whose score, description and flags stand anywhere."""
        self._rules.end()
        self._into.sort()

    def _lines(self, path: Path) -> Iterator[Line]:
        for number, text in enumerate(self._budget.text(path).split("\n"), 1):
            yield Line(f"{path}:{number}", text.strip())

    def _turn(self, line: Line, blocks: list[_Block], word: str, condition: str) -> None:
        """Go into a condition, to its other side, or out of it."""
        around = blocks[-1].in_force if blocks else True
        if word in ("if", "ifplugin"):
            if len(blocks) >= 50:
                raise ConfigError(line.place, "", "more than 50 conditions within each other")
            holds = _plugin(condition) if word == "ifplugin" else _holds(condition)
            blocks.append(_Block(line.place, bool(holds), around))
            told = "taken as true: it asks for what only SpamAssassin knows" if holds is None else ""
            if holds is None:
                blocks[-1] = _Block(line.place, True, around)
            self._into.tell(
                line, Fate.SILENT, told or f"a condition that {'holds' if holds else 'does not hold'}"
            )
            return
        if not blocks:
            raise ConfigError(line.place, "", f"{word} without an if")
        last = blocks.pop()
        if word == "else":
            blocks.append(_Block(line.place, not last.holds, last.around))
        self._into.tell(line, Fate.SILENT)

    def _take(self, line: Line, text: str, path: Path) -> None:
        key, _, value = text.partition(" ") if " " in text else text.partition("\t")
        key, value = key.strip().lower(), value.strip()
        if "\t" in key:
            key, _, first = key.partition("\t")
            value = f"{first} {value}".strip()
        if key == "include":
            self._into.tell(line, Fate.OVER, "the file is read here")
            self.read((path.parent / value).resolve())
        elif key in _RULE_KEYS:
            self._rules.take(line, key, value)
        else:
            tell_setting(self._into, self._rules, line, key, value)


def _without_comment(text: str) -> str:
    """SpamAssassin takes `#` for a comment wherever it stands, unless there is a backslash before it."""
    return re.sub(r"(?<!\\)#.*$", "", text).strip().replace(r"\#", "#")


def _plugin(name: str) -> bool:
    """Whether a plugin is there: those that come with SpamAssassin are taken as loaded."""
    return name.strip().startswith(_PLUGIN)


def _holds(condition: str) -> bool | None:
    """An `if`'s condition, as far as it is about versions, plugins and features; None where it is about more."""
    text = condition.strip()
    text = re.sub(
        r"!?\s*(?:can|has)\s*\(\s*[\w:]+\s*\)", lambda f: "0" if f[0].startswith("!") else "1", text
    )
    text = re.sub(r"plugin\s*\(\s*([\w:]+)\s*\)", lambda f: str(int(_plugin(f[1]))), text)
    compared = re.fullmatch(r"\(*\s*(perl_)?version\s*([<>]=?|==|!=)\s*v?(\d+(?:\.\d+)?)[\d.]*\s*\)*", text)
    if compared:
        own = 5.036 if compared[1] else VERSION
        number = float(compared[3])
        return {
            "<": own < number,
            "<=": own <= number,
            ">": own > number,
            ">=": own >= number,
            "==": own == number,
            "!=": own != number,
        }[compared[2]]
    words = re.findall(r"[01]|!|&&|\|\||\S", text.replace("(", " ").replace(")", " "))
    if words and set(words) <= {"1", "&&"}:
        return True
    if words == ["0"] or words == ["!", "1"]:
        return False
    return True if words == ["!", "0"] else None

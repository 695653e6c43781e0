"""SpamAssassin's rules as Tamis has them. What belongs to one stands on several lines, so they wait for the end."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tamis.importing.foreign_logic import NoLogicError, when
from tamis.importing.gathering import Fate, Gathering, Line, unfit
from tamis.importing.perl_patterns import Converted, NoPatternError, parsed
from tamis.importing.spamassassin_words import EVALS, stock_filter
from tamis.settings.dns_lists import DNSBL, RHSBL, URIBL, DNSList

SCALE = 7.5 / 5
"""Points here for one there: the limits from which a message is spam by default are 7.5 and 5."""

MOST_RULES = 5000  # that an input defines; beyond: the report says that they were left out

_PLACES = MappingProxyType(
    {"body": ["subject", "text"], "rawbody": ["written", "html"], "full": ["raw"], "uri": ["urls"]}
)
_HEADER = re.compile(r"^([\w.:-]+)\s*(=~|!~)\s*(.+?)(?:\s*\[if-unset:\s*(.*?)\]\s*)?$")
_EVAL = re.compile(r"^(?:eval:)?\s*(\w+)\s*\((.*)\)\s*$")
_ARGUMENT = re.compile(r"""'([^']*)'|"([^"]*)"|([^\s,'"]+)""")


@dataclass(slots=True)
class _Rule:
    """One rule there, with every line about it."""

    lines: list[tuple[Line, str, str]] = field(default_factory=list)  # line, key, value
    kind: str = ""
    value: str = ""
    score: float | None = None
    off: bool = False
    describe: str = ""
    flags: str = ""
    shortcut: str = ""
    replaced: bool = False
    name: str = ""


class RuleGathering:
    """Takes the lines of rules, and makes rules of them at the end."""

    def __init__(self, into: Gathering) -> None:
        self._into = into
        self._rules: dict[str, _Rule] = {}
        self._zones: dict[str, str] = {}  # DNS set -> zone
        self._done: dict[str, str] = {}  # name there -> name here, or =, ~ or - and what the report says

    def take(self, line: Line, key: str, value: str) -> None:
        """A line of one rule (or of several: `reuse`, `replace_rules`)."""
        name, _, rest = value.replace("\t", " ").partition(" ")
        rest = rest.strip()
        if key == "lang":
            self._into.tell(line, Fate.NONE, "text in other languages: Tamis's own sentences are translated")
            return
        if key in ("test", "reuse", "priority") or not name:
            told = "says nothing about a message" if name else "names no rule"
            self._into.tell(line, Fate.NONE, told)
            return
        if key == "replace_rules":
            self._into.tell(line, Fate.NONE, "tags in patterns (ReplaceTags): write the patterns out")
            for one in value.split():
                if one in self._rules:
                    self._rules[one].replaced = True
            return
        if name not in self._rules and len(self._rules) >= MOST_RULES:
            self._into.tell(line, Fate.NONE, f"more than {MOST_RULES} rules")
            return
        rule = self._rules.setdefault(name, _Rule())
        rule.lines.append((line, key, rest))
        self._note(rule, name, key, rest)

    def _note(self, rule: _Rule, name: str, key: str, rest: str) -> None:
        if key == "score":
            rule.score, rule.off = _score(rest, rule.score)
        elif key == "describe":
            rule.describe = rest
        elif key == "tflags":
            rule.flags = rest.lower()
        elif key == "shortcircuit":
            rule.shortcut = rest.lower()
        elif "check_uridnsbl" in rest and rule.kind.startswith("uri"):
            return  # the list itself stands on the other line
        else:
            rule.kind, rule.value = key, rest  # defined again: the last one holds
            zone = _zone(key, rest)
            if zone:
                self._zones[zone[0]] = zone[1]

    def end(self) -> None:
        """Make the rules, those first that others name, and account for every line."""
        for name in self._ordered():
            try:
                self._done[name] = self._make(name, self._rules[name])
            except (NoPatternError, NoLogicError) as error:
                self._done[name] = f"-{error}"
        for name, rule in self._rules.items():
            fate, told = self._fates(name, rule)
            defining = [one for one in rule.lines if one[1] == rule.kind]
            for line, key, _ in rule.lines:
                if defining and key == rule.kind and line is not defining[-1][0]:
                    self._into.tell(line, Fate.SILENT, "defined again further down")
                else:
                    self._into.tell(
                        line, fate, told if key == rule.kind or not rule.kind else f"{name}: {told}"
                    )

    def _fates(self, name: str, rule: _Rule) -> tuple[Fate, str]:
        if not rule.kind:
            return Fate.ELSEWHERE, (
                f"a rule of SpamAssassin's own; what is nearest here is the filter {stock_filter(name)} "
                "(state, effect, score)"
            )
        made = self._done[name]
        if made.startswith("="):
            return Fate.OVER, made[1:]
        if made.startswith("~"):
            return Fate.ELSEWHERE, made[1:]
        if made.startswith("-"):
            return Fate.NONE, made[1:]
        return Fate.OVER, f"rule {made}{self._effect(rule)}"

    def _effect(self, rule: _Rule) -> str:
        keys = self._into.rules[rule.name]
        told = {"score": f", {keys.get('points', 0):g} points", "spam": ", spam", "accept": ", lets through"}
        said = told.get(keys.get("action", "none"), ", for other rules")
        wide = "; it can match more than before (possessive or atomic parts)" if keys.get("_wider") else ""
        many = "; counted once, not for each match" if "multiple" in rule.flags else ""
        return said + wide + many

    def _ordered(self) -> list[str]:
        """The rules, those first that others name; those that name each other in a circle last."""
        waits: dict[str, set[str]] = {}
        for name, rule in self._rules.items():
            words = set(re.findall(r"[A-Za-z_]\w*", rule.value)) if rule.kind == "meta" else set()
            waits[name] = {one for one in words if one in self._rules}
        waited_for: dict[str, list[str]] = {}
        for name, others in waits.items():
            for one in others:
                waited_for.setdefault(one, []).append(name)
        ready = deque(name for name, others in waits.items() if not others)
        ordered: dict[str, None] = {}
        while ready:
            name = ready.popleft()
            ordered[name] = None
            for one in waited_for.get(name, ()):
                waits[one].discard(name)
                if not waits[one]:
                    ready.append(one)
        return list(ordered | dict.fromkeys(self._rules))

    def _make(self, name: str, rule: _Rule) -> str:
        if not rule.kind:
            return f"-{name} is a rule of SpamAssassin's own"
        if rule.replaced:
            return "-it has tags of ReplaceTags: write the pattern out"
        if rule.off and rule.kind != "meta":
            return "=switched off there (score 0), so left out"
        if rule.kind in _BY_ADDRESS:
            return "-a list of addresses that names of links have: Tamis asks lists of domains and clients"
        if rule.kind in ("urirhsbl", "urirhssub"):
            zone, *codes = rule.value.split() or [""]
            return self._list("platform.uribl", URIBL, zone.strip("'\"."), codes)
        if rule.kind in ("askdns", "uri_detail", "mimeheader"):
            return f"-{rule.kind}: no rule here looks at that ({_NEAREST[rule.kind]})"
        if rule.kind == "meta":
            return self._add(name, rule, {"when": when(rule.value, self._named)})
        if rule.value.startswith("eval:") or _EVAL.match(rule.value):
            return self._of_eval(name, rule)
        if rule.kind == "header":
            return self._of_header(name, rule)
        return self._add(name, rule, _matched(parsed(rule.value), _PLACES[rule.kind]))

    def _named(self, name: str) -> str:
        """The name here of a rule that logic names."""
        if name not in self._rules or not self._rules[name].kind:
            raise NoLogicError(
                f"it needs {name}, a rule of SpamAssassin's own (nearest: filter {stock_filter(name)})"
            )
        made = self._done.get(name, "")
        if not made:
            raise NoLogicError(f"it needs {name}, which needs it in turn")
        if made[:1] in "=~-":
            raise NoLogicError(f"it needs {name}, which did not come over")
        return made

    def _of_header(self, name: str, rule: _Rule) -> str:
        if rule.value.startswith("exists:"):
            wanted = re.escape(rule.value.removeprefix("exists:").strip())
            return self._add(
                name, rule, _matched(Converted(f"(?:^| ){wanted}(?: |$)", True), ["field_names"])
            )
        found = _HEADER.match(rule.value)
        if found is None:
            raise NoPatternError("a test of a header that is not understood")
        where = _where(found[1])
        pattern = parsed(found[3])
        if found[1].lower().endswith(":addr") and re.search(r"(?<!\\)[$^]", pattern.text):
            raise NoPatternError(
                "it is anchored to an address alone: a list entry or a wildcard pattern does that"
            )
        keys = _matched(pattern, where)
        if found[2] == "=~":
            return self._add(name, rule, keys)
        inner = self._into.name(f"{name}_there")
        if problem := self._refused(inner, keys):
            return f"-{problem}"
        return self._add(name, rule, {"when": f"not {inner}"})

    def _of_eval(self, name: str, rule: _Rule) -> str:
        found = _EVAL.match(rule.value)
        if found is None:
            raise NoPatternError("a test that is not understood")
        function = found[1].lower()
        arguments = [next(filter(None, one), "") for one in _ARGUMENT.findall(found[2])]
        if function in ("check_rbl", "check_rbl_txt") and len(arguments) >= 2:
            if name.startswith("__") and len(arguments) == 2:
                return f"=it opens the set {_set(arguments[0])} for other rules"
            return self._list("platform.dnsbl", DNSBL, arguments[1], arguments[2:])
        if function == "check_rbl_sub" and len(arguments) >= 2:
            zone = self._zones.get(_set(arguments[0]), "")
            if not zone:
                raise NoLogicError(f"the set {arguments[0]} is SpamAssassin's own")
            return self._list("platform.dnsbl", DNSBL, zone, arguments[1:])
        if (
            function in ("check_rbl_envfrom", "check_rbl_from_host", "check_rbl_from_domain")
            and len(arguments) >= 2
        ):
            return self._list("platform.rhsbl", RHSBL, arguments[1], arguments[2:])
        near = next((one for begin, one in EVALS.items() if function.startswith(begin)), "")
        if near:
            return f"~code of SpamAssassin; {near} looks at the same here"
        return f"-{function} is code of a plugin; rules here are patterns, numbers, tables and logic"

    def _list(self, key: str, defaults: tuple[str, ...], zone: str, codes: list[str]) -> str:
        """A DNS list: it counts as one of the lists of a filter, not with points of its own."""
        zone = zone.rstrip(".").lower()
        read = [_code(one.strip("'\"")) for one in codes if one.upper() not in ("A", "TXT")][:1]
        if None in read:
            return f"-return codes that are not understood: {' '.join(codes)}"
        before = next(
            (one for one in self._into.settings.get(key, ()) if re.split("[=+]", one)[0] == zone), ""
        )
        text = zone + (f"={read[0]}" if read else "")
        if any(DNSList.parse(one).zone == zone for one in defaults):
            return f"={zone} is one of the lists that Tamis asks by default ({key})"
        if before and "=" in before and "=" in text:
            present = self._into.settings[key]
            text = before if read[0] in before.split("=")[1].split(",") else f"{before},{read[0]}"
            problem = self._into.set(key, [text if one == before else one for one in present])
        elif before:
            text, problem = before, ""
        else:
            problem = self._into.extend(key, defaults, text)
        if problem:
            return f"-{key} can't have {text}: {problem}"
        return f"={text} in {key}: a hit is what half of the lists say, not points for each (share, least)"

    def _add(self, name: str, rule: _Rule, keys: dict[str, Any]) -> str:
        inner = name.startswith("__")
        rule.name = self._into.name(name.strip("_") + ("_part" if inner else ""))
        keys |= {"description": (rule.describe or name)[:200]}
        points = (
            0.0
            if inner or rule.off
            else round((_default(name, rule) if rule.score is None else rule.score) * SCALE, 2)
        )
        if rule.shortcut in ("spam", "on") and points > 0:
            keys["action"] = "spam"
        elif rule.shortcut in ("ham", "on") and points < 0:
            keys["action"] = "accept"
        elif points:
            keys |= {"action": "score", "points": max(-100.0, min(100.0, points))}
        if problem := self._refused(rule.name, keys):
            return f"-{problem}"
        return rule.name

    def _refused(self, name: str, keys: dict[str, Any]) -> str:
        for pattern in keys.get("match", ()):
            if problem := unfit(pattern, keys["where"], ignore_case=keys["ignore_case"]):
                return problem
        return self._into.add_rule(name, keys)


_BY_ADDRESS = frozenset(
    ("uridnsbl", "uridnssub", "urinsrhsbl", "urinsrhssub", "urifullnsrhsbl", "urifullnsrhssub")
)
_NEAREST: Mapping[str, str] = MappingProxyType(
    {
        "askdns": "DNS lists are settings: platform.dnsbl, rhsbl, uribl",
        "uri_detail": "rules over urls and link_text, the filter link_text",
        "mimeheader": "rules over shape, attachments and raw",
    }
)


def _default(name: str, rule: _Rule) -> float:
    """The score of a rule that has none: 1, tests 0.01, of nice ones the negative (Conf, "score")."""
    if name.startswith("T_"):
        return 0.01
    return -1.0 if "nice" in rule.flags else 1.0


def _score(text: str, before: float | None) -> tuple[float | None, bool]:
    """The score with Bayes and network tests (the last of four), and whether that switches the rule off."""
    words = text.split()
    numbers = []
    for word in words[:4]:
        try:
            relative = word.startswith("(")
            number = float(word.strip("()"))
        except ValueError:
            return before, False
        numbers.append((before or 0.0) + number if relative else number)
    if not numbers:
        return before, False
    last = numbers[-1] if len(numbers) in (1, 4) else numbers[0]
    return (last, last == 0) if abs(last) < 1e6 else (before, False)


def _matched(pattern: Converted, where: list[str]) -> dict[str, Any]:
    keys: dict[str, Any] = {"match": [pattern.text], "where": list(where), "ignore_case": pattern.ignore_case}
    return keys | ({"_wider": True} if pattern.wider else {})


def _where(header: str) -> list[str]:
    """The places of a header as SpamAssassin names it. Raises NoPatternError."""
    name, _, part = header.lower().partition(":")
    if name in ("all", "all-raw"):
        return ["headers"]
    if name == "tocc":
        return ["header:to", "header:cc"]
    if name == "messageid":
        return ["header:message-id", "header:resent-message-id"]
    if name in ("envelopefrom", "all-trusted", "all-external", "all-untrusted") or name.startswith(
        "x-spam-relays"
    ):
        raise NoPatternError(
            f"{header}: rules look at the content; for the envelope there are lists and filters"
        )
    if name == "from" and part == "name":
        return ["display"]
    if part not in ("", "raw", "addr", "name"):
        raise NoPatternError(f"{header}: no rule here looks at that part of a header")
    return [f"header:{name}"]


def _set(name: str) -> str:
    return name.partition("-")[0]


def _zone(key: str, value: str) -> tuple[str, str] | None:
    """The DNS set that a rule opens."""
    found = _EVAL.match(value) if key == "header" else None
    if found is None or found[1].lower() not in ("check_rbl", "check_rbl_txt"):
        return None
    arguments = [next(filter(None, one), "") for one in _ARGUMENT.findall(found[2])]
    return (_set(arguments[0]), arguments[1]) if len(arguments) >= 2 else None


def _code(text: str) -> str | None:
    """A sub-test as Tamis writes return codes; None where it is something else (a pattern)."""
    text = text.removeprefix("^").removesuffix("$").replace("\\.", ".")
    if re.fullmatch(r"127(\.\d{1,3}){3}(-127(\.\d{1,3}){3})?", text):
        return text
    if re.fullmatch(r"\d{1,3}", text) and 0 < int(text) < 256:
        return f"&{text}"
    several = re.fullmatch(r"127\.0\.(\d{1,3})\.(?:\[(\d+)\]|\((?:\?:)?([\d|]+)\))", text)
    if several:
        last = list(several[2]) if several[2] else several[3].split("|")
        return ",".join(f"127.0.{several[1]}.{one}" for one in last)
    return None

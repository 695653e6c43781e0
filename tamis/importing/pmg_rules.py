"""Proxmox Mail Gateway's rules: who, what, when and action objects, users' lists, and /etc/pmg, as Tamis has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tamis.contract.lists import Colour, Subject
from tamis.importing.bounded_files import ReadingBudget
from tamis.importing.gathering import Fate, Gathering, Line, spread, unfit
from tamis.importing.perl_patterns import NoPatternError, converted
from tamis.importing.pmg_conf import tell_files
from tamis.importing.pmg_dump import PmgInput, Row, read_dump
from tamis.importing.spamassassin_rules import SCALE
from tamis.message.address import PLATFORM

_FROM, _TO, _WHEN, _WHAT, _ACTION = range(5)
"""The kinds of groups of a rule (RuleGroup.Grouptype)."""
_INCOMING = ("0", "2")
_ACCEPT, _BLOCK, _MODIFY, _QUARANTINE = 4000, 4001, 4003, 4006
_SPAM, _VIRUS, _FIELD, _TYPE, _FILE_NAME, _ARCHIVE, _ARCHIVE_NAME = range(3000, 3007)
_READ = ("objectgroup", "object", "rule", "userprefs")
_PARTS = ("attribut", "objectgroup_attributes", "rule_attributes", "rulegroup")
"""Tables whose rows are part of others."""
_RECEIVERS = frozenset((1007, 1008, 1009))

_TYPES: Mapping[int, str] = MappingProxyType(
    {
        1000: "regular expression", 1001: "mail address", 1002: "domain", 1003: "IP address", 1004: "IP network",
        1005: "LDAP group", 1006: "LDAP user", 1007: "receiver", 1008: "receiver domain", 1009: "receiver pattern",
        2000: "time frame", 3000: "spam level", 3001: "virus", 3002: "header field", 3003: "content type",
        3004: "file name", 3005: "archive content", 3006: "file name in archives", 4000: "accept", 4001: "block",
        4002: "notify", 4003: "header attribute", 4004: "attach", 4005: "BCC", 4006: "quarantine",
        4007: "remove attachments", 4008: "report spam", 4009: "disclaimer", 4999: "counter",
    }
)  # fmt: skip

_ACTIONS: Mapping[int, tuple[Fate, str]] = MappingProxyType(
    {
        4002: (
            Fate.ELSEWHERE,
            "recipients: policy.digest; senders of held mail: policy.challenge",
        ),
        4003: (Fate.ELSEWHERE, "X-Spam-* headers are always written; policy.tag goes before the subject"),
        4004: (Fate.NONE, "the original is what is delivered"),
        4005: (Fate.NONE, "copies to others are Postfix's: always_bcc, recipient_bcc_maps"),
        4007: (Fate.NONE, "a message is never changed: attachment_types holds it whole"),
        4008: (Fate.NONE, "nothing is reported to others"),
        4009: (Fate.NONE, "a message is never changed: a disclaimer is the mail program's"),
        4999: (Fate.ELSEWHERE, "`tamis history`, [metrics]"),
    }
)


@dataclass(slots=True)
class _Group:
    """An object group, its objects, and the attributes that rules made more difficult."""

    row: Row
    objects: list[Row] = field(default_factory=list)
    special: bool = False  # "all must match", or "none may"


@dataclass(slots=True)
class _Rule:
    row: Row
    groups: dict[int, list[_Group]] = field(default_factory=dict)
    special: bool = False

    def kinds(self, kind: int) -> list[Row]:
        """The objects of all groups of a kind."""
        return [one for group in self.groups.get(kind, ()) for one in group.objects]

    def acts(self) -> set[int]:
        """The types of its actions."""
        return {_type(one) for one in self.kinds(_ACTION)}


def read_pmg(path: Path, into: Gathering, budget: ReadingBudget) -> None:
    """Read a backup, a folder or a dump, and account for every row and line. Raises ConfigError."""
    found = read_dump(path, budget)
    _Database(found, into).tell()
    tell_files(found, into)
    for line in found.others:
        of_file = ":" not in line.place
        told = "no file that says what mail is wanted" if of_file else "a statement around the rows"
        into.tell(line, Fate.NONE if of_file else Fate.SILENT, told)


class _Database:
    def __init__(self, found: PmgInput, into: Gathering) -> None:
        self._into = into
        self._tables = found.tables
        self._groups = {row["id"]: _Group(row) for row in self._rows("objectgroup")}
        for row in self._rows("object"):
            if group := self._groups.get(row["objectgroup_id"]):
                group.objects.append(row)
        self._rules = {row["id"]: _Rule(row) for row in self._rows("rule")}
        for row in self._rows("objectgroup_attributes"):
            if (group := self._groups.get(row["objectgroup_id"])) and row["value"] not in ("", "0"):
                group.special = True
        for row in self._rows("rule_attributes"):
            if (rule := self._rules.get(row["rule_id"])) and row["value"] not in ("", "0"):
                rule.special = True
        for row in self._rows("rulegroup"):
            rule, grouped = self._rules.get(row["rule_id"]), self._groups.get(row["objectgroup_id"])
            if rule and grouped and row["grouptype"].isdecimal():
                rule.groups.setdefault(int(row["grouptype"]), []).append(grouped)
        self._fates: dict[str, tuple[Fate, str]] = {}
        self._limit: float | None = None

    def _rows(self, table: str) -> list[Row]:
        return self._tables.get(table, [])

    def tell(self) -> None:
        """Rules first, in the order of their priority: what they say decides what becomes of the objects."""
        ordered = sorted(self._rules.values(), key=lambda one: -_number(one.row["priority"]))
        for rule in ordered:
            fate, told = self._of_rule(rule)
            self._say(rule.row, f"rule {rule.row['name']!r}", fate, told)
        for group in self._groups.values():
            used = any(group in some for rule in ordered for some in rule.groups.values())
            for one in group.objects:
                fate, told = self._fates.get(one["id"]) or self._alone(one, group, used=used)
                self._say(
                    one,
                    f"{_TYPES.get(_type(one), 'object')} {one['value']!r} of {group.row['name']!r}",
                    fate,
                    told,
                )
            fate = Fate.SILENT if group.objects else Fate.NONE
            self._say(
                group.row,
                f"objects {group.row['name']!r}",
                fate,
                "" if group.objects else "it has no objects",
            )
        for table in ("attribut", "objectgroup_attributes", "rule_attributes", "rulegroup"):
            for row in self._rows(table):
                self._say(
                    row,
                    f"{table} {' '.join(row.values.values())[:80]!r}",
                    Fate.SILENT,
                    "part of what it belongs to",
                )
        for row in self._rows("userprefs"):
            self._preference(row)
        for table in self._tables.keys() - {*_PARTS, *_READ}:
            for row in self._tables[table]:
                self._say(row, f"{table} …", Fate.NONE, "statistics and mail of the other gateway stay there")
        self._into.sort()

    def _say(self, row: Row, text: str, fate: Fate, told: str) -> None:
        self._into.tell(Line(row.line.place, text), fate, told)

    def _alone(self, one: Row, group: _Group, *, used: bool) -> tuple[Fate, str]:
        """What to say of an object that no rule brought over."""
        kind = _type(one)
        if kind in _ACTIONS:
            return _ACTIONS[kind]
        if kind >= _ACCEPT:
            return Fate.ELSEWHERE, "policy.outcome, white lists"
        if group.row["class"] == "greylist":
            return Fate.ELSEWHERE, "filter greylisting: who is on a white list is not greylisted"
        if not used:
            return Fate.SILENT, "no rule names it"
        return Fate.NONE, _WHY.get(kind, "its rule did not come over")

    def _of_rule(self, rule: _Rule) -> tuple[Fate, str]:
        row = rule.row
        if row["active"] in ("0", "", "f"):
            return Fate.SILENT, "not active"
        if row["direction"] not in _INCOMING:
            return Fate.NONE, "for outgoing mail, which is not examined (O8); filter rate_limit bounds it"
        if rule.kinds(_WHEN):
            return Fate.NONE, "no rule here goes by the time of day"
        if rule.special or any(group.special for some in rule.groups.values() for group in some):
            return (
                Fate.NONE,
                "objects that must all match, or must not: write it as logic over rules (docs/rules.md)",
            )
        accepts = _ACCEPT in rule.acts()
        holds = bool({_BLOCK, _QUARANTINE} & rule.acts())
        senders, receivers, what = rule.kinds(_FROM), rule.kinds(_TO), rule.kinds(_WHAT)
        if senders and not what and (accepts or holds):
            return self._listed(rule, senders, receivers, Colour.WHITE if accepts else Colour.BLACK)
        if senders or receivers:
            if not what and accepts and receivers:
                return self._spared(rule, receivers)
            return (
                Fate.NONE,
                "senders, receivers and content in one rule: policy goes by recipient",
            )
        if what:
            return self._content(rule, what, accepts=accepts, holds=holds)
        return Fate.ELSEWHERE, "it goes for all mail: policy.outcome, headers"

    def _listed(
        self, rule: _Rule, senders: list[Row], receivers: list[Row], colour: Colour
    ) -> tuple[Fate, str]:
        scopes = [_scope(one) for one in receivers] or [PLATFORM]
        done = 0
        for one in senders:
            problem = "its receivers are patterns" if None in scopes else ""
            for scope in scopes:
                problem = problem or self._enter(one, colour, scope or "", rule.row["name"])
            whose = "" if scopes == [PLATFORM] else f" of {', '.join(map(str, scopes))}"
            self._fates[one["id"]] = (
                (Fate.NONE, problem) if problem else (Fate.OVER, f"{colour} entry{whose}")
            )
            done += not problem
        for one in receivers:
            came = (Fate.OVER, "whose entries these are")
            self._fates[one["id"]] = came if done else (Fate.NONE, "no mailbox or domain")
        return (
            (Fate.OVER, f"{done} {colour} entries") if done else (Fate.NONE, "none of its senders came over")
        )

    def _enter(self, one: Row, colour: Colour, scope: str, name: str) -> str:
        kind, value = _type(one), one["value"].strip()
        if kind == 1000:
            value = _glob(value)
            if not value:
                return "a regular expression of senders: lists have addresses, domains and wildcards"
        elif kind not in (1001, 1002, 1003, 1004):
            return _WHY.get(kind, "no sender")
        subject = Subject.IP if kind in (1003, 1004) else Subject.SENDER
        return self._into.enter(colour, subject, value, scope=scope, note=f"PMG: {name}")

    def _spared(self, rule: _Rule, receivers: list[Row]) -> tuple[Fate, str]:
        done = 0
        for one in receivers:
            scope = _scope(one)
            problem = (
                self._into.set("policy.enabled", False, scope=scope) if scope else "no mailbox or domain"
            )
            self._fates[one["id"]] = (
                (Fate.NONE, problem) if problem else (Fate.OVER, f"enabled = false for {scope}")
            )
            done += not problem
        return (
            (Fate.OVER, f"policy of {done} recipients") if done else (Fate.NONE, "its receivers are patterns")
        )

    def _content(self, rule: _Rule, what: list[Row], *, accepts: bool, holds: bool) -> tuple[Fate, str]:
        told: list[str] = []
        for one in what:
            kind = _type(one)
            if kind == _SPAM:
                fate = self._level(rule, one, holds=holds)
            elif kind == _VIRUS:
                fate = (Fate.ELSEWHERE, "filter antivirus (S1): [antivirus] engines")
            elif kind in _PLACES and (accepts or holds or 4007 in rule.acts()):
                fate = self._rule_of(rule, one, "accept" if accepts else "spam")
            else:
                fate = (
                    Fate.ELSEWHERE,
                    "filter attachment_types looks into archives; rules over shape and attachments",
                )
            self._fates[one["id"]] = fate
            told.append(fate[1])
        over = any(self._fates[one["id"]][0] is Fate.OVER for one in what)
        return (Fate.OVER if over else Fate.ELSEWHERE), "; ".join(dict.fromkeys(told))[:300]

    def _level(self, rule: _Rule, one: Row, *, holds: bool) -> tuple[Fate, str]:
        level = _number(one["value"])
        for action in rule.kinds(_ACTION):
            if _type(action) == _MODIFY and action["value"].lower().startswith("subject:"):
                tag = action["value"].partition(":")[2].replace("__SUBJECT__", "").strip()
                problem = self._into.set("policy.tag", f"{tag} ")
                self._fates[action["id"]] = (
                    (Fate.NONE, problem) if problem else (Fate.OVER, f"policy.tag = {tag!r}")
                )
        if self._limit is not None and self._limit <= level:
            return Fate.ELSEWHERE, "one limit a recipient: policy.required, of the lowest level"
        problem = self._into.set("policy.required", round(level * SCALE, 2))
        outcome = "quarantine" if holds else "tag"
        problem = problem or self._into.set("policy.outcome", outcome)
        if problem:
            return Fate.NONE, problem
        self._limit = level
        return Fate.OVER, f"policy.required = {level * SCALE:g}, outcome = {outcome}"

    def _rule_of(self, rule: _Rule, one: Row, action: str) -> tuple[Fate, str]:
        kind, value = _type(one), one["value"]
        where = _PLACES[kind]
        if kind == _FIELD:
            name, _, value = value.partition(":")
            if not re.fullmatch(r"[A-Za-z0-9-]{1,60}", name):
                return Fate.NONE, "a pattern of field names"
            where = f"header:{name.lower()}"
        elif kind == _TYPE:
            value = value.partition(":")[2] or value
        try:
            pattern = converted(value).text
        except NoPatternError as error:
            return Fate.NONE, str(error)
        if kind == _FILE_NAME:
            pattern = f"(?m)^(?:{pattern})$"
        if problem := unfit(pattern, [where], ignore_case=True):
            return Fate.NONE, problem
        name = self._into.name(rule.row["name"])
        keys: dict[str, Any] = {"match": [pattern], "where": [where], "ignore_case": True, "action": action}
        problem = self._into.add_rule(name, keys | {"description": f"PMG: {rule.row['name']}"[:200]})
        return (Fate.NONE, problem) if problem else (Fate.OVER, f"rule {name}, {action}")

    def _preference(self, row: Row) -> None:
        """A user's list: BL and WL, addresses in one cell."""
        colour = {"WL": Colour.WHITE, "BL": Colour.BLACK}.get(row["name"].upper())
        mailbox = row["pmail"].strip().lower()
        text = f"{row['name']} of {mailbox}"
        if colour is None:
            self._say(row, text, Fate.ELSEWHERE, "policy.self_service: what people set on their pages")
            return
        if not re.fullmatch(r"[^\s@]+@[^\s@]+", mailbox):
            self._say(row, text, Fate.NONE, "whose list it is, is no mailbox")
            return
        refused = [
            f"{one}: {problem}"
            for one in spread(row["data"])
            if (problem := self._into.enter(colour, Subject.SENDER, one, scope=mailbox, note="PMG: own list"))
        ]
        done = len(list(spread(row["data"]))) - len(refused)
        told = f"{done} {colour} entries of {mailbox}" + "".join(f"; not {one}" for one in refused)
        self._say(row, text, Fate.OVER if done else Fate.NONE, told)


_PLACES: Mapping[int, str] = MappingProxyType({_FIELD: "headers", _TYPE: "shape", _FILE_NAME: "attachments"})

_WHY: Mapping[int, str] = MappingProxyType(
    {
        1005: "groups of LDAP are not asked: policy goes by domain and mailbox",
        1006: "users of LDAP are not asked: policy goes by domain and mailbox",
        2000: "no rule here goes by the time of day",
    }
)


def _type(row: Row) -> int:
    return int(row["objecttype"]) if row["objecttype"].isdecimal() else 0


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if abs(number) < 1e6 else 0.0


def _scope(row: Row) -> str | None:
    """A receiver as a scope, None for a pattern."""
    value = row["value"].strip().lower()
    good = _type(row) in _RECEIVERS and re.fullmatch(r"(?:[^\s@*?]+@)?[\w-]+(?:\.[\w-]+)+", value)
    return value if good and _type(row) != 1009 else None


def _glob(pattern: str) -> str:
    """A regular expression of addresses that is a wildcard pattern in truth (`.*@example\\.com`), else ""."""
    plain = pattern.removeprefix("^").removesuffix("$").replace(".*", "*")
    if re.search(r"(?<!\\)\.", plain):  # any character
        return ""
    text = re.sub(r"\\([.@_-])", r"\1", plain)
    return text if re.fullmatch(r"[\w.*@+-]+", text) else ""

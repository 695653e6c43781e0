"""rspamd's multimap, whitelist, regexp, composites and force_actions as list entries and rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from tamis.contract.lists import Colour, Subject
from tamis.importing.foreign_logic import NoLogicError, when
from tamis.importing.gathering import Fate, Gathering, unfit
from tamis.importing.perl_patterns import NoPatternError, host_pattern, parsed
from tamis.importing.rspamd_patterns import formula, pattern_keys
from tamis.importing.rspamd_settings import scope_of_recipient
from tamis.importing.rspamd_tree import MapLine, RspamdTree
from tamis.importing.rspamd_words import SCALE, symbol_filter
from tamis.importing.ucl import Node, NodeKind

DECIDES = 6.0
"""The score from which one symbol alone makes a message spam there by default."""
MOST_PATTERNS = 200  # patterns of one rule; beyond: further rules are made

_WELCOME = frozenset(("accept", "no action", "no_action"))
_LOCAL_PART = re.compile(r"email:(?:user|name)")
_CONTENT = MappingProxyType(
    {
        "": ["text"],
        "body": ["text"],
        "full": ["raw"],
        "headers": ["headers"],
        "text": ["text"],
        "oneline": ["text"],
    }
)


class SymbolRules:
    """Makes rules and entries; remembers which symbol became which rule, for logic over them."""

    def __init__(self, tree: RspamdTree, weights: dict[str, float]) -> None:
        self._tree = tree
        self._into: Gathering = tree.into
        self._weights = weights
        self._rules: dict[str, str] = {}

    def multimap(self, section: Node) -> None:
        """Each map with what it is asked about."""
        for node in section.children:
            if node.kind is not NodeKind.OBJECT:
                self._tree.account(node, Fate.NONE, "no map")
                continue
            fate, told = self._of_map(node)
            self._tree.account(node, fate, told)

    def _of_map(self, node: Node) -> tuple[Fate, str]:
        if node.get("enabled", "true").lower() in ("false", "no", "0"):
            return Fate.SILENT, "not enabled"
        kind, check = node.get("type", "header").lower(), node.get("filter").lower()
        lines, problem = self._lines(node)
        if not lines:
            return Fate.NONE, problem or "its map has no lines"
        colour, score = self._colour(node)
        symbol = node.get("symbol") or node.key
        if kind == "ip":
            fate, told = self._listed(lines, Subject.IP, colour, score, node)
        elif _is_of_senders(kind, check, node) and not _has_patterns(node, lines):
            fate, told = self._listed(lines, Subject.SENDER, colour, score, node)
        elif kind == "rcpt":
            fate, told = self._recipients(lines, colour)
        elif kind == "dnsbl":
            fate, told = Fate.ELSEWHERE, "platform.dnsbl (docs/dns-lists.md)"
            for one in lines:
                self._into.tell(one.line, fate, told)
        else:
            where = _where_of(kind, node)
            if not where:
                fate, told = Fate.NONE, f"no rule here looks at {kind}: {_instead(kind)}"
                for one in lines:
                    self._into.tell(one.line, fate, f"with {node.key}")
            else:
                fate, told = self._as_rules(lines, node, symbol, where, colour, score)
        return fate, f"{told}{'; but ' + problem if problem else ''}"

    def _lines(self, node: Node) -> tuple[list[MapLine], str]:
        lines: list[MapLine] = []
        problems: list[str] = []
        for one in node.all("map") + node.all("maps") + node.all("regexp_map"):
            found, problem = self._tree.map_lines(one)
            lines += found
            problems += [problem] if problem else []
        return lines, "; ".join(problems)

    def _colour(self, node: Node) -> tuple[Colour | None, float]:
        """Whether who is listed is let through or is spam, by action or score; None where it only weighs."""
        action = node.get("action").lower().replace("_", " ")
        symbol = node.get("symbol") or node.key
        score = _float(node.get("score"), self._weights.get(symbol, 0.0))
        if action in _WELCOME or score <= -DECIDES:
            return Colour.WHITE, score
        if action or score >= DECIDES:
            return (None if action in ("soft reject", "greylist") else Colour.BLACK), score
        return None, score

    def _listed(
        self, lines: Sequence[MapLine], subject: Subject, colour: Colour | None, score: float, node: Node
    ) -> tuple[Fate, str]:
        if colour is None:
            told = (
                f'a list entry decides alone; for {score:g} points: effect = "score" of the filters of lists'
            )
            for one in lines:
                self._into.tell(one.line, Fate.ELSEWHERE, told)
            return Fate.ELSEWHERE, told
        done = 0
        domains = "domain" in node.get("filter")
        for one in lines:
            pattern = one.key.lstrip("@") if domains else one.key
            problem = self._into.enter(colour, subject, _glob(pattern), note=f"{node.key} {one.line.place}")
            done += not problem
            told = problem or f"{colour} {subject} entry"
            self._into.tell(one.line, Fate.NONE if problem else Fate.OVER, told)
        return (
            Fate.OVER if done else Fate.NONE
        ), f"{done} {colour} {subject} entr{'y' if done == 1 else 'ies'}"

    def _recipients(self, lines: Sequence[MapLine], colour: Colour | None) -> tuple[Fate, str]:
        done = 0
        for one in lines:
            scope = scope_of_recipient(one.key)
            if colour is Colour.WHITE and scope and not self._into.set("policy.enabled", False, scope=scope):
                done += 1
                self._into.tell(one.line, Fate.OVER, f"enabled = false for {scope}")
            else:
                told = "policy of the mailbox or domain; platform.honeypots where nobody uses the address"
                self._into.tell(one.line, Fate.ELSEWHERE, told)
        return (
            (Fate.OVER, f"policy of {done} recipients")
            if done
            else (Fate.ELSEWHERE, "policy of the mailboxes")
        )

    def _as_rules(
        self,
        lines: Sequence[MapLine],
        node: Node,
        symbol: str,
        where: list[str],
        colour: Colour | None,
        score: float,
    ) -> tuple[Fate, str]:
        by_case: dict[bool, list[tuple[str, MapLine]]] = {}
        for one in lines:
            try:
                pattern, ignore_case = self._pattern(one.key, node, where)
            except NoPatternError as error:
                self._into.tell(one.line, Fate.NONE, str(error))
                continue
            problem = unfit(pattern, where, ignore_case=ignore_case)
            if problem:
                self._into.tell(one.line, Fate.NONE, problem)
            else:
                by_case.setdefault(ignore_case, []).append((pattern, one))
        made: list[str] = []
        for ignore_case, patterns in by_case.items():
            for start in range(0, len(patterns), MOST_PATTERNS):
                some = patterns[start : start + MOST_PATTERNS]
                keys: dict[str, Any] = {
                    "match": [one for one, _ in some],
                    "where": where,
                    "ignore_case": ignore_case,
                }
                name, problem = self._add(symbol, keys | _effect(colour, score) | _described(node))
                for _, line in some:
                    self._into.tell(
                        line.line, Fate.NONE if problem else Fate.OVER, problem or f"in rule {name}"
                    )
                made += [] if problem else [name]
        if not made:
            return Fate.NONE, "none of its lines came over"
        self._rules[symbol] = made[0] if len(made) == 1 else f"({' or '.join(made)})"
        return Fate.OVER, f"rule {', '.join(made)}{_told_effect(colour, score)}"

    @staticmethod
    def _pattern(key: str, node: Node, where: list[str]) -> tuple[str, bool]:
        if key.startswith("/") and key.rfind("/") > 0:
            found = parsed(key)
            return found.text, found.ignore_case
        if node.get("regexp", "false").lower() in ("true", "yes", "1"):
            return parsed(f"/{key}/").text, False
        text = re.escape(key).replace(r"\*", ".*").replace(r"\?", ".")
        if where == ["urls"]:
            return host_pattern(key), True
        if where == ["attachments"]:
            return (rf"\.{text}$" if "extension" in node.get("filter") else rf"(?m)^{text}$"), True
        return (text if where[0] in ("text", "raw", "headers") else rf"(?m)^{text}$"), True

    def regexp(self, section: Node) -> None:
        """`regexp { NAME { re = "…"; score = 1; } }`: the module's own form in UCL."""
        for node in section.children:
            if node.kind is NodeKind.OBJECT and node.get("re"):
                fate, told = self._of_expression(node)
                self._tree.account(node, fate, told)
            else:
                self._tree.account(node, Fate.ELSEWHERE, "bounds of rules are fixed (docs/bounds.md)")

    def _of_expression(self, node: Node) -> tuple[Fate, str]:
        score = _float(node.get("score"), self._weights.get(node.key, 1.0))
        told = _effect(None, score) | _described(node)
        try:
            parts = formula(node.get("re"))
            tables = [pattern_keys(text) for text in parts.patterns]
            when(parts.logic, lambda name: name.lower() if re.fullmatch(r"P\d+", name) else _no(name))
        except (NoPatternError, NoLogicError) as error:
            return Fate.NONE, str(error)
        if len(tables) == 1 and parts.logic in ("P0", "(P0)"):
            name, problem = self._checked(node.key, tables[0] | told)
        else:
            made = [self._checked(f"{node.key}_part", keys) for keys in tables]
            problem = next((problem for _, problem in made if problem), "")
            name = ""
            if not problem:
                logic = when(parts.logic, lambda name: made[int(name[1:])][0])
                name, problem = self._add(node.key, {"when": logic} | told)
            if problem:
                self._into.drop_rules([one for one, wrong in made if not wrong])
        if problem:
            return Fate.NONE, problem
        self._rules[node.key] = name
        return Fate.OVER, f"rule {name}{_told_effect(None, score)}"

    def _checked(self, name: str, keys: dict[str, Any]) -> tuple[str, str]:
        """A rule of patterns, each of them tried first."""
        for pattern in keys["match"]:
            if problem := unfit(pattern, keys["where"], ignore_case=keys["ignore_case"]):
                return "", problem
        return self._add(name, keys)

    def composites(self, section: Node) -> None:
        """Logic over symbols."""
        for node in section.children:
            expression = node.get("expression") if node.kind is NodeKind.OBJECT else node.text
            score = _float(node.get("score"), self._weights.get(node.key, 0.0))
            if not expression:
                self._tree.account(node, Fate.NONE, "no expression")
                continue
            if node.get("enabled", "true").lower() in ("false", "no", "0"):
                self._tree.account(node, Fate.SILENT, "not enabled")
                continue
            fate, told = self._logic(node, expression, _effect(None, score))
            if fate is Fate.OVER:
                told += f"{_told_effect(None, score)}; what it is made of keeps its points (no policy of removing them)"
            self._tree.account(node, fate, told)

    def force_actions(self, section: Node) -> None:
        """Logic that decides."""
        for part in section.children:
            if part.key != "rules" or part.kind is not NodeKind.OBJECT:
                self._tree.account(part, Fate.NONE, "only rules of force_actions come over")
                continue
            for node in part.children:
                action = node.get("action").lower().replace("_", " ")
                effect = {"action": "accept" if action in _WELCOME else "spam"}
                if action in ("soft reject", "greylist") or not node.get("expression"):
                    self._tree.account(
                        node, Fate.NONE, "a rule lets through, is spam or adds points: it never defers"
                    )
                    continue
                fate, told = self._logic(node, node.get("expression"), effect)
                self._tree.account(node, fate, f"{told}, {effect['action']}" if fate is Fate.OVER else told)
            self._tree.account(part, Fate.OVER, "rules of logic")

    def _logic(self, node: Node, expression: str, effect: dict[str, Any]) -> tuple[Fate, str]:
        try:
            logic = when(expression, self._named)
        except NoLogicError as error:
            return Fate.NONE, str(error)
        name, problem = self._add(node.key, {"when": logic} | effect | _described(node))
        if problem:
            return Fate.NONE, problem
        self._rules[node.key] = name
        return Fate.OVER, f"rule {name}"

    def _named(self, symbol: str) -> str:
        plain = symbol.lstrip("~^-").partition("[")[0]
        if plain in self._rules and "[" not in symbol:
            return self._rules[plain]
        raise NoLogicError(
            f"it needs {plain}, which is no rule here (nearest: filter {symbol_filter(plain)})"
        )

    def whitelist(self, section: Node) -> None:
        """Domains that are welcome when they are authenticated."""
        for part in section.children:
            if part.key != "rules" or part.kind is not NodeKind.OBJECT:
                self._tree.account(part, Fate.NONE, "only rules of whitelist come over")
                continue
            for node in part.children:
                self._tree.account(node, *self._welcome(node))
            self._tree.account(part, Fate.OVER, "white and black lists")

    def _welcome(self, node: Node) -> tuple[Fate, str]:
        lines: list[MapLine] = []
        problems: list[str] = []
        for domains in node.all("domains"):
            found, problem = self._tree.map_lines(domains)
            lines += found
            problems += [problem] if problem else []
        black = node.get("blacklist", "false").lower() in ("true", "yes", "1")
        colour = Colour.BLACK if black else Colour.WHITE
        done = 0
        for one in lines:
            problem = self._into.enter(
                colour, Subject.SENDER, _glob(one.key), note=f"{node.key} {one.line.place}"
            )
            told = problem or f"{colour} sender entry"
            if one.value and not problem:
                told += f" ({one.value}: which side it was for is lost)"
            self._into.tell(one.line, Fate.NONE if problem else Fate.OVER, told)
            done += not problem
        if not done:
            return Fate.NONE, "; ".join(problems) or "its list has no lines"
        if not black:
            self._into.set("policy.filters.authenticated_whitelist.state", "on")
            self._into.set("policy.filters.sender_whitelist.state", "off")
        told = f"{done} {colour} sender entries, which count {'always' if black else 'where SPF or DKIM passes (S6b)'}"
        return Fate.OVER, told + "".join(f"; but {problem}" for problem in problems)

    def _add(self, name: str, keys: dict[str, Any]) -> tuple[str, str]:
        """A rule's name and why it can't be."""
        own = self._into.name(name)
        return own, self._into.add_rule(own, keys)


def _no(name: str) -> str:
    raise NoLogicError(f"{name} is a function in Lua")


def _effect(colour: Colour | None, score: float) -> dict[str, Any]:
    if colour is Colour.WHITE:
        return {"action": "accept"}
    if colour is Colour.BLACK:
        return {"action": "spam"}
    points = max(-100.0, min(100.0, round(score * SCALE, 2)))
    return {"action": "score", "points": points} if points else {}


def _told_effect(colour: Colour | None, score: float) -> str:
    if colour:
        return ", lets through" if colour is Colour.WHITE else ", spam"
    return f", {round(score * SCALE, 2):g} points" if score else ", for other rules"


def _described(node: Node) -> dict[str, Any]:
    return {"description": (node.get("description") or node.key)[:200]}


def _float(text: str, default: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return default
    return number if abs(number) < 1e6 else default


def _glob(pattern: str) -> str:
    """A domain that begins with a dot stands for what is below it."""
    return f"*{pattern}" if pattern.startswith(".") else pattern


def _is_of_senders(kind: str, check: str, node: Node) -> bool:
    """Whether a map lists whole senders or their domains, by the envelope or the field From."""
    by_field = kind == "header" and node.get("header").lower() == "from" and check.startswith("email")
    return (kind == "from" or by_field) and not _LOCAL_PART.match(check)


def _has_patterns(node: Node, lines: Sequence[MapLine]) -> bool:
    is_regexp = node.get("regexp", "false").lower() in ("true", "yes", "1")
    return is_regexp or any(one.key.startswith("/") for one in lines)


def _where_of(kind: str, node: Node) -> list[str]:
    if kind == "header":
        name = node.get("header").lower()
        return [f"header:{name}"] if re.fullmatch(r"[a-z0-9-]{1,60}", name) else []
    if kind == "from":  # the envelope is not for rules: the field is what can be looked at
        return ["header:from"]
    if kind == "content":
        return list(_CONTENT.get(node.get("filter").lower(), []))
    return {"url": ["urls"], "filename": ["attachments"]}.get(kind, [])


def _instead(kind: str) -> str:
    near = {
        "helo": "filter helo",
        "hostname": "filter reverse_dns, and lists of addresses",
        "received": "lists of the client's address",
        "asn": "lists of networks",
        "country": "lists of networks",
        "user": "policy of the sender",
        "mempool": "a filter of your own",
        "selector": "a filter of your own (docs/writing-a-filter.md)",
    }
    return near.get(kind, "a filter of your own (docs/writing-a-filter.md)")

"""What an import gathered, as text: a fragment of tamis.toml, a rule file, list entries, and the report."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tamis.base.toml_text import toml_value
from tamis.database.list_entries import NewEntry
from tamis.importing.gathering import Fate, Gathering
from tamis.message.address import PLATFORM

RULES_FILE = "/etc/tamis/imported-rules.toml"
"""Where the fragment says that the rule file is."""


def rule_file(gathered: Gathering, source: str) -> str:
    """The rules as a rule file (docs/rules.md)."""
    parts = [f"# Rules from {_comment(source)}\n"]
    for name, keys in gathered.rules.items():
        lines = (f"{key} = {toml_value(value)}" for key, value in keys.items() if not key.startswith("_"))
        parts.append("\n".join(["[[rule]]", f"name = {toml_value(name)}", *lines, ""]))
    return "\n".join(parts)


def settings_fragment(gathered: Gathering, source: str, *, rules_file: str = RULES_FILE) -> str:
    """The settings as tables of tamis.toml. What is said by the whole file only stands first."""
    settings = dict(gathered.settings)
    if gathered.rules:
        settings["rules.files"] = [rules_file]
    tables: dict[str, list[str]] = {}
    for key, value in settings.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, []).append(f"{name} = {toml_value(value)}")
    for scope, keys in gathered.policy.items():
        tables[_policy_table(scope)] = [f"{key} = {toml_value(value)}" for key, value in keys.items()]
    begin = [f"# Settings from {_comment(source)}", *(f"# {_comment(one)}" for one in gathered.hints), ""]
    made = (
        "\n".join([*([f"[{name}]"] if name else []), *lines, ""])
        for name, lines in sorted(tables.items(), key=lambda one: bool(one[0]))
    )
    return "\n".join([*begin, *made])


def _policy_table(scope: str) -> str:
    if scope == PLATFORM:
        return "policy"
    return f"policy.{'mailboxes' if '@' in scope else 'domains'}.{toml_value(scope)}"


def entry_lines(gathered: Gathering) -> str:
    """The list entries, one a line, as commands that add them one by one would have them."""
    return "".join(f"{_entry(one)}\n" for one in gathered.entries.values())


def _entry(one: NewEntry) -> str:
    return json.dumps(
        {
            "scope": one.scope,
            "colour": str(one.colour),
            "subject": str(one.subject),
            "pattern": one.pattern,
            "expires": one.expires.isoformat() if one.expires else None,
            "note": one.note,
        },
        ensure_ascii=False,
    )


def report_lines(gathered: Gathering) -> Iterator[str]:
    """The report: each line of the input and what became of it, then the sums."""
    for one in gathered.accounts:
        if one.fate is Fate.SILENT and not one.told:
            continue
        yield f"{one.line.place}: {one.line.text}"
        yield f"    {one.fate}: {one.told}"
    silent = sum(1 for one in gathered.accounts if one.fate is Fate.SILENT and not one.told)
    count = gathered.count()
    yield ""
    yield f"{len(gathered.accounts)} lines: " + ", ".join(f"{count[fate]} {_SUMS[fate]}" for fate in Fate)
    if silent:
        yield f"(comments and blank lines, {silent}, are not shown)"
    yield (
        f"{len(gathered.entries)} list entries, {len(gathered.rules)} rules, "
        f"{len(gathered.settings) + sum(map(len, gathered.policy.values()))} settings"
    )
    yield from gathered.hints


_SUMS = {
    Fate.OVER: "came over",
    Fate.ELSEWHERE: "have an equivalent",
    Fate.NONE: "have none",
    Fate.SILENT: "say nothing",
}


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)

"""Proposed rules on their way into force: what was proposed last, what was taken of it, what is to be forgotten.

In state_directory/rules: `proposed.json`, `taken.toml` (read by every process beside `rules.files`), `forgotten.json`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tamis.base.errors import ConfigError
from tamis.base.shared_files import make_folder, read_json, write_json, write_text
from tamis.handover.rule_material import Material
from tamis.knowledge import compile_base, read_base
from tamis.message.domains import registered_domain
from tamis.rules import RuleSource
from tamis.rules.proposals import Proposal, proposed, rule_table
from tamis.rules.rule_file import compile_book, read_sources
from tamis.settings import Settings
from tamis.settings.settings_file import base_directory, kept_rules

MOST_TAKEN = 200  # rules that are taken; beyond: none is taken until some are forgotten
_HEAD = "# Rules that were proposed by `tamis rules propose` and taken. Change them by `tamis rules`.\n\n"


class TakenRules:
    """The files of an installation. `filters` are the names that rules may not have. Raises ConfigError."""

    def __init__(self, settings: Settings, filters: frozenset[str]) -> None:
        self._settings = settings
        self._filters = filters
        self._tables = compile_base(read_base(base_directory(settings))).book.tables
        self._folder = settings.rules_directory

    def propose(self, material: Material) -> list[Proposal]:
        """What material suggests beyond what is taken or forgotten; kept for `accept` and `shadow`. Raises OSError."""
        known = {*self.forgotten(), *(one.trait for one, _ in self.taken())}
        found = proposed(material.spam, material.ham, known=known, left_out=self._left_out())
        self._prepare()
        write_json(self._proposed, [asdict(one) for one in found])
        return found

    def proposals(self) -> list[Proposal]:
        """What was proposed last."""
        return _proposals(read_json(self._proposed))

    def taken(self) -> list[tuple[Proposal, bool]]:
        """What was taken, each with whether it is in shadow."""
        told = read_json(self._taken)
        shadows = {one["name"] for one in told or () if one.get("shadow")}
        return [(one, one.name in shadows) for one in _proposals(told)]

    @property
    def room(self) -> int:
        """How many more can be taken."""
        return max(0, MOST_TAKEN - len(self.taken()))

    def forgotten(self) -> list[str]:
        """The traits that are not proposed again."""
        return [str(one) for one in read_json(self._forgotten) or ()]

    def take(self, names: Collection[str], *, shadow: bool) -> list[str]:
        """Put proposals into force, or into shadow, or change which of both; the names that are none.

        Raises ConfigError when a rule would not compile beside the others, OSError.
        """
        known = {one.name: one for one in (*self.proposals(), *(one for one, _ in self.taken()))}
        chosen = {one.name: (one, in_shadow) for one, in_shadow in self.taken()}
        chosen |= {name: (known[name], shadow) for name in names if name in known}
        if len(chosen) > MOST_TAKEN:
            raise ConfigError("tamis rules", "", f"more than {MOST_TAKEN} rules taken; forget some first")
        self._write(chosen.values())
        return [name for name in names if name not in known]

    def forget(self, names: Collection[str]) -> list[str]:
        """Take rules out of force and don't propose them again; the names that are none. Raises OSError."""
        taken = self.taken()
        known = {one.name: one.trait for one in (*self.proposals(), *(one for one, _ in taken))}
        self._prepare()
        write_json(self._forgotten, [*self.forgotten(), *(known[name] for name in names if name in known)])
        self._write([(one, shadow) for one, shadow in taken if one.name not in names])
        return [name for name in names if name not in known]

    def _write(self, chosen: Iterable[tuple[Proposal, bool]]) -> None:
        chosen = list(chosen)
        text = _HEAD + "\n".join(rule_table(one, shadow=shadow) for one, shadow in chosen)
        source = RuleSource(str(self._settings.taken_rules), text)
        own = [path for path in kept_rules(self._settings) if path != self._settings.taken_rules]
        others = read_sources([*self._settings.rules.files, *own])
        compile_book((*others, source), self._filters, self._tables)
        self._prepare()
        write_json(self._taken, [asdict(one) | {"shadow": shadow} for one, shadow in chosen])
        write_text(self._settings.taken_rules, text)

    def _left_out(self) -> set[str]:
        """Domains that honest mail leads to as well: our own, well-known brands', those where anybody can publish."""
        tables = (*self._tables.domains.values(), *(brand.domains for brand in self._tables.brands))
        own = {registered_domain(domain) for domain in self._settings.platform.domains}
        return own.union(*tables)

    def _prepare(self) -> None:
        make_folder(self._folder, 0o750)

    @property
    def _proposed(self) -> Path:
        return self._folder / "proposed.json"

    @property
    def _taken(self) -> Path:
        return self._folder / "taken.json"

    @property
    def _forgotten(self) -> Path:
        return self._folder / "forgotten.json"


_KEYS = frozenset(one.name for one in fields(Proposal))


def _proposals(told: Any) -> list[Proposal]:
    """Those of a file; none of one of another version."""
    try:
        return [Proposal(**{key: value for key, value in one.items() if key in _KEYS}) for one in told or ()]
    except (AttributeError, TypeError):
        return []

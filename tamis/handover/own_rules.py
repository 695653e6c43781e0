"""The operator's rules that are kept in the store, on their way to the processes of a host.

    RuleVersions -> write_own_rules -> state_directory/rules/own.toml, read beside `rules.files` by every process

Who saves checks first: the rules of the files in the settings, these, and the proposals that were taken must be good
together.
"""

from __future__ import annotations

from pathlib import Path

from tamis.base.errors import ConfigError
from tamis.base.shared_files import make_folder, write_text
from tamis.knowledge import compile_base, read_base
from tamis.rules import RuleBook, RuleSource
from tamis.rules.rule_file import MAX_FILE, compile_book, read_sources
from tamis.settings import Settings
from tamis.settings.settings_file import base_directory, kept_rules

NAME = "rules"
"""What these rules are called where a file's name would stand."""


class KeptRules:
    """The rules of an installation as they stand on this host's disk, and what some would be beside them. `filters` are
    the names that rules may not have. Raises ConfigError."""

    def __init__(self, settings: Settings, filters: frozenset[str]) -> None:
        self._settings = settings
        self._filters = filters

    def book(self) -> RuleBook:
        """All rules that are in force here, or will be within seconds."""
        named = read_sources(self._settings.rules.files)
        return self._compiled((*named, *read_sources(kept_rules(self._settings))))

    def with_text(self, text: str) -> RuleBook:
        """All rules with this text in place of what is kept; its name is NAME. Raises ConfigError on what is wrong in
        it, or beside the others."""
        if len(text.encode("utf-8", "replace")) > MAX_FILE:
            raise ConfigError(NAME, "", f"larger than {MAX_FILE} octets")
        others = [path for path in kept_rules(self._settings) if path != self._settings.own_rules]
        named = read_sources(self._settings.rules.files)
        return self._compiled((*named, RuleSource(NAME, text), *read_sources(others)))

    def _compiled(self, sources: tuple[RuleSource, ...]) -> RuleBook:
        tables = compile_base(read_base(base_directory(self._settings))).book.tables
        return compile_book(sources, self._filters, tables)


def write_own_rules(settings: Settings, text: str) -> bool:
    """Make the file of this host say so; whether it said something else. Raises OSError."""
    path = settings.own_rules
    if _said(path) == text:
        return False
    make_folder(settings.rules_directory, 0o750)
    write_text(path, text)
    return True


def _said(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""

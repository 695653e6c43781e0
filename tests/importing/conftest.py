"""What the tests of importers share: a gathering, and rules that came over, tried on messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tamis.importing.checking import setting_check
from tamis.importing.gathering import Account, Fate, Gathering
from tamis.importing.written import rule_file
from tamis.knowledge import SHIPPED, compile_base, read_base
from tamis.message.mail import Mail
from tamis.rules import RuleBook, RuleSource
from tamis.rules.expression import reduce
from tamis.rules.rule_file import compile_book
from tests.builders import FILTERS

HERE = Path(__file__).parent
NAMES = frozenset(one.name for one in FILTERS)


@pytest.fixture
def gathered() -> Gathering:
    """A gathering with nothing in it."""
    return Gathering(setting_check(FILTERS), NAMES)


def book_of(gathered: Gathering) -> RuleBook:
    """The rules that came over, read as the daemon reads a rule file."""
    tables = compile_base(read_base(SHIPPED)).book.tables
    return compile_book((RuleSource("rules.toml", rule_file(gathered, "test")),), NAMES, tables)


def matching(book: RuleBook, message: str) -> set[str]:
    """The names of the rules that a message meets, filters left out of the logic."""
    values = book.match(Mail(message.encode())).values
    return {name for name, value in values.items() if reduce(value, lambda _: False) is True}


def account_of(gathered: Gathering) -> Callable[[str], Account]:
    """Finds what was said of the line with a text."""

    def find(text: str) -> Account:
        (found,) = [one for one in gathered.accounts if one.line.text == text]
        return found

    return find


def fates(gathered: Gathering) -> dict[str, Fate]:
    """What became of each line, by its text."""
    return {one.line.text: one.fate for one in gathered.accounts if one.line.text}

"""docs/trust.md and the code: every place that remembers something for or against somebody has a row, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tamis.contract.filter import Effect
from tamis.models.reports import SOURCES
from tests.builders import FILTERS
from tests.real.support import REPOSITORY

PAGE = (REPOSITORY / "docs" / "trust.md").read_text(encoding="utf-8")
ROOMS = ("tamis", "filters", "milter", "quarantine", "models", "web")
QUESTIONS = frozenset({"Put", "PutNew", "Count", "DistinctWithin", "earn"})
"""What filters remember by (tamis.contract.questions), and answers to challenges."""
CALLS = (
    *("state.put", "state.put_new", "state.count", "lists.add", "marks.note", "spool.put"),
    *("complaints.report", "complaints.report_once", "complaints.condemn"),
    *("senders.validate", "senders.complain", "senders.note", "Spool(settings.spool_directory).put"),
)
"""What the others remember by."""
NO_EVIDENCE = frozenset(
    {
        "tamis/database/earned_senders.py",  # keeps what others count
        "tamis/contract/questions.py",  # carries a filter's questions
        "tamis/services/state/opening.py",
        "tamis/services/state/redis_state.py",
        "tamis/services/state/sqlite_state.py",
        "tamis/services/files/reader.py",  # what is in a file, by the file's hash
    }
)


def remembering(text: str) -> Iterator[str]:
    """The calls in a module that leave something for other messages."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in QUESTIONS or called.endswith(CALLS):
                yield called


def places() -> set[str]:
    """The modules that remember."""
    found = set()
    for room in ROOMS:
        for path in (REPOSITORY / room).rglob("*.py"):
            inside = path.resolve().relative_to(REPOSITORY).as_posix()
            if inside not in NO_EVIDENCE and any(remembering(path.read_text(encoding="utf-8"))):
                found.add(inside)
    return found


def rows(heading: str) -> set[str]:
    """What the first column of a section's table names."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))


def test_every_place_that_remembers_has_a_row_and_no_row_is_stale() -> None:
    assert rows("What is remembered") == places()


def test_every_filter_that_lets_mail_in_has_a_row() -> None:
    assert rows("What lets mail in") == {one.name for one in FILTERS if one.effect is Effect.ACCEPT}


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", PAGE)
    missing = [
        f"{path}::{name}"
        for path, name in named
        if f"def {name}(" not in (REPOSITORY / path).read_text(encoding="utf-8")
    ]
    assert len(named) > 40
    assert missing == []


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_that_teaches_is_named(source: str) -> None:
    assert f"`{source}`" in PAGE


@pytest.mark.parametrize(
    "text",
    ["yield from ask(Put(key, value, 60))", "await self._state.put(k, v, 1)", "store.lists.add([one])"],
)
def test_a_new_place_would_be_seen(text: str) -> None:
    assert list(remembering(f"async def f():\n    {text}\n"))

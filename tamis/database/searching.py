"""Finding words in texts of senders', in both databases alike: what is compared are words without case and accents.

subject, header From, sender -> search_text -> history_messages.search -> index of words (FTS5, GIN)
what somebody types          -> words       -> every one of them, in any order
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from sqlalchemy import ColumnElement, false, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Integer, NullType

from tamis.database.schema import StoryRow

MAX_TEXT = 500
"""Characters of a text that are searched (beyond: not found by what stands there)."""
MAX_WORDS = 20
"""Words of a search that count (beyond: they narrow nothing)."""

_MOST = 4 * MAX_TEXT  # a letter can be several by NFKD
_BETWEEN = re.compile(r"[\W_]+")


def words(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    whole = unicodedata.normalize("NFKD", text[:MAX_TEXT].casefold())[:_MOST]
    return _BETWEEN.sub(" ", "".join(c for c in whole if not unicodedata.combining(c))).split()


def search_text(*texts: str) -> str:
    """A line of words for each text."""
    return "\n".join(" ".join(words(text)) for text in texts)


SUBJECT, AUTHOR = "%{word}%\n%\n%", "%\n%{word}%"
"""Where in StoryRow.search a word stands, as a LIKE: in its first line, or in one of the two others."""


def has_words(text: str, where: str = "") -> list[ColumnElement[bool]]:
    """That StoryRow.search has all words of a text, in those of its lines (SUBJECT, AUTHOR; "" for any); a text without
    words is found nowhere."""
    wanted = list(dict.fromkeys(words(text)))[:MAX_WORDS]
    if not wanted:
        return [false()]
    quoted = " ".join(
        f'"{word}"' for word in wanted
    )  # to FTS5 a phrase of one word; PostgreSQL skips the quotes
    lines = [StoryRow.search.like(where.format(word=word)) for word in wanted if where]
    return [_HasWords(StoryRow.id, StoryRow.search, literal(quoted)), *lines]


class _HasWords(FunctionElement[bool]):
    """Whether the index of words finds a row, by its id and its text: asked in each database's own way."""

    type = NullType()  # type: ignore[assignment] # a boolean would be compared with 1 in SQLite, and not looked up
    inherit_cache = True


@compiles(_HasWords, "sqlite")
def _by_fts5(element: _HasWords, compiler: SQLCompiler, **options: Any) -> str:
    number, _, wanted = (compiler.process(part, **options) for part in element.clauses)
    return f"{number} IN (SELECT rowid FROM history_words WHERE history_words MATCH {wanted})"  # noqa: S608 - a parameter


@compiles(_HasWords, "postgresql")
def _by_gin(element: _HasWords, compiler: SQLCompiler, **options: Any) -> str:
    _, text, wanted = (compiler.process(part, **options) for part in element.clauses)
    return f"to_tsvector('simple', {text}) @@ plainto_tsquery('simple', {wanted})"


class FoundFirst(FunctionElement[int]):
    """A message's id to order by what the index of words found. SQLite reads those ids from the newest, and stops when
    it has enough; PostgreSQL would read the whole table in that order, from which a sum keeps it."""

    type = Integer()
    inherit_cache = True


@compiles(FoundFirst, "sqlite")
def _as_it_is(element: FoundFirst, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(next(iter(element.clauses)), **options)


@compiles(FoundFirst, "postgresql")
def _as_a_sum(element: FoundFirst, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.process(next(iter(element.clauses)), **options)} + 0"

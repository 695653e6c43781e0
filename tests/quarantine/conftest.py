"""Stores to test on: the same tests run on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tamis.quarantine.store import Store
from tests.real.databases import PrivatePostgres

_NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tamis.sqlite'}"
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.create_database(f"quarantine{next(_NUMBERS)}")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        opened.migrate()
        yield opened

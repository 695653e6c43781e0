"""What all tests share: the public corpus, and the rule for tests of real servers."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tamis.store import Store
from tests import checkout
from tests.fresh_store import lay_down
from tests.real import PrivateDovecot, PrivatePostgres, PrivateRedis

checkout.use()

_TESTS = Path(__file__).resolve().parent
_CORPUS = Path(os.environ.get("TAMIS_CORPUS") or _TESTS.parent / "corpus")
_IS_ROOT = os.geteuid() == 0
# Machines are busy; and a failure tells of the change, not of the dice: "many" looks for what is new.
settings.register_profile("ordinary", deadline=None, derandomize=True)
settings.load_profile("ordinary")
settings.register_profile("many", max_examples=2000, deadline=None)  # pytest --hypothesis-profile=many PATH
_LONG = ("models", "road", "web")
"""Folders with files that take a minute or so."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of real servers, which only root can start; say so in the summary.

    The folders with long files come first, so that several workers end at about the same time.
    """
    items.sort(key=lambda item: item.path.relative_to(_TESTS).parts[0] not in _LONG)
    if _IS_ROOT:
        return
    real = [item for item in items if item.get_closest_marker("real") is not None]
    if real:
        items[:] = [item for item in items if item.get_closest_marker("real") is None]
        config.hook.pytest_deselected(items=real)
        config.stash[_LEFT_OUT] = len(real)


def pytest_collection_finish() -> None:
    """What lives as long as the tests is not looked through each time that garbage is collected."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """The end is as without."""
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def _leaves_nothing_open() -> Iterator[None]:
    """A file of tests that leaves something open (a ResourceWarning) fails itself, not whichever test comes when the
    garbage is collected."""
    yield
    gc.collect()


_LEFT_OUT: pytest.StashKey[int] = pytest.StashKey()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the tests that an ordinary user did not run."""
    left_out = config.stash.get(_LEFT_OUT, 0)
    if left_out:
        terminalreporter.write_line(
            f"{left_out} tests of real servers (Postfix, Dovecot, PostgreSQL, Redis, NSD) were left out: "
            "they need root"
        )


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The SpamAssassin public corpus, one directory a folder (easy-ham-1, spam-2 ...)."""
    directory = _CORPUS / "spamassassin"
    if not directory.is_dir():
        pytest.fail(f"no corpus at {directory}: scripts/fetch-corpus gets it")
    return directory


@pytest.fixture(scope="session")
def corpus_ham(corpus: Path) -> list[Path]:
    """The wanted messages of the corpus, in a fixed order."""
    return sorted(corpus.glob("*-ham-*/*.txt"))


@pytest.fixture(scope="session")
def corpus_spam(corpus: Path) -> list[Path]:
    """The unwanted messages of the corpus, in a fixed order."""
    return sorted(corpus.glob("spam-*/*.txt"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """One PostgreSQL for the whole run; a test that stops it makes its own instead."""
    with PrivatePostgres() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    """An empty Redis."""
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def dovecot() -> Iterator[PrivateDovecot]:
    """An empty Dovecot."""
    with PrivateDovecot() as server:
        yield server


_DATABASES = itertools.count()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tamis.sqlite'}"
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.create_database(f"store{next(_DATABASES)}")


@pytest.fixture(scope="session")
def migrated(postgres: PrivatePostgres) -> str:
    """A PostgreSQL database with all tables and nothing in them, to be copied: migrations take half a second."""
    name = "migrated"
    with Store(postgres.create_database(name)) as opened:
        opened.migrate()
    return name


@pytest.fixture
def store(request: pytest.FixtureRequest, url: str) -> Iterator[Store]:
    """A store on each of the databases that it can stand on, empty."""
    kind, _, place = url.partition(":///")
    if kind == "sqlite":
        lay_down(Path(place))
    else:
        server: PrivatePostgres = request.getfixturevalue("postgres")
        server.copy_database(request.getfixturevalue("migrated"), url.rpartition("/")[2])
    with Store(url) as opened:
        yield opened

"""Bringing the database's tables up to this version of Tamis, safely from several processes at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tamis.base.errors import SchemaError, StoreError
from tamis.base.shared_files import locked, make_private
from tamis.database.connection import Database

_MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = max(path.name[1:5] for path in (_MIGRATIONS / "versions").glob("v*.py"))
"""The last migration's number, with which its file's name begins."""
_ADVISORY_LOCK = 0x7461_6D69_73  # "tamis": the same number for every process that migrates


def migrate(database: Database) -> None:
    """Create or upgrade the tables, all or nothing. Raises StoreError when that can't be done now.

    The file of a new SQLite database is readable by its owner only; when root makes it, it belongs to the
    owner of its directory, so that a first command by the administrator doesn't lock the daemon out.
    """
    with _sqlite_locked(database):
        database.use_wal()
        with database.connect() as connection:
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            found = _version(connection)
            if found < NEWEST:
                _upgrade(connection)
            elif found > NEWEST:
                _check_range(connection)


def _version(connection: Connection) -> str:
    """The number of the last migration that was done; "" for a new database."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def _check_range(connection: Connection) -> None:
    """Hosts are upgraded one by one: the tables of the newest may say that this version can go on with them."""
    oldest = connection.scalar(text("SELECT value FROM facts WHERE name = 'oldest_schema'"))
    if not oldest or oldest > NEWEST:
        raise SchemaError(
            f"the store was made by a newer version of Tamis (its tables are those of {oldest} or later, this version "
            f"knows {NEWEST}): upgrade Tamis on this host"
        )


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 # slow to load, and seldom needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _sqlite_locked(database: Database) -> Iterator[None]:
    """Hold a file lock beside an SQLite database: the switch to WAL mode does not wait for others by itself."""
    if not database.file:
        yield
        return
    path = Path(database.file)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path.with_name(path.name + ".lock")))
            with suppress(FileExistsError):  # closing one that exists would drop SQLite's locks
                os.close(make_private(path))
        except OSError as error:
            raise StoreError(f"the store's file can't be made: {error}") from error
        yield

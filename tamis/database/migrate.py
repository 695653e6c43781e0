"""Bringing the database's tables up to this version of Tamis, safely from several processes at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tamis.base.errors import StoreError
from tamis.database.connection import Database

_MIGRATIONS = Path(__file__).parent / "migrations"
_NEWEST = max(path.name[1:5] for path in (_MIGRATIONS / "versions").glob("v*.py"))
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
            if not _is_current(connection):
                _upgrade(connection)


def _is_current(connection: Connection) -> bool:
    return (
        inspect(connection).has_table("alembic_version")
        and connection.scalar(text("SELECT version_num FROM alembic_version")) == _NEWEST
    )


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 # slow to load, and seldom needed
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"the store was made by a newer version of Tamis: {error}") from error


@contextmanager
def _sqlite_locked(database: Database) -> Iterator[None]:
    """Hold a file lock beside an SQLite database: the switch to WAL mode does not wait for others by itself."""
    if not database.file:
        yield
        return
    path = Path(database.file)
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"the store's file can't be made: {error}") from error
    try:
        _give_to_owner(lock, path.parent)
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make_private(path)
        yield
    finally:
        os.close(lock)


def _make_private(path: Path) -> None:
    """Make the file if there is none. One that exists is not opened: closing it would drop SQLite's locks."""
    try:
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(f"the store's file can't be made: {error}") from error
    try:
        _give_to_owner(made, path.parent)
    finally:
        os.close(made)


def _give_to_owner(descriptor: int, directory: Path) -> None:
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)

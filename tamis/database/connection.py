"""One way to the database: engine, transactions, and every failure turned into StoreError."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from tamis.base.errors import ConfigError, StoreError
from tamis.base.shared_files import locked
from tamis.database.schema import AuditRow, Base
from tamis.message.address import PLATFORM, domain_of

BUSY_SECONDS = 10
"""How long a writer waits for another one (SQLite) or for a free connection of the pool."""
CONNECT_SECONDS = 3
"""How long a connection to PostgreSQL may take to be made."""

NETWORK: ContextVar[str] = ContextVar("network", default="")
"""The network of the client whose request is answered, for the audit trail; "" for commands and the daemon."""
TOKEN: ContextVar[str] = ContextVar("token", default="")
"""The id of the API's token by which is done what this context does: it stands in the audit trail."""

_WRITE = "tamis_write"
_DRIVERS = ("sqlite", "postgresql+psycopg")


class Database:
    """The engine of one process (make it after a fork) and its transactions.

    `url` is a SQLAlchemy URL, sqlite or postgresql+psycopg. Raises ConfigError on any other; nothing is
    connected before the first transaction, and a connection lost in an outage is replaced by itself.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            if parsed.drivername not in _DRIVERS:
                raise ConfigError("settings", "store.url", f"must begin with one of {', '.join(_DRIVERS)}")
            self.engine = _engine(parsed.render_as_string(hide_password=False))
        except ArgumentError:  # its text could show the password
            raise ConfigError("settings", "store.url", "is no SQLAlchemy URL") from None
        except ModuleNotFoundError as error:
            raise ConfigError("settings", "store.url", f"needs the Python package {error.name}") from None
        self.is_sqlite = parsed.drivername == "sqlite"
        self.file = parsed.database if self.is_sqlite else None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that changes something: committed at the end, rolled back on any exception.

        On SQLite it takes the write lock at its begin, so it never finds out too late that another wrote.
        """
        options = {_WRITE: True}
        with (
            self._translated(),
            Session(self.engine.execution_options(**options)) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one moment of the database throughout and changes nothing."""
        options: dict[str, Any] = (
            {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        with (
            self._translated(),
            Session(self.engine.execution_options(**options)) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A bare connection inside a writing transaction, for migrations."""
        with self._translated(), self.engine.execution_options(**{_WRITE: True}).begin() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(f"the store can't answer: {_reason(error)}") from error

    def use_wal(self) -> None:
        """Switch an SQLite file to write-ahead logging; it stays so. Only one process may do it at a time."""
        if not self.is_sqlite:
            return
        try:
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StoreError(f"the store can't answer: {error}") from error

    def insert(self, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ON CONFLICT, which both databases have in the same words."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def lock(self, session: Session, name: str) -> None:
        """Wait until no other writing transaction has locked the name, and hold it until this one ends. On SQLite there
        is one writer at a time."""
        if not self.is_sqlite:
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(exact(name), 0))))

    @contextmanager
    def sole(self, job: str) -> Iterator[bool]:
        """True within for one process at a time, of all that share the database; the others go on with False at once.

        A process that dies, or loses its connection, holds it no longer: no lease and no clock is in it. PostgreSQL has
        a lock for it; an SQLite file is one host's, which locks a file beside it.
        """
        if self.file is None:
            with self.read() as session:
                key = func.hashtextextended(exact(job), 0)
                yield bool(session.scalar(select(func.pg_try_advisory_xact_lock(key))))
            return
        with ExitStack() as stack:
            try:
                ours = stack.enter_context(locked(Path(f"{self.file}.{job}.lock"), wait=False))
            except OSError as error:
                raise StoreError(f"the lock of {job} can't be made: {error}") from error
            yield ours

    def close(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()


def audit(
    session: Session,
    at: datetime,
    who: str,
    action: str,
    about: str,
    details: Mapping[str, Any] | None = None,
    *,
    scope: str = PLATFORM,
) -> None:
    """Add a row to the audit trail, in the transaction of what it tells. `scope` is where it was done: who has the
    right "people" there can read it."""
    session.add(
        AuditRow(
            at=at,
            who=clean(who),
            action=action,
            object=clean(about),
            details=dict(details or {}),
            scope=clean(scope),
            domain=clean(domain_of(scope) if "@" in scope else "" if scope == PLATFORM else scope),
            network=clean(NETWORK.get()),
            token=clean(TOKEN.get()),
        )
    )


def clean(text: str, limit: int = 1000) -> str:
    """Text that both databases can hold: no NUL, no lone surrogate, at most `limit` characters."""
    shown = text[:limit].replace("\0", "\ufffd")
    return shown.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def exact(name: str) -> str:
    """A name that both databases can hold and that stays distinct from every other: nothing is cut off, and
    what is no text (an octet that no charset explained) is spelled out."""
    return name.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        engine = create_engine(
            url,
            json_serializer=json_text,
            pool_timeout=BUSY_SECONDS,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        json_serializer=json_text,
        pool_pre_ping=True,
        pool_timeout=BUSY_SECONDS,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "tamis",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": BUSY_SECONDS * 1000,  # milliseconds
        },
    )


def json_text(data: Any) -> str:
    """JSON that both databases take: NaN and the infinities, which are none, become null."""
    try:
        return json.dumps(data, default=str, allow_nan=False)
    except ValueError:
        tame = json.loads(json.dumps(data, default=str), parse_constant=lambda _: None)
        return json.dumps(tame)


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut, in WAL mode too


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _reason(error: SQLAlchemyError) -> str:
    """What the database said, in one line, without SQL text and parameters (they hold mail)."""
    told = str(getattr(error, "orig", None) or error)
    return " ".join(told.split())[:300] or type(error).__name__

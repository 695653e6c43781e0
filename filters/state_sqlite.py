"""The embedded shared state: one SQLite file (WAL) that all processes of one host write.

A call is put on a queue; one thread a process takes all that wait and answers them in one transaction, so that many
sessions share one lock and one commit. Power cuts lose at most the last transactions (synchronous = NORMAL).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import math
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tamis.breaker import Breaker
from tamis.errors import ServiceError
from tamis.services import MAX_KEY, MAX_MEMBERS, WINDOW_SLOTS, Kept, SharedState

log = logging.getLogger(__name__)

T = TypeVar("T")

_SWEEP_SECONDS = 5.0
_SWEEP_ROWS = 2000
"""Rows of each table that one sweep removes at most, so that no mail waits long for it."""
_BATCH = 256
_WAITING = 10_000
"""Calls that may wait; more means that the file can't keep up, and they fail at once."""
_PAGE = 4096
_NEARLY_FULL = 0.75
_MAX_OCTETS = 256 << 20

_TABLES = """
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kept_expires ON kept (expires);
CREATE TABLE IF NOT EXISTS counts (
    key TEXT, expires REAL, number INTEGER NOT NULL, PRIMARY KEY (key, expires)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counts_expires ON counts (expires);
CREATE TABLE IF NOT EXISTS members (
    key TEXT, member TEXT, seen REAL NOT NULL, expires REAL NOT NULL, PRIMARY KEY (key, member)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_expires ON members (expires);
"""
_KEYS = {"kept": "key", "counts": "key, expires", "members": "key, member"}

Work = Callable[[sqlite3.Connection, float], Any]
_Call = tuple[Work, bool, float, "asyncio.AbstractEventLoop", "asyncio.Future[Any]"]


class SQLiteState(SharedState):
    """The state in the file at `path`, at most `max_octets` of it; calls are answered within `wait` seconds."""

    def __init__(
        self,
        path: Path,
        *,
        wait: float = 2.0,
        max_octets: int = _MAX_OCTETS,
        breaker: Breaker | None = None,
    ) -> None:
        self._path = path
        self._breaker = breaker or Breaker("shared state")
        self._wait = wait
        self._max_pages = max(max_octets // _PAGE, 64)
        self._calls: queue.Queue[_Call | None] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._pid = 0
        self._connection: sqlite3.Connection | None = None
        self._next_sweep = 0.0

    async def get(self, key: str) -> str | None:
        """See SharedState."""

        def work(db: sqlite3.Connection, now: float) -> str | None:
            row = db.execute("SELECT value FROM kept WHERE key = ? AND expires > ?", (key, now)).fetchone()
            return None if row is None else str(row[0])

        return await self._ask(work, key, writes=False)

    async def put(self, key: str, value: str, seconds: float) -> None:
        """See SharedState."""

        def work(db: sqlite3.Connection, now: float) -> None:
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (key, value, now + seconds))

        await self._ask(work, key)

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        """See SharedState."""

        def work(db: sqlite3.Connection, now: float) -> bool:
            done = db.execute(
                "INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
                " expires = excluded.expires WHERE kept.expires <= ?",
                (key, value, now + seconds, now),
            )
            return done.rowcount > 0

        return await self._ask(work, key)

    async def drop(self, key: str) -> None:
        """See SharedState."""

        def work(db: sqlite3.Connection, now: float) -> None:
            for table in _KEYS:
                db.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608 - our own names

        await self._ask(work, key)

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        """See SharedState."""

        def work(db: sqlite3.Connection, now: float) -> int:
            slot = seconds / WINDOW_SLOTS
            if amount:
                db.execute(
                    "INSERT INTO counts VALUES (?, ?, ?)"
                    " ON CONFLICT (key, expires) DO UPDATE SET number = number + excluded.number",
                    (key, math.ceil((now + seconds) / slot) * slot, amount),
                )
            row = db.execute(
                "SELECT coalesce(sum(number), 0) FROM counts WHERE key = ? AND expires > ?", (key, now)
            ).fetchone()
            return int(row[0])

        return await self._ask(work, key, writes=bool(amount))

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        """See SharedState."""

        def work(db: sqlite3.Connection, now: float) -> tuple[int, ...]:
            if members:
                (there,) = db.execute("SELECT count(*) FROM members WHERE key = ?", (key,)).fetchone()
                room = max(MAX_MEMBERS - there, 0)
                rows = [(key, member, now, now + max(windows)) for member in members]
                db.executemany(
                    "UPDATE members SET seen = ?3, expires = ?4 WHERE key = ?1 AND member = ?2", rows
                )
                db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?, ?, ?)", rows[:room])
            return tuple(
                db.execute(
                    "SELECT count(*) FROM members WHERE key = ? AND seen > ? AND expires > ?",
                    (key, now - window, now),
                ).fetchone()[0]
                for window in windows
            )

        return await self._ask(work, key, writes=bool(members))

    async def find(self, prefix: str, limit: int = 1000) -> list[Kept]:
        """See SharedState."""

        def work(db: sqlite3.Connection, now: float) -> list[Kept]:
            rows = db.execute(
                "SELECT key, value, expires FROM kept WHERE key >= ? AND substr(key, 1, ?) = ? AND expires > ?"
                " ORDER BY key LIMIT ?",
                (prefix, len(prefix), prefix, now, limit),
            )
            return [Kept(key, value, expires - now) for key, value, expires in rows]

        return await self._ask(work, prefix, writes=False)

    async def close(self) -> None:
        """See SharedState."""
        with self._lock:
            if self._pid == os.getpid():
                self._calls.put(None)
                self._pid = 0

    async def _ask(
        self, work: Callable[[sqlite3.Connection, float], T], key: str, *, writes: bool = True
    ) -> T:
        if len(key) > MAX_KEY:
            raise ServiceError(f"a key of {len(key)} characters is too long")
        with self._breaker.call():
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[T] = loop.create_future()
            self._ensure_thread()
            try:
                self._calls.put_nowait((work, writes, time.monotonic() + self._wait, loop, answer))
            except queue.Full:
                raise ServiceError("the shared state can't keep up") from None
            try:
                async with asyncio.timeout(self._wait + 0.5):
                    return await answer
            except TimeoutError:
                raise ServiceError(f"no answer from the shared state within {self._wait} s") from None

    def _ensure_thread(self) -> None:
        """One thread a process: a fork leaves it behind, and its connection with it (SQLite forbids to carry one)."""
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                self._calls = queue.Queue(_WAITING)
                self._connection = None
                threading.Thread(target=self._serve, args=(self._calls,), name="state", daemon=True).start()
                self._pid = os.getpid()

    def _serve(self, calls: queue.Queue[_Call | None]) -> None:
        while True:
            call = calls.get()
            batch: list[_Call] = []
            while call is not None:
                batch.append(call)
                if len(batch) == _BATCH:
                    break
                try:
                    call = calls.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._answer(batch)
            if call is None:
                self._disconnect()
                return

    def _answer(self, batch: list[_Call]) -> None:
        """All calls of a batch in one transaction, then their answers; those whose caller gave up are left out."""
        now = time.monotonic()
        batch = [call for call in batch if call[2] > now and not call[4].done()]
        results: list[tuple[Any, ServiceError | None]]
        try:
            results = [(result, None) for result in self._transaction(batch)]
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            results = [(None, ServiceError(f"the shared state can't answer: {error}")) for _ in batch]
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any, Exception | None]]] = {}
        for (_, _, _, loop, answer), (result, failure) in zip(batch, results, strict=True):
            by_loop.setdefault(loop, []).append((answer, result, failure))
        for loop, answers in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, answers)

    def _transaction(self, batch: list[_Call]) -> list[Any]:
        if not batch:
            return []
        db = self._connection or self._connect()
        now = time.time()
        due = now >= self._next_sweep
        writing = due or any(call[1] for call in batch)
        db.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
        try:
            if writing:
                self._sweep(db, now, due=due)
            results = [call[0](db, now) for call in batch]
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return results

    def _connect(self) -> sqlite3.Connection:
        with self._set_up_alone():
            db = sqlite3.connect(
                self._path, timeout=self._wait, isolation_level=None, check_same_thread=False
            )
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute(f"PRAGMA max_page_count = {self._max_pages}")
                db.executescript(_TABLES)
            except BaseException:
                db.close()
                raise
        self._connection = db
        return db

    @contextlib.contextmanager
    def _set_up_alone(self) -> Iterator[None]:
        """Hold a file lock: SQLite does not wait for another process's switch to WAL mode."""
        if self._path == Path(":memory:"):
            yield
            return
        _make(self._path)
        lock = self._path.with_name(self._path.name + ".lock")
        _make(lock)
        with lock.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _sweep(self, db: sqlite3.Connection, now: float, *, due: bool) -> None:
        """Now and then, remove what is over; when the file is nearly full, what would be over soonest, too."""
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        full = pages - free > self._max_pages * _NEARLY_FULL
        if not (full or due):
            return
        if due:
            self._next_sweep = now + _SWEEP_SECONDS
            if full:
                log.warning("the shared state %s is nearly full: what expires soonest goes", self._path)
        for table, key in _KEYS.items():
            until = "" if full else " WHERE expires <= ?"
            db.execute(
                f"DELETE FROM {table} WHERE ({key}) IN"  # noqa: S608 - our own names
                f" (SELECT {key} FROM {table}{until} ORDER BY expires LIMIT {_SWEEP_ROWS})",
                () if full else (now,),
            )


def _settle(answers: Sequence[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for answer, result, failure in answers:
        if answer.done():  # its caller gave up
            continue
        if failure is not None:
            answer.set_exception(failure)
        else:
            answer.set_result(result)


def _make(path: Path) -> None:
    """Make the file, for its owner only; made by root, it belongs to its directory's owner, as the daemon does."""
    try:
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(made, owner.st_uid, owner.st_gid)
    finally:
        os.close(made)

"""The embedded shared state: one SQLite file (WAL) that all processes of one host write.

The calls of one turn of the event loop go to the one thread of the process together; it takes all that wait and answers
them in one transaction, so that many sessions share one wake-up, one lock and one commit. Power cuts lose at most the
last transactions (synchronous = NORMAL).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import math
import os
import queue
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tamis.base.breaker import Breaker
from tamis.base.errors import LeftOutError, ServiceError
from tamis.base.shared_files import make_private
from tamis.contract.questions import Count, DistinctWithin, Drop, Get, Put, PutNew
from tamis.contract.service_protocols import (
    MAX_KEY,
    MAX_MEMBERS,
    WINDOW_SLOTS,
    KeptValue,
    SharedState,
    StateCall,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

_SWEEP_SECONDS = 5.0
_SWEEP_ROWS = 2000
"""Rows of each table that one sweep removes at most, so that no mail waits long for it."""
_SAMPLE = 4
"""So many times as many are looked at, where some have to go before their time."""
_LOOK_EVERY, _PAGES_EACH = 64, 256
"""Transactions that write, of one process, between two looks at how full the file is; fewer where there is not so much
room for each."""
_AT_ONCE = 64
_WAITING = 2_000
"""Batches that may wait; more means that the file can't keep up, and further calls fail at once."""
_GRACE = 0.5  # seconds after which those who wait are told, if the thread did not say so by then
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
_KIND = "substr({row}.key, 1, instr({row}.key, ':'))"
"""What an entry is about: keys begin with it (`state_keys`)."""


def _counting() -> Iterator[str]:
    """SQL that keeps how many entries there are of each kind, so that one of which there are very many pushes out its
    own and not those of another."""
    yield (
        "CREATE TABLE kinds (part TEXT, kind TEXT, number INTEGER NOT NULL, PRIMARY KEY (part, kind))"
        " WITHOUT ROWID"
    )
    for table in _KEYS:
        kind = _KIND.format(row=table)
        yield f"INSERT INTO kinds SELECT '{table}', {kind}, count(*) FROM {table} GROUP BY 2"  # noqa: S608 - our own
        for event, row, step in (("INSERT", "NEW", 1), ("DELETE", "OLD", -1)):
            yield (
                f"CREATE TRIGGER {table}_{event.lower()} AFTER {event} ON {table} BEGIN"  # noqa: S608 - our own names
                f" INSERT INTO kinds VALUES ('{table}', {_KIND.format(row=row)}, {step})"
                f" ON CONFLICT (part, kind) DO UPDATE SET number = number + {step}; END"
            )


Work = Callable[[Any, sqlite3.Connection, float], Any]
"""What makes a call: the call, the file, the time."""


@dataclass(slots=True)
class _Call:
    """A call, what makes it, whether it changes anything, and who takes its result."""

    call: Any
    work: Work
    writes: bool
    take: Callable[[Any], None]
    breaker: Breaker
    is_trial: bool
    is_settled: bool = False

    def settle(self, result: Any) -> None:
        """Hand the result, or the error, over: once, on the loop."""
        if self.is_settled:
            return
        self.is_settled = True
        if isinstance(result, ServiceError):
            self.breaker.failed(result, trial=self.is_trial)
        else:
            self.breaker.answered()
        self.take(result)


@dataclass(slots=True)
class _Batch:
    """The calls of one turn of a loop; `until` (monotonic) they are worth answering. No calls: it is settled."""

    calls: Sequence[_Call]
    until: float
    loop: asyncio.AbstractEventLoop

    def fail(self, problem: str) -> None:
        """On the loop: those that have no answer by now get the problem."""
        calls, self.calls = self.calls, ()
        _fail(calls, problem)


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
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
        self._watched: dict[asyncio.AbstractEventLoop, deque[_Batch]] = {}
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pid = 0
        self._connection: sqlite3.Connection | None = None
        self._next_sweep = 0.0
        self._unseen = 0
        """Transactions until it is looked at how full the file is."""
        self._late = f"no answer from the shared state within {wait} s"

    async def get(self, key: str) -> str | None:
        """See SharedState."""
        return await self._awaited(Get(key))

    async def put(self, key: str, value: str, seconds: float) -> None:
        """See SharedState."""
        await self._awaited(Put(key, value, seconds))

    async def put_new(self, key: str, value: str, seconds: float) -> bool:
        """See SharedState."""
        return await self._awaited(PutNew(key, value, seconds))

    async def drop(self, key: str) -> None:
        """See SharedState."""
        await self._awaited(Drop(key))

    async def count(self, key: str, seconds: float, amount: int = 1) -> int:
        """See SharedState."""
        return await self._awaited(Count(key, seconds, amount))

    async def distinct_within(
        self, key: str, members: Sequence[str], windows: Sequence[float]
    ) -> tuple[int, ...]:
        """See SharedState."""
        return await self._awaited(DistinctWithin(key, tuple(members), tuple(windows)))

    async def find(self, prefix: str, limit: int = 1000) -> list[KeptValue]:
        """See SharedState."""

        def work(_: None, db: sqlite3.Connection, now: float) -> list[KeptValue]:
            rows = db.execute(
                "SELECT key, value, expires FROM kept WHERE key >= ? AND substr(key, 1, ?) = ? AND expires > ?"
                " ORDER BY key LIMIT ?",
                (prefix, len(prefix), prefix, now, limit),
            )
            return [KeptValue(key, value, expires - now) for key, value, expires in rows]

        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._submit(None, work, prefix, partial(_settle, answer), writes=False)
        found: list[KeptValue] = await answer
        return found

    def ask(self, call: StateCall[T], take: Callable[[T | Exception], None]) -> None:
        """See SharedState. Calls of one turn of the loop go together."""
        work, writes = _WORK[type(call)]
        self._submit(call, work, call.key, take, writes=writes(call))

    async def close(self) -> None:
        """See SharedState."""
        with self._lock:
            if self._pid == os.getpid():
                self._batches.put(None)
                self._pid = 0

    async def _awaited(self, call: StateCall[T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.ask(call, partial(_settle, answer))
        return await answer

    def _submit(self, call: Any, work: Work, key: str, take: Callable[[Any], None], *, writes: bool) -> None:
        """Have some work done with the other calls of this turn of the loop: waking a thread for each would cost more
        than the work."""
        if len(key) > MAX_KEY:
            take(ServiceError(f"a key of {len(key)} characters is too long"))
            return
        try:
            is_trial = self._breaker.admit()
        except LeftOutError as error:
            take(error)
            return
        loop = asyncio.get_running_loop()
        gathered = self._gathered.get(loop)
        if gathered is None:
            gathered = self._gathered[loop] = []
            loop.call_soon(self._hand_over, loop)
        gathered.append(_Call(call, work, writes, take, self._breaker, is_trial))

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        calls = self._gathered.pop(loop)
        self._ensure_thread()
        if self._batches.qsize() >= _WAITING:
            _fail(calls, "the shared state can't keep up")
            return
        batch = _Batch(calls, time.monotonic() + self._wait, loop)
        watched = self._watched.get(loop)
        if watched is None:
            watched = self._watched[loop] = deque()
            loop.call_later(self._wait + _GRACE, self._watch, loop)
        watched.append(batch)
        self._batches.put(batch)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell those who have waited too long. One timer for all: nearly all are answered long before."""
        watched = self._watched[loop]
        late = time.monotonic() - _GRACE
        while watched and (not watched[0].calls or watched[0].until <= late):
            watched.popleft().fail(self._late)
        if watched:
            loop.call_later(watched[0].until - late, self._watch, loop)
        else:
            del self._watched[loop]

    def _ensure_thread(self) -> None:
        """One thread a process: a fork leaves it behind, and its connection with it (SQLite forbids to carry one)."""
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                self._batches = queue.SimpleQueue()
                self._connection = None
                threading.Thread(target=self._serve, args=(self._batches,), name="state", daemon=True).start()
                self._pid = os.getpid()

    def _serve(self, batches: queue.SimpleQueue[_Batch | None]) -> None:
        """Take all that wait, up to _AT_ONCE, and answer them together."""
        while True:
            batch = batches.get()
            taken: list[_Batch] = []
            while batch is not None:
                taken.append(batch)
                if len(taken) == _AT_ONCE:
                    break
                try:
                    batch = batches.get_nowait()
                except queue.Empty:
                    break
            if taken:
                self._answer(taken)
            if batch is None:
                self._disconnect()
                return

    def _answer(self, batches: list[_Batch]) -> None:
        """All calls in one transaction, then their answers; those that were told that it is too late are left out."""
        now = time.monotonic()
        calls = [call for one in batches if one.until > now for call in one.calls if not call.is_settled]
        problem = self._late
        results: dict[int, Any] = {}
        try:
            done = self._transaction(calls)
            results = {id(call): result for call, result in zip(calls, done, strict=True)}
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            problem = f"the shared state can't answer: {error}"
        for loop in {one.loop for one in batches}:
            own = [one for one in batches if one.loop is loop]
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(_hand_back, own, results, problem)

    def _transaction(self, calls: list[_Call]) -> list[Any]:
        if not calls:
            return []
        db = self._connection or self._connect()
        now = time.time()
        due = now >= self._next_sweep
        writing = due or any(call.writes for call in calls)
        db.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
        try:
            self._unseen -= writing
            if due or self._unseen < 0:
                self._sweep(db, now, due=due)
            results = [one.work(one.call, db, now) for one in calls]
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
                _count_kinds(db)
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
        room = int(self._max_pages * _NEARLY_FULL) - (pages - free)
        full = room < 0
        self._unseen = min(_LOOK_EVERY, max(room, 0) // _PAGES_EACH)
        if not (full or due):
            return
        if due:
            self._next_sweep = now + _SWEEP_SECONDS
            if full:
                log.warning(
                    "the shared state %s is nearly full: of what there is most of, what expires soonest goes",
                    self._path,
                )
        for table, key in _KEYS.items():
            db.execute(
                f"DELETE FROM {table} WHERE ({key}) IN"  # noqa: S608 - our own names
                f" (SELECT {key} FROM {table} WHERE expires <= ? ORDER BY expires LIMIT {_SWEEP_ROWS})",
                (now,),
            )
        if full:
            _make_room(db)


def _count_kinds(db: sqlite3.Connection) -> None:
    """Begin to count what there is of each kind, where a version before 0.3 made the file."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kinds'").fetchone():
        db.execute("BEGIN IMMEDIATE")
        for statement in _counting():
            db.execute(statement)
        db.execute("COMMIT")


def _make_room(db: sqlite3.Connection) -> None:
    """Remove some of the kind of which there is most: what expires soonest among a sample from a random place."""
    table, kind, number = db.execute(
        "SELECT part, kind, number FROM kinds ORDER BY number DESC LIMIT 1"
    ).fetchone()
    key = _KEYS[table]
    begin, end = (kind, f"{kind[:-1]};") if kind else ("", "\U0010ffff")  # ";" comes after ":"
    many = number > _SAMPLE * _SWEEP_ROWS
    start = f"{kind}{secrets.token_hex(4)}" if many else begin
    chosen = (
        f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM"  # noqa: S608 - our own names
        f" (SELECT {key}, expires AS until FROM {table} WHERE key >= ? AND key < ?"
        f" ORDER BY {key} LIMIT {_SAMPLE * _SWEEP_ROWS}) ORDER BY until LIMIT {_SWEEP_ROWS})"
    )
    if not db.execute(chosen, (start, end)).rowcount:
        db.execute(chosen, (begin, end))


def _hand_back(batches: Sequence[_Batch], results: Mapping[int, Any], problem: str) -> None:
    """On their loop: hand the answers over; those who have none get the problem."""
    for one in batches:
        for call in one.calls:
            if id(call) in results:
                call.settle(results[id(call)])
        one.fail(problem)


def _fail(calls: Sequence[_Call], problem: str) -> None:
    for call in calls:
        if not call.is_settled:
            call.settle(ServiceError(problem))


def _settle(answer: asyncio.Future[Any], result: Any) -> None:
    """For who awaits a call."""
    if answer.done():  # who waited gave up
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)


def _get(call: Get, db: sqlite3.Connection, now: float) -> str | None:
    row = db.execute("SELECT value FROM kept WHERE key = ? AND expires > ?", (call.key, now)).fetchone()
    return None if row is None else str(row[0])


def _put(call: Put, db: sqlite3.Connection, now: float) -> None:
    db.execute(
        "INSERT INTO kept VALUES (?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires",
        (call.key, call.value, now + call.seconds),
    )


def _put_new(call: PutNew, db: sqlite3.Connection, now: float) -> bool:
    done = db.execute(
        "INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
        " expires = excluded.expires WHERE kept.expires <= ?",
        (call.key, call.value, now + call.seconds, now),
    )
    return done.rowcount > 0


def _drop(call: Drop, db: sqlite3.Connection, now: float) -> None:
    for table in _KEYS:
        db.execute(f"DELETE FROM {table} WHERE key = ?", (call.key,))  # noqa: S608 - our own names


def _count(call: Count, db: sqlite3.Connection, now: float) -> int:
    slot = call.seconds / WINDOW_SLOTS
    if call.amount:
        db.execute(
            "INSERT INTO counts VALUES (?, ?, ?)"
            " ON CONFLICT (key, expires) DO UPDATE SET number = number + excluded.number",
            (call.key, math.ceil((now + call.seconds) / slot) * slot, call.amount),
        )
    row = db.execute(
        "SELECT coalesce(sum(number), 0) FROM counts WHERE key = ? AND expires > ?", (call.key, now)
    ).fetchone()
    return int(row[0])


def _distinct(call: DistinctWithin, db: sqlite3.Connection, now: float) -> tuple[int, ...]:
    key, members, windows = call.key, call.members, call.windows
    if members:
        (there,) = db.execute("SELECT count(*) FROM members WHERE key = ?", (key,)).fetchone()
        room = max(MAX_MEMBERS - there, 0)
        rows = [(key, member, now, now + max(windows)) for member in members]
        db.executemany("UPDATE members SET seen = ?3, expires = ?4 WHERE key = ?1 AND member = ?2", rows)
        db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?, ?, ?)", rows[:room])
    within = ", ".join(["coalesce(sum(seen > ?), 0)"] * len(windows))
    row = db.execute(
        f"SELECT {within} FROM members WHERE key = ? AND expires > ?",  # noqa: S608 - our own words
        (*(now - window for window in windows), key, now),
    ).fetchone()
    return tuple(map(int, row))


_WORK: Mapping[type[Any], tuple[Callable[..., Any], Callable[[Any], bool]]] = {
    Get: (_get, lambda _: False),
    Put: (_put, lambda _: True),
    PutNew: (_put_new, lambda _: True),
    Drop: (_drop, lambda _: True),
    Count: (_count, lambda call: bool(call.amount)),
    DistinctWithin: (_distinct, lambda call: bool(call.members)),
}
"""How each call is made, and whether it changes anything."""


def _make(path: Path) -> None:
    """Make the file, for its owner only; made by root, it belongs to its directory's owner, as the daemon does."""
    with contextlib.suppress(FileExistsError):
        os.close(make_private(path))

"""What goes wrong in `benchmarks/chaos`: each fault is something that happens, lasts for a while, and is mended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Self, TypeVar

from tests.real import HarnessError, PrivatePostgres, PrivateRedis
from tests.real.daemon import Role
from tests.road.faulty import BACKGROUND_STAGES, DESK_STAGES, WORKER_STAGES
from tests.road.installation import Installation

Fault = Callable[["Scene", random.Random], AbstractContextManager[None]]
Place = TypeVar("Place")
SENDERS = "inline:{ {example.net = outside:} }"
"""Where bounces to the senders become visible; everything else that Postfix has no line for does not exist."""
_LEAST, _MOST = 0.3, 4.0
"""Seconds that a fault lasts, or that nothing new happens."""


@dataclass
class Scene:
    """What faults are done to. `disk` is the file system of the state directory; servers are None where the embedded
    files are used."""

    installation: Installation
    disk: Path
    traps: Path
    postgres: PrivatePostgres | None = None
    redis: PrivateRedis | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Whole parts are stopped and started by one fault at a time; the others go on at once."""


def _pids(scene: Scene, role: Role) -> list[int]:
    with contextlib.suppress(HarnessError, ValueError):
        return scene.installation.daemon.pids(role)
    return []


def killed(role: Role) -> Fault:
    """kill -9 of one process of a role; the supervisor starts another."""

    @contextmanager
    def fault(scene: Scene, dice: random.Random) -> Iterator[None]:
        if pids := _pids(scene, role):
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(pids), signal.SIGKILL)
        yield

    return fault


def frozen(role: Role) -> Fault:
    """A process that neither runs nor ends for a while."""

    @contextmanager
    def fault(scene: Scene, dice: random.Random) -> Iterator[None]:
        pids = _pids(scene, role)
        one = dice.choice(pids) if pids else None
        if one is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGSTOP)
        try:
            yield
        finally:
            if one is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGCONT)

    return fault


def trapped(stages: Mapping[str, object]) -> Fault:
    """A process dies at a stage of its work (tests/road/faulty.py)."""

    @contextmanager
    def fault(scene: Scene, dice: random.Random) -> Iterator[None]:
        trap = scene.traps / f"{dice.choice(sorted(stages))}.{time.monotonic_ns()}"
        trap.touch()
        try:
            yield
        finally:
            trap.unlink(missing_ok=True)

    return fault


@contextmanager
def restarted(scene: Scene, dice: random.Random) -> Iterator[None]:
    """kill -9 of the supervisor; after a while the service manager starts all anew."""
    with scene.lock:
        daemon = scene.installation.daemon
        with contextlib.suppress(HarnessError, ProcessLookupError):
            daemon.kill("supervisor")
        try:
            yield
        finally:
            daemon.stop()
            daemon.start()


@contextmanager
def reloaded(scene: Scene, dice: random.Random) -> Iterator[None]:
    """SIGHUP in the middle of the mail, but to no supervisor that has just been started: it would end there."""
    with scene.lock, contextlib.suppress(HarnessError, ProcessLookupError):
        scene.installation.daemon.signal("supervisor", signal.SIGHUP)
    yield


@contextmanager
def full_disk(scene: Scene, dice: random.Random) -> Iterator[None]:
    """No room where the state is."""
    file = scene.disk / f"filling.{time.monotonic_ns()}"
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={file}", "bs=64k", "status=none"], check=False, capture_output=True
    )
    try:
        yield
    finally:
        _removed(file)


def _removed(file: Path) -> None:
    """Remove a file, after the disk is writable again where another fault made it read-only."""
    while file.exists():
        with contextlib.suppress(OSError):
            file.unlink()
            break
        time.sleep(_LEAST)


@contextmanager
def readonly_disk(scene: Scene, dice: random.Random) -> Iterator[None]:
    """A file system that was mounted read-only after an error, as far as open files allow it."""
    with scene.lock:
        subprocess.run(["mount", "-o", "remount,ro", str(scene.disk)], check=False, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(scene.disk)], check=True)


@contextmanager
def locked_store(scene: Scene, dice: random.Random) -> Iterator[None]:
    """Another program holds the database's write lock; or the server is gone."""
    if scene.postgres is not None:
        with scene.lock:
            scene.postgres.stop()
            try:
                yield
            finally:
                scene.postgres.start()
        return
    database = sqlite3.connect(scene.disk / "state" / "tamis.sqlite", timeout=5, isolation_level=None)
    with contextlib.closing(database):
        with contextlib.suppress(sqlite3.OperationalError):
            database.execute("BEGIN IMMEDIATE")
        yield
        with contextlib.suppress(sqlite3.OperationalError):
            database.execute("ROLLBACK")


@contextmanager
def lost_state(scene: Scene, dice: random.Random) -> Iterator[None]:
    """The shared state forgets everything: Redis is gone for a while, or the file is."""
    if scene.redis is not None:
        with scene.lock:
            scene.redis.stop()
            try:
                yield
            finally:
                scene.redis.start()
        return
    for path in (scene.disk / "state").glob("state.sqlite*"):
        with contextlib.suppress(OSError):  # read-only just now
            path.unlink()
    yield


@contextmanager
def postfix_reloaded(scene: Scene, dice: random.Random) -> Iterator[None]:
    """`postfix reload`."""
    with scene.lock:
        scene.installation.postfix.reload()
    yield


@contextmanager
def postfix_restarted(scene: Scene, dice: random.Random) -> Iterator[None]:
    """Postfix is killed with all its processes, and started after a while."""
    with scene.lock:
        scene.installation.postfix.stop()
        try:
            yield
        finally:
            scene.installation.postfix.start()


@contextmanager
def transport_lost(scene: Scene, dice: random.Random) -> Iterator[None]:
    """Somebody takes the line out of main.cf by which redirected copies find the desk."""
    with scene.lock:
        postfix = scene.installation.postfix
        before = postfix.parameter("transport_maps")
        postfix.postconf(transport_maps=SENDERS)
        postfix.reload()
        try:
            yield
        finally:
            postfix.postconf(transport_maps=before)
            postfix.reload()


@contextmanager
def requeued(scene: Scene, dice: random.Random) -> Iterator[None]:
    """`postsuper -r ALL`: everything that is queued is delivered again from the start."""
    config = scene.installation.postfix.config_directory
    subprocess.run(["postsuper", "-c", config, "-r", "ALL"], check=False, capture_output=True)
    yield


FAULTS: Mapping[str, Fault] = {
    "worker killed": killed("workers"),
    "desk killed": killed("desk"),
    "background killed": killed("background"),
    "pages killed": killed("web"),
    "supervisor killed": restarted,
    "worker frozen": frozen("workers"),
    "desk frozen": frozen("desk"),
    "background frozen": frozen("background"),
    "worker dies at a stage": trapped(WORKER_STAGES),
    "desk dies at a stage": trapped(DESK_STAGES),
    "background dies at a stage": trapped(BACKGROUND_STAGES),
    "SIGHUP": reloaded,
    "disk full": full_disk,
    "disk read-only": readonly_disk,
    "store away": locked_store,
    "shared state away": lost_state,
    "postfix reload": postfix_reloaded,
    "Postfix killed": postfix_restarted,
    "transport line lost": transport_lost,
    "queue started anew": requeued,
}


HOST_FAULTS: Mapping[str, Fault] = {
    name: fault for name, fault in FAULTS.items() if name not in ("store away", "shared state away")
}
"""What may happen to one host of several, whose store and state are elsewhere."""


class Chaos(Generic[Place]):
    """Faults at random, several at once, until the mail is sent. The same seed draws the same faults; when they meet
    the mail is the machine's. `most` is for how many seconds one lasts."""

    def __init__(
        self,
        place: Place,
        faults: Mapping[str, Callable[[Place, random.Random], AbstractContextManager[None]]],
        seed: int,
        at_once: int,
        most: float = _MOST,
    ) -> None:
        self._place = place
        self._faults = faults
        self._most = most
        self._over = threading.Event()
        self._trouble: list[BaseException] = []
        self.happened: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._go, args=(random.Random(f"{seed} {number}"),), daemon=True)
            for number in range(at_once)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.check()

    def check(self) -> None:
        """Raise what ended one of the threads: without it there are fewer faults than promised."""
        if self._trouble:
            raise self._trouble[0]

    def _go(self, dice: random.Random) -> None:
        names: Sequence[str] = sorted(self._faults)
        try:
            while not self._over.wait(dice.uniform(_LEAST, _MOST)):
                name = dice.choice(names)
                with self._faults[name](self._place, dice):
                    time.sleep(dice.uniform(_LEAST, self._most))
                self.happened[name] += 1
        except BaseException as error:  # noqa: BLE001 - handed to __exit__
            self._trouble.append(error)

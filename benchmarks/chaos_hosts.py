"""`benchmarks/chaos --hosts N`: hosts that share PostgreSQL and Redis, each in a network namespace of its own.

    this process, a namespace:   PostgreSQL, Redis at 198.51.100.1 -- bridge --+-- host 1, a process and namespace
                                 faults of the servers and of the network      +-- host 2, with the key of host 1

Each host breaks by itself as well (`HOST_FAULTS`). When all is mended and the queues are empty, every copy is looked
for in the mailboxes of all hosts and in the one store.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import multiprocessing
import os
import random
import signal
import subprocess
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos_account import Found, Run, account, batches, look
from benchmarks.chaos_faults import HOST_FAULTS, Chaos
from benchmarks.chaos_scene import keep_logs, progress, scene, send, settle
from tests.real import PrivatePostgres, PrivateRedis, Sent
from tests.real.support import find_program

_CLONE_NEWNET = 0x40000000
_SERVERS = "198.51.100.1"
_BRIDGE = "servers"
_LONGEST = 15.0
"""Seconds that servers may be away: longer than `desk.store_seconds`, so that who waits for them gives up."""
_PATIENCE = 1800.0
"""Seconds for the mail of one host (beyond: the run fails)."""


@dataclass
class Servers:
    """What all hosts share. `links` are the names of the network interfaces that lead to the hosts."""

    postgres: PrivatePostgres
    redis: PrivateRedis
    links: Sequence[str]
    lock: threading.RLock = field(default_factory=threading.RLock)
    """One fault at a time for the servers; the hosts have theirs at once."""


@contextmanager
def _stopped(servers: Servers, server: PrivatePostgres | PrivateRedis) -> Iterator[None]:
    with servers.lock:
        server.stop()
        try:
            yield
        finally:
            server.start()


@contextmanager
def postgres_stopped(servers: Servers, dice: random.Random) -> Iterator[None]:
    """PostgreSQL refuses connections, and those that were open are closed."""
    with _stopped(servers, servers.postgres):
        yield


@contextmanager
def redis_stopped(servers: Servers, dice: random.Random) -> Iterator[None]:
    """Redis refuses connections, and has forgotten everything when it is back."""
    with _stopped(servers, servers.redis):
        yield


@contextmanager
def _hanging(servers: Servers, pid: int) -> Iterator[None]:
    with servers.lock:
        first = psutil.Process(pid)
        processes = [first, *first.children(recursive=True)]
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for one in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGCONT)


@contextmanager
def postgres_hangs(servers: Servers, dice: random.Random) -> Iterator[None]:
    """PostgreSQL takes connections and says nothing, as a host that swaps does."""
    with _hanging(servers, servers.postgres.pid):
        yield


@contextmanager
def redis_hangs(servers: Servers, dice: random.Random) -> Iterator[None]:
    """Redis takes connections and says nothing."""
    with _hanging(servers, servers.redis.pid):
        yield


@contextmanager
def table_locked(servers: Servers, dice: random.Random) -> Iterator[None]:
    """Somebody's session has the table of held mail for itself; the server answers everything else."""
    with servers.lock:
        statement = "LOCK TABLE messages IN ACCESS EXCLUSIVE MODE"
        command = [
            str(find_program("psql")),
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "tamis",
            "-h",
            _SERVERS,
        ]
        command += ["-p", str(servers.postgres.port), "-d", "tamis"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as session:
            assert session.stdin is not None
            session.stdin.write(f"BEGIN;\n{statement};\n")
            session.stdin.flush()
            yield
            session.stdin.write("ROLLBACK;\n")
            session.stdin.close()


@contextmanager
def cut_off(servers: Servers, dice: random.Random) -> Iterator[None]:
    """What one host sends to the servers vanishes, and what they send to it."""
    link = dice.choice(servers.links)
    with servers.lock:
        _ip("link", "set", link, "down")
        try:
            yield
        finally:
            _ip("link", "set", link, "up")


SHARED_FAULTS = {
    "PostgreSQL stopped": postgres_stopped,
    "PostgreSQL hangs": postgres_hangs,
    "table locked": table_locked,
    "Redis stopped": redis_stopped,
    "Redis hangs": redis_hangs,
    "a host cut off": cut_off,
}


def run_hosts(asked: argparse.Namespace, messages: int, seed: int) -> Run:
    """Hosts on one PostgreSQL and one Redis: send, break, mend, count."""
    begun = time.monotonic()
    _own_network()
    _ip("link", "set", "lo", "up")
    _ip("link", "add", _BRIDGE, "type", "bridge")
    _ip("address", "add", f"{_SERVERS}/24", "dev", _BRIDGE)
    _ip("link", "set", _BRIDGE, "up")
    share = messages // asked.hosts
    with ExitStack() as stack:
        postgres = stack.enter_context(PrivatePostgres(_SERVERS))
        redis = stack.enter_context(PrivateRedis(address=_SERVERS))
        work = {
            "store": postgres.url,
            "state": redis.url,
            "at_once": asked.at_once,
            "sessions": asked.sessions,
        }
        hosts: list[_Host] = []
        for number in range(1, asked.hosts + 1):
            # Each host's messages have numbers of their own, and begin anew with "spam, spam, ham".
            numbers = range(number * 3_000_000 + 1, number * 3_000_000 + 1 + share)
            key = hosts[0].key if hosts else None
            logs = asked.logs / f"{seed}.{number}" if asked.logs else None
            host = _Host(
                number, {**work, "numbers": numbers, "seed": seed * 100 + number, "key": key, "logs": logs}
            )
            hosts.append(stack.enter_context(host))
        servers = Servers(postgres, redis, [one.link for one in hosts])
        with Chaos(servers, SHARED_FAULTS, seed, 1, most=_LONGEST) as chaos:
            for one in hosts:
                one.tell("send")
            told = [one.hear() for one in hosts]
        for one in hosts:
            one.tell("settle")
        found = sum((one.hear() for one in hosts), Found())
        hosts[0].tell("held")
        held = hosts[0].hear()
        sent: list[Sent] = [message for part in told for message in part["sent"]]
        table, bad = account(found, held, sent)
        for one in hosts:
            one.tell("logs" if bad else "end")
            one.hear()
    faults = sum((Counter(part["faults"]) for part in told), Counter(chaos.happened))
    copies = sum(len(one.envelope.recipients) for one in sent)
    return Run(len(sent), copies, time.monotonic() - begun, table, faults, bad)


@dataclass
class _Failed:
    """A host's process gave up."""

    why: str


class _Host:
    """The process of one host, seen from here."""

    def __init__(self, number: int, work: Mapping[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, number, work), daemon=False)
        self._address = f"198.51.100.{10 + number}"
        self.link = f"host{number}"
        self.key: Path | None = None

    def __enter__(self) -> _Host:
        self._process.start()
        self.hear()
        _ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", str(self._process.pid))
        _ip("link", "set", self.link, "master", _BRIDGE, "up")
        self.tell(self._address)
        self.key = self.hear()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()  # who waits for a word ends
        self._process.join(120)
        if self._process.is_alive():
            self._process.kill()

    def tell(self, word: object) -> None:
        """Say something to it."""
        self._pipe.send(word)

    def hear(self) -> Any:
        """What it says next. Raises RuntimeError when it says nothing, or that it failed."""
        if not self._pipe.poll(_PATIENCE):
            raise RuntimeError(f"{self.link} says nothing")
        answer = self._pipe.recv()
        if isinstance(answer, _Failed):
            raise RuntimeError(f"{self.link} failed: {answer.why}")  # noqa: TRY004 - no wrong type, an answer
        return answer


def _work(pipe: Connection, number: int, work: Mapping[str, Any]) -> None:
    """One host's own process: it does what it is told, in turn."""
    _own_network()
    pipe.send("here")
    address = pipe.recv()
    _ip("link", "set", "lo", "up")
    _ip("address", "add", f"{address}/24", "dev", "eth0")
    _ip("link", "set", "eth0", "up")
    try:
        with scene(work["store"], work["state"], work["key"]) as place, contextlib.suppress(EOFError):
            pipe.send(place.disk / "state" / "signing.key")
            pipe.recv()
            sent: list[Sent] = []
            with Chaos(place, HOST_FAULTS, work["seed"], work["at_once"]) as chaos:
                for batch in batches(work["numbers"], random.Random(work["seed"])):
                    sent += send(place, chaos, batch, work["sessions"])
                    progress(f"host {number}: {len(sent)} sent, {chaos.happened.total()} faults")
            pipe.send(
                {"sent": sent, "faults": {f"on a host: {name}": n for name, n in chaos.happened.items()}}
            )
            while (word := pipe.recv()) != "end":
                if word == "settle":
                    settle(place)
                    pipe.send(look(place.installation))
                elif word == "held":
                    pipe.send(place.installation.held())
                elif word == "logs":
                    if work["logs"] is not None:
                        keep_logs(place, work["logs"])
                    break
            pipe.send("done")
    except Exception as error:  # noqa: BLE001 - told to who waits for the answer
        pipe.send(_Failed("".join(traceback.format_exception(error))))


def _own_network() -> None:
    """This thread, and what it starts, get a network without any way out (unshare(2))."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace can be made here")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, env={**os.environ, "LC_ALL": "C"})

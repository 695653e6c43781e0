"""What every private server of the harness needs: ports, directories, waiting, processes."""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"

# Seconds: many a condition starts a process, and others need the processor.
_FIRST_PAUSE, _LAST_PAUSE = 0.01, 0.1
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class HarnessError(Exception):
    """A private server did not do what was asked of it; the message carries its log."""


def _candidate_ports() -> Iterator[int]:
    """The ports of this process, over and over: a worker of pytest-xdist shares none with another.

    From below those that the kernel gives to clients, one of which might take it before the server does; and from
    above the last one at which browsers open no page, 10080.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = list(range(10_100 + worker, 32_000, workers))
    start = random.randrange(len(ports))  # another run on this machine starts elsewhere
    return itertools.cycle(ports[start:] + ports[:start])


_PORTS = _candidate_ports()


def free_port() -> int:
    """A port of the loopback address on which nothing listens now, by TCP or UDP; not soon given out again."""
    for port in _PORTS:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((LOOPBACK, port))
                udp.bind((LOOPBACK, port))
            except OSError:
                continue
        return port
    raise AssertionError("the ports never end")


def wait_until(
    condition: Callable[[], bool], *, timeout: float, what: str, detail: Callable[[], str] | None = None
) -> None:
    """Return as soon as `condition` holds; HarnessError, naming `what`, after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while not condition():
        if time.monotonic() > deadline:
            extra = f"\n{detail()}" if detail else ""
            raise HarnessError(f"waited {timeout:g} s in vain for {what}{extra}")
        time.sleep(pause)
        pause = min(1.2 * pause, _LAST_PAUSE)


def accepts_connections(port: int) -> bool:
    """Whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def read_line(port: int, question: bytes = b"") -> bytes:
    """The first line that the server on `port` says (after `question`), or nothing."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(question)
            with connection.makefile("rb") as answers:
                return answers.readline(1000)
    except OSError:
        return b""


def find_program(name: str, *patterns: str) -> Path:
    """The program `name` from the system's PATH, or from the newest of some globbed directories."""
    found = shutil.which(name, path=_SYSTEM_PATH)
    if found is not None:
        return Path(found)
    for pattern in patterns:
        candidates = sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
        if candidates:
            return candidates[0]
    raise HarnessError(
        f"{name} is not installed: scripts/install test, as root, installs what the tests need"
    )


def private_directory(label: str) -> Path:
    """A new directory that the servers' own users may enter (pytest's tmp_path they may not)."""
    directory = Path(tempfile.mkdtemp(prefix=f"tamis-{label}-"))
    directory.chmod(0o755)
    return directory


def own(path: Path, user: str, group: str | None = None) -> None:
    """Hand a directory to a system user (and, by default, to its group)."""
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid if group is None else grp.getgrnam(group).gr_gid)


def run(
    command: Sequence[str | Path], *, user: str | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Run a short command to its end and return its output; HarnessError with all it said on failure."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
        user=user,
        env=_environment(environment),
        cwd="/",
    )
    if done.returncode != 0:
        words = " ".join(str(part) for part in command)
        raise HarnessError(f"{words} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Server:
    """One server in the foreground, the leader of its own process group, its output in a file."""

    def __init__(self, name: str, output: Path) -> None:
        self.name = name
        self.output = output
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise HarnessError(f"{self.name} is not running")
        return self._process.pid

    def start(
        self,
        command: Sequence[str | Path],
        *,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        """Start the server; its readiness is the caller's to await, with `await_ready`."""
        if self._process is not None:
            raise HarnessError(f"{self.name} runs already")
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=user,
                env=_environment(environment),
                cwd=directory or "/",
            )

    def await_ready(self, ready: Callable[[], bool], *, timeout: float, log: Callable[[], str]) -> None:
        """Wait for `ready`, giving up at once if the server ends before."""

        def ready_or_dead() -> bool:
            return self.exit_code() is not None or ready()

        wait_until(ready_or_dead, timeout=timeout, what=f"{self.name} to be ready", detail=log)
        if self.exit_code() is not None:
            raise HarnessError(f"{self.name} ended with {self.exit_code()} instead of getting ready\n{log()}")

    def exit_code(self) -> int | None:
        """How the server ended, or None while it runs."""
        return None if self._process is None else self._process.poll()

    def running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, first: signal.Signals = signal.SIGTERM, *, timeout: float = 20) -> int | None:
        """Ask the server to end, then end whatever is left of its process group; its exit code."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(first)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        _end_group(process.pid)
        return process.returncode

    def text(self) -> str:
        """What the server wrote on its standard output and error."""
        return read_text(self.output)


class Running(ABC):
    """What runs within a `with` block: started on the way in, stopped on the way out and when the start fails."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Start (again), and wait until it can be used."""

    @abstractmethod
    def stop(self) -> object:
        """Stop it, for good or until another start()."""


class PrivateServer(Running):
    """A server of a test's own, with a directory that goes when it does.

    `prepare` is called once, before the first start: what it writes outlives a stop.
    """

    def __init__(self, name: str, label: str) -> None:
        self.directory = private_directory(label)
        self._server = Server(name, self.directory / "output.log")

    def __enter__(self) -> Self:
        try:
            self.prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        shutil.rmtree(self.directory, ignore_errors=True)

    def prepare(self) -> None:
        """Write what the server needs."""

    def stop(self) -> None:
        """Stop it: who asks it gets no answer."""
        self._server.stop()

    def log(self) -> str:
        """The end of what it wrote."""
        return tail(self._server.text())


def read_text(path: Path) -> str:
    """A log as text, whatever bytes it has; empty while there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def tail(text: str, lines: int = 60) -> str:
    """The last lines of a log, for a failure's message."""
    return "\n".join(text.splitlines()[-lines:])


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    # Nothing of the developer's own settings (PGHOST, MAIL_CONFIG ...) may reach a private server.
    common = {
        "PATH": _SYSTEM_PATH,
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "PYTHONPATH": str(REPOSITORY),
    }
    return common | dict(more or {})


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
    wait_until(lambda: not _group_exists(group), timeout=60, what=f"the process group {group} to end")


def _group_exists(group: int) -> bool:
    """Whether a process of the group is alive; one that only waits for init to reap it is not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended just now
        if int(its_group) == group and state not in "ZX":
            return True
    return False

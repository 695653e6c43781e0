"""The Tamis daemon as a subprocess: started as systemd would, watched by its process list."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tests.real.support import (
    LOOPBACK,
    REPOSITORY,
    HarnessError,
    Running,
    Server,
    free_port,
    tail,
    wait_until,
)

Role = Literal["supervisor", "workers", "desk", "background", "web"]


class TamisDaemon(Running):
    """`tamis serve` on a configuration, a file or a nested dict written as TOML into `directory`.

    A dict needs no directories and no sockets: `state_directory`, `run_directory`,
    `milter.socket`, `desk.socket`, `desk.reinject`, `web` and `dns.servers` (dead ones) are filled in where it
    does not set them.
    """

    def __init__(
        self,
        config: Path | Mapping[str, Any],
        *,
        directory: Path,
        command: Sequence[str] = ("serve",),
        module: str = "tamis.cli",
        environment: Mapping[str, str] | None = None,
        ready_timeout: float = 60,
    ) -> None:
        self.directory = directory
        self._command = tuple(command)
        self._module = module
        self._environment = dict(environment or {})
        self._ready_timeout = ready_timeout
        self._server = Server("Tamis", directory / "tamis.log")
        self._notifications: list[str] = []
        self._notify: socket.socket | None = None
        if isinstance(config, Path):
            self.config = config
            self.settings: dict[str, Any] = {}
        else:
            self.config = directory / "tamis.toml"
            self.settings = _with_defaults(config, directory)
            self.write_settings()

    # --- what Postfix must know -------------------------------------------------------------

    @property
    def milter(self) -> str:
        """The value for Postfix's smtpd_milters."""
        return str(self.settings["milter"]["socket"])

    @property
    def desk_port(self) -> int:
        """The port of the desk."""
        return int(str(self.settings["desk"]["socket"]).rpartition(":")[2])

    @property
    def reinjection_port(self) -> int:
        """The port on which Postfix must take the desk's copies."""
        return int(str(self.settings["desk"]["reinject"]).rpartition(":")[2])

    @property
    def run_directory(self) -> Path:
        """Where the daemon keeps its process list."""
        return Path(self.settings.get("run_directory", self.directory / "run"))

    # --- the process ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon and wait for its READY=1 (sd_notify)."""
        address = self.directory / "notify"
        address.unlink(missing_ok=True)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(address))
        notify.setblocking(False)
        self._notify = notify
        self._notifications.clear()
        try:
            self._start(address)
        except BaseException:
            self.stop()
            raise

    def _start(self, address: Path) -> None:
        self._server.start(
            [sys.executable, "-m", self._module, *self._command, "--config", self.config],
            environment={"NOTIFY_SOCKET": str(address), "PYTHONUNBUFFERED": "1", **self._environment},
            directory=REPOSITORY,
        )
        self._server.await_ready(
            lambda: "READY=1" in self.notifications(), timeout=self._ready_timeout, log=self.failure_report
        )

    def stop(self) -> int | None:
        """Ask the daemon to drain and end (SIGTERM); its exit code, None if it did not run."""
        successor = self.main_pid
        if self._server.exit_code() is not None and successor is not None and _alive(successor):
            os.kill(successor, signal.SIGTERM)
            wait_until(
                lambda: not _alive(successor),
                timeout=60,
                what="the successor to end",
                detail=self.failure_report,
            )
        code = self._server.stop(timeout=60)
        if self._notify is not None:
            self._notify.close()
            self._notify = None
        return code

    def running(self) -> bool:
        """Whether the process that was started runs (not a successor of it)."""
        return self._server.running()

    @property
    def main_pid(self) -> int | None:
        """The supervisor now: as systemd knows it, from the last MAINPID= it was told."""
        told = [line.partition("=")[2] for line in self.notifications() if line.startswith("MAINPID=")]
        if told:
            return int(told[-1])
        return self._server.pid if self._server.running() else None

    def hup(self) -> None:
        """Have the daemon read its settings, policy and lists again, and wait until it says so."""
        before = self.notifications().count("READY=1")
        self.signal("supervisor", signal.SIGHUP)
        wait_until(
            lambda: self.notifications().count("READY=1") > before,
            timeout=self._ready_timeout,
            what="READY=1 after SIGHUP",
            detail=self.failure_report,
        )

    def write_settings(self, **sections: Any) -> None:
        """Write the settings file again, with some top-level keys replaced."""
        self.settings.update(sections)
        self.config.write_text(to_toml(self.settings), encoding="utf-8")

    def pids(self, role: Role) -> list[int]:
        """The processes of a role, from the list that the supervisor keeps in `run_directory`."""
        if role == "supervisor":
            return [] if self.main_pid is None else [self.main_pid]
        try:
            processes = json.loads((self.run_directory / "processes.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [int(pid) for pid in processes.get(role, [])]

    def signal(self, role: Role, number: signal.Signals) -> list[int]:
        """Send a signal to the processes of a role; which they were."""
        pids = self.pids(role)
        if not pids:
            raise HarnessError(f"no {role} to signal\n{self.failure_report()}")
        for pid in pids:
            os.kill(pid, number)
        return pids

    def kill(self, role: Role) -> list[int]:
        """End the processes of a role without warning (SIGKILL); which they were."""
        return self.signal(role, signal.SIGKILL)

    def wait_replaced(self, role: Role, killed: Sequence[int], *, timeout: float = 30) -> None:
        """Wait until as many others stand in for the killed processes of a role."""

        def replaced() -> bool:
            now = self.pids(role)
            return len(now) >= len(killed) and not set(now) & set(killed)

        wait_until(replaced, timeout=timeout, what=f"new {role}", detail=self.failure_report)

    def notifications(self) -> list[str]:
        """What the daemon has told systemd since it was started."""
        while self._notify is not None:
            try:
                datagram = self._notify.recv(4096)
            except BlockingIOError:
                break
            self._notifications += datagram.decode("utf-8").splitlines()
        return self._notifications

    def log(self) -> str:
        """Everything the daemon wrote."""
        return self._server.text()

    def failure_report(self) -> str:
        """The end of the log, for a failure's message."""
        return f"--- Tamis's log:\n{tail(self.log())}"


def _alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def to_toml(settings: Mapping[str, Any]) -> str:
    """A nested dict of strings, numbers, booleans, paths and lists as TOML."""
    return "\n".join(_toml_lines(settings, ())) + "\n"


def _toml_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"[{'.'.join(path)}]"] if path else []
    # Values first: what follows a sub-table's heading would belong to that.
    lines += [
        f"{json.dumps(key)} = {_toml_value(value)}" for key, value in table.items() if not _is_table(value)
    ]
    for key, value in table.items():
        if _is_table(value):
            lines += _toml_lines(value, (*path, json.dumps(key)))
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(k)} = {_toml_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _with_defaults(given: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    settings = dict(given)
    for name in ("state", "run"):
        settings.setdefault(f"{name}_directory", str(directory / name))
        Path(settings[f"{name}_directory"]).mkdir(parents=True, exist_ok=True)
    settings["milter"] = {"socket": f"inet:{LOOPBACK}:{free_port()}", **settings.get("milter", {})}
    settings["desk"] = {
        "socket": f"inet:{LOOPBACK}:{free_port()}",
        "reinject": f"{LOOPBACK}:{free_port()}",
        **settings.get("desk", {}),
    }
    port = free_port()
    settings["web"] = {
        "listen": f"inet:{LOOPBACK}:{port}",
        "url": f"http://{LOOPBACK}:{port}",
        "trial": True,
        **settings.get("web", {}),
    }
    # Nothing listens there, and says so at once: no test asks the machine's own resolver.
    settings["dns"] = {"servers": [f"{LOOPBACK}:9"], **settings.get("dns", {})}
    return settings

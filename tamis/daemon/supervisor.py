"""The supervisor: owns the sockets, forks the workers, the desk and the background, and replaces who dies.

It has no thread, since it forks. SIGTERM and SIGINT drain, SIGHUP reloads, SIGUSR2 starts a successor that takes the
sockets over and then ends this one.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tamis.base.errors import ConfigError, TamisError
from tamis.base.memory import bound_heaps
from tamis.base.shared_files import write_json
from tamis.chain.registry import load_filters
from tamis.daemon import roles
from tamis.installation.listener import hand_over, inherited, listen, listens_at
from tamis.installation.paths import Paths
from tamis.installation.service_manager import notify
from tamis.installation.site_loading import SiteSource
from tamis.message.domains import suffixes
from tamis.settings import SocketAddress

log = logging.getLogger(__name__)

_PREPARE_SECONDS = 30.0
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD}
_REPLACES = "TAMIS_REPLACES"
_ADDRESSES = "TAMIS_ADDRESSES"
"""Where the predecessor's sockets listen, by name; one that systemd handed over is taken as it is."""
_STOPPED = -1000  # no exit status: told to stop while preparing
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 2.0  # seconds before a child that died young is started again
_YOUNG = 2.0
_RELOAD_SECONDS = 30.0  # after which a reload is called done although a child has not taken it up
_GRACE = 5.0  # seconds beyond the drain before a child that does not leave is killed


@dataclass(slots=True)
class WorkerPlace:
    """One child's place: which role, who fills it now, and when it may be filled again."""

    role: str
    pid: int = 0
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    not_before: float = 0.0
    ready: bool = False
    reloading: bool = False
    pipe: int = -1
    """On it the child writes an octet when it is ready, and another each time it has taken up a reload."""


class Supervisor:
    """One installation's processes. `run` returns the exit status."""

    def __init__(
        self,
        config: Path | None,
        *,
        arguments: Sequence[str],
        roles_served: Collection[str] = tuple(roles.ROLES),
    ) -> None:
        self._config = config
        self._arguments = arguments
        self._roles_served = roles_served
        self._filters = load_filters()
        self._source = SiteSource(config, self._filters)
        self._site = self._source.read(first=True)
        self._sockets: dict[str, socket.socket] = {}
        self._addresses: dict[str, str] = {}
        self._places: list[WorkerPlace] = []
        self._successor = 0
        self._told = False
        self._reloading_until = 0.0
        self._reload_again = False

    def run(self) -> int:
        """Start everything, serve until told to stop, and drain. Raises TamisError when the start fails."""
        bound_heaps()
        # USR1 is for children only, but they must be born with it blocked until their handler stands
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS | {signal.SIGUSR1})
        settings = self._site.settings
        for folder in (settings.state_directory, settings.run_directory):
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._listen()
        if not self._prepare():
            return os.EX_OK
        self._site = self._source.read()
        suffixes()  # read once for all workers
        roles.load_code(self._roles_served)
        gc.unfreeze()  # a command's code was loaded without a look for cycles
        gc.collect()
        gc.freeze()  # what exists now stays shared with the children
        self._places = [
            WorkerPlace(role)
            for role in self._roles_served
            for _ in range(settings.milter.workers if role == "workers" else 1)
        ]
        while True:
            self._fill()
            number = self._next_signal()
            if number in (signal.SIGTERM, signal.SIGINT):
                break
            if number == signal.SIGHUP:
                self._reload()
            elif number == signal.SIGUSR2:
                self._replace()
        self._stop()
        return os.EX_OK

    def _listen(self) -> None:
        settings = self._site.settings
        handed = inherited()
        wanted = {
            "milter": (
                settings.milter.socket,
                int(settings.milter.socket_mode, 8),
                settings.milter.socket_group,
            ),
            "desk": (settings.desk.socket, 0o660, settings.milter.socket_group),
            "web": (settings.web.listen, 0o660, settings.web.socket_group),
        }
        needed = {roles.SOCKET_OF[role] for role in self._roles_served if role in roles.SOCKET_OF}
        before = json.loads(os.environ.pop(_ADDRESSES, "{}"))
        for name, (address, mode, group) in wanted.items():
            sock = handed.pop(name, None)
            if sock is not None and not _serves(sock, address, before.get(name)):
                if name in needed and name not in before:
                    log.warning("%s.socket is %s: systemd's socket there is left unused", name, address)
                sock.close()
                sock = None
            if name not in needed and sock is not None:
                sock.close()
            if name not in needed:
                continue
            self._addresses[name] = address
            self._sockets[name] = sock or listen(SocketAddress.parse(address), mode=mode, group=group)
            self._sockets[name].setblocking(False)

    def _prepare(self) -> bool:
        """Bring the store up to date and write the first snapshot, in a child, so that nothing is connected here.

        Without a store and without an earlier snapshot nothing may start: lists would be missing. So it is tried
        until it works, or until the supervisor is told to stop (False).
        """
        pause = _FIRST_PAUSE
        while True:
            pid = os.fork()
            if pid == 0:
                self._child(lambda: roles.prepare(self._site))
            code = self._wait_prepared(pid)
            if code == _STOPPED:
                return False
            if code == os.EX_OK:
                return True
            if code == os.EX_CONFIG:
                raise ConfigError("settings", "store", "can't be used as it is; see the message above")
            if self._source.has_snapshot():
                log.error("the store can't be had: starting with the last snapshot of policy and lists")
                return True
            log.error("the store is unavailable and there is no snapshot: trying again in %.1f s", pause)
            number = signal.sigtimedwait(_SIGNALS - {signal.SIGCHLD}, pause)
            if number is not None and number.si_signo in (signal.SIGTERM, signal.SIGINT):
                return False
            pause = min(2 * pause, _LAST_PAUSE)

    @staticmethod
    def _wait_prepared(pid: int) -> int:
        """The exit status of the preparing child; it is killed when it hangs, or when we are told to stop."""
        until = time.monotonic() + _PREPARE_SECONDS
        stopped = False
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return _STOPPED if stopped else os.waitstatus_to_exitcode(status)
            got = signal.sigtimedwait(_SIGNALS, max(0.0, min(1.0, until - time.monotonic())))
            stopped = stopped or (got is not None and got.si_signo in (signal.SIGTERM, signal.SIGINT))
            if stopped or time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)

    def _fill(self) -> None:
        """Start a child in each empty place whose pause is over."""
        changed = False
        for place in self._places:
            if not place.pid and time.monotonic() >= place.not_before:
                self._start(place)
                changed = True
        if changed:
            self._write_processes()

    def _start(self, place: WorkerPlace) -> None:
        self._site = self._source.fresh(self._site) or self._site  # a child begins with what is in force now
        reader, writer = os.pipe2(os.O_CLOEXEC)
        own_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            for name, sock in self._sockets.items():
                if name != roles.SOCKET_OF.get(place.role):
                    sock.close()

            def ready() -> None:
                with suppress(BrokenPipeError):  # the supervisor is gone: the child sees that by itself
                    os.write(writer, b"1")

            parent = roles.Parent(own_pid, ready)
            self._child(lambda: roles.ROLES[place.role](self._site, self._source, self._sockets, parent))
        os.close(writer)
        place.pid, place.started, place.pipe = pid, time.monotonic(), reader
        place.ready = place.reloading = False

    def _child(self, work: Callable[[], None]) -> NoReturn:
        """In a fresh child: the role's work, and never back into the supervisor's code."""
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(
            signal.SIG_UNBLOCK, _SIGNALS - {signal.SIGUSR2}
        )  # roles unblock it when they listen
        code = os.EX_OK
        try:
            work()
        except TamisError as error:
            log.error("%s", error)
            code = roles.exit_code(error)
        except KeyboardInterrupt:
            code = os.EX_OK
        except BaseException:
            log.exception("a process of the daemon failed")
            code = os.EX_SOFTWARE
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _next_signal(self) -> int:
        """Wait for a signal or for something to do; deaths and readiness are dealt with here."""
        waiting = [p for p in self._places if p.pid and (p.reloading or not p.ready)]
        pauses = [p.not_before - time.monotonic() for p in self._places if not p.pid]
        timeout = 0.02 if waiting else max(0.0, min(pauses, default=60.0))
        got = signal.sigtimedwait(_SIGNALS, timeout)
        self._see_ready()
        if got is None or got.si_signo == signal.SIGCHLD:
            self._bury()
            return 0
        return int(got.si_signo)

    def _see_ready(self) -> None:
        for place in self._places:
            if place.pid and place.pipe >= 0 and (place.reloading or not place.ready):
                readable, _, _ = select.select([place.pipe], [], [], 0)
                if readable and os.read(place.pipe, 1) == b"1":
                    place.reloading = place.reloading and not place.ready
                    place.ready = True
        self._see_reloaded()
        if not self._told and self._places and all(p.ready for p in self._places):
            self._told = True
            log.info("ready: %s on %s", ", ".join(self._roles()), self._site.settings.milter.socket)
            notify("READY=1", f"MAINPID={os.getpid()}")
            predecessor = int(os.environ.pop(_REPLACES, "0"))
            if predecessor > 1 and os.getppid() == predecessor:
                os.kill(predecessor, signal.SIGTERM)
            self._write_processes()

    def _bury(self) -> None:
        """Take note of the children that died, and plan their replacement."""
        for pid, code in _dead():
            self._forget(pid)
            if pid == self._successor:
                log.error("the successor left with status %d; this one goes on", code)
                self._successor = 0
            for place in self._places:
                if place.pid != pid:
                    continue
                if place.pipe >= 0:
                    os.close(place.pipe)
                lived = time.monotonic() - place.started
                place.pause = min(2 * place.pause, _LAST_PAUSE) if lived < _YOUNG else _FIRST_PAUSE
                place.not_before = time.monotonic() + place.pause
                place.pid, place.pipe, place.reloading = 0, -1, False
                log.error("%s %d died with status %d, replaced in %.1f s", place.role, pid, code, place.pause)

    def _forget(self, pid: int) -> None:
        """What a dead process said of itself."""
        paths = Paths(self._site.settings)
        for folder in (paths.parts, paths.listeners):
            (folder / f"{pid}.json").unlink(missing_ok=True)

    def _reload(self) -> None:
        """Check the settings here, then let every child take them up; a mistake changes nothing anywhere."""
        if self._reloading_until:  # a child would take two requests for one
            self._reload_again = True
            return
        notify("RELOADING=1")
        fresh = self._source.fresh(self._site, force=True)
        if fresh is not None:
            fixed = ("socket", "workers")
            if any(
                getattr(fresh.settings.milter, k) != getattr(self._site.settings.milter, k) for k in fixed
            ):
                log.warning("milter.socket and milter.workers take effect at a restart")
            self._site = fresh
            for place in self._places:
                if place.pid:
                    place.reloading = True
                    os.kill(place.pid, signal.SIGUSR2)
            log.info("reloading")
        self._reloading_until = time.monotonic() + _RELOAD_SECONDS
        self._see_reloaded()

    def _see_reloaded(self) -> None:
        """Say that a reload is done when every child has taken it up: no message meets the old settings then."""
        late = [place for place in self._places if place.reloading]
        if not self._reloading_until or (late and time.monotonic() < self._reloading_until):
            return
        for place in late:
            log.warning("%s %d has not taken up the reload yet", place.role, place.pid)
            place.reloading = False
        self._reloading_until = 0.0
        notify("READY=1")
        if self._reload_again:
            self._reload_again = False
            self._reload()

    def _replace(self) -> None:
        """Start a successor with our sockets; when it is ready it tells us to stop."""
        if self._successor:
            log.warning("a successor is being started already")
            return
        environment = dict(os.environ) | {
            _REPLACES: str(os.getpid()),
            _ADDRESSES: json.dumps(self._addresses),
        }
        pid = os.fork()
        if pid == 0:
            hand_over(self._sockets, environment)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS | {signal.SIGUSR1})
            command = [sys.executable, "-m", "tamis.cli", *self._arguments]
            try:
                os.execve(command[0], command, environment)  # noqa: S606 - our own interpreter and arguments
            finally:
                os._exit(os.EX_OSERR)
        self._successor = pid
        log.info("successor %d is starting", pid)

    def _stop(self) -> None:
        """Drain the workers, then end the desk and the background, then leave."""
        notify("STOPPING=1")
        for sock in self._sockets.values():
            sock.close()
        drain = self._site.settings.milter.drain
        self._end([p for p in self._places if p.role == "workers"], signal.SIGUSR1, drain + _GRACE)
        self._end([p for p in self._places if p.role != "workers"], signal.SIGTERM, drain + _GRACE)
        if not self._successor:
            Paths(self._site.settings).processes.unlink(missing_ok=True)
        log.info("stopped")

    def _end(self, places: list[WorkerPlace], number: int, seconds: float) -> None:
        for place in places:
            if place.pid:
                os.kill(place.pid, number)
        until = time.monotonic() + seconds
        while any(p.pid for p in places):
            signal.sigtimedwait({signal.SIGCHLD}, max(0.01, min(1.0, until - time.monotonic())))
            gone = {pid for pid, _ in _dead()}
            for pid in gone:
                self._forget(pid)
            for place in self._places:
                if place.pid in gone:
                    place.pid = 0
                elif place in places and place.pid and time.monotonic() > until:
                    log.error("%s %d did not leave in time: killed", place.role, place.pid)
                    os.kill(place.pid, signal.SIGKILL)

    def _roles(self) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place in self._places:
            if place.pid:
                found.setdefault(place.role, []).append(place.pid)
        return found

    def _write_processes(self) -> None:
        try:
            write_json(Paths(self._site.settings).processes, {"supervisor": os.getpid(), **self._roles()})
        except OSError as error:
            log.warning("the process list can't be written: %s", error)


def _serves(sock: socket.socket, address: str, before: str | None) -> bool:
    """Whether a socket that was handed over listens where the settings say: by the predecessor's word, else its own."""
    return before == address if before is not None else listens_at(sock, SocketAddress.parse(address))


def _dead() -> Iterator[tuple[int, int]]:
    """(pid, exit status; negative for a signal) of every child that has died."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)

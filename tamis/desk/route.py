"""The proof that Postfix's way to the desk works, without which no recipient is rewritten.

A missing transport line would make Postfix bounce `.tamis.invalid`. So a signed probe goes through the
re-injection listener and has to come back to the desk; the proof holds for a few seconds only, and not at
all once Postfix's configuration was touched after it. A redirected copy that reaches the desk prolongs it: where many
wait in Postfix's queue, a probe would wait behind them. The proof belongs to the Postfix through which the probe went:
another one, whose own transport line may be missing, is refused.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from email.utils import formatdate, make_msgid
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tamis.base.errors import ReinjectError, RouteError
from tamis.base.shared_files import read_json, write_json
from tamis.desk.redirection import Redirection, RedirectionSigner, new_transaction
from tamis.desk.reinjection import Reinjector
from tamis.message.header_editing import fields_of, split_header
from tamis.services.postfix.listeners import foreign_ports
from tamis.settings import Settings

log = logging.getLogger(__name__)

PROBE_RECIPIENT = "probe@localhost"

_POLL_SECONDS = 0.01
_FIRST_PAUSE, _LAST_PAUSE = 0.5, 5.0  # seconds between probes that fail
_SEEN_EVERY = 0.5  # seconds; copies in between are not noted
_POSTCONF_PAUSE = 10.0  # seconds after a postconf that failed, which took one: it sleeps before it gives up


class Proven(NamedTuple):
    """When the latest probe that came back was sent (Unix seconds, 0 when none did), and through which Postfix."""

    sent_at: float = 0.0
    host: str = ""
    seen_at: float = 0.0
    """When the desk last had a copy from that Postfix, Unix seconds."""


class Proof:
    """The file in which the desk notes that a probe came back; every worker reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, sent_at: float, host: str) -> None:
        """A probe that was sent at this time has come back through the Postfix of that name. Raises OSError."""
        known = self.read().sent_at
        if sent_at > known or known > time.time():  # one from the future: the clock was set back
            self._write(Proven(sent_at, host))

    def prolong(self, host: str) -> None:
        """A redirected copy has come through the Postfix of that name. Raises OSError."""
        known, now = self.read(), time.time()
        if (
            known.sent_at
            and host.lower() == known.host.lower()
            and not 0 <= now - known.seen_at < _SEEN_EVERY
        ):
            self._write(known._replace(seen_at=now))

    def _write(self, proven: Proven) -> None:
        write_json(self._path, proven._asdict())

    def read(self) -> Proven:
        """What is proven."""
        data = read_json(self._path)
        if not isinstance(data, dict) or "sent_at" not in data:
            return Proven()
        return Proven(float(data["sent_at"]), str(data.get("host", "")), float(data.get("seen_at", 0.0)))

    def try_to_write(self) -> None:
        """Raises OSError where nothing can be noted: a full disk, or no right to write."""
        trial = self._path.with_name(f".{self._path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            trial.write_bytes(b"x" * 512)
        finally:
            trial.unlink(missing_ok=True)


class Route:
    """One process's view of the route. `ensure` is called before any recipient is rewritten."""

    def __init__(
        self, settings: Settings, signer: RedirectionSigner, reinjector: Reinjector, proof: Proof
    ) -> None:
        self._settings = settings
        self._signer = signer
        self._reinjector = reinjector
        self._proof = proof
        self._lock = threading.Lock()
        self._pause = _FIRST_PAUSE
        self._not_before = 0.0
        self._reason = ""
        self._foreign = _foreign(settings.postfix.config_directory)

    def ensure(self, pulse: Callable[[], None] = lambda: None, host: str = "", port: str = "") -> None:
        """Return when the route is proven. Raises RouteError, with what to mend, when it is not.

        `host` is the name (myhostname) of the Postfix that asks, `port` that of its listener; "" leaves them open. One
        thread sends the probe, others wait for it; after a failure the answer is the same for a short while, so that a
        flood of mail does not wait message by message.
        """
        if not self.is_proven():
            self._prove_once(pulse)
        proven = self._proof.read().host
        if host and proven and host.lower() != proven.lower():
            raise RouteError(
                f"the route is proven for the Postfix {proven}, not for {host}: give {host} a Tamis of its own, or let "
                "it hand its mail to the other one"
            )
        if port and port in self._foreign.ports():
            raise RouteError(
                f"port {port} belongs to another instance of Postfix (multi_instance_directories), for which the route "
                "is not proven: give it a Tamis of its own, or let it hand its mail to the one whose desk this is"
            )

    def _prove_once(self, pulse: Callable[[], None]) -> None:
        with self._lock:
            if self.is_proven():
                return
            if time.monotonic() < self._not_before:
                raise RouteError(self._reason)
            try:
                self._prove(pulse)
            except RouteError as error:
                self._reason = str(error)
                self._not_before = time.monotonic() + self._pause
                self._pause = min(2 * self._pause, _LAST_PAUSE)
                log.error("route to the desk is not proven: %s", error)
                raise
            if self._reason:
                log.warning("route to the desk is proven again")
            self._reason, self._pause, self._not_before = "", _FIRST_PAUSE, 0.0

    def is_proven(self) -> bool:
        """Whether a probe came back that was sent after Postfix's configuration was last touched, and this probe or a
        later copy is recent."""
        now, proven = time.time(), self._proof.read()
        touched = last_touched(self._settings.postfix.config_directory)
        # while an edit is recent a reload may still follow it, so the proof must be nearly of this moment
        holds = min(self._settings.desk.proof_seconds, max(0.1, (now - touched) / 20))
        return touched < proven.sent_at and any(
            0 <= now - one < holds for one in (proven.sent_at, proven.seen_at)
        )

    def _prove(self, pulse: Callable[[], None]) -> None:
        desk = self._settings.desk
        sent = time.time()
        try:
            self._proof.try_to_write()
        except OSError as error:
            raise RouteError(f"the proof of the route can't be noted: {error}") from None
        try:
            self._reinjector.send("", (), [(self.probe_address(sent), ())], _probe_message(sent))
        except ReinjectError as error:
            raise RouteError(
                f"Postfix's listener without milter at {desk.reinject} (master.cf) does not take mail: {error}"
            ) from None
        until = time.monotonic() + desk.proof_wait
        waiting = threading.Event()
        next_pulse = time.monotonic() + 1.0
        while not (sent <= self._proof.read().sent_at <= time.time() or self.is_proven()):
            if time.monotonic() >= until:
                raise RouteError(
                    f"a probe to .tamis.invalid did not reach the desk at {desk.socket} within {desk.proof_wait:g} s: "
                    "the transport_maps line (main.cf) or the transport tamis (master.cf) is missing or wrong"
                )
            waiting.wait(_POLL_SECONDS)
            if time.monotonic() >= next_pulse:
                next_pulse += 1.0
                pulse()

    def probe_address(self, sent: float) -> str:
        """A signed address for a probe sent at this time (Unix seconds)."""
        local, _, domain = PROBE_RECIPIENT.partition("@")
        return self._signer.address(Redirection(f"{local}+{sent!r}@{domain}", new_transaction(), "probe"))


class ForeignPorts:
    """Where other instances of this Postfix take mail, who may have its name; asked for anew when main.cf changes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._touched = -1.0
        self._not_before = 0.0
        self._ports = frozenset[str]()
        self._lock = threading.Lock()

    def ports(self) -> frozenset[str]:
        """Those of the last time that postconf could tell; none until then."""
        with self._lock:
            touched = last_touched(self._directory)
            if touched != self._touched and time.monotonic() >= self._not_before:
                try:
                    self._ports = foreign_ports(self._directory)
                    self._touched = touched
                except (OSError, subprocess.SubprocessError) as error:
                    self._not_before = time.monotonic() + _POSTCONF_PAUSE
                    log.warning("postconf failed, other instances of Postfix are not told apart: %s", error)
            return self._ports


@cache
def _foreign(directory: Path) -> ForeignPorts:
    """One for all routes of a process: each reload makes a new route."""
    return ForeignPorts(directory)


def probe_sent_at(redirection: Redirection) -> float:
    """When the probe was sent that this redirection is of; 0 when it is no probe of ours."""
    found = re.fullmatch(r"probe\+([0-9.]+)@localhost", redirection.recipient)
    return float(found[1]) if found and redirection.outcome == "probe" else 0.0


def received_by(content: bytes) -> str:
    """The name of the server that took a message last: of its topmost Received field (RFC 5321 4.4); "" if unknown."""
    fields = fields_of(split_header(content)[0])
    top = next((field for name, field in fields if name == "received"), b"")
    found = re.search(rb"\sby\s+([^\s;()]+)", top)
    return found[1].decode("ascii", "replace") if found else ""


def last_touched(config_directory: Path) -> float:
    """When Postfix's main.cf, master.cf or a transport table last changed (Unix seconds); 0 when unreadable."""
    main = config_directory / "main.cf"
    newest = 0.0
    for path in (main, config_directory / "master.cf", *_tables(main)):
        try:
            stat = path.stat()
        except OSError:
            continue
        newest = max(newest, stat.st_mtime, stat.st_ctime)
    return newest


_tables_read: dict[Path, tuple[float, tuple[Path, ...]]] = {}


def _tables(main: Path) -> tuple[Path, ...]:
    """Files that main.cf's transport_maps name, with their compiled forms; read again when main.cf changes."""
    try:
        changed = main.stat().st_mtime
        known = _tables_read.get(main)
        if known and known[0] == changed:
            return known[1]
        text = main.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    values = re.findall(r"^transport_maps\s*=((?:.*\n?)(?:^[ \t].*\n?)*)", text, re.MULTILINE)
    names = re.findall(r"[a-z]+:(/[^\s,{}]+)", " ".join(values))
    paths = tuple(Path(name + ending) for name in names for ending in ("", ".db", ".lmdb", ".cdb"))
    _tables_read[main] = (changed, paths)
    return paths


def _probe_message(sent: float) -> bytes:
    return (
        "From: Tamis <probe@localhost>\r\nTo: probe@localhost\r\nSubject: Tamis route probe\r\n"
        f"Date: {formatdate(sent)}\r\nMessage-ID: {make_msgid(domain='localhost')}\r\n"
        "Auto-Submitted: auto-generated\r\n\r\nA probe of the route from Postfix to the Tamis desk.\r\n"
    ).encode("ascii")

"""The mailbox with abuse reports (ARF, RFC 5965), read over IMAP (RFC 9051) and counted for S15.

Each message is counted exactly once: the store takes its UID in the transaction that counts it (RFC 9051 2.3.1.1: with
UIDVALIDITY it never names another message), and only then it is moved away. What a crash or a broken connection left
in the folder is met again, known, and moved.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.base.daemon_threads import begun
from tamis.base.errors import ConfigError, ServiceError, TamisError
from tamis.contract.state_keys import client_key
from tamis.message.abuse_report import reported_client
from tamis.message.mail import Mail
from tamis.settings import AbuseMailboxSettings, Platform, Settings

if TYPE_CHECKING:
    from imapclient import IMAPClient

    from tamis.database.complaints import Complaints

log = logging.getLogger(__name__)

_MOST = 500
_BATCH = 20
_MAX_OCTETS = 1024 * 1024
"""Octets of one message that are fetched: the report is its second part, what was complained about the last."""
_MAX_PASSWORD = 4096
_SECONDS = 300.0
"""How long one reading may take; what is left then waits for the next."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one reading: messages that named a client, other ones, and how many wait for the next reading."""

    reports: int = 0
    others: int = 0
    left: int = 0


class AbuseMailbox:
    """The mailbox of the background process. `step` is called again and again and never waits for the network."""

    def __init__(self) -> None:
        self._reading: Future[Fetched] | None = None
        self._due = 0.0
        self._trouble = ""

    def step(self, settings: Settings, complaints: Complaints) -> None:
        """Read when it is time; trouble is told once and tried again at the next turn."""
        if self._reading is not None:
            if not self._reading.done():
                return
            done, self._reading = self._reading, None
            try:
                fetched = done.result()
            except TamisError as error:
                if str(error) != self._trouble:
                    log.error("the abuse mailbox is not read: %s", error)
                self._trouble = str(error)
                return
            self._trouble = ""
            if fetched.reports or fetched.others:
                log.info("abuse mailbox: %d reports, %d other messages", fetched.reports, fetched.others)
            if fetched.left:
                self._due = 0.0
        elif settings.abuse_mailbox.host and time.monotonic() >= self._due:
            self._due = time.monotonic() + settings.abuse_mailbox.every
            # a stop at any moment doubles nothing
            self._reading = begun("abuse-mailbox", partial(fetch, settings, complaints))


def fetch(settings: Settings, complaints: Complaints) -> Fetched:
    """Count the reports that wait, and move every message away.

    Raises ConfigError when the password's file is no good, ServiceError when the server gives no answer, StoreError.
    """
    box = settings.abuse_mailbox
    until = time.monotonic() + _SECONDS
    with _Opened(box) as opened:
        waiting = opened.waiting()
        reports = others = taken = 0
        for start in range(0, min(len(waiting), _MOST), _BATCH):
            if time.monotonic() > until:
                break
            some = waiting[start : min(start + _BATCH, _MOST)]
            clients = {
                opened.name(uid): _client(octets, settings.platform) for uid, octets in opened.read(some)
            }
            counted = complaints.report_once(clients)
            reports += sum(1 for name in counted if clients[name])
            others += sum(1 for name in counted if not clients[name])
            opened.file(some)
            taken += len(some)
        return Fetched(reports, others, len(waiting) - taken)


def waiting_in(box: AbuseMailboxSettings) -> int:
    """How many messages wait. Raises ConfigError and ServiceError."""
    with _Opened(box) as opened:
        return len(opened.waiting())


def _client(octets: bytes, platform: Platform) -> str:
    """The client that a report names; "" for any other message, and for our own networks."""
    ip = reported_client(Mail(octets, complete=len(octets) < _MAX_OCTETS))
    return "" if ip is None or platform.is_own_network(ip) else client_key(ip)


class _Opened:
    """A connection that is logged in, with the folder selected."""

    def __init__(self, box: AbuseMailboxSettings) -> None:
        self._box = box
        self._validity = 0
        self._client: IMAPClient

    def __enter__(self) -> _Opened:
        from imapclient import IMAPClient  # noqa: PLC0415 # few installations have such a mailbox

        box, password = self._box, _password(self._box.password_file)
        with _translated(box):
            context = ssl.create_default_context(cafile=str(box.ca_file) if box.ca_file else None)
            self._client = IMAPClient(
                box.host,
                port=box.port,
                ssl=box.security == "tls",
                ssl_context=context if box.security == "tls" else None,
                timeout=box.seconds,
            )
            try:
                if box.security == "starttls":
                    self._client.starttls(ssl_context=context)
                self._client.login(box.user, password)
                if not self._client.folder_exists(box.handled):
                    self._client.create_folder(box.handled)
                self._validity = int(self._client.select_folder(box.folder)[b"UIDVALIDITY"])
            except BaseException:
                self._close()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def waiting(self) -> list[int]:
        """The UIDs of the folder's messages, oldest first."""
        with _translated(self._box):
            return sorted(int(uid) for uid in self._client.search(["NOT", "DELETED"]))

    def read(self, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        """The first octets of messages; nothing is marked as read. Those that are gone meanwhile are left out."""
        part = f"BODY.PEEK[]<0.{_MAX_OCTETS}>"
        found: list[tuple[int, bytes]] = []
        for uid in uids:  # one by one, so that memory is bounded
            with _translated(self._box):
                told: dict[bytes, Any] = self._client.fetch([uid], [part]).get(uid, {})
            octets = next((v for k, v in told.items() if k.startswith(b"BODY[]")), None)
            if octets is not None:
                found.append((uid, bytes(octets)))
        return found

    def file(self, uids: Sequence[int]) -> None:
        """Move messages into the folder of handled ones (RFC 6851, or by copying)."""
        with _translated(self._box):
            if self._client.has_capability("MOVE"):
                self._client.move(uids, self._box.handled)
            else:
                self._client.copy(uids, self._box.handled)
                self._client.delete_messages(uids, silent=True)
                self._client.expunge(uids if self._client.has_capability("UIDPLUS") else None)

    def name(self, uid: int) -> str:
        """What names a message of this folder for ever."""
        box = self._box
        told = f"{box.user}\0{box.host}\0{box.port}\0{box.folder}\0{self._validity}\0{uid}"
        return hashlib.sha256(told.encode()).hexdigest()[:40]

    def _close(self) -> None:
        with suppress(Exception):  # the work is done or has failed; the connection may be gone
            self._client.logout()
        with suppress(Exception):
            self._client.shutdown()


@contextmanager
def _translated(box: AbuseMailboxSettings) -> Iterator[None]:
    """What IMAP, TLS and the network raise, as ServiceError in one line."""
    try:
        yield
    except Exception as error:  # a server may answer anything, and the library raises what it stumbled over
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise ServiceError(f"abuse mailbox {box.user} on {box.host}: {told}") from error


def _password(path: str | Path) -> str:
    """The first line of the password's file."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            password = file.read(_MAX_PASSWORD).partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("settings", "abuse_mailbox.password_file", f"can't be read: {error}") from None
    if not password:
        raise ConfigError("settings", "abuse_mailbox.password_file", "is empty", value=str(path))
    return password

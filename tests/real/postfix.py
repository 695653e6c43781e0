"""A private Postfix on loopback ports, configured with the lines of deploy/postfix as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.real import postfix_config
from tests.real.smtp import Client, Envelope, Sent, send, send_many
from tests.real.support import (
    PrivateServer,
    find_program,
    free_port,
    own,
    read_line,
    read_text,
    run,
    tail,
    wait_until,
)

DOMAINS = ("example.com", "example.org")
LOCAL_PARTS = ("inbox", "tag", "junk", "quarantine", "alice", "bob", "carol", "dave")

# What virtual(8) writes above the message it was given.
_DELIVERY_HEADERS = re.compile(rb"\A(?:(?:Return-Path|X-Original-To|Delivered-To): [^\n]*\n)+")

_SKIPPED = "skipped, still being delivered"


class PrivatePostfix(PrivateServer):
    """A Postfix of its own: configuration, queue, data, log and mailboxes in one directory.

    Mail for `mailboxes` ends in Maildirs (or goes to `mailbox_transport`, such as
    "lmtp:inet:127.0.0.1:2424"); mail for any other domain ends in the Maildir of the outside
    world, where bounces become visible. Without `milter` ("inet:127.0.0.1:8895",
    "unix:/path") mail passes unfiltered. The desk is at `desk` ("unix:tamis/desk") or `desk_port`; with `chroot` the
    inbound listener runs in one, as Debian's does.
    """

    def __init__(
        self,
        *,
        milter: str | None = None,
        desk_port: int | None = None,
        desk: str = "",
        chroot: bool = False,
        reinjection_port: int | None = None,
        domains: Sequence[str] = DOMAINS,
        mailboxes: Iterable[str] | None = None,
        aliases: Mapping[str, str] | None = None,
        mailbox_transport: str | None = None,
        main: Mapping[str, str] | None = None,
        master: str = "",
    ) -> None:
        super().__init__("Postfix", "postfix")
        self.port = free_port()
        self.reinjection_port = reinjection_port or free_port()
        self.desk_port = desk_port or free_port()
        self._desk = desk or f"[127.0.0.1]:{self.desk_port}"
        self._chroot = chroot
        self.config_directory = self.directory / "config"
        self._milter = milter
        self._domains = tuple(domains)
        if mailboxes is None:
            mailboxes = (f"{local}@{domain}" for domain in domains for local in LOCAL_PARTS)
        self._mailboxes = list(mailboxes)
        self._aliases = dict(aliases or {})
        self._mailbox_transport = mailbox_transport
        self._settings = dict(main or {})
        self._master_extra = master

    # --- the server -------------------------------------------------------------------------

    def start(self) -> None:
        """Start (again) and wait for both listeners' banners; the queue is as it was."""
        self._settle()
        self._command("postfix", "check")
        master = Path(self._value("daemon_directory")) / "master"
        # -d: stay in the foreground, in the process group that stop() ends.
        self._server.start([master, "-c", self.config_directory, "-d"])
        self._server.await_ready(self._greets, timeout=30, log=self.failure_report)

    def reload(self) -> None:
        """Make the running server read its configuration again, and wait until it did."""
        self._settle()
        seen = self.log().count("reload -- version")
        self._command("postfix", "reload")
        wait_until(
            lambda: self.log().count("reload -- version") > seen and self._greets(),
            timeout=60,
            what="Postfix to reload",
            detail=self.failure_report,
        )

    def postconf(self, **changes: str | None) -> None:
        """Set parameters of main.cf (None takes one away); reload() makes them count."""
        for name, value in changes.items():
            if value is None:
                self._command("postconf", "-X", name)
            else:
                self._command("postconf", "-e", f"{name} = {value}")

    def parameter(self, name: str) -> str:
        """The value of a parameter of main.cf as it is written now."""
        return self._value(name)

    def set_mailboxes(self, mailboxes: Iterable[str]) -> None:
        """Host these mailboxes instead; reload() makes it count."""
        self._mailboxes = list(mailboxes)
        self._write_maps()

    # --- the mail ---------------------------------------------------------------------------

    def send(
        self,
        message: bytes,
        *,
        to: str | Sequence[str],
        sender: str = "sender@example.net",
        client: Client | None = None,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
        attempts: int = 1,
    ) -> Sent:
        """Send one message to the inbound listener."""
        return send(
            self.port,
            message,
            sender=sender,
            to=to,
            client=client,
            mail_options=mail_options,
            rcpt_options=rcpt_options,
            attempts=attempts,
        )

    def send_many(
        self,
        envelopes: Iterable[Envelope],
        *,
        sessions: int = 20,
        attempts: int = 5,
        retry_delay: float = 0.5,
    ) -> list[Sent]:
        """Send many messages to the inbound listener, over parallel connections."""
        return send_many(self.port, envelopes, sessions=sessions, attempts=attempts, retry_delay=retry_delay)

    def maildir(self, address: str) -> list[bytes]:
        """The messages in a mailbox, oldest first, with the headers that delivery put on top."""
        local, _, domain = address.lower().rpartition("@")
        return _read_maildir(self.directory / "mail" / domain / local)

    def outside(self) -> list[bytes]:
        """All mail that left for other domains (Delivered-To says for whom)."""
        return _read_maildir(self.directory / "mail" / "outside")

    def bounces(self) -> list[bytes]:
        """The reports that this Postfix sent to the outside world."""
        return [message for message in self.outside() if message.startswith(b"Return-Path: <>")]

    def mailq(self) -> list[dict[str, Any]]:
        """The queue, one entry a message, as `postqueue -j` tells it."""
        return [json.loads(line) for line in self._command("postqueue", "-j").splitlines()]

    def flush(self) -> None:
        """Try all deferred mail now."""
        self._command("postqueue", "-f")

    def wait_idle(self, timeout: float = 30) -> None:
        """Wait until the queue is empty: everything accepted was delivered."""
        self._wait(self._queue_is_empty, timeout, "Postfix's queue to empty")

    def wait_log(self, pattern: str, *, timeout: float = 30) -> re.Match[str]:
        """Wait until a line of the log matches."""
        expression = re.compile(pattern)
        self._wait(
            lambda: expression.search(self.log()) is not None, timeout, f"{pattern!r} in Postfix's log"
        )
        found = expression.search(self.log())
        assert found is not None
        return found

    def log(self) -> str:
        """Everything that this Postfix logged."""
        return read_text(self.directory / "log" / "mail.log")

    def failure_report(self) -> str:
        """What helps to understand a failure: the queue's files and the end of the logs."""
        queued = sorted(str(path.relative_to(self._queue)) for path in self._queued_files())
        return "\n".join(
            [
                f"--- {len(queued)} messages in the queue: {' '.join(queued[:10])}",
                "--- Postfix's log:",
                tail(self.log()),
                "--- master's output:",
                tail(self._server.text(), 10),
            ]
        )

    # --- inside -----------------------------------------------------------------------------

    @property
    def _queue(self) -> Path:
        return self.directory / "queue"

    def _queued_files(self) -> list[Path]:
        return [
            path
            for name in ("maildrop", "incoming", "active", "deferred")
            for path in (self._queue / name).rglob("*")
            if path.is_file()
        ]

    def _wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait for what becomes of mail, also of mail that the queue manager would leave for a minute.

        One that starts while a delivery agent still holds a message (after a reload) skips it for sixty seconds,
        whatever the settings say; flushed, it is looked at again.
        """
        skipped = 0

        def holds() -> bool:
            nonlocal skipped
            if condition():
                return True
            if (now := self.log().count(_SKIPPED)) > skipped:
                skipped = now
                self.flush()
            return False

        wait_until(holds, timeout=timeout, what=what, detail=self.failure_report)

    def _queue_is_empty(self) -> bool:
        # twice: while the folders are looked at, a message may leave by the desk and come back as another
        return not self._queued_files() and not self._queued_files()

    def _greets(self) -> bool:
        return all(read_line(port).startswith(b"220 ") for port in (self.port, self.reinjection_port))

    def prepare(self) -> None:
        """Write the configuration, and make the queue."""
        for name in ("config", "queue", "data", "log", "mail"):
            (self.directory / name).mkdir()
        (self._queue / "pid").mkdir()
        for name, (group, mode) in postfix_config.QUEUE_DIRECTORIES.items():
            (self._queue / name).mkdir()
            own(self._queue / name, "postfix", group)
            (self._queue / name).chmod(mode)
        own(self.directory / "data", "postfix")
        own(self.directory / "mail", "nobody")
        main = postfix_config.main_cf(
            self.directory,
            domains=self._domains,
            milter=self._milter,
            desk=self._desk,
            mailbox_transport=self._mailbox_transport,
            settings=self._settings,
        )
        master = postfix_config.master_cf(
            port=self.port,
            reinjection_port=self.reinjection_port,
            extra=self._master_extra,
            chroot=self._chroot,
        )
        (self.config_directory / "main.cf").write_text(main, encoding="utf-8")
        (self.config_directory / "master.cf").write_text(master, encoding="utf-8")
        dynamic_maps = Path("/etc/postfix/dynamicmaps.cf")  # where Debian lists postfix-pcre
        if dynamic_maps.exists():
            shutil.copy(dynamic_maps, self.config_directory)
        self._write_maps()

    def _write_maps(self) -> None:
        mailboxes = []
        for address in self._mailboxes:
            local, _, domain = address.lower().rpartition("@")
            mailboxes.append(f"{address} {domain}/{local}/\n")
        (self.config_directory / "mailboxes").write_text("".join(mailboxes), encoding="utf-8")
        aliases = "".join(f"{alias} {targets}\n" for alias, targets in self._aliases.items())
        (self.config_directory / "aliases").write_text(aliases, encoding="utf-8")

    def _settle(self) -> None:
        """Date the files a minute back: Postfix waits two seconds for one that was just written."""
        then = time.time() - 60
        for path in self.config_directory.iterdir():
            os.utime(path, (then, then))

    def _command(self, program: str, *arguments: str) -> str:
        return run([find_program(program), "-c", self.config_directory, *arguments])

    def _value(self, name: str) -> str:
        return self._command("postconf", "-h", name).rstrip("\n")


def undelivered(message: bytes) -> bytes:
    """A message from a Maildir without the headers that the final delivery put on top."""
    return _DELIVERY_HEADERS.sub(b"", message)


def body(message: bytes) -> bytes:
    """The part of a message after its header."""
    return message.partition(b"\n\n")[2]


def _read_maildir(directory: Path) -> list[bytes]:
    # Postfix names the files by the time of delivery: seconds, V device, I inode, M microseconds.
    files = [path for name in ("new", "cur") for path in (directory / name).glob("*")]
    return [path.read_bytes() for path in sorted(files, key=_delivery_time)]


def _delivery_time(path: Path) -> tuple[int, int]:
    found = re.match(r"(\d+)\..*?M(\d+)", path.name)
    return (int(found[1]), int(found[2])) if found else (0, 0)

"""Scanners for the tests: clamd with a signature base of ours, spamd with a rule of ours beside Debian's."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.attachments import eicar
from tests.real.support import (
    LOOPBACK,
    Server,
    accepts_connections,
    find_program,
    free_port,
    private_directory,
    read_line,
    tail,
)

EICAR, OURS = "Eicar-Test", "Tamis.Test"
"""The names of the two signatures."""

MARK = b"the-mark-of-the-tests-of-tamis"
"""What OURS finds, and what SpamAssassin's rule TAMIS_TEST finds."""


class PrivateClamd:
    """A clamd that knows the test virus and MARK, on a unix and on a TCP socket; nothing is fetched."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = private_directory("clamd")
        self.path = self.directory / "clamd.sock"
        self._server = Server("clamd", self.directory / "clamd.log")

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
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def unix(self) -> str:
        """Its socket as a setting."""
        return f"unix:{self.path}"

    @property
    def inet(self) -> str:
        """Its port as a setting."""
        return f"inet:{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers a PING."""
        base = self.directory / "base"
        base.mkdir(exist_ok=True)
        (base / "tamis.ndb").write_text(f"{EICAR}:0:*:{eicar().hex()}\n{OURS}:0:*:{MARK.hex()}\n")
        config = self.directory / "clamd.conf"
        config.write_text(
            f"Foreground yes\nDatabaseDirectory {base}\nLocalSocket {self.path}\nTCPSocket {self.port}\n"
            f"TCPAddr {LOOPBACK}\nTemporaryDirectory {self.directory}\nMaxThreads 4\nLogVerbose yes\n"
        )
        self._server.start([find_program("clamd"), "--config-file", config])
        self._server.await_ready(self._answers, timeout=60, log=self.log)

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()

    def log(self) -> str:
        """The end of its log."""
        return tail(self._server.text())

    def _answers(self) -> bool:
        return read_line(self.port, b"nPING\n").startswith(b"PONG")


class PrivateSpamd:
    """A spamd with local tests only."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = private_directory("spamd")
        self._server = Server("spamd", self.directory / "spamd.log")

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
        self._server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def inet(self) -> str:
        """Its port as a setting."""
        return f"inet:{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        site = self.directory / "site"
        site.mkdir()
        for plugins in Path("/etc/spamassassin").glob("*.pre"):
            shutil.copy(plugins, site)
        (site / "local.cf").write_text(
            f"use_bayes 0\nbody TAMIS_TEST /{MARK.decode()}/\nscore TAMIS_TEST 6.5\n"
        )
        self._server.start(
            [
                *(find_program("spamd"), "--local", "--nouser-config", "--max-children", "1"),
                *("--listen", f"{LOOPBACK}:{self.port}", "--siteconfigpath", site),
                *("--helper-home-dir", self.directory, "--syslog", "stderr"),
            ]
        )
        self._server.await_ready(lambda: accepts_connections(self.port), timeout=90, log=self.log)

    def log(self) -> str:
        """The end of its log."""
        return tail(self._server.text())


class SilentServer:
    """A port that takes connections and never says a word."""

    def __enter__(self) -> Self:
        self._socket = socket.create_server((LOOPBACK, 0), backlog=100)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def inet(self) -> str:
        """Its port as a setting."""
        return f"inet:{LOOPBACK}:{self._socket.getsockname()[1]}"

"""Scanners for the tests: clamd with a signature base of ours, spamd with a rule of ours beside Debian's."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from tests.attachments import eicar
from tests.real.support import (
    LOOPBACK,
    PrivateServer,
    Running,
    accepts_connections,
    find_program,
    free_port,
    read_line,
)

EICAR, OURS = "Eicar-Test", "Tamis.Test"
"""The names of the two signatures."""

MARK = b"the-mark-of-the-tests-of-tamis"
"""What OURS finds, and what SpamAssassin's rule TAMIS_TEST finds."""


class PrivateClamd(PrivateServer):
    """A clamd that knows the test virus and MARK, or other `signatures`, on a unix and on a TCP socket; nothing is
    fetched. It reports its own signatures with ".UNOFFICIAL" behind the name."""

    def __init__(self, signatures: Mapping[str, bytes] | None = None) -> None:
        super().__init__("clamd", "clamd")
        self._signatures = signatures or {EICAR: eicar(), OURS: MARK}
        self.port = free_port()
        self.path = self.directory / "clamd.sock"

    @property
    def unix(self) -> str:
        """Its socket as a setting."""
        return f"unix:{self.path}"

    @property
    def inet(self) -> str:
        """Its port as a setting."""
        return f"inet:{LOOPBACK}:{self.port}"

    @property
    def _config(self) -> Path:
        return self.directory / "clamd.conf"

    def prepare(self) -> None:
        """Write the signature base and the configuration."""
        base = self.directory / "base"
        base.mkdir()
        lines = [f"{name}:0:*:{octets.hex()}\n" for name, octets in self._signatures.items()]
        (base / "tamis.ndb").write_text("".join(lines))
        self._config.write_text(
            f"Foreground yes\nDatabaseDirectory {base}\nLocalSocket {self.path}\nTCPSocket {self.port}\n"
            f"TCPAddr {LOOPBACK}\nTemporaryDirectory {self.directory}\nMaxThreads 4\nLogVerbose yes\n"
        )

    def start(self) -> None:
        """Start it and wait until it answers a PING."""
        self._server.start([find_program("clamd"), "--config-file", self._config])
        self._server.await_ready(self._answers, timeout=60, log=self.log)

    def _answers(self) -> bool:
        return read_line(self.port, b"nPING\n").startswith(b"PONG")


class PrivateSpamd(PrivateServer):
    """A spamd with local tests only: Debian's and ours, or ours alone."""

    def __init__(self, *, alone: bool = False) -> None:
        super().__init__("spamd", "spamd")
        self._alone = alone
        self.port = free_port()

    @property
    def inet(self) -> str:
        """Its port as a setting."""
        return f"inet:{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Write its rules."""
        for folder in {self._site, self._rules}:
            folder.mkdir()
        for plugins in Path("/etc/spamassassin").glob("*.pre"):
            shutil.copy(plugins, self._site)
        (self._site / "local.cf").write_text("use_bayes 0\n")
        (self._rules / "ours.cf").write_text(f"body TAMIS_TEST /{MARK.decode()}/\nscore TAMIS_TEST 6.5\n")

    @property
    def _rules(self) -> Path:
        return self.directory / "rules" if self._alone else self._site

    @property
    def _site(self) -> Path:
        return self.directory / "site"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._server.start(
            [
                *(find_program("spamd"), "--local", "--nouser-config", "--max-children", "1"),
                *("--listen", f"{LOOPBACK}:{self.port}", "--siteconfigpath", self._site),
                *(("--configpath", self._rules) if self._alone else ()),
                *("--helper-home-dir", self.directory, "--syslog", "stderr"),
            ]
        )
        self._server.await_ready(lambda: accepts_connections(self.port), timeout=90, log=self.log)


class SilentServer(Running):
    """A port that takes connections and never says a word."""

    def start(self) -> None:
        """Listen."""
        self._socket = socket.create_server((LOOPBACK, 0), backlog=100)

    def stop(self) -> None:
        """Close the port."""
        self._socket.close()

    @property
    def inet(self) -> str:
        """Its port as a setting."""
        return f"inet:{LOOPBACK}:{self._socket.getsockname()[1]}"

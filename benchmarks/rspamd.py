"""A private rspamd as Debian ships it: its default rules and modules, a self-scanning milter, its own Redis."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.real.support import (
    LOOPBACK,
    PrivateServer,
    accepts_connections,
    find_program,
    free_port,
    read_text,
    run,
    tail,
)

_SECONDS = 120  # for one message
_FILES = 100  # that one call of rspamc is given


class PrivateRspamd(PrivateServer):
    """Its configuration is the package's; only sockets, folders, Redis, DNS and the number of workers are ours."""

    def __init__(self, *, redis_port: int, dns: str, workers: int) -> None:
        super().__init__("rspamd", "rspamd")
        self.milter_port, self._controller_port = free_port(), free_port()
        self._local = {
            "worker-proxy.inc": (
                f'bind_socket = "{LOOPBACK}:{self.milter_port}";\nmilter = yes;\ntimeout = 120s;\ncount = {workers};\n'
                'upstream "local" { default = yes; self_scan = yes; }\n'
            ),
            "worker-normal.inc": "enabled = false;\n",
            "worker-controller.inc": f'bind_socket = "{LOOPBACK}:{self._controller_port}";\n',
            "options.inc": f'dns {{ nameserver = ["{dns}"]; }}\n',
            "redis.conf": f'servers = "{LOOPBACK}:{redis_port}";\n',
        }

    @property
    def milter(self) -> str:
        """The value for Postfix's smtpd_milters."""
        return f"inet:{LOOPBACK}:{self.milter_port}"

    @property
    def pid(self) -> int:
        """The main process, parent of all others."""
        return self._server.pid

    def learn(self, kind: str, paths: Sequence[Path]) -> None:
        """Teach its Bayes filter: `kind` is ham or spam."""
        for start in range(0, len(paths), _FILES):
            chunk = paths[start : start + _FILES]
            run(
                [find_program("rspamc"), "-h", f"{LOOPBACK}:{self._controller_port}", f"learn_{kind}", *chunk]
            )

    def is_spam(self, message: bytes) -> bool:
        """Whether it would mark or refuse a message, by its content alone."""
        asked = urllib.request.Request(f"http://{LOOPBACK}:{self._controller_port}/checkv2", data=message)
        with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:
            return json.load(answer)["action"] not in ("no action", "greylist", "soft reject")

    def log(self) -> str:
        """The end of its log."""
        return tail(read_text(self.directory / "log" / "rspamd.log") + self._server.text())

    def prepare(self) -> None:
        """Its folders and what is ours of its configuration."""
        for name in ("local.d", "override.d", "db", "log", "run"):
            (self.directory / name).mkdir()
        for name, text in self._local.items():
            (self.directory / "local.d" / name).write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start it and wait for its milter and its controller."""
        places = {
            "LOCAL_CONFDIR": self.directory,
            "DBDIR": self.directory / "db",
            "LOGDIR": self.directory / "log",
            "RUNDIR": self.directory / "run",
        }
        self._server.start(
            [
                *(find_program("rspamd"), "--no-fork", "--insecure", "-c", "/etc/rspamd/rspamd.conf"),
                *(f"--var={name}={place}" for name, place in places.items()),
            ]
        )
        self._server.await_ready(
            lambda: accepts_connections(self.milter_port) and accepts_connections(self._controller_port),
            timeout=120,
            log=self.log,
        )

"""One installation for a test: the Tamis daemon and a private Postfix that know each other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tamis.installation.snapshot import read_snapshot
from tamis.store import Store
from tests.fresh_store import lay_down
from tests.real import PrivatePostfix, TamisDaemon, command, wait_until
from tests.real.support import private_directory

POLICY: Mapping[str, Any] = {
    "outcome": "quarantine",
    "filters": {"cyrillic": {"state": "on"}},
    "mailboxes": {
        "inbox@example.com": {"outcome": "inbox"},
        "tag@example.com": {"outcome": "tag"},
        "junk@example.org": {"outcome": "junk"},
        "quarantine@example.org": {"outcome": "quarantine"},
    },
}
"""Four recipients, four outcomes; Cyrillic mail is spam for all of them."""

SPAM = (
    "From: Sender <sender@example.net>\r\n"
    "To: somebody@example.com\r\n"
    "Subject: =?utf-8?b?0J/RgNC40LLQtdGC?=\r\n"
    "Message-ID: <{number}@example.net>\r\n"
    "Date: Sun, 22 Nov 2026 11:00:00 +0000\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "Привет, дорогой друг, купи наш прекрасный товар, номер {number}\r\n"
)
HAM = (
    "From: Sender <sender@example.net>\r\n"
    "To: somebody@example.com\r\n"
    "Subject: Lunch\r\n"
    "Message-ID: <{number}@example.net>\r\n"
    "Date: Sun, 22 Nov 2026 11:00:00 +0000\r\n"
    "\r\n"
    "Shall we have lunch on Tuesday? ({number})\r\n"
)


def spam(number: int = 1) -> bytes:
    """A message that POLICY takes for spam; its Message-ID is <number@example.net>."""
    return SPAM.format(number=number).encode()


def ham(number: int = 1) -> bytes:
    """A message that nothing speaks against."""
    return HAM.format(number=number).encode()


class Installation:
    """Daemon and Postfix on free ports, or with `unix` at the sockets that deploy/postfix names; `settings` are merged
    over what a test needs."""

    def __init__(
        self,
        *,
        policy: Mapping[str, Any] = POLICY,
        settings: Mapping[str, Any] | None = None,
        daemon: Mapping[str, Any] | None = None,
        unix: bool = False,
        **postfix: Any,
    ) -> None:
        self.directory = private_directory("tamis")
        self.daemon = TamisDaemon(
            _merged(
                {
                    "platform": {"domains": ["example.com", "example.org"]},
                    "milter": {"drain": 2.0, "workers": 2},
                    "policy": policy,
                },
                settings or {},
            ),
            directory=self.directory,
            **(daemon or {}),
        )
        if not self.daemon.settings.get("store", {}).get("url"):
            lay_down(self.state_directory / "tamis.sqlite")
        self.postfix = PrivatePostfix(
            milter="unix:tamis/milter" if unix else self.daemon.milter,
            desk="unix:tamis/desk" if unix else "",
            desk_port=self.daemon.desk_port,
            reinjection_port=self.daemon.reinjection_port,
            **postfix,
        )
        if unix:
            for name in ("milter", "desk"):
                place = f"unix:{self.postfix.directory}/queue/tamis/{name}"
                self.daemon.write_settings(**{name: {**self.daemon.settings[name], "socket": place}})
        self.daemon.write_settings(postfix={"config_directory": str(self.postfix.directory / "config")})

    def __enter__(self) -> Self:
        self.postfix.__enter__()
        try:
            self.daemon.__enter__()
        except BaseException:
            self.postfix.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.daemon.__exit__(kind, error, trace)
        self.postfix.__exit__(kind, error, trace)
        shutil.rmtree(self.directory, ignore_errors=True)

    def tamis(self, *arguments: str, status: int | Collection[int] = 0) -> Any:
        """Run a tamis command on this installation; its output, read as JSON where it asked for --json. It must end
        with the `status`, or one of them."""
        allowed = (status,) if isinstance(status, int) else status
        ended, out, err = command.tamis("--config", str(self.daemon.config), *arguments)
        assert ended in allowed, f"tamis {' '.join(arguments)}: {ended}\n{out}{err}"
        return json.loads(out) if "--json" in arguments else out + err

    @property
    def state_directory(self) -> Path:
        """Where the daemon keeps what outlives it."""
        return Path(self.daemon.settings["state_directory"])

    def store(self) -> Store:
        """The durable store, from this process."""
        url = self.daemon.settings.get("store", {}).get("url")
        return Store(url or f"sqlite:///{self.state_directory}/tamis.sqlite")

    def in_force(self) -> None:
        """Wait until all processes go by what the store says now of policy and lists."""
        path = self.state_directory / "snapshot" / "changes"
        with self.store() as store:
            wanted = store.revision()
        wait_until(
            lambda: read_snapshot(path).revision == wanted, timeout=30, what="the snapshot of the store"
        )
        self.daemon.hup()

    def held(self) -> list[dict[str, Any]]:
        """What is in quarantine, as `tamis quarantine list --json` tells it; a command costs a second, this nothing."""
        with self.store() as store:
            return [one.to_dict() for one in store.quarantine.list(limit=10_000)]


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        base[key] = (
            _merged(dict(base[key]), value)
            if isinstance(value, Mapping) and key in base and key != "policy"
            else value
        )
    return base

"""Puts the lines of deploy/postfix into a Postfix, and takes them out again, by postconf(1) on copies of its files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tamis.base.errors import ServiceError
from tamis.installation.file_changes import FileChange, read_file
from tamis.services.postfix.desk_queue import is_for_desk
from tamis.services.postfix.lines import NAMES, Lines, wanted, without_tamis, without_transport
from tamis.services.postfix.listeners import listeners, pairs, postconf, program
from tamis.settings import Settings, SocketAddress

_FILES = ("main.cf", "master.cf")
_CONNECTED = "03"
"""The state of a connected socket in /proc/net/unix."""


@dataclass(frozen=True, slots=True)
class PostfixBefore:
    """What stood where lines were put in, None where nothing did: settings, services, and single settings of services;
    and `put`, what was put into main.cf."""

    main: Mapping[str, str | None] = field(default_factory=dict)
    services: Mapping[str, str | None] = field(default_factory=dict)
    overrides: Mapping[str, str | None] = field(default_factory=dict)
    put: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Mapping[str, Any] | None) -> PostfixBefore:
        """As `told` wrote it."""
        return cls(**(told or {}))

    def told(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)

    def under(self, later: PostfixBefore) -> PostfixBefore:
        """What stood before both of two changes; `later` is the second one's."""
        return PostfixBefore(
            {**later.main, **self.main},
            {**later.services, **self.services},
            {**later.overrides, **self.overrides},
            {**self.put, **later.put},
        )


class PostfixFiles:
    """One Postfix's main.cf and master.cf. Everything raises ServiceError when a tool of Postfix's fails."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.directory = settings.postfix.config_directory

    def lines(self) -> Lines:
        """What is to change."""
        own = _entries(self._postconf("-M"))
        overrides = pairs(self._postconf("-P", "-x"))
        now = self.now()
        return wanted(self._settings, now, own, tuple(listeners(self._postconf("-M"), now, overrides)))

    def now(self) -> Mapping[str, str]:
        """The settings that matter, as they are written."""
        queue = self._postconf("-x", "queue_directory")
        return {**pairs(self._postconf(*NAMES)), **pairs(queue)}

    def before(self, lines: Lines) -> PostfixBefore:
        """What stands where these lines go."""
        explicit, own = pairs(self._postconf("-n")), _entries(self._postconf("-M"))
        overrides = pairs(self._postconf("-P"))
        return PostfixBefore(
            {name: explicit.get(name) for name in lines.main},
            {name: own.get(name) for name in lines.services},
            {name: overrides.get(name) for name in lines.overrides},
            lines.main,
        )

    def with_lines(self, lines: Lines) -> list[FileChange]:
        """The files with these lines."""
        return self._edited(
            [
                *(("-e", f"{name} = {value}") for name, value in lines.main.items()),
                *(("-M", f"{name} = {entry}") for name, entry in lines.services.items()),
                *(("-P", f"{name} = {value}") for name, value in lines.overrides.items()),
            ]
        )

    def detached(self) -> list[FileChange]:
        """The files with a Postfix that hands nothing over, and still has its way to the desk."""
        now = self.now()
        rest = without_tamis(self._settings, now)
        return self._edited(
            [] if rest == now.get("smtpd_milters", "") else [("-e", f"smtpd_milters = {rest}")]
        )

    def without_lines(self, before: PostfixBefore) -> list[FileChange]:
        """The files without the lines that were put in, as far as they still stand there."""
        explicit = pairs(self._postconf("-n"))
        own, overrides = _entries(self._postconf("-M")), pairs(self._postconf("-P"))
        commands: list[tuple[str, str]] = []
        for name, old in before.main.items():
            if name in explicit:
                value = self._without(name, explicit[name], before.put[name], old)
                commands.append(("-X", name) if value is None else ("-e", f"{name} = {value}"))
        for name, old in before.overrides.items():
            if name in overrides:
                commands.append(("-PX", name) if old is None else ("-P", f"{name} = {old}"))
        for name, old in before.services.items():
            if name in own:
                commands.append(("-MX", name) if old is None else ("-M", f"{name} = {old}"))
        return self._edited(commands)

    def _without(self, name: str, now: str, put: str, old: str | None) -> str | None:
        """A setting without what was put into it, be it changed since; None for no setting."""
        if now == put:
            return old
        rest = now
        if name == "smtpd_milters":
            rest = without_tamis(self._settings, {**self.now(), name: now})
        elif name == "transport_maps":
            rest = without_transport(put, now)
        return rest or old

    def is_running(self) -> bool:
        """Whether this Postfix runs."""
        return self._ended("postfix", "status").returncode == 0

    def reload(self) -> None:
        """Have it read its files, if it runs."""
        if self.is_running():
            self._run("postfix", "reload")

    def check(self) -> None:
        """Whether Postfix takes its files."""
        self._run("postfix", "check")

    def queued(self) -> list[str]:
        """The queue ids of messages with copies for the desk."""
        found = filter(is_for_desk, self._run("postqueue", "-j").splitlines())
        return [json.loads(line)["queue_id"] for line in found]

    def drained(self, seconds: float) -> list[str]:
        """Have copies for the desk delivered, and open sessions end: the queue ids of those that still wait then."""
        until = time.monotonic() + seconds
        while (queued := self.queued()) or self._open_sessions():
            if time.monotonic() >= until:
                break
            self._run("postqueue", "-f")
            time.sleep(0.5)
        return queued

    def _open_sessions(self) -> bool:
        """Whether Postfix still talks to the milter: such a message may yet get copies."""
        path = SocketAddress.parse(self._settings.milter.socket).path
        lines = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines() if path else ()
        columns = (line.split(None, 7) for line in lines)
        return any(len(one) == 8 and one[5] == _CONNECTED and one[7] == path for one in columns)

    def _edited(self, commands: Sequence[tuple[str, str]]) -> list[FileChange]:
        """The files as they would be after these calls of postconf."""
        with tempfile.TemporaryDirectory(prefix="tamis-setup-") as folder:
            copies = Path(folder)
            for name in _FILES:
                shutil.copy(self.directory / name, copies)
            for option in dict.fromkeys(option for option, _ in commands):
                for path in copies.iterdir():
                    os.utime(path, (0, 0))  # postconf waits two seconds for a file that was just written
                self._run(
                    "postconf", option, *(what for one, what in commands if one == option), directory=copies
                )
            return [
                FileChange(self.directory / name, read_file(self.directory / name), read_file(copies / name))
                for name in _FILES
            ]

    def _postconf(self, *options: str) -> str:
        try:
            return postconf(self.directory, *options)
        except (OSError, subprocess.SubprocessError) as error:
            raise ServiceError(f"postconf: {error}") from None

    def _run(self, name: str, *arguments: str, directory: Path | None = None) -> str:
        ended = self._ended(name, *arguments, directory=directory)
        if ended.returncode:
            raise ServiceError(f"{name} {' '.join(arguments)}: {ended.stderr.strip() or ended.returncode}")
        return ended.stdout

    def _ended(
        self, name: str, *arguments: str, directory: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [program(name), "-c", str(directory or self.directory), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
        except (OSError, subprocess.SubprocessError) as error:
            raise ServiceError(f"{name}: {error}") from None


def _entries(services: str) -> dict[str, str]:
    """The services of `postconf -M`, each in one line with single blanks."""
    entries = (line.split() for line in services.splitlines())
    return {"/".join(one[:2]): " ".join(one) for one in entries if len(one) > 7}

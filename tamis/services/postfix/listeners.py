"""Which of Postfix's listeners take mail, and with which settings: main.cf and what master.cf sets instead. Pure but
for the functions that ask postconf(1)."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SUBMISSION = frozenset({"submission", "submissions", "smtps", "587", "465"})
"""Service names and ports for users' own mail (RFC 6409, RFC 8314)."""
WANTED = (
    *("smtpd_milters", "smtpd_milter_maps", "receive_override_options", "smtpd_proxy_filter"),
    *(
        "milter_default_action",
        "milter_content_timeout",
        "milter_connect_macros",
        "milter_helo_macros",
        "milter_mail_macros",
    ),
    *("milter_rcpt_macros", "milter_end_of_data_macros"),
    *("smtpd_discard_ehlo_keywords", "smtpd_discard_ehlo_keyword_address_maps"),
    *("queue_directory", "transport_maps", "default_delivery_status_filter", "multi_instance_directories"),
)
"""The settings that are looked at."""
_LOOPBACK = ("127.", "localhost", "[::1]", "::1")


@dataclass(frozen=True, slots=True)
class Listener:
    """A service of master.cf that takes mail by SMTP; `settings` are those in force for it. In a `chroot` it sees only
    what is below the queue directory."""

    name: str
    kind: str
    settings: Mapping[str, str]
    chroot: bool = False

    @property
    def label(self) -> str:
        """As postconf -P names it, such as smtp/inet."""
        return f"{self.name}/{self.kind}"

    @property
    def port(self) -> str:
        """The port's number or name; an address before it is left out."""
        return self.name.rpartition(":")[2] if self.kind == "inet" else self.name

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return self.kind == "unix" or (self.kind == "inet" and self.name.startswith(_LOOPBACK))

    @property
    def is_submission(self) -> bool:
        """Whether it is for users' own mail."""
        return self.port in SUBMISSION

    def value(self, name: str) -> str:
        """A setting in force, "" when there is none."""
        return self.settings.get(name, "")


@dataclass(frozen=True, slots=True)
class Instance:
    """One Postfix instance: its configuration directory, its main.cf, and its listeners."""

    directory: Path
    settings: Mapping[str, str]
    listeners: tuple[Listener, ...]

    @property
    def others(self) -> tuple[Path, ...]:
        """The configuration directories of further instances (postmulti(1)), which the main one names."""
        return tuple(map(Path, self.settings.get("multi_instance_directories", "").replace(",", " ").split()))


@dataclass(frozen=True, slots=True)
class MilterEntry:
    """One milter of a list such as smtpd_milters, with the settings that it has to itself."""

    socket: str
    settings: Mapping[str, str]


def read_instance(directory: Path) -> Instance:
    """An instance as postconf sees it. Raises OSError or SubprocessError when postconf fails."""
    settings = read_settings(directory, WANTED)
    overrides = pairs(postconf(directory, "-P", "-x"))
    return Instance(directory, settings, tuple(listeners(postconf(directory, "-M"), settings, overrides)))


def read_settings(directory: Path, names: Sequence[str]) -> Mapping[str, str]:
    """Some settings of main.cf, what they refer to put in. Raises OSError or SubprocessError when postconf fails.

    By name: some others cost postconf a second of looking up names in the DNS.
    """
    return pairs(postconf(directory, "-x", *names))


def listeners(services: str, settings: Mapping[str, str], overrides: Mapping[str, str]) -> Iterator[Listener]:
    """The listeners of `postconf -M`, with main.cf's `settings` and the `overrides` of `postconf -P`."""
    for line in services.splitlines():
        name, kind, chroot, command = _columns(line)
        if command != "smtpd":
            continue
        mark = f"{name}/{kind}/"
        own = {key.removeprefix(mark): value for key, value in overrides.items() if key.startswith(mark)}
        yield Listener(name, kind, {**settings, **own}, chroot == "y")


def foreign_ports(directory: Path) -> frozenset[str]:
    """The TCP ports at which further instances take mail (multi_instance_directories), and this one does not. Raises
    OSError or SubprocessError when postconf fails."""
    others = read_settings(directory, ("multi_instance_directories",)).get("multi_instance_directories", "")
    folders = others.replace(",", " ").split()
    if not folders:
        return frozenset()
    own = ports(postconf(directory, "-M"))
    return frozenset[str]().union(*(ports(postconf(Path(one), "-M")) for one in folders)) - own


def ports(services: str) -> frozenset[str]:
    """The TCP ports at which the services of `postconf -M` take mail, also behind postscreen(8)."""
    found = (_columns(line) for line in services.splitlines())
    names = {
        name.rpartition(":")[2]
        for name, kind, _, command in found
        if kind == "inet" and command in ("smtpd", "postscreen")
    }
    return frozenset(filter(None, map(_number, names)))


def _number(service: str) -> str:
    if service.isdecimal():
        return service
    try:
        return str(socket.getservbyname(service, "tcp"))
    except OSError:
        return ""


def _columns(line: str) -> tuple[str, str, str, str]:
    """Name, type, chroot and program of a service: the first, second, fifth and eighth column of master(5)."""
    columns = line.split(None, 8)
    return (columns[0], columns[1], columns[4], columns[7]) if len(columns) > 7 else ("", "", "", "")


def milters(text: str) -> tuple[MilterEntry, ...]:
    """The entries of smtpd_milters: sockets, or { socket, name=value, ... } (Postfix 3.0)."""
    found = []
    for braced, plain in re.findall(r"\{([^{}]*)\}|([^\s,{}]+)", text):
        place, *rest = (
            [part.strip() for part in re.split(r"[\s,]+(?=\S)", braced.strip())] if braced else [plain]
        )
        own = (part.partition("=") for part in rest)
        found.append(MilterEntry(place, {name.strip(): value.strip() for name, _, value in own}))
    return tuple(found)


def pairs(output: str) -> dict[str, str]:
    """The settings that postconf(1) printed."""
    split = (line.partition("=") for line in output.splitlines())
    return {name.strip(): value.strip() for name, _, value in split if name.strip()}


def postconf(directory: Path, *options: str) -> str:
    """What postconf(1) prints. Raises OSError or SubprocessError when it fails."""
    return subprocess.run(  # noqa: S603 - a fixed program, no shell
        [program("postconf"), "-c", str(directory), *options],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout


def program(name: str) -> str:
    """A Postfix program's path: an ordinary user's PATH often lacks sbin."""
    places = [Path(place) / name for place in ("/usr/sbin", "/usr/local/sbin", "/usr/bin")]
    return str(next((place for place in places if place.exists()), name))

"""A private DNS server (NSD) with the zones of a test."""

from __future__ import annotations

import shutil
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.support import LOOPBACK, Server, find_program, free_port, private_directory, tail

_HEAD = "$TTL 300\n@ IN SOA ns.example.net. root.example.net. 1 3600 600 86400 60\n@ IN NS ns.example.net.\n"
_QUERY = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)  # NS of the root


class PrivateDNS:
    """Serves `zones`: a zone's name and its records, a line each, names relative to it.

    It is authoritative and answers for nothing else (REFUSED), so a test sees at once what it forgot.
    """

    def __init__(self, zones: Mapping[str, str]) -> None:
        self.port = free_port()
        self.directory = private_directory("dns")
        self._zones = dict(zones)
        self._server = Server("NSD", self.directory / "nsd.log")

    def __enter__(self) -> Self:
        try:
            self._write()
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
    def address(self) -> str:
        """The value for dns.servers."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process, parent of those that answer."""
        return self._server.pid

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._server.start([find_program("nsd"), "-d", "-c", self.directory / "nsd.conf"])
        self._server.await_ready(self._answers, timeout=30, log=self.log)

    def stop(self) -> None:
        """Stop the server: questions go unanswered."""
        self._server.stop()

    def log(self) -> str:
        """The end of the server's log."""
        return tail(self._server.text())

    def _write(self) -> None:
        config = [
            *("server:", f"  ip-address: {LOOPBACK}@{self.port}", '  username: ""', '  chroot: ""'),
            *(f'  zonesdir: "{self.directory}"', f'  pidfile: "{self.directory}/nsd.pid"'),
            *(f'  xfrdfile: "{self.directory}/xfrd.state"', f'  zonelistfile: "{self.directory}/zone.list"'),
            *(f'  xfrdir: "{self.directory}"', "  server-count: 1", "  rrl-ratelimit: 0", '  database: ""'),
            *("remote-control:", "  control-enable: no"),
        ]
        for name, records in self._zones.items():
            file = Path(self.directory, f"{name}.zone")
            file.write_text(_HEAD + records.strip() + "\n", encoding="utf-8")
            config += ["zone:", f'  name: "{name}"', f'  zonefile: "{file.name}"']
        (self.directory / "nsd.conf").write_text("\n".join(config) + "\n", encoding="utf-8")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            try:
                asking.connect((LOOPBACK, self.port))
                asking.send(_QUERY)
                return len(asking.recv(512)) > 0
            except OSError:
                return False

"""A small SMTP listener that does as it is told: what Reinjector says to it is kept octet for octet."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Taken:
    """One message as it came over the wire, dots removed."""

    mail: str
    rcpt: list[str] = field(default_factory=list)
    content: bytes = b""

    @property
    def sender(self) -> str:
        return self.mail.partition("<")[2].partition(">")[0]

    @property
    def recipients(self) -> list[str]:
        return [one.partition("<")[2].partition(">")[0] for one in self.rcpt]


class Listener:
    """Answers each command 250 (354, 221), or as `replies` says for a verb; None there means: hang up."""

    def __init__(
        self,
        offers: tuple[str, ...] = ("8BITMIME", "SMTPUTF8", "DSN"),
        replies: dict[str, bytes | None] | None = None,
    ) -> None:
        self._offers = offers
        self._replies = replies or {}
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.got: list[Taken] = []
        self.seen: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        taken = Taken("")
        with connection.makefile("rb") as lines:
            reply: bytes | None = self._replies.get("CONNECT", b"220 ready")
            while reply is not None:
                connection.sendall(reply + b"\r\n")
                line = lines.readline()
                if not line:
                    return
                self.seen.append(line)
                verb = line[:4].decode().strip().upper()
                reply = self._replies.get(verb, b"250 ok")
                if verb == "EHLO" and verb not in self._replies:
                    offers = ["localhost", *self._offers]
                    reply = b"\r\n".join(
                        f"250{'-' if n < len(offers) - 1 else ' '}{offer}".encode()
                        for n, offer in enumerate(offers)
                    )
                elif verb == "MAIL":
                    taken = Taken(line.decode().strip())
                elif verb == "RCPT":
                    taken.rcpt.append(line.decode().strip())
                elif verb == "QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return
                elif verb == "DATA" and verb not in self._replies:
                    connection.sendall(b"354 go\r\n")
                    content = bytearray()
                    while (line := lines.readline()) not in (b".\r\n", b""):
                        content += line.removeprefix(b".")
                    reply = self._replies.get("END", b"250 queued")
                    taken.content = bytes(content)
                    if reply is not None and reply.startswith(b"250"):
                        self.got.append(taken)

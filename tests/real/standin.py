"""Stand-ins for Tamis's milter and desk, to prove the Postfix lines by themselves.

The milter redirects chosen recipients; the desk notes what comes and re-injects it.
Neither shares a line with the daemon, so a mistake there can't hide one here.
"""

from __future__ import annotations

import smtplib
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase

from tests.real.support import LOOPBACK, Running

REDIRECTION = ".t1.s1.tag.tamis.invalid"

_ADD, _DELETE, _ADD_WITH_PARAMETERS = 0x04, 0x08, 0x80
_SKIP_UNNEEDED = 0x10 | 0x20 | 0x40  # no body, no headers, no end of header


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class _Service(Running):
    """A threaded loopback server as a context manager; a stopped one may start again."""

    def __init__(self, serve: Callable[[BufferedIOBase, BufferedIOBase], None]) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    serve(self.rfile, self.wfile)
                except (ConnectionError, BrokenPipeError):
                    return

        self._handler = Handler
        self._listener: _Listener | None = None
        self.port = 0

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._listener = _Listener((LOOPBACK, self.port), self._handler)
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener = None


class StandInMilter(_Service):
    """Rewrites each recipient that `redirected` chooses to its address below .tamis.invalid."""

    def __init__(self, redirected: Callable[[str], bool]) -> None:
        super().__init__(self._session)
        self._redirected = redirected
        self.connect_macros: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        """The value for smtpd_milters."""
        return f"inet:{LOOPBACK}:{self.port}"

    def _session(self, reader: BufferedIOBase, writer: BufferedIOBase) -> None:
        recipients: list[tuple[str, str]] = []
        while len(header := reader.read(5)) == 5:
            length, command = struct.unpack("!Ic", header)
            data = reader.read(length - 1)
            if command == b"O":
                actions = _ADD | _DELETE | _ADD_WITH_PARAMETERS
                _packet(writer, b"O", struct.pack("!III", 6, actions, _SKIP_UNNEEDED))
                continue
            if command == b"D":
                if data[:1] == b"C":
                    words = data[1:].decode().split("\0")
                    self.connect_macros.append(dict(zip(words[0::2], words[1::2], strict=False)))
                continue
            if command == b"Q":
                return
            if command in (b"A", b"K"):
                continue
            if command == b"M":
                recipients = []
            elif command == b"R":
                words = data.decode().rstrip("\0").split("\0")
                recipients.append((words[0].strip("<>"), " ".join(words[1:])))
            elif command == b"E":
                self._rewrite(recipients, writer)
            _packet(writer, b"c")

    def _rewrite(self, recipients: list[tuple[str, str]], writer: BufferedIOBase) -> None:
        for address, parameters in recipients:
            if self._redirected(address):
                arguments = f"<{address}{REDIRECTION}>\0" + (f"{parameters}\0" if parameters else "")
                _packet(writer, b"2", arguments.encode())
                _packet(writer, b"-", f"<{address}>\0".encode())


@dataclass
class Visit:
    """One LMTP transaction at the desk."""

    sender: str
    mail_parameters: str
    recipients: list[tuple[str, str]] = field(default_factory=list)
    message: bytes = b""


class StandInDesk(_Service):
    """Notes each message and re-injects it for the plain recipient; `refusal` answers instead."""

    def __init__(self, reinjection_port: int) -> None:
        super().__init__(self._session)
        self._reinjection_port = reinjection_port
        self.refusal = ""
        self.added = b""  # headers that the re-injected copy gets
        self.visits: list[Visit] = []

    def _session(self, reader: BufferedIOBase, writer: BufferedIOBase) -> None:
        _say(writer, "220 desk LMTP")
        visit = Visit("", "")
        while line := reader.readline().decode("utf-8"):
            verb = line[:4].upper().strip()
            if verb == "LHLO":
                _say(writer, "250-desk", "250-8BITMIME", "250-SMTPUTF8", "250-ENHANCEDSTATUSCODES", "250 DSN")
            elif verb == "MAIL":
                visit = Visit(*_path(line))
                _say(writer, "250 2.1.0 Ok")
            elif verb == "RCPT":
                visit.recipients.append(_path(line))
                _say(writer, "250 2.1.5 Ok")
            elif verb == "DATA":
                _say(writer, "354 go ahead")
                visit.message = _message(reader)
                self.visits.append(visit)
                _say(writer, *(self._pass_on(visit, *recipient) for recipient in visit.recipients))
            elif verb == "QUIT":
                _say(writer, "221 2.0.0 Bye")
                return
            else:
                _say(writer, "250 2.0.0 Ok")

    def _pass_on(self, visit: Visit, address: str, parameters: str) -> str:
        if self.refusal:
            return self.refusal
        with smtplib.SMTP(LOOPBACK, self._reinjection_port, local_hostname="desk", timeout=60) as smtp:
            smtp.ehlo()
            for code, text in (
                smtp.mail(visit.sender, [visit.mail_parameters] if visit.mail_parameters else []),
                smtp.rcpt(address.removesuffix(REDIRECTION), [parameters] if parameters else []),
            ):
                if code != 250:
                    return f"{code} {_text(text)}"
            code, text = smtp.data(self.added + visit.message)
            return f"{code} {_text(text)}"


def _packet(writer: BufferedIOBase, command: bytes, data: bytes = b"") -> None:
    writer.write(struct.pack("!I", len(data) + 1) + command + data)


def _say(writer: BufferedIOBase, *lines: str) -> None:
    writer.write("".join(f"{line}\r\n" for line in lines).encode())


def _path(line: str) -> tuple[str, str]:
    """The address and the parameters of a MAIL or RCPT command; SIZE is the hop's own."""
    address, _, parameters = line.partition("<")[2].partition(">")
    kept = [word for word in parameters.split() if not word.startswith("SIZE=")]
    return address, " ".join(kept)


def _message(reader: BufferedIOBase) -> bytes:
    lines = []
    while (line := reader.readline()) != b".\r\n":
        if not line:
            raise ConnectionError("the message broke off")
        lines.append(line[1:] if line.startswith(b".") else line)
    return b"".join(lines)


def _text(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text

"""A sending mail server in small: XCLIENT, raw bytes, a reply for each recipient, retries."""

from __future__ import annotations

import queue
import smtplib
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.real.support import LOOPBACK

_TIMEOUT = 300.0


@dataclass(frozen=True)
class Client:
    """Who Postfix shall take the sender for, told by XCLIENT."""

    addr: str
    name: str | None = None
    helo: str = "mail.example.net"
    port: int | None = None
    reverse_name: str | None = None
    login: str | None = None

    def attributes(self) -> str:
        """The arguments of the XCLIENT command."""
        known = self.name or "[UNAVAILABLE]"
        pairs = {
            "ADDR": f"IPV6:{self.addr}" if ":" in self.addr else self.addr,
            "NAME": known,
            "REVERSE_NAME": self.reverse_name or known,
            "PORT": str(self.port) if self.port is not None else "[UNAVAILABLE]",
            "LOGIN": self.login or "[UNAVAILABLE]",
        }
        return " ".join(f"{key}={_xtext(value)}" for key, value in pairs.items())


@dataclass(frozen=True)
class Envelope:
    """One message to be sent, its bytes as they are (bare LF line ends become CRLF)."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes
    client: Client | None = None
    mail_options: tuple[str, ...] = ()
    rcpt_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """The server's reply to a command, its lines joined with spaces."""

    code: int
    text: str

    @property
    def accepted(self) -> bool:
        """Whether this is a 2xx."""
        return 200 <= self.code < 300

    @property
    def temporary(self) -> bool:
        """Whether the sender shall come back: a 4xx, or the connection broke (code 0)."""
        return self.code == 0 or 400 <= self.code < 500


@dataclass
class Sent:
    """What became of one message: the last reply for each of its recipients."""

    envelope: Envelope
    replies: dict[str, Reply] = field(default_factory=dict)
    attempts: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the server took charge of the message for every recipient."""
        return all(reply.accepted for reply in self.replies.values())

    @property
    def reply(self) -> Reply:
        """The reply that matters most: the first that is not a 2xx, else the last."""
        refused = [reply for reply in self.replies.values() if not reply.accepted]
        return refused[0] if refused else list(self.replies.values())[-1]

    def pending(self) -> tuple[str, ...]:
        """The recipients that a real server would try again."""
        return tuple(
            recipient
            for recipient in self.envelope.recipients
            if recipient not in self.replies or self.replies[recipient].temporary
        )


class Session:
    """One SMTP connection that sends messages one after the other, for any client."""

    def __init__(self, port: int, *, host: str = LOOPBACK) -> None:
        self._host = host
        self._port = port
        self._smtp: smtplib.SMTP | None = None
        self._client: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say QUIT and hang up."""
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            smtp.quit()
        except (OSError, smtplib.SMTPException):
            smtp.close()

    def transact(self, envelope: Envelope, recipients: Sequence[str] | None = None) -> dict[str, Reply]:
        """Send a message once; the reply for each recipient, code 0 when the connection broke."""
        wanted = tuple(recipients if recipients is not None else envelope.recipients)
        try:
            replies = self._transact(envelope, wanted)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return dict.fromkeys(wanted, Reply(0, f"{type(error).__name__}: {error}"))
        if any(reply.code == 421 for reply in replies.values()):
            self._drop()
        return replies

    def _transact(self, envelope: Envelope, wanted: tuple[str, ...]) -> dict[str, Reply]:
        smtp = self._connection(envelope.client)
        mail = _reply(smtp.mail(envelope.sender, list(envelope.mail_options)))
        if not mail.accepted:
            smtp.rset()
            return dict.fromkeys(wanted, mail)
        replies = {
            recipient: _reply(smtp.rcpt(recipient, list(envelope.rcpt_options))) for recipient in wanted
        }
        taken = [recipient for recipient, reply in replies.items() if reply.accepted]
        if not taken:
            smtp.rset()
            return replies
        try:
            final = _reply(smtp.data(crlf(envelope.message)))
        except smtplib.SMTPDataError as error:
            final = _reply((error.smtp_code, error.smtp_error))
            smtp.rset()
        replies.update(dict.fromkeys(taken, final))
        return replies

    def _connection(self, client: Client | None) -> smtplib.SMTP:
        if self._smtp is not None and client is None and self._client is not None:
            self.close()  # XCLIENT cannot be taken back
        if self._smtp is None:
            self._smtp = smtplib.SMTP(timeout=_TIMEOUT, local_hostname="mail.example.net")
            self._client = None
            code, text = self._smtp.connect(self._host, self._port)
            _expect(code, text)
            _expect(*self._smtp.ehlo())
        if client is not None and client != self._client:
            self._client = client
            _expect(*self._smtp.docmd("XCLIENT", client.attributes()))
            _expect(*self._smtp.ehlo(client.helo))
        return self._smtp

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


def send(
    port: int,
    message: bytes,
    *,
    sender: str = "sender@example.net",
    to: str | Sequence[str],
    client: Client | None = None,
    mail_options: Sequence[str] = (),
    rcpt_options: Sequence[str] = (),
    attempts: int = 1,
) -> Sent:
    """Send one message (again after a 4xx, up to `attempts` times)."""
    envelope = Envelope(
        sender=sender,
        recipients=(to,) if isinstance(to, str) else tuple(to),
        message=message,
        client=client,
        mail_options=tuple(mail_options),
        rcpt_options=tuple(rcpt_options),
    )
    return send_many(port, [envelope], sessions=1, attempts=attempts)[0]


def send_many(
    port: int,
    envelopes: Iterable[Envelope],
    *,
    sessions: int = 20,
    attempts: int = 5,
    retry_delay: float = 0.5,
) -> list[Sent]:
    """Send messages over parallel connections that are kept open; in the order given.

    A recipient answered 4xx (or not at all) is tried again, as a sending server would, at most
    `attempts` times in all with a pause between; the last reply then stands.
    """
    results = [Sent(envelope) for envelope in envelopes]
    waiting: queue.SimpleQueue[Sent] = queue.SimpleQueue()
    for result in results:
        waiting.put(result)
    failures: list[BaseException] = []

    def deliver() -> None:
        try:
            with Session(port) as session:
                while True:
                    _exhaust(session, waiting.get_nowait(), attempts=attempts, retry_delay=retry_delay)
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failures.append(error)

    threads = [threading.Thread(target=deliver, daemon=True) for _ in range(min(sessions, len(results)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def crlf(message: bytes) -> bytes:
    """The message with each line ended by CR LF, as SMTP wants it."""
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _exhaust(session: Session, result: Sent, *, attempts: int, retry_delay: float) -> None:
    while True:
        result.attempts += 1
        result.replies.update(session.transact(result.envelope, result.pending()))
        if not result.pending() or result.attempts >= attempts:
            return
        session.close()  # a server that comes back later comes over a new connection
        time.sleep(retry_delay)


def _reply(answer: tuple[int, bytes | str]) -> Reply:
    code, text = answer
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return Reply(code, text.replace("\n", " "))


def _expect(code: int, text: bytes) -> None:
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, text)


def _xtext(value: str) -> str:
    return "".join(char if "!" <= char <= "~" and char not in "+=" else f"+{ord(char):02X}" for char in value)

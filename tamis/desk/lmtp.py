"""An LMTP server (RFC 2033) for Postfix alone: per-recipient replies, DSN arguments, and never a 5xx.

Libraries for SMTP servers answer 5xx to what they don't like, and Postfix would bounce; here the worst answer
is 4xx, so mail that can't be handled waits in Postfix's queue, where an administrator sees it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tamis.base.errors import TamisError
from tamis.message.address import unbracket

log = logging.getLogger(__name__)

MAX_LINE = 8192
"""Octets of a command line; Postfix's own limit is 2,048 a logical line."""
MAX_MESSAGE = 1024**3
"""Octets of a message; Postfix's message_size_limit is far below."""
MAX_RECIPIENTS = 1000
IDLE_SECONDS = 300.0
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class LMTPReply:
    """One reply line: `ok` is 250, everything else 451 with a text for the log."""

    ok: bool
    text: str

    def line(self) -> bytes:
        """The reply as it goes over the wire."""
        clean = re.sub(r"[^\x20-\x7e]+", "?", self.text)[:400]
        return (f"250 2.0.0 {clean}" if self.ok else f"451 4.3.0 {clean}").encode("ascii") + b"\r\n"


@dataclass(slots=True)
class Transaction:
    """One LMTP transaction: sender and recipients with their ESMTP arguments."""

    sender: str | None = None
    sender_args: tuple[str, ...] = ()
    recipients: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


CheckRecipient = Callable[[str], LMTPReply]
TakeCopies = Callable[[Transaction, bytes], Awaitable[Sequence[LMTPReply]]]


class LMTPServer:
    """Serves connections; `check` answers each RCPT TO, `deliver` gives a reply for each recipient.

    `idle` is set while no message is being delivered.
    """

    def __init__(self, check: CheckRecipient, deliver: TakeCopies) -> None:
        self._check = check
        self._deliver = deliver
        self._busy = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends or idles."""
        try:
            writer.write(b"220 Tamis LMTP\r\n")
            await self._converse(Input(reader), writer)
        except (ConnectionError, TimeoutError, EOFError, TooLongError) as error:
            log.debug("LMTP connection ended: %r", error)
        finally:
            writer.close()

    async def _converse(self, client: Input, writer: asyncio.StreamWriter) -> None:
        transaction = Transaction()
        while True:
            await writer.drain()
            verb, _, rest = (await client.line()).partition(" ")
            match verb.upper():
                case "LHLO":
                    writer.write(b"250-tamis\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n")
                    writer.write(b"250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n")
                case "MAIL":
                    sender, args = _path(rest, "FROM:")
                    transaction = Transaction(sender, args)
                    writer.write(LMTPReply(ok=True, text="sender ok").line())
                case "RCPT":
                    writer.write(self._rcpt(transaction, rest).line())
                case "DATA":
                    if not transaction.recipients:
                        writer.write(LMTPReply(ok=False, text="no valid recipients").line())
                        continue
                    writer.write(b"354 end with a dot\r\n")
                    await writer.drain()
                    content = await client.data()
                    for reply in await self._dispatch(transaction, content):
                        writer.write(reply.line())
                    transaction = Transaction()
                case "RSET":
                    transaction = Transaction()
                    writer.write(LMTPReply(ok=True, text="reset").line())
                case "NOOP":
                    writer.write(LMTPReply(ok=True, text="yes").line())
                case "QUIT":
                    writer.write(b"221 2.0.0 bye\r\n")
                    await writer.drain()
                    return
                case _:
                    writer.write(LMTPReply(ok=False, text="not understood").line())

    def _rcpt(self, transaction: Transaction, rest: str) -> LMTPReply:
        if transaction.sender is None:
            return LMTPReply(ok=False, text="MAIL first")
        if len(transaction.recipients) >= MAX_RECIPIENTS:
            return LMTPReply(ok=False, text="too many recipients")
        address, args = _path(rest, "TO:")
        reply = self._check(address)
        if reply.ok:
            transaction.recipients.append((address, args))
        return reply

    async def _dispatch(self, transaction: Transaction, content: bytes) -> Sequence[LMTPReply]:
        self._busy += 1
        self.idle.clear()
        try:
            return await self._deliver(transaction, content)
        finally:
            self._busy -= 1
            if not self._busy:
                self.idle.set()


class Input:
    """What the client sends, as command lines and as message data."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._buffer = bytearray()

    async def line(self) -> str:
        """One command line. Raises TooLongError above MAX_LINE, EOFError when the client goes away."""
        octets = await self._through(b"\n", MAX_LINE)
        return octets.decode("utf-8", "surrogateescape").strip()

    async def data(self) -> bytes:
        """The message after DATA, without the dots that were stuffed (RFC 5321 4.5.2); raises as `line` does."""
        self._buffer[:0] = b"\r\n"  # so that a first line that begins with a dot is like any other
        octets = await self._through(b"\r\n.\r\n", MAX_MESSAGE)
        return octets[:-3].replace(b"\r\n..", b"\r\n.")[2:]

    async def _through(self, end: bytes, limit: int) -> bytes:
        """Everything up to and with `end`; what follows it stays for the next call."""
        searched = 0
        while (at := self._buffer.find(end, searched)) < 0:
            if len(self._buffer) > limit:
                raise TooLongError(f"more than {limit} octets")
            searched = max(0, len(self._buffer) - len(end) + 1)
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await self._reader.read(_CHUNK)
            if not chunk:
                raise EOFError("the client went away")
            self._buffer += chunk
        octets = bytes(self._buffer[: at + len(end)])
        del self._buffer[: at + len(end)]
        return octets


class TooLongError(TamisError):
    """A client that sends lines or messages without end."""


def _path(rest: str, keyword: str) -> tuple[str, tuple[str, ...]]:
    """Address and ESMTP arguments of MAIL FROM:<…> or RCPT TO:<…>; quoted local parts may hold `> `."""
    text = rest[len(keyword) :].strip() if rest.upper().startswith(keyword) else rest.strip()
    found = re.match(r'<((?:"(?:[^"\\]|\\.)*"|[^">])*)>', text)
    if not found:
        address, _, args = text.partition(" ")
        return unbracket(address), tuple(args.split())
    return unbracket(found[1]), tuple(text[found.end() :].split())

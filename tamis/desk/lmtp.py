"""An LMTP server (RFC 2033) for Postfix alone: per-recipient replies, DSN arguments, and never a 5xx.

Libraries for SMTP servers answer 5xx to what they don't like, and Postfix would bounce; here the worst answer
is 4xx, so mail that can't be handled waits in Postfix's queue, where an administrator sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tamis.base.errors import TamisError
from tamis.message.address import unbracket

log = logging.getLogger(__name__)

MAX_LINE = 8192
"""Octets of a command line; Postfix's own limit is 2,048 a logical line."""
MAX_MESSAGE = 1024**3
"""Octets of a message. Beyond: 451; Postfix's message_size_limit is far below."""
UNDECLARED = 64 * 1024**2
"""Octets of a message whose size was not declared (RFC 1870). Beyond: the connection ends; Postfix declares it."""
MAX_RECIPIENTS = 1000
"""Recipients of a message. Beyond: 451 for the others, for which Postfix opens another one."""
ROOM_SECONDS = 60.0
"""How long a message waits for room in memory. Beyond: 451; Postfix itself waits for two minutes."""
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

    @property
    def size(self) -> int | None:
        """The octets that the client declared (RFC 1870), None when it did not."""
        found = (arg.partition("=") for arg in self.sender_args)
        return next(
            (
                int(value)
                for name, _, value in found
                if name.upper() == "SIZE" and value.isascii() and value.isdecimal() and len(value) < 16
            ),
            None,
        )


CheckRecipient = Callable[[str], LMTPReply]
TakeCopies = Callable[[Transaction, bytes], Awaitable[Sequence[LMTPReply]]]


class Memory:
    """Room for the messages that are in memory at once, `most` octets of them, given in the order of asking."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def holding(self, octets: int) -> AsyncIterator[None]:
        """Room for a message; one that is larger than all of it gets it alone. Raises TimeoutError."""
        share = min(octets, self._most)
        async with asyncio.timeout(ROOM_SECONDS), self._turn, self._freed:
            await self._freed.wait_for(lambda: self._taken + share <= self._most)
            self._taken += share
        try:
            yield
        finally:
            async with self._freed:
                self._taken -= share
                self._freed.notify_all()


class LMTPServer:
    """Serves connections; `check` answers each RCPT TO, `deliver` gives a reply for each recipient.

    At most `connections` at once, with `memory` octets of messages. `idle` is set while no message is being delivered.
    """

    def __init__(
        self,
        check: CheckRecipient,
        deliver: TakeCopies,
        *,
        connections: int = 200,
        memory: int = 256 * 1024**2,
    ) -> None:
        self._check = check
        self._deliver = deliver
        self._connections = connections
        self._memory = Memory(memory)
        self._open = 0
        self._busy = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends or idles."""
        self._open += 1
        try:
            if self._open > self._connections:
                log.warning("more than %d connections: one is asked to come back", self._connections)
                writer.write(b"421 4.3.2 too many connections\r\n")
                return
            writer.write(b"220 Tamis LMTP\r\n")
            await self._converse(Input(reader), writer)
        except (ConnectionError, TimeoutError, EOFError, TooLongError) as error:
            log.debug("LMTP connection ended: %r", error)
        finally:
            self._open -= 1
            writer.close()

    async def _converse(self, client: Input, writer: asyncio.StreamWriter) -> None:
        transaction = Transaction()
        while True:
            await writer.drain()
            verb, _, rest = (await client.line()).partition(" ")
            match verb.upper():
                case "LHLO":
                    writer.write(b"250-tamis\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n")
                    # no limit of ours: Postfix would bounce what is larger
                    writer.write(b"250-SIZE 0\r\n250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n")
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
                    await self._data(client, writer, transaction)
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

    async def _data(self, client: Input, writer: asyncio.StreamWriter, transaction: Transaction) -> None:
        """One message, once there is room for it."""
        size = transaction.size
        most = UNDECLARED if size is None else 2 * size + _CHUNK  # line ends and dots at most double it
        if most > 2 * MAX_MESSAGE:
            writer.write(LMTPReply(ok=False, text="the message is too large").line())
            return
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._memory.holding(most if size is None else size + _CHUNK))
            except TimeoutError:
                log.warning("a message of %s octets found no room in desk.max_memory", size)
                writer.write(LMTPReply(ok=False, text="no room in memory now").line())
                return
            writer.write(b"354 end with a dot\r\n")
            await writer.drain()
            content = await client.data(most)
            for reply in await self._dispatch(transaction, content):
                writer.write(reply.line())

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

    async def data(self, most: int) -> bytes:
        """The message after DATA, of at most that many octets, without the dots that were stuffed (RFC 5321 4.5.2);
        raises as `line` does."""
        self._buffer[:0] = b"\r\n"  # so that a first line that begins with a dot is like any other
        octets = await self._through(b"\r\n.\r\n", most)
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

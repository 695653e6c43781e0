"""The LMTP server: RFC 2033 towards Postfix alone, and never a 5xx."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.desk import lmtp
from tamis.desk.lmtp import Input, LMTPReply, LMTPServer, Transaction
from tests.builders import MARIE, PAUL, PROPERTY


@dataclass
class Desk:
    """Takes what is for example.com, and keeps it; `fails` are recipients whose copy it can't keep."""

    fails: tuple[str, ...] = ()
    raises: bool = False
    got: list[tuple[str | None, list[tuple[str, tuple[str, ...]]], bytes]] = field(default_factory=list)

    def check(self, address: str) -> LMTPReply:
        return LMTPReply(address.endswith("@example.com"), f"about {address}\r\n250 forged")

    async def deliver(self, transaction: Transaction, content: bytes) -> Sequence[LMTPReply]:
        if self.raises:
            raise ConnectionError("the store is gone")
        self.got.append((transaction.sender, list(transaction.recipients), content))
        return [LMTPReply(address not in self.fails, "kept") for address, _ in transaction.recipients]


class Wire:
    """The writing end of a connection: what is written is kept."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def talk(desk: Desk, *sent: bytes) -> list[str]:
    """The server's reply lines to what a client sends, a piece at a time, and then hangs up."""
    wire: Any = Wire()

    async def connection() -> None:
        reader = asyncio.StreamReader()
        server = LMTPServer(desk.check, desk.deliver)
        serving = asyncio.create_task(server.serve(reader, wire))
        for piece in sent:
            reader.feed_data(piece)
            await asyncio.sleep(0)
        reader.feed_eof()
        await serving
        assert server.idle.is_set()

    asyncio.run(connection())
    assert wire.closed
    lines: list[str] = wire.written.decode("ascii").split("\r\n")
    assert lines.pop() == ""
    return lines


def codes(lines: Sequence[str]) -> list[str]:
    return [line[:3] for line in lines if line[3:4] == " "]


HELLO = b"LHLO localhost\r\n"
LETTER = b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"


def test_one_message_for_two() -> None:
    desk = Desk(fails=(PAUL,))
    said = talk(
        desk,
        HELLO,
        b"MAIL FROM:<a@example.net> BODY=8BITMIME RET=HDRS\r\n",
        b"RCPT TO:<marie@example.com> NOTIFY=NEVER ORCPT=rfc822;m@example.com\r\nRCPT TO:<x@example.org>\r\n",
        b"RCPT TO:<paul@example.com>\r\n",
        LETTER,
        b"QUIT\r\n",
    )
    assert codes(said) == ["220", "250", "250", "250", "451", "250", "354", "250", "451", "221"]
    assert desk.got == [
        (
            "a@example.net",
            [(MARIE, ("NOTIFY=NEVER", "ORCPT=rfc822;m@example.com")), (PAUL, ())],
            b"Subject: x\r\n\r\nx\r\n",
        )
    ]


def test_what_is_offered() -> None:
    offered = [line[4:] for line in talk(Desk(), HELLO) if line.startswith("250")]
    assert {"8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "PIPELINING"} <= set(offered)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"NOOP\r\n", "250"),
        (b"RSET\r\n", "250"),
        (b"lhlo x\r\n", "250"),
        (b"HELO x\r\n", "451"),
        (b"EHLO x\r\n", "451"),
        (b"BDAT 3 LAST\r\n", "451"),
        (b"\r\n", "451"),
        (b"\xff\xfe\r\n", "451"),
        (b"DATA\r\n", "451"),
        (b"RCPT TO:<marie@example.com>\r\n", "451"),
        (b"VRFY marie\r\n", "451"),
        (b"A" * 5000 + b"\r\n", "451"),
    ],
)
def test_nothing_is_ever_answered_5xx(command: bytes, code: str) -> None:
    assert codes(talk(Desk(), command)) == ["220", code]


def test_no_reply_can_be_forged_by_an_address() -> None:
    said = talk(Desk(), b"MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\n")
    assert codes(said) == ["220", "250", "451"]
    assert all(re.fullmatch(r"[ -~]*", line) for line in said)


@pytest.mark.parametrize(
    ("line", "sender"),
    [
        (b"MAIL FROM:<a@example.net>", "a@example.net"),
        (b"mail from:<a@example.net>", "a@example.net"),
        (b"MAIL FROM: <a@example.net>", "a@example.net"),
        (b"MAIL FROM:a@example.net", "a@example.net"),
        (b"MAIL FROM:<>", ""),
        (b'MAIL FROM:<"a> b"@example.net> SIZE=1', '"a> b"@example.net'),
        (b'MAIL FROM:<"a\\"b"@example.net>', '"a\\"b"@example.net'),
        (b"MAIL FROM:<@relay.example.net:a@example.net>", "a@example.net"),
        ("MAIL FROM:<été@example.net> SMTPUTF8".encode(), "été@example.net"),
        (b"MAIL FROM:<\xe9@example.net>", "\udce9@example.net"),
    ],
)
def test_senders(line: bytes, sender: str) -> None:
    desk = Desk()
    talk(desk, line + b"\r\nRCPT TO:<marie@example.com>\r\n", LETTER)
    assert [one[0] for one in desk.got] == [sender]


def test_a_second_mail_and_rset_begin_anew() -> None:
    desk = Desk()
    first, marie = b"MAIL FROM:<a@example.net>\r\n", b"RCPT TO:<marie@example.com>\r\n"
    said = talk(desk, first, marie, b"MAIL FROM:<b@example.net>\r\n", b"DATA\r\n", marie, b"RSET\r\n", marie)
    assert codes(said)[1:] == ["250", "250", "250", "451", "250", "250", "451"]
    assert desk.got == []


def test_one_connection_carries_several_messages() -> None:
    desk = Desk()
    one = b"MAIL FROM:<a@example.net>\r\nRCPT TO:<marie@example.com>\r\n" + LETTER
    talk(desk, one * 3)
    assert len(desk.got) == 3


def test_a_client_that_goes_away_in_the_middle_delivers_nothing() -> None:
    desk = Desk()
    said = talk(
        desk, b"MAIL FROM:<>\r\nRCPT TO:<marie@example.com>\r\nDATA\r\nSubject: x\r\n\r\n.\n\r\n..\r\n"
    )
    assert codes(said)[-1] == "354"
    assert desk.got == []


def test_a_delivery_that_fails_ends_the_connection_without_an_answer() -> None:
    said = talk(Desk(raises=True), b"MAIL FROM:<>\r\nRCPT TO:<marie@example.com>\r\n", LETTER)
    assert codes(said)[-1] == "354"


@pytest.mark.parametrize(
    ("limit", "sent"),
    [
        ("MAX_LINE", b"A" * 5000),
        ("UNDECLARED", b"MAIL FROM:<>\r\nRCPT TO:<marie@example.com>\r\nDATA\r\n" + b"x" * 5000),
    ],
)
def test_what_has_no_end_is_ended(limit: str, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, limit, 1000)
    desk = Desk()
    talk(desk, sent, b"x\r\n.\r\nNOOP\r\n")
    assert desk.got == []


ONE = b"MAIL FROM:<a@example.net> SIZE=%d\r\nRCPT TO:<marie@example.com>\r\nDATA\r\n"


def test_messages_wait_for_room_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that together are too large the second is asked for when the first one is done; one that is larger than
    all room comes alone."""
    monkeypatch.setattr(lmtp, "_CHUNK", 10)
    desk, first, second = Desk(), Wire(), Wire()

    async def connections() -> None:
        server = LMTPServer(desk.check, desk.deliver, memory=1000)
        readers = [asyncio.StreamReader(), asyncio.StreamReader()]
        wires: list[Any] = [first, second]
        served = [asyncio.create_task(server.serve(*both)) for both in zip(readers, wires, strict=True)]
        readers[0].feed_data(ONE % 600)
        await until(lambda: b"354" in first.written)
        readers[1].feed_data(ONE % 600)
        await until(lambda: second.written.count(b"\r\n250 ") >= 2)
        await asyncio.sleep(0)
        assert b"354" not in second.written
        readers[0].feed_data(b"x\r\n.\r\n")
        await until(lambda: b"354" in second.written)
        readers[1].feed_data(b"x\r\n.\r\n" + ONE % 5000 + b"x\r\n.\r\nQUIT\r\n")
        readers[0].feed_eof()
        await asyncio.gather(*served)

    asyncio.run(connections())
    assert len(desk.got) == 3
    assert second.written.count(b"354") == 2


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for is written by the code under test
            await asyncio.sleep(0)


def test_who_finds_no_room_keeps_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, "ROOM_SECONDS", 0.01)

    async def both() -> list[str]:
        memory = lmtp.Memory(1000)
        wire: Any = Wire()
        desk = Desk()
        server = LMTPServer(desk.check, desk.deliver)
        monkeypatch.setattr(server, "_memory", memory)
        reader = asyncio.StreamReader()
        async with memory.holding(1000):
            reader.feed_data(ONE % 600 + b"NOOP\r\nQUIT\r\n")
            await server.serve(reader, wire)
        return [line.decode() for line in wire.written.splitlines()]

    assert codes(asyncio.run(both()))[3:] == ["451", "250", "221"]


def test_more_than_was_declared_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, "_CHUNK", 100)
    desk = Desk()
    said = talk(desk, ONE % 100 + b"x" * 5000 + b"\r\n.\r\nNOOP\r\n")
    assert codes(said)[-1] == "354"
    assert desk.got == []


def test_what_is_larger_than_any_message_is_not_asked_for() -> None:
    assert codes(talk(Desk(), ONE % 2**40 + b"QUIT\r\n"))[3:] == ["451", "221"]


def test_connections_are_bounded() -> None:
    async def many() -> list[bytes]:
        desk = Desk()
        server = LMTPServer(desk.check, desk.deliver, connections=2)
        wires: list[Any] = [Wire() for _ in range(3)]
        readers = [asyncio.StreamReader() for _ in wires]
        served = [asyncio.create_task(server.serve(*both)) for both in zip(readers, wires, strict=True)]
        await served[2]
        for reader in readers:
            reader.feed_eof()
        await asyncio.gather(*served)
        reader, wire = asyncio.StreamReader(), Wire()
        reader.feed_eof()
        later: Any = wire
        await server.serve(reader, later)
        return [one.written for one in (*wires, later)]

    first, second, third, later = asyncio.run(many())
    assert [one[:3] for one in (first, second, third, later)] == [b"220", b"220", b"421", b"220"]


def test_recipients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, "MAX_RECIPIENTS", 2)
    said = talk(Desk(), b"MAIL FROM:<>\r\n" + b"RCPT TO:<marie@example.com>\r\n" * 3)
    assert codes(said)[2:] == ["250", "250", "451"]


def test_an_idle_client_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp, "IDLE_SECONDS", 0.01)

    async def read() -> None:
        await Input(asyncio.StreamReader()).line()

    with pytest.raises(TimeoutError):
        asyncio.run(read())


def stuffed(content: bytes) -> bytes:
    """What a client sends for a message that ends in CRLF (RFC 5321 4.5.2)."""
    lines = content.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"


HOSTILE = st.lists(
    st.sampled_from([b"\r\n", b".", b"..", b"\n", b"\r", b"a", b"\0", b"\n.\n", b"\r.\r", b"\n.\r\n"])
    | st.binary(max_size=5),
    max_size=30,
).map(lambda pieces: b"".join(pieces) + b"\r\n")


@PROPERTY
@given(HOSTILE | st.just(b""), st.lists(st.integers(0, 200), max_size=4))
def test_any_octets_come_through_however_they_are_cut(content: bytes, cuts: list[int]) -> None:
    async def read() -> tuple[bytes, str]:
        reader = asyncio.StreamReader()
        client = Input(reader)
        reading = asyncio.create_task(client.data(10**6))
        sent = stuffed(content) + b"NOOP\r\n"
        edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
        for start, stop in pairwise(edges):
            reader.feed_data(sent[start:stop])
            await asyncio.sleep(0)
        reader.feed_eof()
        return await reading, await client.line()

    assert asyncio.run(read()) == (content, "NOOP")

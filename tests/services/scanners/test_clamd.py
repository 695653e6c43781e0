"""The clamd client against servers that do what clamd never should."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import Virus
from tamis.services.scanners.clamd import Engines
from tamis.settings import AntivirusEngine, AntivirusSettings
from tests.services import quick_time

PATIENCE = 20.0
"""Seconds that an engine may take."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(answer: bytes, heard: list[bytes] | None = None) -> Handler:
    """A clamd that reads the stream and says this."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(b"zINSTREAM\0"))
        stream = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            stream += await reader.readexactly(size)
        if heard is not None:
            heard.append(stream)
        writer.write(answer)
        await writer.drain()
        writer.close()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A clamd that accepts, reads nothing, and does not answer before all patience is over."""
    quick_time.move_on(PATIENCE)
    try:
        await asyncio.sleep(1000 * PATIENCE)
    finally:
        writer.close()


def scan(
    folder: Path, *handlers: Handler, octets: bytes = b"x", max_size: int = 10**7, seconds: float = PATIENCE
) -> Virus | None:
    """What engines with these handlers, asked in order, find."""

    async def run() -> Virus | None:
        engines = []
        servers = []
        for number, handler in enumerate(handlers):
            path = str(folder / f"{number}.sock")
            servers.append(await asyncio.start_unix_server(handler, path))
            engines.append(AntivirusEngine(name=f"engine{number}", socket=f"unix:{path}"))
        settings = AntivirusSettings(engines=tuple(engines), seconds=seconds, max_size=max_size)
        try:
            return await Engines(settings, engines).scan(octets, [("a.exe", b"attached")])
        finally:
            for server in servers:
                server.close()

    return quick_time.run(run())


def test_message_and_attachments_are_sent_to_every_engine(tmp_path: Path) -> None:
    heard: list[bytes] = []
    large = bytes(300_000)
    good = answering(b"stream: OK\0", heard)
    assert scan(tmp_path, good, good, octets=large) is None
    assert heard == [large, b"attached"] * 2


def test_the_first_finding_counts(tmp_path: Path) -> None:
    found = scan(tmp_path, answering(b"stream: OK\0"), answering(b"stream: Bad.Thing-1 FOUND\0"))
    assert found == Virus("engine1", "Bad.Thing-1", "message")


def test_a_silent_engine_is_unavailable_in_time_and_leaves_some_for_the_next(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="engine0 gave no answer in time"):
        scan(tmp_path, silent, octets=bytes(5_000_000))
    found = scan(tmp_path / "..", silent, answering(b"stream: Late FOUND\0"), seconds=2 * PATIENCE)
    assert found is not None
    assert found.signature == "Late"


@pytest.mark.parametrize("answer", [b"", b"\0", b"INSTREAM size limit exceeded. ERROR\0", b"\xff\xfe" * 9000])
def test_any_other_answer_is_no_finding(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(ServiceError):
        scan(tmp_path, answering(answer))


def test_a_signature_can_not_inject(tmp_path: Path) -> None:
    found = scan(tmp_path, answering(b"stream: Bad\r\nX-Spam-Flag: NO\x1b[2J FOUND\0"))
    assert found is not None
    assert found.signature == "Bad??X-Spam-Flag: NO?[2J"


def test_what_is_too_large_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="more than is scanned"):
        scan(tmp_path, answering(b"stream: OK\0"), octets=bytes(5000), max_size=2000)


def test_no_engine_there(tmp_path: Path) -> None:
    engine = AntivirusEngine(name="gone", socket=f"unix:{tmp_path}/none")
    with pytest.raises(ServiceError, match="gone"):
        asyncio.run(Engines(AntivirusSettings(), [engine]).scan(b"x", []))

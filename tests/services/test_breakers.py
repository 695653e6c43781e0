"""Breakers where external parts are asked: a dead one costs its time a few times, comes back, and blinds no other."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tamis.base.breaker import Breakers
from tamis.base.breaker_limits import BreakerLimits
from tamis.base.errors import LeftOutError, ServiceError
from tamis.contract.ask import answered
from tamis.contract.finding import Finding, Status
from tamis.contract.service_protocols import Answer, Services
from tamis.filters.dnsbl import DNSBL
from tamis.filters.shared.on_dns_lists import Asked
from tamis.services.dns.resolver import Resolver
from tamis.services.files.helper import HelperPool
from tamis.services.scanners.clamd import Engines
from tamis.services.scanners.spamd import Spamd
from tamis.settings import AntivirusEngine, AntivirusSettings, SpamAssassinSettings
from tamis.settings.dns_lists import DNSList
from tests.answering import from_dns
from tests.builders import message
from tests.services import quick_time

LIMITS = BreakerLimits(failures=2, pause=0.2, longest=0.2)
PATIENCE = 50.0
"""Seconds that a scanner may take."""
BOMB = b"a bomb"


class Clock:
    """The breakers' own: no pause ends before it is moved on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def after_the_pause(self) -> None:
        """The next call is a trial."""
        self.now += LIMITS.pause


class Scanner:
    """A clamd or a spamd in small: `dead` accepts and never answers; a bomb keeps it silent in any case. Who asks then
    has waited long enough at once, unless it `takes_time`."""

    def __init__(self, path: Path, answer: Callable[[bytes], bytes]) -> None:
        self.path = path
        self.dead = False
        self.takes_time = False
        self.connections = 0
        self._answer = answer

    async def __aenter__(self) -> Scanner:
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        asked = await reader.read(65_536)
        if self.dead or BOMB in asked:
            if not self.takes_time:
                quick_time.move_on(PATIENCE)
            await reader.read()  # until the other side goes away
        else:
            writer.write(self._answer(asked))
            await writer.drain()
        writer.close()


Ask = Callable[[bytes], object]


def clamd(path: Path, breakers: Breakers) -> tuple[Scanner, Ask]:
    engine = AntivirusEngine(name="clamav", socket=f"unix:{path}")
    engines = Engines(AntivirusSettings(engines=(engine,), seconds=PATIENCE), [engine], breakers)
    return Scanner(path, lambda _: b"stream: OK\0"), lambda octets: engines.scan(octets, [])


def spamd(path: Path, breakers: Breakers) -> tuple[Scanner, Ask]:
    def answer(asked: bytes) -> bytes:
        pong = b"SPAMD/1.5 0 PONG\r\n"
        scored = b"SPAMD/1.1 0 EX_OK\r\nSpam: False ; 1.0 / 5.0\r\n\r\nA_RULE"
        return pong if asked.startswith(b"PING") else scored

    client = Spamd(SpamAssassinSettings(socket=f"unix:{path}", seconds=PATIENCE), breakers)
    return Scanner(path, answer), client.score


@pytest.mark.parametrize("made", [clamd, spamd])
def test_a_silent_scanner_is_left_out_and_comes_back(
    tmp_path: Path, made: Callable[[Path, Breakers], tuple[Scanner, Ask]]
) -> None:
    async def run() -> None:
        clock = Clock()
        breakers = Breakers(LIMITS, clock)
        scanner, ask = made(tmp_path / "socket", breakers)
        async with scanner:
            await ask(b"hello")  # type: ignore[misc]
            scanner.dead = True
            for _ in range(3):  # the third begins with the check
                with pytest.raises(ServiceError, match="no answer"):
                    await ask(b"hello")  # type: ignore[misc]
            before = scanner.connections
            for _ in range(20):
                with pytest.raises(ServiceError, match="left out until"):
                    await ask(b"hello")  # type: ignore[misc]
            assert scanner.connections == before
            clock.after_the_pause()
            scanner.takes_time = True
            with pytest.raises(ServiceError, match="left out until"):
                await ask(b"hello")  # type: ignore[misc]
            while scanner.connections == before:  # noqa: ASYNC110 - the trial, which goes on by itself
                await asyncio.sleep(0)
            assert scanner.connections == before + 1
            scanner.dead = False
            quick_time.move_on(PATIENCE)
            while breakers.states()[0].left_out_until:
                clock.after_the_pause()
                await asyncio.sleep(0)
                with suppress(ServiceError):
                    await ask(b"hello")  # type: ignore[misc]

    quick_time.run(run())


@pytest.mark.parametrize("made", [clamd, spamd])
def test_mail_that_makes_a_scanner_late_does_not_switch_it_off(
    tmp_path: Path, made: Callable[[Path, Breakers], tuple[Scanner, Ask]]
) -> None:
    async def run() -> None:
        breakers = Breakers(LIMITS)
        scanner, ask = made(tmp_path / "socket", breakers)
        async with scanner:
            for _ in range(8):
                with pytest.raises(ServiceError, match="no answer"):
                    await ask(BOMB)  # type: ignore[misc]
            await ask(b"hello")  # type: ignore[misc]
        assert breakers.states()[0].openings == 0

    quick_time.run(run())


def test_a_dead_engine_leaves_the_other_all_the_time(tmp_path: Path) -> None:
    async def run() -> None:
        engines = [AntivirusEngine(name=n, socket=f"unix:{tmp_path / n}") for n in ("one", "two")]
        client = Engines(
            AntivirusSettings(engines=tuple(engines), seconds=2 * PATIENCE - 1),
            engines,
            Breakers(LIMITS, Clock()),
        )
        one = Scanner(tmp_path / "one", lambda _: b"")
        two = Scanner(tmp_path / "two", lambda _: b"stream: Bad FOUND\0")
        one.dead = True
        async with one, two:
            for _ in range(4):
                found = await client.scan(b"x", [])
                assert found is not None
            before = one.connections
            found = await client.scan(b"x", [])
            assert found is not None
            assert one.connections == before

    quick_time.run(run())


def test_helpers_that_do_not_start_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    pool, breakers = HelperPool("test", processes=1, waiting=0, memory=2**30), Breakers(LIMITS, clock)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        for _ in range(3):
            with pytest.raises(ServiceError, match=r"ended before|is lost"):
                pool.call("attachments", {"files": []}, seconds=20, breakers=breakers)
        with pytest.raises(LeftOutError, match="test helpers left out"):
            pool.call("attachments", {"files": []}, seconds=20, breakers=breakers)
    clock.after_the_pause()
    answer = pool.call("attachments", {"files": []}, seconds=20, breakers=breakers)
    assert answer["objects"] == []
    pool.close()


def test_files_that_make_helpers_late_do_not_switch_them_off() -> None:
    pool, breakers = HelperPool("test", processes=1, waiting=0, memory=2**30), Breakers(LIMITS)
    for _ in range(3):
        pool.call("attachments", {"files": []}, seconds=20, breakers=breakers)  # warm
        for _ in range(2):
            with pytest.raises(ServiceError, match="late"):
                pool.call(
                    "attachments", {"files": [["a", True]]}, [bytes(2**20)], seconds=0.0, breakers=breakers
                )
    assert breakers.states()[0].openings == 0
    pool.close()


class SomeLists:
    """A DNS in which nothing below `dead` zones is ever answered."""

    def __init__(self, *dead: str) -> None:
        self.dead = dead
        self.asked: list[str] = []
        self.error = ServiceError("no answer in time")

    def answer(self, name: str, rdtype: str) -> Answer:
        self.asked.append(name)
        if name.endswith(self.dead):
            raise self.error
        return Answer(name, rdtype, ("127.0.0.2",))


ZONES = ("a.example.org", "b.example.org", "c.example.org")


def look(dns: SomeLists, breakers: Breakers) -> Finding:
    """What the lists say of two subjects."""
    told = message()
    told.services = Services(breakers=breakers)
    asked = [
        Asked(subject, one, f"{subject}.{one.zone}")
        for subject in ("x.example", "y.example")
        for one in map(DNSList.parse, ZONES)
    ]
    return answered(DNSBL().ask(told, asked), from_dns(dns))


def test_a_dead_list_is_not_asked_and_the_others_are() -> None:
    clock = Clock()
    dns, breakers = SomeLists("a.example.org"), Breakers(LIMITS, clock)
    for _ in range(2):
        assert look(dns, breakers).facts["silent"] == ["a.example.org"]
    dns.asked.clear()
    for _ in range(5):
        found = look(dns, breakers)
        assert found.status is Status.HIT
        assert found.facts["silent"] == ["a.example.org"]
        assert found.facts["subjects"]["x.example"]["answered"] == ["b.example.org", "c.example.org"]
    assert not [name for name in dns.asked if name.endswith("a.example.org")]
    dns.dead = ()
    clock.after_the_pause()
    assert look(dns, breakers).facts["silent"] == []


def test_when_all_lists_are_left_out_the_filter_says_so() -> None:
    dns, breakers = SomeLists(*ZONES), Breakers(LIMITS, Clock())
    for _ in range(2):
        look(dns, breakers)
    found = look(dns, breakers)
    assert found.status is Status.UNAVAILABLE
    assert "DNS list a.example.org left out until" in found.text()
    assert len(dns.asked) == 2 * 2 * len(ZONES)


def test_a_dns_server_that_is_left_out_is_no_failure_of_the_lists() -> None:
    dns, breakers = SomeLists(*ZONES), Breakers(LIMITS)
    dns.error = LeftOutError("DNS server 192.0.2.1:53", time.time() + 2, 8, "no answer")
    for _ in range(5):
        assert look(dns, breakers).status is Status.UNAVAILABLE
    assert not any(one.left_out_until for one in breakers.states())


def test_a_dead_dns_server_shows_among_the_parts() -> None:
    async def run() -> None:
        breakers = Breakers()
        resolver = Resolver([("127.0.0.1", 9)], breakers=breakers)
        with pytest.raises(ServiceError):
            await resolver.query("www.example.net", "A")
        with pytest.raises(LeftOutError):
            await resolver.query("www.example.org", "A")
        (state,) = breakers.states()
        assert (state.part, state.openings, state.reason) == (
            "DNS server 127.0.0.1:9",
            1,
            "nothing listens there",
        )
        resolver.close()

    asyncio.run(run())

"""The resolver: what it asks, what it believes, what it keeps, and that it ends in time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.breaker import Breakers
from tamis.base.breaker_limits import BreakerLimits
from tamis.base.errors import LeftOutError, ServiceError
from tamis.contract.service_protocols import Answer
from tamis.services.dns import cache as dns_cache
from tamis.services.dns import server as dns_server
from tamis.services.dns.cache import Cache
from tamis.services.dns.resolver import Resolver
from tamis.services.dns.server import DNSServer
from tamis.services.dns.wire import question, read
from tamis.services.runner import Runner
from tests.builders import PROPERTY
from tests.services.dns.standin_dns import Reply, StandIn, answer, refusal

NAME = "www.example.net"
HERE = "A 192.0.2.1"


def silent(_: dns.message.Message) -> None:
    """A server that never answers."""


def good(query: dns.message.Message) -> dns.message.Message:
    """A server that knows one address."""
    return answer(query, HERE)


def truncated(query: dns.message.Message) -> dns.message.Message:
    """A reply with nothing in it but the flag."""
    made = answer(query)
    made.flags |= dns.flags.TC
    return made


def ask(
    replies: Sequence[Reply | StandIn],
    work: Callable[[Resolver, list[StandIn]], Awaitable[None]],
    **settings: float,
) -> None:
    """Do some work with a resolver on stand-ins."""

    async def run() -> None:
        servers = [one if isinstance(one, StandIn) else StandIn(one) for one in replies]
        for server in servers:
            await server.__aenter__()
        given = {"retransmit": 30.0, "deadline": 60.0, **settings}  # however busy the machine is
        resolver = Resolver([one.address for one in servers], **given)  # type: ignore[arg-type]
        try:
            await work(resolver, servers)
        finally:
            resolver.close()
            for server in servers:
                await server.__aexit__(None, None, None)

    asyncio.run(run())


def test_the_types_in_presentation_form() -> None:
    texts = {
        "A": ("A 192.0.2.1", "192.0.2.1"),
        "AAAA": ("AAAA 2001:DB8::1", "2001:db8::1"),
        "MX": ("MX 10 Mail.Example.NET.", "10 mail.example.net"),
        "PTR": ("PTR Mail.Example.NET.", "mail.example.net"),
        "TXT": ('TXT "v=spf1 " "-all \\233"', "v=spf1 -all \xe9"),
    }

    def reply(query: dns.message.Message) -> dns.message.Message:
        rdtype = query.question[0].to_text().split()[-1]
        return answer(query, texts[rdtype][0])

    async def work(resolver: Resolver, _: list[StandIn]) -> None:
        answers = await resolver.queries([(f"{rdtype}.Example.net.", rdtype) for rdtype in texts])
        for rdtype, found in zip(texts, answers, strict=True):
            assert found == Answer(
                f"{rdtype.lower()}.example.net", rdtype, (texts[rdtype][1],), exists=True, ttl=300.0
            )

    ask([reply], work)


def test_a_null_mx_keeps_its_dot() -> None:
    async def work(resolver: Resolver, _: list[StandIn]) -> None:
        assert (await resolver.query(NAME, "MX")).records == ("0 .",)

    ask([lambda query: answer(query, "MX 0 .")], work)


def test_answers_are_kept_for_their_time_and_asked_for_once() -> None:
    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        answers = await asyncio.gather(*(resolver.query(NAME, "A") for _ in range(50)))
        assert {one.records for one in answers} == {("192.0.2.1",)}
        await resolver.query(NAME.upper() + ".", "A")
        assert servers[0].queries == 1

    ask([StandIn(good, delay=0.02)], work)


def test_one_who_stops_waiting_stops_nobody_else() -> None:
    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        first = asyncio.ensure_future(resolver.query(NAME, "A"))
        second = asyncio.ensure_future(resolver.query(NAME, "A"))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).records == ("192.0.2.1",)
        assert servers[0].queries == 1

    ask([StandIn(good, delay=0.02)], work)


@pytest.mark.parametrize(("rcode", "exists"), [(dns.rcode.NXDOMAIN, False), (dns.rcode.NOERROR, True)])
def test_negative_answers_are_kept_as_their_soa_says(rcode: dns.rcode.Rcode, exists: bool) -> None:
    """RFC 2308 5: the lesser of the SOA's own time to live and its minimum; without one, not at all."""

    def reply(query: dns.message.Message) -> dns.message.Message:
        return refusal(query, rcode, soa=77 if "with" in query.question[0].to_text() else None)

    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        for _ in range(2):
            found = await resolver.query("with.example.net", "A")
            assert (found.records, found.exists, found.ttl) == ((), exists, 77.0)
        assert servers[0].queries == 1
        for _ in range(2):
            assert (await resolver.query("no-soa.example.net", "A")).exists is exists
        assert servers[0].queries == 3

    ask([reply], work)


def test_failures_are_kept_shortly() -> None:
    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        for _ in range(3):
            with pytest.raises(ServiceError, match="SERVFAIL"):
                await resolver.query(NAME, "A")
        assert servers[0].queries == 1

    ask([lambda query: refusal(query, dns.rcode.SERVFAIL)], work)


def test_truncated_answers_are_had_over_tcp() -> None:
    many = [f"A 192.0.2.{n}" for n in range(1, 91)]

    def full(query: dns.message.Message) -> dns.message.Message:
        made = answer(query)
        made.answer.append(
            dns.rrset.from_text(query.question[0].name, 300, "IN", "A", *(one[2:] for one in many))
        )
        return made

    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        assert len((await resolver.query(NAME, "A")).records) == 90
        assert servers[0].queries == 2

    ask([StandIn(truncated, full)], work)


def test_a_lost_question_is_sent_again() -> None:
    seen: list[int] = []

    def second(query: dns.message.Message) -> dns.message.Message | None:
        seen.append(query.id)
        return answer(query, HERE) if len(seen) > 1 else None

    async def work(resolver: Resolver, _: list[StandIn]) -> None:
        assert (await resolver.query(NAME, "A")).records == ("192.0.2.1",)
        assert len(set(seen)) == 2  # another id each time

    ask([second], work, retransmit=0.05)


@pytest.mark.parametrize("first", [silent, lambda query: refusal(query, dns.rcode.REFUSED)])
def test_the_next_server_is_asked(first: Reply) -> None:
    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        assert (await resolver.query(NAME, "A")).records == ("192.0.2.1",)
        assert all(one.queries for one in servers)

    ask([first, good], work, retransmit=0.05)


def test_a_slow_answer_counts_after_another_attempt() -> None:
    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        assert (await resolver.query(NAME, "A")).records == ("192.0.2.1",)
        assert servers[0].queries > 1

    ask([StandIn(good, delay=0.2)], work, retransmit=0.05)


def _other_question(query: dns.message.Message) -> bytes:
    forged = dns.message.make_query("other.example.net", "A", id=query.id)
    return answer(forged, "A 198.51.100.66").to_wire()


def _other_id(query: dns.message.Message) -> bytes:
    forged = answer(query, "A 198.51.100.66")
    forged.id = query.id ^ 1
    return forged.to_wire()


def _no_reply(query: dns.message.Message) -> bytes:
    return query.to_wire()


@pytest.mark.parametrize(
    "forge", [_other_question, _other_id, _no_reply, lambda _: b"", lambda _: b"\0" * 11]
)
def test_what_answers_no_question_of_ours_is_ignored(forge: Callable[[dns.message.Message], bytes]) -> None:
    """Forged answers come first; the true one is still waited for."""

    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        assert (await resolver.query(NAME, "A")).records == ("192.0.2.1",)
        assert servers[0].queries == 1

    server = StandIn(good)

    def reply(query: dns.message.Message) -> dns.message.Message:
        for peer in server.peers:
            server.transport.sendto(forge(query), peer)
        return answer(query, HERE)

    server.reply = reply
    ask([server], work)


def test_only_the_asked_server_is_believed() -> None:
    """An answer with the right id and question from another port never reaches us."""

    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        asked, liar = servers

        def reply(query: dns.message.Message) -> dns.message.Message:
            for peer in asked.peers:
                liar.transport.sendto(answer(query, "A 198.51.100.66").to_wire(), peer)
            return answer(query, HERE)

        asked.reply = reply
        assert (await resolver.query(NAME, "A")).records == ("192.0.2.1",)

    ask([StandIn(good, delay=0.05), silent], work)


def test_questions_come_from_many_ports() -> None:
    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        await resolver.queries([(f"n{n}.example.net", "A") for n in range(200)])
        assert len(servers[0].peers) >= dns_server.POOL

    ask([good], work)


def test_chains_of_aliases() -> None:
    """A server's own chain is read; one that it left open is followed; a loop ends."""

    def reply(query: dns.message.Message) -> dns.message.Message:
        made = answer(query)
        name = query.question[0].name.to_text()
        targets = {"open": ("far",), "whole": ("one", "two"), "loop": ("loop",)}.get(name.split(".")[0], ())
        for target in targets:
            made.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", f"{target}.example.net."))
            name = f"{target}.example.net."
        if "open" not in query.question[0].to_text():
            made.answer.append(dns.rrset.from_text(name, 300, "IN", "A", "192.0.2.1"))
        return made

    async def work(resolver: Resolver, _: list[StandIn]) -> None:
        for name in ("open", "whole"):
            found = await resolver.query(f"{name}.example.net", "A")
            assert (found.records, found.ttl) == (("192.0.2.1",), 60.0)

    ask([reply], work)


def test_garbage_and_floods_are_failures() -> None:
    def garbage(query: dns.message.Message) -> bytes:
        return answer(query, HERE).to_wire()[:-14]  # in the record; 11 octets behind it are EDNS

    def flood(query: dns.message.Message) -> bytes:
        octets = bytearray(answer(query, HERE).to_wire())
        octets[6:8] = b"\xff\xff"
        return bytes(octets)

    async def work(resolver: Resolver, _: list[StandIn]) -> None:
        with pytest.raises(ServiceError):
            await resolver.query(NAME, "A")

    ask([garbage], work)
    ask([flood], work)


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 2),
    st.integers(0, 120),
)
def test_whatever_a_server_writes_is_an_answer_or_a_failure(
    changes: list[tuple[int, int]], kind: int, cut: int
) -> None:
    query = dns.message.make_query(NAME, "MX")
    made = (
        answer(query, "MX 10 mail.example.net.", "CNAME other.example.net."),
        refusal(query, dns.rcode.NXDOMAIN, soa=60),
        answer(query, "MX 10 .", "TXT x"),
    )[kind]
    octets = bytearray(made.to_wire())
    for place, value in changes:
        octets[12 + place % (len(octets) - 12)] = value
    asked = question(NAME, "MX")
    assert asked is not None
    try:
        reply = read(bytes(octets[: max(12, len(octets) - cut)]), asked)
    except ServiceError:
        return
    assert all(isinstance(one, str) for one in reply.records)


def test_names_that_cannot_be_are_not_asked_for() -> None:
    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        for name in (
            "",
            ".",
            "a..b",
            "a" * 64 + ".net",
            ".".join(["abc"] * 70),
            "b\u00fc.net",
            "a b.net",
            "a\0.net",
        ):
            assert (await resolver.query(name, "A")).exists is False
        assert servers[0].queries == 0

    ask([good], work)


def test_twenty_dead_servers_keep_the_deadline() -> None:
    async def work(resolver: Resolver, _: list[StandIn]) -> None:
        begun = time.monotonic()
        answers = await resolver.queries([(f"n{n}.example.net", "A") for n in range(100)])
        assert all(isinstance(one, ServiceError) for one in answers)
        assert time.monotonic() - begun < 25  # not the 30 s that an answer takes here

    ask([silent] * 20, work, deadline=0.5, retransmit=0.05)
    ask([StandIn(good, delay=30) for _ in range(20)], work, deadline=0.5, retransmit=0.05)


def test_who_waits_is_told_when_all_is_closed() -> None:
    """Nothing stays open, whatever was under way; what is asked then is asked anew."""

    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        told: list[object] = []

        def take(outcome: Answer | Exception) -> None:
            told.append(outcome)
            resolver.ask("other.example.net", "A", told.append)

        resolver.ask(NAME, "A", take)
        sockets = [socket for server in resolver._servers for socket in server._sockets]
        resolver.close()
        assert [type(one) for one in told] == [ServiceError] * 2
        assert [one._socket.fileno() for one in sockets] == [-1]
        servers[0].reply = good
        assert (await resolver.query(NAME, "A")).records == ("192.0.2.1",)

    ask([silent], work)


def test_who_waits_is_told_when_every_server_is_left_out() -> None:
    async def work(resolver: Resolver, _: list[StandIn]) -> None:
        waiting = asyncio.ensure_future(resolver.query(NAME, "A"))
        await asyncio.sleep(0)  # now it is asked
        for one in resolver._servers:
            one.breaker.failed("as a test wants it", certain=True)
        with pytest.raises(LeftOutError):
            await waiting

    ask([silent] * 2, work, deadline=3600.0, retransmit=0.01)


def test_a_refusal_that_nobody_waited_for_is_not_the_next_question_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_server, "POOL", 1)
    asked = question(NAME, "A")
    assert asked is not None

    async def run() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
            there.bind(("127.0.0.1", 0))
            address = there.getsockname()
        server = DNSServer(address[0], address[1], Breakers())
        server.ask(asked, lambda *_: None).cancel()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
            there.bind(address)
            there.settimeout(10)
            server.ask(asked, lambda *_: None).cancel()
            assert asked.octets in there.recv(512)
        server.close()

    asyncio.run(run())


def test_a_closed_port_is_told_at_once() -> None:
    """However many questions were sent on a socket, and on the loop that the workers have, too."""

    async def run() -> None:
        begun = time.monotonic()
        resolver = Resolver([("127.0.0.1", 9)], retransmit=30.0, deadline=60.0)
        many = await resolver.queries([(f"m{n}.example.net", "A") for n in range(100)])  # on the same sockets
        assert all(isinstance(one, ServiceError) for one in many)
        for n in range(20):
            with pytest.raises(ServiceError, match=r"nothing listens|left out until"):
                await resolver.query(f"n{n}.example.net", "A")
        assert time.monotonic() - begun < 20
        resolver.close()

    asyncio.run(run())
    outcome = Runner().submit(run())
    assert outcome.wait(60)
    outcome.result()


def test_a_dead_server_is_left_alone_until_a_probe_finds_it_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_server, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(dns_server, "LIMITS", BreakerLimits(failures=8, pause=0.05, longest=0.05))
    monkeypatch.setattr(dns_cache, "FAILURE_TTL", 0.0)

    async def work(resolver: Resolver, servers: list[StandIn]) -> None:
        await resolver.queries([(f"n{n}.example.net", "A") for n in range(20)])
        with pytest.raises(ServiceError, match="left out until"):
            resolver.query(NAME, "A").send(None)  # at its first step: it waits for nothing
        servers[0].reply = good
        async with asyncio.timeout(60):
            while True:
                try:
                    assert (await resolver.query(NAME, "A")).records
                    break
                except ServiceError:
                    await asyncio.sleep(0.01)

    ask([silent], work, deadline=0.5, retransmit=0.05)


def test_names_with_dead_servers_do_not_make_ours_look_dead() -> None:
    """A message full of links into a tarpit must not blind the filters."""

    def reply(query: dns.message.Message) -> dns.message.Message | None:
        return None if "tarpit" in query.question[0].to_text() else answer(query)

    async def work(resolver: Resolver, _: list[StandIn]) -> None:
        await resolver.queries([(f"n{n}.tarpit.example.net", "A") for n in range(20)])
        assert (await resolver.query(NAME, "A")).exists

    ask([reply], work, deadline=1.0, retransmit=0.05)


def test_the_cache_is_bounded_in_entries_and_characters() -> None:
    cache = Cache(100)
    for n in range(1000):
        cache.put((f"n{n}", "A"), Answer(f"n{n}", "A", ("192.0.2.1",)), 0.0, 60)
    assert len(cache) == 100
    assert cache.get(("n999", "A"), 1.0) is not None
    assert cache.get(("n0", "A"), 1.0) is None
    for n in range(10):
        cache.put((f"t{n}", "TXT"), Answer(f"t{n}", "TXT", ("x" * 30_000,)), 0.0, 60)
    assert 0 < len(cache) <= 2
    assert cache.get(("t9", "TXT"), 61.0) is None


def test_times_to_live_are_bounded() -> None:
    cache = Cache(100)
    answers: dict[str, tuple[Answer | ServiceError, float | None, float]] = {
        "short": (Answer("short", "A", ("192.0.2.1",)), 0.0, dns_cache.LEAST_TTL),
        "long": (Answer("long", "A", ("192.0.2.1",)), 1e9, dns_cache.MOST_TTL),
        "none": (Answer("none", "A", exists=False), 1e9, dns_cache.MOST_NEGATIVE_TTL),
        "failed": (ServiceError("x"), None, dns_cache.FAILURE_TTL),
    }
    for name, (found, ttl, kept) in answers.items():
        cache.put((name, "A"), found, 0.0, ttl)
        assert cache.get((name, "A"), kept - 0.1) is found
        assert cache.get((name, "A"), kept) is None

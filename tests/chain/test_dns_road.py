"""DNS filters on the road: they start at MAIL FROM, and a session's later messages ask nothing again."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import dns.message
import dns.rcode

from tamis.chain.road import Examined, Road
from tamis.contract.finding import Status
from tamis.contract.service_protocols import DNS, Answer, Services
from tamis.judging.authentication import Standing, evidence
from tamis.message.mail import Mail
from tamis.services.dns.resolver import Resolver
from tamis.services.runner import Runner
from tests.builders import LETTER, MARIE, STRANGER_IP, envelope, site
from tests.memory_state import MemoryState
from tests.services.dns.resolving import WrittenDNS
from tests.services.dns.standin_dns import StandIn, answer, refusal

ASKING = ("spf", "reverse_dns", "sender_mx", "dnsbl", "uribl", "helo")


class Watched(WrittenDNS):
    """Tells when the sender's SPF record is asked for."""

    def __init__(self) -> None:
        super().__init__({"example.net TXT": ["v=spf1 -all"]}, client=STRANGER_IP)
        self.begun = threading.Event()

    def answer(self, name: str, rdtype: str) -> Answer:
        if rdtype == "TXT":
            self.begun.set()
        return super().answer(name, rdtype)


def test_waiting_begins_at_mail_from() -> None:
    resolver = Watched()
    road = Road(site(), Runner(), Services(dns=resolver))
    told = envelope(helo="mail.example.net")
    road.mail_from(replace(told, recipients=()))
    assert resolver.begun.wait(60)
    examined = road.end_of_message(told, Mail(LETTER))
    assert examined.judged[0].verdict.decided_by == "spf"
    assert evidence(examined.findings, told.sender).standing is Standing.FAILED
    assert resolver.asked.count(("example.net", "TXT")) == 1


def test_later_messages_of_a_session_ask_nothing_again() -> None:
    def reply(query: dns.message.Message) -> dns.message.Message:
        words = query.question[0].to_text().split()
        if words[-1] == "MX":
            return answer(query, "MX 10 mail.example.net.")
        if words[-1] == "PTR":
            return answer(query, "PTR mail.example.net.")
        if words[0] == "mail.example.net." and words[-1] == "A":
            return answer(query, f"A {STRANGER_IP}")
        return refusal(query, dns.rcode.NXDOMAIN, soa=60)

    async def run() -> None:
        made, runner = site(), Runner()
        async with StandIn(reply) as server:
            services = Services(dns=Resolver([server.address]), state=MemoryState())

            def message() -> Examined:
                road = Road(made, runner, services)
                told = envelope(MARIE, helo="mail.example.net")
                road.mail_from(replace(told, recipients=()))
                return road.end_of_message(told, Mail(LETTER))

            first = await asyncio.to_thread(message)
            asked = server.queries
            assert asked > 10
            assert {first.findings[name].status for name in ASKING} <= {Status.CLEAR, Status.HIT}
            assert Status.UNAVAILABLE not in {one.status for one in first.findings.values()}
            second = await asyncio.to_thread(message)
            assert server.queries == asked
            assert {n: f.status for n, f in second.findings.items()} == {
                n: f.status for n, f in first.findings.items()
            }
            runner.submit(closed(services.dns)).wait(60)

    async def closed(resolver: DNS) -> None:
        resolver.close()

    asyncio.run(run())

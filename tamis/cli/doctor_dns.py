"""The DNS part of `tamis doctor`: the servers, and each DNS list by its test entries (RFC 5782 5 and 6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from tamis.base.errors import ServiceError
from tamis.chain.open_services import open_resolver, system_servers
from tamis.cli.checks import CheckResult, ok, warning
from tamis.contract.service_protocols import DNS, Answer
from tamis.filters.shared.clients import TOP, believe
from tamis.settings import Settings
from tamis.settings.dns_lists import DNSList, ListRefusedError

LISTED_IP, NOT_LISTED_IP = "2.0.0.127", "1.0.0.127"  # 127.0.0.2 and 127.0.0.1
LISTED_NAME, NOT_LISTED_NAME = "test", "invalid"
OWN_TEST_NAMES = {
    "dbl.spamhaus.org": "dbltest.com",
    "multi.surbl.org": "test.surbl.org",
    "multi.uribl.com": "test.uribl.com",
}
"""Names that lists of domains have for testing besides RFC 5782's."""


def dns_checks(settings: Settings) -> Iterator[CheckResult]:
    """All checks, asked at once. What is wrong with a list keeps no mail from its way, so nothing is an error."""
    yield from asyncio.run(_checks(settings))


async def _checks(settings: Settings) -> list[CheckResult]:
    resolver = open_resolver(settings.dns)
    try:
        results = [await server_check(resolver, settings)]
        platform = settings.platform
        addresses = [DNSList.parse(text) for text in platform.dnsbl]
        domains = {one.zone: one for one in map(DNSList.parse, (*platform.rhsbl, *platform.uribl))}
        if results[0].mend:
            return results
        results += await asyncio.gather(
            *(list_check(resolver, one, [LISTED_IP], NOT_LISTED_IP) for one in addresses),
            *(list_check(resolver, one, _names(one), NOT_LISTED_NAME) for one in domains.values()),
        )
    finally:
        resolver.close()
    return results


def _names(one: DNSList) -> list[str]:
    return [LISTED_NAME, *([OWN_TEST_NAMES[one.zone]] if one.zone in OWN_TEST_NAMES else [])]


async def server_check(dns: DNS, settings: Settings) -> CheckResult:
    """Whether the servers answer at all."""
    servers = settings.dns.servers or tuple(f"{host}:{port}" for host, port in system_servers())
    shown = ", ".join(servers)
    begun = time.monotonic()
    try:
        believe(await dns.query(TOP, "NS"))
    except ServiceError as problem:
        return warning(
            "DNS",
            f"{shown}: {problem}",
            "set dns.servers to a recursive resolver that answers; until then the DNS filters see nothing",
        )
    return ok("DNS", f"{shown}, {(time.monotonic() - begun) * 1000:.0f} ms")


async def list_check(dns: DNS, one: DNSList, listed: Sequence[str], not_listed: str) -> CheckResult:
    """Whether a list has its test entries and lacks what no list may have."""
    names = [f"{name}.{one.zone}" for name in (*listed, not_listed)]
    *there, absent = await dns.queries([(name, "A") for name in names])
    check = f"DNS list {one.zone}"
    try:
        weights = [one.weight(answer.records) for answer in there if isinstance(answer, Answer)]
        false_alarm = isinstance(absent, Answer) and one.weight(absent.records) > 0
    except ListRefusedError as problem:
        return warning(
            check,
            str(problem),
            "the list refuses public resolvers and heavy users: run a resolver of your own (dns.servers), or take "
            "the list out",
        )
    if not weights:
        return warning(check, f"no answer: {there[0]}", "take the list out if this lasts")
    if false_alarm:
        return warning(check, f"lists {not_listed}, so probably everything", "take the list out")
    if not any(weights):
        return warning(
            check, "lacks its test entry: it is closed, or its return codes have changed", "take the list out"
        )
    return ok(check, "answers as it should")

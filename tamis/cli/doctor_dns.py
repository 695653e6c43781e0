"""The DNS part of `tamis doctor`: the servers, and each DNS list by its test entries (RFC 5782 5 and 6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from tamis.base.errors import ServiceError
from tamis.chain.open_services import open_resolver, system_servers
from tamis.cli.checks import CheckResult, ok, warning
from tamis.contract.service_protocols import DNS
from tamis.filters.shared.clients import TOP, believe
from tamis.services.dns.list_tests import ListHealth, lists_of, probe
from tamis.settings import Settings
from tamis.settings.dns_lists import DNSList

_MENDS = {
    ListHealth.EVERYTHING: "take the list out; the daemon leaves it out until it is well",
    ListHealth.NOTHING: "take the list out; the daemon leaves it out until it is well",
    ListHealth.REFUSES: "the list refuses public resolvers and heavy users: run a resolver of your own "
    "(dns.servers), or take the list out",
    ListHealth.SILENT: "take the list out if this lasts",
}


def dns_checks(settings: Settings) -> Iterator[CheckResult]:
    """All checks, asked at once. What is wrong with a list keeps no mail from its way, so nothing is an error."""
    yield from asyncio.run(_checks(settings))


async def _checks(settings: Settings) -> list[CheckResult]:
    resolver = open_resolver(settings.dns)
    try:
        results = [await server_check(resolver, settings)]
        if results[0].mend:
            return results
        checked = await asyncio.gather(*(list_check(resolver, *told) for told in lists_of(settings.platform)))
        results += [*checked, *quorum_check(checked)]
    finally:
        resolver.close()
    return results


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
    result = await probe(dns, one, listed, not_listed)
    if result.health is ListHealth.WELL:
        return ok(one.part, result.health)
    told = f"{result.health}: {result.told}" if result.told else str(result.health)
    return warning(one.part, told, _MENDS[result.health])


def quorum_check(checked: Sequence[CheckResult]) -> Iterator[CheckResult]:
    """Whether enough lists are of use for the others to decide anything."""
    useless = sum(1 for one in checked if one.mend)
    if 2 * useless > len(checked):
        yield warning(
            "DNS lists",
            f"{useless} of {len(checked)} lists are of no use now: the others decide little alone",
            "configure lists that answer this resolver (platform.dnsbl, rhsbl, uribl)",
        )

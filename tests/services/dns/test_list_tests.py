"""Which DNS lists are left out because their answers can't be believed (RFC 5782 5), and when they come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from tamis.base.breaker import Breakers
from tamis.base.errors import LeftOutError
from tamis.services.dns.list_tests import (
    LACKING,
    ListHealth,
    ListTests,
    lists_of,
    probe,
    stranger,
    unknown_name,
)
from tamis.settings import Platform
from tamis.settings.dns_lists import DNSList
from tests.services.dns.resolving import WrittenDNS

IPS, NAMES = DNSList.parse("ips.example"), DNSList.parse("names.example")
PLATFORM = Platform(dnsbl=("ips.example",), rhsbl=(), uribl=("names.example",))

Says = Callable[[str], Sequence[str] | str]


class Lists(WrittenDNS):
    """Answers by what `says` tells of a name: records, or `dead`."""

    def __init__(self, says: Says) -> None:
        super().__init__()
        self.says = says

    def said(self, name: str, rdtype: str) -> Sequence[str] | str:
        return self.says(name) or "none"


def well(name: str) -> Sequence[str]:
    return ["127.0.0.2"] if name in ("2.0.0.127.ips.example", "test.names.example") else []


def everything(_: str) -> Sequence[str]:
    return ["127.0.0.2"]


def all_but_what_is_tested(name: str) -> Sequence[str]:
    """A wildcard beside a kept test entry: below 0.0.127 it does not count (RFC 4592 2.2)."""
    return [] if name.startswith(("1.0.0.127.", "invalid.")) else ["127.0.0.2"]


def nothing(_: str) -> Sequence[str]:
    return []


def refusing(_: str) -> Sequence[str]:
    return ["127.255.255.254"]


def dead(_: str) -> str:
    return "dead"


@pytest.mark.parametrize(
    ("says", "health"),
    [
        (well, ListHealth.WELL),
        (everything, ListHealth.EVERYTHING),
        (all_but_what_is_tested, ListHealth.EVERYTHING),
        (nothing, ListHealth.NOTHING),
        (refusing, ListHealth.REFUSES),
        (dead, ListHealth.SILENT),
    ],
)
@pytest.mark.parametrize(("one", "names", "absent"), lists_of(PLATFORM))
def test_health(one: DNSList, names: Sequence[str], absent: str, says: Says, health: ListHealth) -> None:
    assert asyncio.run(probe(Lists(says), one, names, absent)).health is health


def test_a_list_of_dial_up_networks_is_not_everything() -> None:
    """It may have any two addresses drawn at random, but hardly twelve."""
    drawn = iter(range(1000))

    def some(name: str) -> Sequence[str]:
        if name.endswith(".0.0.127.ips.example"):
            return well(name)
        return ["127.0.0.2"] if next(drawn) < 6 else []

    found = asyncio.run(probe(Lists(some), IPS, ["2.0.0.127"], "1.0.0.127"))
    assert found.health is ListHealth.WELL


def test_strangers_are_public_and_names_are_nobodys() -> None:
    for _ in range(200):
        first = int(stranger().rpartition(".")[2])
        assert first not in (0, 10, 127)
        assert first < 224
    assert len({unknown_name() for _ in range(50)}) == 50


def is_out(breakers: Breakers, one: DNSList) -> bool:
    try:
        breakers.part(one.part).admit()
    except LeftOutError:
        return True
    return False


def test_what_lists_the_world_is_left_out_at_once_and_taken_back(caplog: pytest.LogCaptureFixture) -> None:
    breakers, tests, dns = Breakers(), ListTests(), Lists(everything)
    asyncio.run(tests.run(dns, breakers, PLATFORM, 60))
    assert is_out(breakers, IPS)
    assert is_out(breakers, NAMES)
    breakers.part(IPS.part).answered()
    assert is_out(breakers, IPS), "an answer is not what it lacks"
    asyncio.run(tests.run(dns, breakers, PLATFORM, 60))
    told = [one.message for one in caplog.records if one.levelno == logging.ERROR]
    assert len(told) == 2, "each is told once"
    assert "ips.example is left out: lists what no list may have" in told[0]
    assert [one.message for one in caplog.records if "of no use now" in one.message]
    dns.says = well
    asyncio.run(tests.run(dns, breakers, PLATFORM, 60))
    assert not is_out(breakers, IPS)
    assert not is_out(breakers, NAMES)
    assert "DNS list ips.example can be believed again" in caplog.text


def test_what_lists_nothing_is_told_at_once_and_left_out_when_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    breakers, tests, dns = Breakers(), ListTests(), Lists(nothing)
    for number in range(1, LACKING + 1):
        asyncio.run(tests.run(dns, breakers, PLATFORM, 60))
        assert is_out(breakers, IPS) is (number == LACKING)
        assert "ips.example lacks its test entry" in caplog.text
    dns.says = well
    asyncio.run(tests.run(dns, breakers, PLATFORM, 60))
    assert not is_out(breakers, IPS)


def test_a_list_in_maintenance_once_counts_from_the_beginning() -> None:
    breakers, tests, dns = Breakers(), ListTests(), Lists(nothing)
    for says in (nothing, nothing, well, nothing, nothing):
        dns.says = says
        asyncio.run(tests.run(dns, breakers, PLATFORM, 60))
    assert not is_out(breakers, IPS)


def test_what_gives_no_answer_is_left_to_those_who_ask_it() -> None:
    breakers, tests = Breakers(), ListTests()
    for _ in range(5):
        asyncio.run(tests.run(Lists(dead), breakers, PLATFORM, 60))
    assert not is_out(breakers, IPS)

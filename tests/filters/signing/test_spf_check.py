"""pyspf on the resolver service: results, limits of RFC 7208 4.6.4, and hostile records."""

from __future__ import annotations

import time
from ipaddress import ip_address

import pytest

from tamis.contract.ask import answered
from tamis.filters.signing.spf_check import MAX_QUESTIONS, check
from tests.answering import from_dns
from tests.services.dns.resolving import WrittenDNS

Records = dict[str, list[str] | str]
TOP = "example.net TXT"


def checked(dns: WrittenDNS, ip: str = "192.0.2.7", local: str = "a") -> tuple[str, str]:
    return answered(check(ip_address(ip), local, "example.net", "mail.example.net"), from_dns(dns))


def result(records: Records, ip: str = "192.0.2.7", local: str = "stranger") -> tuple[str, str]:
    return checked(WrittenDNS(records), ip, local)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({TOP: "none"}, "none"),
        ({TOP: ["v=spf10 -all", "spf1 -all"]}, "none"),
        ({TOP: ["v=spf1 -all", "v=spf1 +all"]}, "permerror"),
        ({TOP: ["v=spf1"]}, "neutral"),
        ({TOP: ["V=SPF1 IP4:192.0.2.0/24 -ALL"]}, "pass"),
        ({TOP: ["v=spf1 a -all"], "example.net A": ["192.0.2.7"]}, "pass"),
        ({TOP: ["v=spf1 include:example.org ?all"], "example.org TXT": ["v=spf1 ip4:192.0.2.7 -all"]}, "pass"),
        ({TOP: ["v=spf1 include:example.org -all"], "example.org TXT": "none"}, "permerror"),
        ({TOP: ["v=spf1 redirect=example.org"], "example.org TXT": ["v=spf1 ~all"]}, "softfail"),
        ({TOP: ["v=spf1 redirect=example.org"], "example.org TXT": "none"}, "permerror"),
        ({TOP: ["v=spf1 exists:%{ir}.%{l}.example.org -all"],
          "7.2.0.192.stranger.example.org A": ["127.0.0.2"]}, "pass"),
        ({TOP: ["v=spf1 ptr:example.net -all"], "mail.example.net A": ["192.0.2.7"]}, "pass"),
        ({TOP: ["v=spf1 -all exp=why.example.net"], "why.example.net TXT": ["no"]}, "fail"),
        ({TOP: ["v=spf1 -all exp=why.example.net"], "why.example.net TXT": "dead"}, "fail"),
        ({TOP: "dead"}, "temperror"),
        ({TOP: ["v=spf1 mx -all"], "mail.example.net A": "dead"}, "temperror"),
        ({TOP: ["v=spf1 ip4:192.0.2.7 nonsense -all"]}, "permerror"),
        ({TOP: ["v=spf1 \xe9 -all"]}, "permerror"),
        ({TOP: ["v=spf1 a:%{x}.example.net -all"]}, "permerror"),
        ({TOP: ["v=spf1 " + "ip4:198.51.100.1 " * 1000]}, "none"),  # longer than is read
    ],
)  # fmt: skip
def test_results(records: Records, expected: str) -> None:
    assert result(records)[0] == expected


def test_ten_terms_that_ask_and_no_more() -> None:
    included: Records = {f"i{n}.example.net TXT": ["v=spf1 ?all"] for n in range(11)}
    for number, expected in ((10, "fail"), (11, "permerror")):
        terms = " ".join(f"include:i{n}.example.net" for n in range(number))
        assert result({TOP: [f"v=spf1 {terms} -all"], **included})[0] == expected


def test_two_void_look_ups_and_no_more() -> None:
    for number, expected in ((2, "fail"), (3, "permerror")):
        terms = " ".join(f"a:v{n}.example.net" for n in range(number))
        assert result({TOP: [f"v=spf1 {terms} -all"]})[0] == expected


def test_hosts_of_the_other_family_are_no_void_look_ups() -> None:
    """A domain whose hosts have IPv4 only, and a client that it allows by IPv6."""
    hosts = [f"mx{n}.example.net" for n in range(4)]
    records: Records = {
        TOP: ["v=spf1 a mx ip6:2001:db8::7 -all"],
        "example.net A": ["198.51.100.1"],
        "example.net MX": [f"10 {host}" for host in hosts],
        **{f"{host} A": ["198.51.100.1"] for host in hosts},
    }
    assert result(records, ip="2001:db8::7") == ("pass", "")
    assert result(records, ip="2001:db8::8") == ("fail", "")
    six = {
        key.replace(" A", " AAAA"): ["2001:db8::1"] if key.endswith(" A") else value
        for key, value in records.items()
    }
    assert result(six, ip="192.0.2.7") == ("fail", "")


def test_hosts_with_no_address_at_all_are_void_whatever_else_there_is() -> None:
    records: Records = {
        TOP: ["v=spf1 a a:v0.example.net a:v1.example.net a:v2.example.net ip6:2001:db8::7 -all"],
        "example.net A": ["198.51.100.1"],
    }
    found, problem = result(records, ip="2001:db8::7")
    assert (found, "oid lookup limit" in problem) == ("permerror", True)


def test_looking_for_other_addresses_is_bounded() -> None:
    records: Records = {TOP: ["v=spf1 " + " ".join(f"mx:m{n}.example.net" for n in range(10)) + " -all"]}
    for n in range(10):
        records[f"m{n}.example.net MX"] = [f"10 h{n}x{k}.example.net" for k in range(10)]
        records |= {f"h{n}x{k}.example.net A": ["198.51.100.1"] for k in range(10)}
    written = WrittenDNS(records)
    found, _ = checked(written, "2001:db8::7")
    assert (found, len(written.asked) <= MAX_QUESTIONS + 20) == ("permerror", True)


def test_a_record_that_asks_for_as_much_as_it_may() -> None:
    """Ten MX terms of ten hosts each: bounded in questions and in time."""
    records: Records = {TOP: ["v=spf1 " + " ".join(f"mx:m{n}.example.net" for n in range(10)) + " -all"]}
    for n in range(10):
        records[f"m{n}.example.net MX"] = [f"10 h{n}x{k}.example.net" for k in range(10)]
        records |= {f"h{n}x{k}.example.net A": ["198.51.100.1"] for k in range(10)}
    written = WrittenDNS(records)
    begun = time.process_time()
    found = checked(written)
    assert (found, len(written.asked)) == (("fail", ""), 111)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("local", ["", "a@b", "é", '"quoted part"', "%{d}", "x" * 300])
def test_any_local_part(local: str) -> None:
    assert result({TOP: ["v=spf1 exists:%{l}.example.org -all"]}, local=local)[0] in ("fail", "permerror")


def test_checks_that_take_turns_do_not_mix() -> None:
    """Each takes one step, then the next one does."""

    def one(n: int) -> WrittenDNS:
        return WrittenDNS({TOP: [f"v=spf1 include:example.org {'-' if n % 2 else '~'}all"],
                           "example.org TXT": ["v=spf1 ?all"]})  # fmt: skip

    checks = {n: check(ip_address("192.0.2.7"), "a", "example.net", "x") for n in range(100)}
    answers = {n: from_dns(one(n)) for n in checks}
    asked = {n: next(steps) for n, steps in checks.items()}
    found: dict[int, str] = {}
    while asked:
        for n, questions in list(asked.items()):
            try:
                asked[n] = checks[n].send([answers[n](question) for question in questions])
            except StopIteration as ended:
                found[n] = ended.value[0]
                del asked[n]
    assert [found[n] for n in range(100)] == ["softfail", "fail"] * 50

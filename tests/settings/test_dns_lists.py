"""How DNS lists are written, and what their answers mean."""

from __future__ import annotations

import pytest

from tamis.settings import DNSSettings
from tamis.settings.dns_lists import DNSBL, RHSBL, URIBL, DNSList, ListRefusedError


@pytest.mark.parametrize(
    ("text", "records", "weight"),
    [
        ("a.example.org", ["127.0.0.2"], 1.0),
        ("a.example.org", [], 0.0),
        ("a.example.org=127.0.0.2", ["127.0.0.3"], 0.0),
        ("a.example.org=127.0.0.2-127.0.0.4*0.5, 127.0.0.4", ["127.0.0.3"], 0.5),
        ("a.example.org=127.0.0.2-127.0.0.4*0.5, 127.0.0.4", ["127.0.0.3", "127.0.0.4"], 1.0),
        ("a.example.org+ip=&8,&64*0.25", ["127.0.0.72"], 1.0),
        ("a.example.org+ip=&8,&64*0.25", ["127.0.0.66"], 0.25),
        ("a.example.org+ip=&8,&64*0.25", ["127.0.0.4"], 0.0),
    ],
)
def test_what_a_listing_weighs(text: str, records: list[str], weight: float) -> None:
    assert DNSList.parse(text).weight(records) == weight


@pytest.mark.parametrize(
    "record", ["127.255.255.254", "127.255.255.255", "127.0.0.1", "192.0.2.1", "0.0.0.0"]
)
def test_refusals_are_no_listings(record: str) -> None:
    for text in (*DNSBL, *RHSBL, *URIBL, "a.example.org"):
        with pytest.raises(ListRefusedError):
            DNSList.parse(text).weight([record])


@pytest.mark.parametrize(
    "text",
    [
        *("", "example", "a..example.org", "a.example.org+", "a.example.org+ipx", "a.example.org=x"),
        *("a.example.org=192.0.2.1", "a.example.org=127.0.0.2*2", "a.example.org=&0", "a b/example.org"),
        "a.example.org=&256",
    ],
)
def test_no_list(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        DNSList.parse(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("[2001:db8::1]", None),
        ("192.0.2.1:0", None),
        ("192.0.2.1:x", None),
        ("ns.example.net", None),
    ],
)
def test_where_servers_are(text: str, address: tuple[str, int] | None) -> None:
    if address is None:
        with pytest.raises(ValueError, match=r"."):
            DNSSettings.address_of(text)
    else:
        assert DNSSettings.address_of(text) == address

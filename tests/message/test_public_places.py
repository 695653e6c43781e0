"""What the whole Internet can reach, by how it is written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.public_places import is_public_host

INSIDE = tuple(
    map(
        ipaddress.ip_network,
        (
            *(
                "127.0.0.0/8",
                "10.0.0.0/8",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "169.254.0.0/16",
                "100.64.0.0/10",
            ),
            *("0.0.0.0/8", "224.0.0.0/4", "192.0.2.0/24", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8"),
            *(
                "::ffff:10.0.0.0/104",
                "64:ff9b::c0a8:0/112",
                "2002:7f00::/24",
            ),  # 10/8, 192.168/16, 127/8 wrapped up
        ),
    )
)


@given(st.sampled_from(INSIDE), st.integers(min_value=0))
def test_no_address_of_a_closed_network_is_public(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, number: int
) -> None:
    assert not is_public_host(str(network[number % network.num_addresses]))


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            ".",
            "localhost",
            "LOCALHOST.",
            "mail",
            "mail.",
            "tamis.localhost",
            "mail.invalid",
            "mail.TEST",
        ),
        *(
            "mail.example",
            "example",
            "mail.example.",
            "mx.local",
            "mx.lan",
            "mx.home.arpa",
            "mx.internal",
            "a.alt",
        ),
        *(
            "7.2.0.192.in-addr.arpa",
            "127.1",
            "127.0.0.0x1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
        ),
        *(
            "-mail.example.com",
            "mail..example.com",
            "mail.example.com..",
            "ma%69l.example.com",
            "a b.example.com",
        ),
        *("fe80::1%eth0", f"{'a' * 64}.example.com", f"{'a.' * 130}example.com"),
    ],
)
def test_what_nobody_outside_can_open(host: str) -> None:
    assert not is_public_host(host)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "mail.example.com",
            "MAIL.EXAMPLE.COM.",
            "example.org",
            "localhost.example.com",
            "test.example.net",
        ),
        *("xn--strae-oqa.example.com", "my-example.com", "invalid.example.com", "9.9.9.9", "2620:fe::fe"),
    ],
)
def test_what_anybody_can_open(host: str) -> None:
    assert is_public_host(host)


@given(st.text())
def test_any_text_is_public_or_not(host: str) -> None:
    assert is_public_host(host) in (True, False)

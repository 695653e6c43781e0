"""`tamis doctor` on DNS servers and lists."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from tamis.cli.checks import Health
from tamis.cli.doctor_dns import list_check
from tamis.services.dns.list_tests import LISTED_IP, NOT_LISTED_IP
from tamis.settings.dns_lists import DNSList
from tests.cli.conftest import Run
from tests.services.dns.resolving import WrittenDNS

ZONE = "lists.example.org"
LISTED, NOT_LISTED = f"{LISTED_IP}.{ZONE} A", f"{NOT_LISTED_IP}.{ZONE} A"


@pytest.mark.parametrize(
    ("records", "health", "says"),
    [
        ({LISTED: ["127.0.0.2"]}, Health.OK, "answers as it should"),
        ({}, Health.WARNING, "lacks its test entry"),
        ({LISTED: ["127.0.0.9"]}, Health.WARNING, "lacks its test entry"),
        ({LISTED: ["127.255.255.254"]}, Health.WARNING, "does not serve this resolver (127.255.255.254)"),
        ({LISTED: ["192.0.2.1"], NOT_LISTED: ["192.0.2.1"]}, Health.WARNING, "does not serve this resolver"),
        ({LISTED: ["127.0.0.2"], NOT_LISTED: ["127.0.0.2"]}, Health.WARNING, "probably everything"),
        ({LISTED: "dead"}, Health.WARNING, "no answer"),
    ],
)
def test_a_list_is_held_against_its_test_entries(
    records: dict[str, list[str] | str], health: Health, says: str
) -> None:
    checked = asyncio.run(
        list_check(WrittenDNS(records), DNSList.parse(f"{ZONE}=127.0.0.2"), [LISTED_IP], NOT_LISTED_IP)
    )
    assert (checked.health, says in checked.found) == (health, True), checked
    assert (checked.mend == "") is (health is Health.OK)


def test_dead_servers_are_told_once(run: Run) -> None:
    results = json.loads(run("doctor", "--json").out)
    (about,) = [one for one in results if "DNS" in one["check"]]
    assert about["health"] == "warning"
    assert re.fullmatch(
        r"127\.0\.0\.1:9: DNS server 127\.0\.0\.1:9 left out until [0-9:]{8} after 1 failure: nothing listens there",
        about["found"],
    )

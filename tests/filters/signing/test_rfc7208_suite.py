"""The test suite of RFC 7208 (openspf.org, release 2014.04 as it is in pyspf 2.0.14) against our resolver's contract.

`rfc7208/` has it with its licence and its list of changes; only its notation was changed, from YAML to JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tamis.base.errors import ServiceError
from tamis.contract.ask import answered
from tamis.contract.service_protocols import Answer
from tamis.filters.signing.spf_check import check_envelope, identity_of
from tamis.message.names import is_host_name
from tests.answering import from_dns
from tests.builders import message

SUITE = Path(__file__).parent / "rfc7208" / "rfc7208-tests.json"
_DEAD = "TIMEOUT"


@dataclass(frozen=True)
class SuiteDNS:
    """Answers from a scenario's zone; what it calls SPF is TXT too, unless the name has TXT of its own."""

    zone: Mapping[str, Sequence[Any]]

    def answer(self, name: str, rdtype: str) -> Answer:
        """One answer; an alias is followed, as our resolver does."""
        at = name
        for _ in range(8):
            if at not in self.zone:
                if at.startswith("error."):
                    raise ServiceError("no answer")
                return Answer(name, rdtype, exists=False)
            told = list(self._told(at, rdtype))
            aliases = [alias for kind, alias in self._pairs(at) if kind == "CNAME"]
            if told or not aliases:
                return Answer(name, rdtype, tuple(told), ttl=300)
            at = aliases[0].lower().rstrip(".")
        return Answer(name, rdtype, exists=False)

    def _pairs(self, name: str) -> Iterator[tuple[str, Any]]:
        for one in self.zone[name]:
            yield from one.items() if isinstance(one, dict) else [(_DEAD, "")]

    def _told(self, name: str, rdtype: str) -> Iterator[str]:
        pairs = list(self._pairs(name))
        if rdtype == "TXT" and not any(kind == "TXT" for kind, _ in pairs):
            pairs = [("TXT" if kind == "SPF" else kind, value) for kind, value in pairs]
        answered = False
        for kind, value in pairs:
            if (kind == _DEAD and not answered) or (kind == rdtype and value == _DEAD):
                raise ServiceError("no answer")
            if kind == rdtype and value != "NONE":
                answered = True
                yield _written(value, rdtype)


def _written(value: Any, rdtype: str) -> str:
    if rdtype == "TXT":
        parts = [value] if isinstance(value, str) else value
        return "".join(parts).encode("utf-8").decode("latin-1")
    if rdtype == "MX":
        return f"{value[0]} {value[1]}"
    return str(value)


@cache
def _cases() -> dict[str, tuple[SuiteDNS, Mapping[str, Any]]]:
    found: dict[str, tuple[SuiteDNS, Mapping[str, Any]]] = {}
    for scenario in json.loads(SUITE.read_bytes()):
        dns = SuiteDNS({name.lower(): records for name, records in scenario["zonedata"].items()})
        found |= {name: (dns, test) for name, test in scenario["tests"].items()}
    return found


def test_the_suite_is_whole() -> None:
    assert len(_cases()) == 203


@pytest.mark.parametrize("name", list(_cases()))
def test_result(name: str) -> None:
    dns, test = _cases()[name]
    given = message(sender=test["mailfrom"], client_ip=test["host"], helo=test["helo"])
    # Some clients have private addresses, which the filter leaves alone; apart from that it does as is done here.
    result, problem = "none", ""
    if is_host_name(identity_of(given.envelope).domain):
        result, problem = answered(check_envelope(given), from_dns(dns))
    expected = test["result"]
    assert result in ([expected] if isinstance(expected, str) else expected), problem

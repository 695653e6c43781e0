"""Authentication-Results: what is written, what is taken for ours; and the evidence about the envelope sender."""

from __future__ import annotations

import re
from typing import Any

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.finding import Finding, Status
from tamis.judging.authentication import (
    Reported,
    Standing,
    authentication_results,
    claims,
    evidence,
    read_results,
)
from tests.builders import PROPERTY, STRANGER, envelope, finding

ID = "mx.example.com"


def signature(result: str = "pass", domain: str = "example.net", **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "result": result,
        "reason": "",
        "domain": domain,
        "selector": "s1",
        "algorithm": "rsa-sha256",
        "bits": 2048,
        "of_author": True,
        "of_sender": True,
    }
    return told | more


def dkim(*signatures: dict[str, Any], status: Status = Status.CLEAR, replayed: bool = False) -> Finding:
    return finding(
        "dkim", status, "{shown}", signatures=list(signatures), shown="", author_is_sender=not replayed
    )


def spf(result: str, identity: str = "mailfrom", domain: str = "example.net") -> Finding:
    return finding("spf", Status.CLEAR, result, result=result, identity=identity, domain=domain)


def dmarc(result: str, policy: str = "reject") -> Finding:
    return finding("dmarc", Status.CLEAR, f"{result}!", result=result, domain="example.net", policy=policy)


def written(*findings: Finding, **told: str) -> str:
    return authentication_results({one.filter: one for one in findings}, envelope(**told), ID)


def test_everything_that_is_known() -> None:
    value = written(
        spf("pass"),
        dkim(signature(), signature("fail", "example.org", reason="the body was changed")),
        finding("arc", result="pass", sealers=["lists.example.org"]),
        dmarc("pass"),
        finding("helo", Status.CLEAR, names=["mail.example.net"]),
    )
    assert value.split(";\n\t") == [
        ID,
        "spf=pass smtp.mailfrom=example.net",
        "dkim=pass (2048-bit key) header.d=example.net header.s=s1 header.a=rsa-sha256",
        'dkim=fail (2048-bit key) reason="the body was changed" header.d=example.org header.s=s1'
        " header.a=rsa-sha256",
        "arc=pass (sealed by lists.example.org)",
        "dmarc=pass header.from=example.net policy.dmarc=reject",
        "iprev=pass (mail.example.net) policy.iprev=192.0.2.7",
    ]


@pytest.mark.parametrize(
    ("findings", "told", "expected"),
    [
        ((), {}, ""),
        ((finding("empty"),), {}, ""),
        ((finding("spf", Status.CLEAR, "own network or user"),), {}, f"{ID};\n\tnone"),
        ((spf("none", "helo", "mail.example.net"),), {}, f"{ID};\n\tspf=none smtp.helo=mail.example.net"),
        ((finding("spf", Status.UNAVAILABLE),), {}, f"{ID};\n\tspf=temperror"),
        ((dkim(),), {}, f"{ID};\n\tdkim=none"),
        ((finding("dkim", Status.UNAVAILABLE),), {}, f"{ID};\n\tdkim=temperror"),
        ((finding("dmarc", Status.UNAVAILABLE),), {}, f"{ID};\n\tdmarc=temperror"),
        ((finding("arc", Status.CLEAR, result="none"),), {}, f"{ID};\n\tnone"),
        ((finding("reverse_dns"),), {}, f"{ID};\n\tiprev=permerror policy.iprev=192.0.2.7"),
        ((finding("reverse_dns"),), {"client_ip": ""}, f"{ID};\n\tnone"),
        (
            (finding("helo", kinds=["unconfirmed"], names=["a.example.net"]),),
            {},
            f"{ID};\n\tiprev=fail (a.example.net) policy.iprev=192.0.2.7",
        ),
        (
            (finding("helo", Status.CLEAR, names=[]),),
            {"client_name": "b.example.net", "client_ip": "2001:db8::1"},
            f'{ID};\n\tiprev=pass (b.example.net) policy.iprev="2001:db8::1"',
        ),
    ],
)
def test_single_results(findings: tuple[Finding, ...], told: dict[str, str], expected: str) -> None:
    assert written(*findings, **told) == expected


HOSTILE = st.text(max_size=40) | st.sampled_from(
    [
        '"; dkim=pass header.d=bank.example',
        "a\r\nX-Spam-Flag: NO",
        "(",
        ")",
        "\\",
        '\\"',
        "é",
        "a;b",
        "x" * 5000,
    ]
)


@PROPERTY
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_nothing_that_a_sender_wrote_becomes_a_result(
    domain: str, selector: str, reason: str, name: str
) -> None:
    """Read back by our reader and by another's there is one forged-looking signature that failed, and no more."""
    value = written(
        dkim(signature("fail", domain, selector=selector, reason=reason)),
        finding("arc", result="fail", sealers=[name], reason=reason),
        finding("helo", Status.CLEAR, names=[name]),
        helo=name,
    )
    assert re.fullmatch(r"(?:[ -~]|\n\t)*", value)
    assert all(len(line) < 998 for line in value.split("\n"))
    _, ours = read_results(value)
    methods = [("dkim", "fail"), ("arc", "fail"), *([("iprev", "pass")] if name else [])]
    assert [(one.method, one.result) for one in ours] == methods
    theirs = authres.AuthenticationResultsHeader.parse(
        "Authentication-Results: " + value.replace("\n\t", " ")
    )
    assert [(one.method, one.result) for one in theirs.results] == methods


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        (b" mx.example.com; spf=pass", True),
        (b" MX.Example.COM;spf=pass", True),
        (b"\r\n\tmx.example.com;\r\n\tspf=pass", True),
        (b" mx.example.com 1; spf=pass", True),
        (b" mx.example.com.; spf=pass", True),
        (b' "mx.example.com"; spf=pass', True),
        (b" (a comment (nested \\) ;)) mx.example.com; none", True),
        (b" mx.example.com(comment); none", True),
        (b" mx.example.com", True),
        (b"", True),
        (b" ; dkim=pass", True),
        (b" (never closed mx.other.example; dkim=pass", True),
        (b" " * 10_000 + b"mx.example.com; dkim=pass", True),
        (b" other.example.com; spf=pass", False),
        (b" mx.example.com.example.org; spf=pass", False),
        (b" xmx.example.com; spf=pass", False),
        (b" other.example (mx.example.com); spf=pass", False),
        (b' other.example; x="mx.example.com;"', False),
        (b" spf=pass smtp.mailfrom=mx.example.com", False),
        (b" \xff\xfe; none", False),
    ],
)
def test_what_is_taken_for_ours(value: bytes, ours: bool) -> None:
    assert claims(value, ID) is ours


@PROPERTY
@given(st.binary(max_size=100))
def test_any_field_is_ours_or_not(octets: bytes) -> None:
    claims(octets, ID)
    assert claims(b" mx.example.com ;" + octets, ID)


def test_reading_what_others_report() -> None:
    name, found = read_results(
        'Mx.Example.ORG 1; dkim = pass (good; "really") header.d=example.net header.i="@a b"; none; '
        "DMARC/1=Pass header.from=example.net header.from=evil.example; x"
    )
    assert name == "mx.example.org"
    assert found == [
        Reported("dkim", "pass", {"header.d": "example.net", "header.i": "@a b"}),
        Reported("dmarc", "pass", {"header.from": "example.net"}),
    ]


@pytest.mark.parametrize(
    ("findings", "sender", "standing"),
    [
        ((), STRANGER, Standing.UNKNOWN),
        ((spf("pass"), dkim(signature()), dmarc("pass")), "", Standing.UNKNOWN),
        ((spf("pass"),), STRANGER, Standing.AUTHENTICATED),
        ((spf("pass", "helo"),), STRANGER, Standing.UNKNOWN),
        ((spf("fail"), dkim(signature())), STRANGER, Standing.FAILED),
        ((spf("pass"), dmarc("fail")), STRANGER, Standing.FAILED),
        ((spf("softfail"), dkim(signature())), STRANGER, Standing.AUTHENTICATED),
        ((spf("none"), dkim(signature("pass", of_sender=False))), STRANGER, Standing.UNKNOWN),
        ((spf("none"), dkim(signature(), replayed=True)), STRANGER, Standing.UNKNOWN),
        ((spf("none"), dkim(signature("policy"))), STRANGER, Standing.UNKNOWN),
        ((spf("none"), dkim(signature("fail"), signature())), STRANGER, Standing.AUTHENTICATED),
        ((spf("neutral"), dmarc("none", "")), STRANGER, Standing.UNKNOWN),
        ((finding("spf", Status.UNAVAILABLE),), STRANGER, Standing.UNKNOWN),
    ],
)
def test_evidence(findings: tuple[Finding, ...], sender: str, standing: Standing) -> None:
    stored = [Finding.from_dict(one.to_dict()) for one in findings]
    found = evidence({one.filter: one for one in stored}, sender)
    assert found.standing is standing
    assert found.because

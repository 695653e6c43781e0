"""What SPF, DKIM, DMARC and ARC found, for people and programs: Authentication-Results (RFC 8601), and the evidence
whether the envelope sender is who it says. Pure: read from the findings, which may be stored ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tamis.contract.finding import Finding, Status
from tamis.message.address import domain_of
from tamis.message.envelope import Envelope

FIELD = "Authentication-Results"
METHODS = frozenset({"spf", "dkim", "dmarc", "arc", "reverse_dns", "helo"})
"""The filters whose findings the field is made of."""

MAX_READ = 8192
"""Characters of a field that are read."""


class Standing(StrEnum):
    """What is known of the domain of MAIL FROM."""

    AUTHENTICATED = "authenticated"  # the message comes from there
    FAILED = "failed"  # its owner, or that of the header From, says that the message is forged
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The standing of MAIL FROM's domain, and in words why."""

    standing: Standing
    because: str


def evidence(findings: Mapping[str, Finding], sender: str) -> Evidence:
    """Whether a message with this MAIL FROM ("" for none) was sent by the domain in it.

    A failure goes before a success: what SPF fails may still be signed (a forward), but nobody may be told about it.
    A signature speaks for the author it covers: whoever has one signed message can send it again under any envelope,
    so it counts only where From is MAIL FROM.
    """
    spf, dmarc, dkim = (findings.get(name) for name in ("spf", "dmarc", "dkim"))
    domain = domain_of(sender)
    if not domain:
        return Evidence(Standing.UNKNOWN, "no envelope sender")
    if spf is not None and spf.facts.get("result") == "fail":
        return Evidence(Standing.FAILED, spf.text())
    if dmarc is not None and dmarc.facts.get("result") == "fail":
        return Evidence(Standing.FAILED, dmarc.text())
    if spf is not None and spf.facts.get("result") == "pass" and spf.facts.get("identity") == "mailfrom":
        return Evidence(Standing.AUTHENTICATED, spf.text())
    for one in _signatures(dkim) if dkim is not None and dkim.facts.get("author_is_sender") else ():
        if one["result"] == "pass" and one["of_sender"]:
            return Evidence(Standing.AUTHENTICATED, f"signed by {one['domain']}")
    return Evidence(Standing.UNKNOWN, f"nothing says whether the message comes from {domain}")


def authentication_results(findings: Mapping[str, Finding], envelope: Envelope, authserv_id: str) -> str:
    """The field's value (RFC 8601 2.2), folded with LF and a tab; "" when nothing was looked for."""
    if not METHODS & set(findings):
        return ""
    results = [
        *_spf(findings.get("spf")),
        *_dkim(findings.get("dkim")),
        *_arc(findings.get("arc")),
        *_dmarc(findings.get("dmarc")),
        *_iprev(findings, envelope),
    ]
    return authserv_id + "".join(f";\n\t{result}" for result in results or ["none"])


def claims(value: bytes, authserv_id: str) -> bool:
    """Whether an Authentication-Results field says that this server wrote it, or hides who did (RFC 8601 5)."""
    name, _ = read_results(value.decode("latin-1"))
    return name in ("", authserv_id.lower())


@dataclass(frozen=True, slots=True)
class Reported:
    """One result of a field: method and result in lower case, and the properties such as "header.from"."""

    method: str
    result: str
    properties: Mapping[str, str]


def read_results(value: str) -> tuple[str, list[Reported]]:
    """A field's authserv-id, in lower case, and its results; as well as they can be had from what somebody wrote."""
    first, *rest = _parts(value[:MAX_READ])
    words = _words(first)
    name = words[0].lower().rstrip(".") if words else ""
    return name, [one for part in rest if (one := _reported(part)) is not None]


def _reported(part: str) -> Reported | None:
    pairs = [word.partition("=") for word in _words(part)]
    if not pairs or not pairs[0][1]:
        return None
    method, _, result = pairs[0]
    properties = {name.lower(): text for name, equals, text in reversed(pairs[1:]) if equals}
    return Reported(method.partition("/")[0].lower(), result.lower(), properties)


_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"?|\\.?|[();]|[^"\\();]+', re.DOTALL)
_COMMENT_PIECE = re.compile(r"\\.?|[()]|[^\\()]+", re.DOTALL)


def _parts(value: str) -> list[str]:
    """What stands between semicolons, without comments, which nest (RFC 5322 3.2.2)."""
    parts = [""]
    depth = position = 0
    while piece := (_COMMENT_PIECE if depth else _PIECE).match(value, position):
        position = piece.end()
        if piece[0] == "(":
            depth += 1
        elif piece[0] == ")" and depth:
            depth -= 1
            parts[-1] += " "
        elif depth == 0 and piece[0] == ";":
            parts.append("")
        elif depth == 0:
            parts[-1] += piece[0]
    return parts


_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*+"?|[^ "])++', re.DOTALL)


def _words(part: str) -> list[str]:
    """Its words; those around "=" as one, quoted strings without their quotes."""
    joined = " ".join(part.split()).replace(" =", "=").replace("= ", "=")
    return [word.replace('"', "") for word in _WORD.findall(joined)]


def _signatures(finding: Finding | None) -> list[Mapping[str, Any]]:
    return list(finding.facts.get("signatures", ())) if finding is not None else []


def _spf(finding: Finding | None) -> Iterator[str]:
    if finding is None:
        return
    facts = finding.facts
    result = facts.get("result") or ("temperror" if finding.status is Status.UNAVAILABLE else "")
    if not result:
        return
    identity = {"mailfrom": "smtp.mailfrom", "helo": "smtp.helo"}.get(facts.get("identity", ""), "")
    yield _result("spf", result, {identity: facts.get("domain", "")} if identity else {})


def _dkim(finding: Finding | None) -> Iterator[str]:
    if finding is None:
        return
    found = _signatures(finding)
    if not found:
        yield "dkim=temperror" if finding.status is Status.UNAVAILABLE else "dkim=none"
    for one in found:
        properties = {
            "header.d": one["domain"],
            "header.s": one["selector"],
            "header.a": one["algorithm"],
        }
        comment = _comment(f"{one['bits']}-bit key") if one["bits"] else ""
        yield _result("dkim", one["result"] + comment, properties, one["reason"])


def _arc(finding: Finding | None) -> Iterator[str]:
    if finding is not None and finding.facts.get("result", "none") != "none":
        sealers = finding.facts.get("sealers", ())
        comment = _comment(f"sealed by {sealers[0]}") if sealers else ""
        yield _result("arc", finding.facts["result"] + comment, {}, finding.facts.get("reason", ""))


def _dmarc(finding: Finding | None) -> Iterator[str]:
    if finding is None:
        return
    result = finding.facts.get("result") or ("temperror" if finding.status is Status.UNAVAILABLE else "")
    if result:
        properties = {
            "header.from": finding.facts.get("domain", ""),
            "policy.dmarc": finding.facts.get("policy", ""),
        }
        yield _result("dmarc", result, properties)


def _iprev(findings: Mapping[str, Finding], envelope: Envelope) -> Iterator[str]:
    """RFC 8601 2.7.3: whether the client's name leads back to it, as far as Postfix, S11 or S31 know."""
    ip = envelope.ip
    if ip is None:
        return
    named, helo = findings.get("reverse_dns"), findings.get("helo")
    facts = helo.facts if helo is not None else {}
    name = envelope.client_name or next(iter(facts.get("names", ())), "")
    if named is not None and named.status is Status.HIT:
        result = "permerror"
    elif not name:
        return
    else:
        result = "fail" if "unconfirmed" in facts.get("kinds", ()) else "pass"
    yield _result("iprev", result + (_comment(name) if name else ""), {"policy.iprev": str(ip)})


_MAX_VALUE = 255
_MAX_REASON = 120
_TOKEN_VALUE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")  # RFC 2045 5.1
_NO_TEXT = re.compile(r"[^ !#-\[\]-~]")  # nor what ends a quoted string
_NO_COMMENT = re.compile(r"[^ !#-'*-\[\]-~]")


def _result(method: str, result: str, properties: Mapping[str, str], reason: str = "") -> str:
    words = [f"{method}={result}"]
    if reason:
        words.append(f"reason={_value(reason[:_MAX_REASON])}")
    words += [f"{name}={_value(value)}" for name, value in properties.items() if value]
    return " ".join(words)


def _value(text: str) -> str:
    """What a sender wrote, as a token or a quoted string: it ends no value and begins none."""
    text = text[:_MAX_VALUE]
    return text if _TOKEN_VALUE.fullmatch(text) else f'"{_NO_TEXT.sub("?", text)}"'


def _comment(text: str) -> str:
    return f" ({_NO_COMMENT.sub('?', text[:_MAX_VALUE])})"

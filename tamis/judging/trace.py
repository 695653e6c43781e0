"""The headers on delivered mail (spec 6): what was seen, what came of it, in names under one prefix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tamis.contract.filter import Effect
from tamis.contract.finding import Finding, Status
from tamis.judging import authentication
from tamis.judging.policy import Outcome
from tamis.judging.verdict import Decision, Verdict
from tamis.message.address import domain_of
from tamis.message.envelope import Envelope
from tamis.message.header_editing import NewFields
from tamis.settings import Settings

NAMES = (
    "Flag",
    "Status",
    "Id",
    "Score",
    "Whitelist",
    "Unavailable",
    "Return-Path",
    "Helo",
    "Client-IP",
    "Rcpt",
    "Bayes",
    "Rules",
)
"""What stands behind the prefix; arriving headers of these names are removed first."""

SCORE_TAGS = "score_tags"
"""The filter whose tag asks for the details."""

STATISTICS = "statistics"
"""The filter whose total has a header of its own."""

RULED = ("keyword_exceptions", "keywords", "rule_logic")
"""The filters of the operator's rules, whose names have a header of their own."""

MAX_VALUE = 900
"""Characters of one value: below the 998 of RFC 5322 2.1.1 together with the name."""


@cache
def _own_names(prefix: str) -> frozenset[str]:
    return frozenset(f"{prefix}{name}".lower() for name in NAMES)


@dataclass(frozen=True, slots=True)
class OwnFields:
    """The fields that only we may write: those under our prefix, and Authentication-Results in our name (RFC 8601 5).

    They are removed from what arrives, whoever wrote them; the results of other servers are left.
    """

    prefix: str
    authserv_id: str

    def hold(self, name: str, value: bytes) -> bool:
        """Whether an arriving field of this name, with this value, is one of them."""
        name = name.lower()
        if name == _RESULTS:
            return authentication.claims(value, self.authserv_id)
        return name in _own_names(self.prefix)


_RESULTS = authentication.FIELD.lower()


def own_fields(settings: Settings) -> OwnFields:
    """Those of an installation."""
    return OwnFields(settings.headers.prefix, settings.authserv_id)


def common_headers(
    verdict: Verdict,
    findings: Mapping[str, Finding],
    envelope: Envelope,
    *,
    prefix: str,
    outcome: Outcome,
    results: str = "",
) -> NewFields:
    """The headers of a verdict, from top to bottom, but for `own_headers`: the same for all recipients of a domain who
    have it.

    `results` is the value of Authentication-Results, "" for none. Without the filter score_tags (S32) only what does
    something is written besides it: Flag and Whitelist.
    """
    spam = verdict.decision is Decision.SPAM
    fields: list[tuple[str, str]] = []
    if outcome is Outcome.JUNK:  # the mail store files by it, so a tagged inbox copy must not have it
        fields.append(("Flag", "YES"))
    if verdict.accepted_by_list:
        fields.append(("Whitelist", verdict.because))
    if _is_detailed(verdict):
        fields += _details(verdict, findings, envelope, spam=spam)
    first = ((authentication.FIELD, results),) if results else ()
    return (*first, *((prefix + name, header_value(value)) for name, value in fields))


def with_id(headers: NewFields, prefix: str, transaction: str) -> NewFields:
    """Trace headers with the message's id behind its status, by which `tamis history show` finds it; where no details
    are told, it is not either."""
    told: list[tuple[str, str]] = []
    for field in headers:
        told.append(field)
        if transaction and field[0] == f"{prefix}Status":
            told.append((f"{prefix}Id", header_value(transaction)))
    return tuple(told)


def own_headers(verdict: Verdict, prefix: str) -> NewFields:
    """What stands below them: the recipient's own name."""
    if not _is_detailed(verdict):
        return ()
    return ((f"{prefix}Rcpt", header_value(f"<{verdict.recipient}>")),)


def _is_detailed(verdict: Verdict) -> bool:
    """Whether the headers say how the verdict came about (S32)."""
    # the filter stands near the end of the chain
    return any(o.filter == SCORE_TAGS and o.effect for o in reversed(verdict.opinions))


def _details(
    verdict: Verdict, findings: Mapping[str, Finding], envelope: Envelope, *, spam: bool
) -> list[tuple[str, str]]:
    unavailable = ", ".join(o.filter for o in verdict.opinions if o.status is Status.UNAVAILABLE)
    fields = [
        ("Status", _status(verdict, spam=spam)),
        ("Score", f"{verdict.score:.1f}"),
        ("Bayes", _bayes(verdict, findings)),
        (
            "Rules",
            ", ".join(o.text for o in verdict.opinions if o.filter in RULED and o.status is Status.HIT),
        ),
        ("Unavailable", unavailable),
        ("Return-Path", f"<{envelope.sender}>"),
        ("Helo", envelope.helo),
        ("Client-IP", envelope.client_ip),
    ]
    return [(name, value) for name, value in fields if value]


def _bayes(verdict: Verdict, findings: Mapping[str, Finding]) -> str:
    """The total of the statistical filter (S27), also where it is below the level or in shadow."""
    finding = findings.get(STATISTICS)
    if finding is None or not any(o.filter == STATISTICS for o in verdict.opinions):
        return ""
    total = total_for(finding.facts, verdict.recipient)
    if total is None:
        return finding.text() if finding.facts.get("ham") else ""
    return f"{total[0]:.1f}, probability={total[1]:.4f}"


def total_for(facts: Mapping[str, Any], recipient: str) -> tuple[float, float] | None:
    """The number and the probability that a finding of the statistical filter has for a recipient: those of his
    domain where it has its own. None while nothing was measured."""
    if facts.get("number") is None or facts.get("probability") is None:
        return None
    number, probability = facts.get("corrected", {}).get(
        domain_of(recipient), (facts["number"], facts["probability"])
    )
    return float(number), float(probability)


def failure_headers(prefix: str) -> NewFields:
    """What a message says that was delivered untouched because Tamis itself failed (on_error = deliver)."""
    return ((prefix + "Status", "Unknown, not examined: internal error"),)


def spoke(verdict: Verdict) -> str:
    """The filters that had something to say, with their points or effects."""
    return ",".join(
        f"{o.filter}={f'{o.points:g}' if o.effect is Effect.SCORE else o.asked or o.effect}"
        + "(shadow)" * o.shadow
        for o in verdict.opinions
        if o.effect is not None and o.filter != SCORE_TAGS
    )


def _status(verdict: Verdict, *, spam: bool) -> str:
    decided = f" decided={verdict.decided_by}" if verdict.decided_by else ""
    return (
        f"{'Yes' if spam else 'No'}, score={verdict.score:.1f} required={verdict.required:.1f}"
        f" tests={spoke(verdict) or 'none'}{decided}"
    )


_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


def header_value(text: str) -> str:
    """Text fit for a header value: printable ASCII, bounded, so that nothing hostile can break out of it."""
    clean = _UNPRINTABLE.sub("?", text).strip()
    return clean if len(clean) <= MAX_VALUE else clean[: MAX_VALUE - 3] + "..."

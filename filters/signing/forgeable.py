"""Which senders somebody else could pretend to be: asked of the DNS before, or after, they are always allowed.

patterns -> their domains -> DMARC records of these and of the domains above them, SPF records -> who is unprotected

A look-up that gets no answer in time says nothing: lists must work without a DNS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import anyio

from tamis.contract.service_protocols import DNS, Answer
from tamis.filters.signing.dmarc_record import read_record, targets
from tamis.judging.policy import PolicyBook
from tamis.judging.policy_settings import settings_of
from tamis.language.translation import marked
from tamis.message.names import is_host_name

MOST_ASKED = 20
"""Domains that are looked at at once; beyond: `Forgeable.unasked` says how many were not."""
_SECONDS = 2.0
"""How long the DNS is waited for; beyond: no word on any of them."""
_BELIEVES = "filters.sender_whitelist.state"

FORGEABLE = marked("its domain has no DMARC record: forged mail in its name would always pass as well")
UNPROVABLE = marked(
    "its domain has neither an SPF nor a DMARC record: only mail with a valid DKIM signature would count"
)
"""For people: "PATTERN: …". The second where policy believes senders only when they are authenticated (S6b)."""


@dataclass(frozen=True, slots=True)
class Forgeable:
    """Of sender patterns those whose domain does not protect its name, each with why that matters where they are
    allowed; and how many domains were too many to be looked at."""

    why: Mapping[str, str] = field(default_factory=dict)
    unasked: int = 0


async def forgeable(dns: DNS, book: PolicyBook, patterns: Collection[str], scope: str) -> Forgeable:
    """Of sender patterns that are allowed in a scope, or shall be."""
    domains = {one: _domain(one) for one in patterns}
    known = sorted({domain for domain in domains.values() if domain})
    asked, unasked = known[:MOST_ASKED], len(known[MOST_ASKED:])
    if not asked:
        return Forgeable()
    settings = {one.key: one.value for one in settings_of(book, scope)}
    believes = settings.get(_BELIEVES) == "on"
    found = await _unprotected(dns, asked)
    why = {
        domain: FORGEABLE if believes else UNPROVABLE for domain, spf in found.items() if believes or not spf
    }
    return Forgeable({one: why[domain] for one, domain in domains.items() if domain in why}, unasked)


def _domain(pattern: str) -> str:
    """The domain that a pattern is about, as one can ask the DNS for it; "" where it is about many."""
    domain = pattern.rpartition("@")[2].removeprefix("*.")
    return domain if is_host_name(domain) else ""


async def _unprotected(dns: DNS, domains: Collection[str]) -> Mapping[str, bool]:
    """The domains without a DMARC record, their own or one from above (RFC 9989 4.10), each with whether it has an SPF
    record."""
    names = {domain: [f"_dmarc.{name}" for name in targets(domain)] for domain in domains}
    wanted = sorted({*domains, *(name for above in names.values() for name in above)})
    with anyio.move_on_after(_SECONDS):
        answers = dict(zip(wanted, await dns.queries([(name, "TXT") for name in wanted]), strict=True))
        return {
            domain: any(text[:6].lower() == "v=spf1" for text in _texts(answers[domain]))
            for domain, above in names.items()
            if all(isinstance(answers[name], Answer) for name in (domain, *above))
            and not any(read_record(domain, _texts(answers[name])) for name in above)
        }
    return {}


def _texts(answer: object) -> tuple[str, ...]:
    return answer.records if isinstance(answer, Answer) else ()

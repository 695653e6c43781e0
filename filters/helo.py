"""S31: what a client says in HELO, and whether its name leads back to it."""

from __future__ import annotations

import os
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated

from pydantic import Field as Option
from pydantic import field_validator

from tamis.base.errors import ServiceError, nearest_name
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes, Stage
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks
from tamis.filters.shared.clients import confirming_names, no_stranger
from tamis.language.translation import marked
from tamis.message.address import domain_key
from tamis.message.envelope import parse_ip
from tamis.message.names import is_host_name

POINTS = MappingProxyType(
    {
        "missing": 2.0,
        "syntax": 2.0,
        "unqualified": 1.0,
        "bare_address": 2.0,
        "foreign_literal": 2.0,
        "own_name": 5.0,
        "own_address": 5.0,
        "unconfirmed": 1.5,
    }
)
"""Points that each kind of fault adds."""
_WORDS = MappingProxyType(
    {
        "missing": marked("no HELO"),
        "syntax": marked("no name or address literal"),
        "unqualified": marked("a name without a domain"),
        "bare_address": marked("an address without brackets"),
        "foreign_literal": marked("another host's address"),
        "own_name": marked("one of our own names"),
        "own_address": marked("one of our own addresses"),
        "unconfirmed": marked("the client's name does not lead back to its address"),
    }
)


class HeloOptions(FilterOptions):
    """Points of each kind of fault."""

    points: dict[str, Annotated[float, Option(ge=-100, le=100)]] = Option(
        {}, description="points by kind of fault, overriding the defaults, e.g. { own_name = 7.5 }"
    )
    spam_from: float = Option(
        3.0, gt=0, le=100, description="with effect spam: points from which a message is spam"
    )

    @field_validator("points")
    @classmethod
    def _known(cls, points: dict[str, float]) -> dict[str, float]:
        for kind in points:
            if kind not in POINTS:
                nearest = nearest_name(kind, POINTS)
                hint = f"; did you mean {nearest!r}?" if nearest else ""
                raise ValueError(f"no kind of fault is called {kind!r}{hint}")
        return points


class Helo(Filter[HeloOptions]):
    """Adds points for a HELO that breaks the rules, and for a client whose name does not resolve back to it.

    The kinds, with their points: `missing` (2), `syntax` (2: neither a domain nor an address literal, RFC 5321
    4.1.1.1), `unqualified` (1: a name without a domain), `bare_address` (2: an address without its brackets),
    `foreign_literal` (2: an address literal that is not the client's), `own_name` (5: one of `platform.domains`,
    `platform.host_names` or this machine's name), `own_address` (5: an address literal in `platform.networks`),
    `unconfirmed` (1.5: none of the client's names in the reverse DNS has its address; a client without any name is
    S11's). `points` changes them. No answer from the DNS never counts against anybody. Own networks, own users and
    private addresses are not checked.
    """

    name = "helo"
    spec_id = "S31"
    summary = "HELO that breaks the rules, unconfirmed client name"
    plain_reason = marked("the server it came from does not identify itself correctly (HELO)")
    asks = ("dns",)
    stage = Stage.MAIL
    effect = Effect.SCORE
    options = HeloOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """The kinds of faults."""
        told = no_stranger(self, message)
        if told is not None:
            return told
        ip = message.envelope.ip
        assert ip is not None
        kinds = helo_faults(message)
        names: list[str] = []
        unanswered: ServiceError | None = None
        try:
            names, confirmed = yield from confirming_names(message, ip)
            if names and not confirmed:
                kinds.append("unconfirmed")
        except ServiceError as error:
            unanswered = error
        helo = message.envelope.helo[:255]
        if kinds:
            shown = [_WORDS[kind] for kind in kinds]
            return self.hit("HELO {helo}: {shown}", helo=helo, shown=shown, kinds=kinds, names=names[:5])
        if unanswered is not None:
            raise unanswered
        return self.clear("HELO {helo}", helo=helo, names=names[:5])

    def judge(self, finding: Finding, options: HeloOptions, scopes: Scopes) -> Opinion:
        """The points of all kinds together."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        points = sum(options.points.get(kind, POINTS[kind]) for kind in finding.facts["kinds"])
        least = options.spam_from if options.effect is Effect.SPAM else 0.0
        return self.opinion(finding, options, hit=points > 0 and points >= least, points=points)


def helo_faults(message: Message) -> list[str]:
    """What is wrong with the name itself; at most one kind (RFC 5321 4.1.1.1, 4.1.3)."""
    helo = message.envelope.helo.strip()
    if not helo:
        return ["missing"]
    if helo.startswith("[") and helo.endswith("]"):
        literal = parse_ip(helo[1:-1].replace("ipv6:", "IPv6:"))
        if literal is None:
            return ["syntax"]
        if message.platform.is_own_network(literal):
            return ["own_address"]
        return [] if literal == message.envelope.ip else ["foreign_literal"]
    if parse_ip(helo) is not None:
        return ["bare_address"]
    name = domain_key(helo)
    if name in message.platform.domains or name in message.platform.host_names or name == _host_name():
        return ["own_name"]
    if is_host_name(name):
        return []
    return ["unqualified"] if is_host_name(f"{name}.example") else ["syntax"]


@lru_cache(maxsize=1)
def _host_name() -> str:
    return os.uname().nodename.lower()

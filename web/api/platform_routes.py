"""What belongs to the whole platform: clients, fingerprints, rules, health."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Body, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from tamis.base.errors import ServiceError
from tamis.contract.state_keys import parse_client
from tamis.database.blocked_clients import BlockedClient
from tamis.database.complaints import Complaint
from tamis.database.marks import Marked, MarkKind
from tamis.filters.ip_complaints import CONDEMNED
from tamis.filters.temporary_blacklist import entry, reason
from tamis.handover.sender_events import lift_blocks, publish_blocks, publish_condemned
from tamis.handover.taken_rules import TakenRules
from tamis.message.address import PLATFORM
from tamis.message.mail import Mail
from tamis.people.token_scopes import TokenScope
from tamis.rules.matches import matches
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import not_there
from tamis.web.api.routes import CHANGES, RowLimit, router
from tamis.web.api.statistics_routes import glance_of

log = logging.getLogger(__name__)

ROUTES = router("platform")
LONGEST_BLOCK = 365 * 86400
"""Seconds that a client may be blocked for."""

PlatformReader = Annotated[Caller, needs(TokenScope.PLATFORM_READ)]
PlatformWriter = Annotated[Caller, needs(TokenScope.PLATFORM_WRITE)]
Client = Annotated[str, Query(max_length=60, description="An IP address, or the /64 of an IPv6 client.")]


class BlockedNow(BaseModel):
    """A client that an operator shut out, until when, and why."""

    client: str
    until: datetime
    why: str


class WantedBlock(BaseModel):
    """A client to shut out for a time; it sees why."""

    client: str = Field(max_length=60)
    seconds: int = Field(3600, ge=60, le=LONGEST_BLOCK)
    why: str = Field("blocked by an operator", min_length=1, max_length=200)


class WantedComplaint(BaseModel):
    """A client whose mail is spam until the matter is settled."""

    client: str = Field(max_length=60)
    why: str = Field("complaints", min_length=1, max_length=200)


class OwnRule(BaseModel):
    """One of the operator's own rules."""

    name: str
    action: str
    points: float


class Proposed(BaseModel):
    """A rule that was proposed by what readers reported, and whether it was taken: in force, in shadow, or not."""

    name: str
    trait: str
    evidence: str
    points: float
    taken: Literal["no", "shadow", "yes"]


class OwnRules(BaseModel):
    """The operator's own rules, and those that are proposed."""

    rules: list[OwnRule]
    proposed: list[Proposed]


class MatchedRule(BaseModel):
    """A rule that a message meets; `depends_on` says what is still open."""

    rule: str
    met: bool | None
    depends_on: Any
    action: str
    points: float


class MatchedSpot(BaseModel):
    """Where a pattern matched."""

    rule: str
    place: str
    pattern: str
    text: str


class TestedRules(BaseModel):
    """Which rules a message meets, and where."""

    rules: list[MatchedRule]
    matches: list[MatchedSpot]


class HealthState(BaseModel):
    """What works and what does not: parts that are left out after failures, the queue, the disk, the hosts."""

    unavailable: dict[str, int]
    left_out: dict[str, Any]
    queue: dict[str, Any] | None
    learning: dict[str, Any]
    disk: dict[str, Any]
    hosts: list[dict[str, Any]]


@ROUTES.get("/clients/complaints")
def list_complaints(
    caller: PlatformReader, condemned: bool | None = None, limit: RowLimit = 50
) -> list[Complaint]:
    """Clients that were complained about, those with most reports first."""
    caller.require(TokenScope.PLATFORM_READ)
    return caller.store.complaints.find(condemned=condemned, limit=limit)


@ROUTES.post("/clients/complaints", dependencies=CHANGES, status_code=201)
def condemn_client(caller: PlatformWriter, wanted: WantedComplaint) -> Complaint:
    """Treat all mail of a client as spam, until the matter is settled."""
    caller.require(TokenScope.PLATFORM_WRITE)
    done = caller.store.complaints.condemn(parse_client(wanted.client), wanted.why, by=caller.by)
    _published(caller, publish_condemned, [done])
    return done


@ROUTES.delete("/clients/complaints", dependencies=CHANGES, status_code=204, response_class=Response)
def settle_client(caller: PlatformWriter, client: Client) -> Response:
    """Forget the complaints about a client: the matter is settled."""
    caller.require(TokenScope.PLATFORM_WRITE)
    whom = parse_client(client)
    if not caller.store.complaints.settle(whom, by=caller.by):
        raise not_there()
    _published(caller, lambda state: state.drop(CONDEMNED + whom))
    return Response(status_code=204)


@ROUTES.get("/clients/blocked")
def list_blocked(caller: PlatformReader) -> list[BlockedNow]:
    """Clients that operators shut out."""
    caller.require(TokenScope.PLATFORM_READ)
    return [
        BlockedNow(client=one.client, until=one.expires, why=reason(one.entry))
        for one in caller.store.blocked.all()
    ]


@ROUTES.post("/clients/blocked", dependencies=CHANGES, status_code=201)
def block_client(caller: PlatformWriter, wanted: WantedBlock) -> BlockedNow:
    """Shut a client out for a time; an IPv6 client with its /64."""
    caller.require(TokenScope.PLATFORM_WRITE)
    now = datetime.now(UTC)
    block = BlockedClient(
        parse_client(wanted.client), entry(wanted.why, caller.by), now + timedelta(seconds=wanted.seconds)
    )
    caller.store.blocked.add([block], by=caller.by)
    _published(caller, publish_blocks, [block], now)
    return BlockedNow(client=block.client, until=block.expires, why=wanted.why)


@ROUTES.delete("/clients/blocked", dependencies=CHANGES, status_code=204, response_class=Response)
def unblock_client(caller: PlatformWriter, client: Client) -> Response:
    """Let a client in again, and forget its messages to honeypots."""
    caller.require(TokenScope.PLATFORM_WRITE)
    whom = parse_client(client)
    caller.store.blocked.remove([whom], by=caller.by)
    _published(caller, lift_blocks, [whom])
    return Response(status_code=204)


@ROUTES.get("/fingerprints")
def list_fingerprints(caller: PlatformReader, kind: MarkKind) -> list[Marked]:
    """What was marked by hand. Files and images on the lists are entries, which have a route of their own."""
    caller.require(TokenScope.PLATFORM_READ)
    return [one for one in caller.store.marks.find(kind) if one.marks or one.ham]


@ROUTES.get("/rules")
def list_rules(caller: PlatformReader) -> OwnRules:
    """The operator's own rules, and those that Tamis proposes."""
    caller.require(TokenScope.PLATFORM_READ)
    proposed = _taken(caller)
    taken = {one.name: (one, "shadow" if shadow else "yes") for one, shadow in proposed.taken()}
    known = {one.name: (one, "no") for one in proposed.proposals()} | taken
    return OwnRules(
        rules=[
            OwnRule(name=one.name, action=str(one.action), points=one.points)
            for one in caller.site.rules.rules
        ],
        proposed=[
            Proposed.model_validate(
                {
                    "name": one.name,
                    "trait": str(one.trait),
                    "evidence": str(one.evidence),
                    "points": one.points,
                    "taken": how,
                }
            )
            for one, how in known.values()
        ],
    )


@ROUTES.post("/rules/proposed/{name}/{act}", dependencies=CHANGES, status_code=204, response_class=Response)
def take_rule(
    caller: PlatformWriter,
    name: Annotated[str, Path(max_length=100)],
    act: Literal["accept", "shadow", "forget"],
) -> Response:
    """Put a proposed rule into force or into shadow, or take it out and don't propose it again."""
    caller.require(TokenScope.PLATFORM_WRITE)
    taken = _taken(caller)
    unknown = taken.forget([name]) if act == "forget" else taken.take([name], shadow=act == "shadow")
    if unknown:
        raise not_there()
    caller.store.trail.note(caller.by, f"rule {act}", name)
    return Response(status_code=204)


@ROUTES.post("/rules/test")
def test_rules(
    caller: PlatformReader, message: Annotated[bytes, Body(media_type="message/rfc822", min_length=1)]
) -> TestedRules:
    """Which of the operator's rules a message meets. Images and documents in it are not read."""
    caller.require(TokenScope.PLATFORM_READ)
    limit = caller.site.settings.milter.max_examined
    mail = Mail(message[:limit], complete=len(message) <= limit, size=len(message))
    return TestedRules.model_validate(matches(caller.site.rules, mail))


@ROUTES.get("/health")
def show_health(caller: PlatformReader) -> HealthState:
    """What works and what does not, at this moment."""
    caller.require(TokenScope.PLATFORM_READ)
    told = glance_of(caller, PLATFORM, None).to_dict()
    return HealthState(**{name: told[name] for name in HealthState.model_fields})


def _taken(caller: Caller) -> TakenRules:
    return TakenRules(caller.site.settings, frozenset(one.name for one in caller.site.filters))


def _published(caller: Caller, work: Callable[..., Coroutine[Any, Any, object]], *arguments: Any) -> None:
    """Bring a change into force at once. Without the shared state it comes into force when that is back."""
    try:
        caller.wait(work, caller.house.state, *arguments)
    except ServiceError as error:
        log.warning("in force later, the shared state is lost: %s", error)

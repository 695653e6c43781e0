"""What belongs to the whole platform: clients, fingerprints, health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from tamis.contract.state_keys import parse_client
from tamis.database.complaints import Complaint
from tamis.database.marks import Marked, MarkKind
from tamis.message.address import PLATFORM
from tamis.people.rights import Reach
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.api.routes import CHANGES, RowLimit, Rows, router, rows
from tamis.web.api.statistics_routes import glance_of
from tamis.web.client_deeds import LONGEST_BLOCK, ClientDeeds, last_complaint, place_of_complaint
from tamis.web.mark_deeds import MarkDeeds, last_fingerprint, place_of_fingerprint

ROUTES = router("platform")
T = TypeVar("T")

PlatformReader = Annotated[Caller, needs(TokenScope.PLATFORM_READ)]
PlatformWriter = Annotated[Caller, needs(TokenScope.PLATFORM_WRITE)]
BeforeName = Annotated[
    str,
    Query(
        max_length=600, description="Go on after the answer whose `next` this was; the first page without."
    ),
]
Client = Annotated[str, Query(max_length=60, description="An IP address, or the /64 of an IPv6 client.")]


class BlockedNow(BaseModel):
    """A client that is shut out, until when, why, and by whom: a filter or a person."""

    client: str
    until: datetime
    why: str
    by: str


class WantedBlock(BaseModel):
    """A client to shut out for a time; it sees why."""

    client: str = Field(max_length=60)
    seconds: int = Field(3600, ge=60, le=LONGEST_BLOCK)
    why: str = Field("blocked by an operator", min_length=1, max_length=200)


class WantedComplaint(BaseModel):
    """A client whose mail is spam until the matter is settled."""

    client: str = Field(max_length=60)
    why: str = Field("complaints", min_length=1, max_length=200)


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
    caller: PlatformReader,
    condemned: bool | None = None,
    client: Annotated[str, Query(max_length=60, description="How the address begins.")] = "",
    before: BeforeName = "",
    limit: RowLimit = 50,
) -> Rows[Complaint]:
    """Clients that were complained about, those with most reports first."""
    caller.require(TokenScope.PLATFORM_READ)
    found = caller.store.complaints.find(
        condemned=condemned, client=client, after=_last(last_complaint, before), limit=limit + 1
    )
    return rows(found, limit, place_of_complaint)


@ROUTES.post("/clients/complaints", dependencies=CHANGES, status_code=201)
def condemn_client(caller: PlatformWriter, wanted: WantedComplaint) -> Complaint:
    """Treat all mail of a client as spam, until the matter is settled."""
    caller.require(TokenScope.PLATFORM_WRITE)
    return ClientDeeds(caller.house, caller.by).condemn(parse_client(wanted.client), wanted.why)


@ROUTES.delete("/clients/complaints", dependencies=CHANGES, status_code=204, response_class=Response)
def settle_client(caller: PlatformWriter, client: Client) -> Response:
    """Forget the complaints about a client: the matter is settled."""
    caller.require(TokenScope.PLATFORM_WRITE)
    if not ClientDeeds(caller.house, caller.by).settle(parse_client(client)):
        raise not_there()
    return Response(status_code=204)


@ROUTES.get("/clients/blocked")
def list_blocked(
    caller: PlatformReader,
    client: Annotated[str, Query(max_length=60, description="How the address begins.")] = "",
    before: BeforeName = "",
    limit: RowLimit = 50,
) -> Rows[BlockedNow]:
    """Clients that are shut out now, by honeypots and by operators, by their addresses."""
    caller.require(TokenScope.PLATFORM_READ)
    found = ClientDeeds(caller.house, caller.by).blocked(client)
    shown = [BlockedNow(**asdict(one)) for one in found if one.client > before]
    return rows(shown, limit, lambda one: one.client)


@ROUTES.post("/clients/blocked", dependencies=CHANGES, status_code=201)
def block_client(caller: PlatformWriter, wanted: WantedBlock) -> BlockedNow:
    """Shut a client out for a time; an IPv6 client with its /64."""
    caller.require(TokenScope.PLATFORM_WRITE)
    done = ClientDeeds(caller.house, caller.by).block(parse_client(wanted.client), wanted.why, wanted.seconds)
    return BlockedNow(client=done.client, until=done.expires, why=wanted.why, by=caller.by)


@ROUTES.delete("/clients/blocked", dependencies=CHANGES, status_code=204, response_class=Response)
def unblock_client(caller: PlatformWriter, client: Client) -> Response:
    """Let a client in again, and forget its messages to honeypots."""
    caller.require(TokenScope.PLATFORM_WRITE)
    ClientDeeds(caller.house, caller.by).unblock(parse_client(client))
    return Response(status_code=204)


@ROUTES.get("/fingerprints")
def list_fingerprints(
    caller: PlatformReader,
    kind: MarkKind,
    beginning: Annotated[str, Query(max_length=200, description="How the fingerprint begins.")] = "",
    before: BeforeName = "",
    limit: RowLimit = 50,
) -> Rows[Marked]:
    """What was marked by hand. Files and images on the lists are entries, which have a route of their own."""
    caller.require(TokenScope.PLATFORM_READ)
    found = caller.store.marks.find(
        kind,
        reach=_open_of(caller),
        beginning=beginning,
        after=_last(last_fingerprint, before),
        limit=limit + 1,
    )
    return rows(found, limit, place_of_fingerprint)


@ROUTES.delete("/fingerprints", dependencies=CHANGES, status_code=204, response_class=Response)
def end_marks(
    caller: PlatformWriter,
    kind: MarkKind,
    fingerprint: Annotated[str, Query(min_length=1, max_length=200)],
    scope: Annotated[str, Query(max_length=300, description="Where it was marked.")] = PLATFORM,
) -> Response:
    """Let the marks of a fingerprint in a scope count no more."""
    caller.require(TokenScope.PLATFORM_WRITE)
    deeds = MarkDeeds(caller.house, caller.by)
    if not deeds.end(kind, fingerprint, caller.scope(scope), _open_of(caller)):
        raise not_there()
    return Response(status_code=204)


@ROUTES.get("/health")
def show_health(caller: PlatformReader) -> HealthState:
    """What works and what does not, at this moment."""
    caller.require(TokenScope.PLATFORM_READ)
    told = glance_of(caller, PLATFORM, None).to_dict()
    return HealthState(**{name: told[name] for name in HealthState.model_fields})


def _open_of(caller: Caller) -> Reach:
    """Everybody's, without locked mailboxes."""
    return replace(caller.visible(TokenScope.PLATFORM_READ), closed=caller.locks)


def _last(read: Callable[[str], T | None], before: str) -> T | None:
    """Where the page before ended; raises ProblemError on what no answer said."""
    found = read(before) if before else None
    if before and found is None:
        raise ProblemError(422, "before: is none of ours")
    return found

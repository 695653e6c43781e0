"""People, what they were granted, and what was done."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from tamis.database.audit_trail import Deed
from tamis.database.granted_people import PersonRecord, StoredGrant, parse_rights
from tamis.message.address import address_key, is_plain
from tamis.people.rights import Grant, Right, gives_too_much
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.api.routes import CHANGES, Before, RowLimit, Rows, number_before, router, rows
from tamis.web.person import covers_all, is_served

ROUTES = router("people")

PeopleAdmin = Annotated[Caller, needs(TokenScope.PEOPLE_ADMIN)]
PersonNumber = Annotated[int, Path(ge=1, lt=2**63)]


class GivenGrant(BaseModel):
    """Rights in a scope, who gave them, and until when they hold (null: until they are taken back)."""

    id: int
    scope: str
    rights: list[Right]
    by: str
    at: datetime
    expires: datetime | None


class KnownPerson(BaseModel):
    """A person, with those grants that the token's maker may know of."""

    id: int
    address: str
    suspended: bool
    grants: list[GivenGrant]


class WantedGrant(BaseModel):
    """Rights to give, by name or by the name of a bundle (observer, helper, manager, owner)."""

    address: str = Field(min_length=3, max_length=254)
    scope: str = Field(max_length=300)
    rights: list[Annotated[str, Field(max_length=40)]] = Field(min_length=1, max_length=20)
    expires: AwareDatetime | None = None


class WantedSuspension(BaseModel):
    """Whether nothing that was granted counts."""

    suspended: bool


class KnownSession(BaseModel):
    """A session: what proved the mailbox (`how`), whether it opens what was granted (`strong`), from which network."""

    id: str
    how: str
    strong: bool
    network: str
    agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@ROUTES.get("/people")
def list_people(
    caller: PeopleAdmin,
    before: Annotated[
        str, Query(max_length=320, description="Go on after the answer whose `next` this was.")
    ] = "",
    limit: RowLimit = 50,
) -> Rows[KnownPerson]:
    """Who was granted something where the token may give rights, by address."""
    reach = caller.visible(TokenScope.PEOPLE_ADMIN)
    found = caller.store.people.list(reach, after=before, limit=limit + 1)
    return rows([_known(caller, one) for one in found], limit, lambda one: one.address)


@ROUTES.post("/people/grants", dependencies=CHANGES, status_code=201)
def give_rights(caller: PeopleAdmin, wanted: WantedGrant) -> GivenGrant:
    """Give rights to somebody: nothing that the token does not have itself in that scope."""
    address, scope = address_key(wanted.address.strip()), caller.scope(wanted.scope)
    if not is_plain(address) or not is_served(address, caller.site):
        raise ProblemError(422, "address: must be the full address of a mailbox here")
    gift = Grant(scope, parse_rights(wanted.rights))
    if gives_too_much(caller.holder, gift):
        raise not_there()
    mailbox = caller.site.book.policy(address).mailbox
    given = caller.store.people.grant(mailbox, scope, gift.rights, by=caller.by, expires=wanted.expires)
    return _given(given)


@ROUTES.delete(
    "/people/{person}/grants/{grant}", dependencies=CHANGES, status_code=204, response_class=Response
)
def take_rights_back(
    caller: PeopleAdmin,
    person: PersonNumber,
    grant: Annotated[int, Path(ge=1, lt=2**63)],
) -> Response:
    """Take back what was granted to somebody, at once."""
    known = caller.store.people.get(person)
    given = next((one for one in known.grants if one.id == grant), None) if known else None
    if given is None or gives_too_much(caller.holder, given.grant):
        raise not_there()
    caller.store.people.revoke(grant, by=caller.by)
    return Response(status_code=204)


@ROUTES.patch("/people/{person}", dependencies=CHANGES)
def suspend_person(caller: PeopleAdmin, person: PersonNumber, wanted: WantedSuspension) -> KnownPerson:
    """Let nothing count that was granted to somebody, and end all sessions; or let it count again. For whoever could
    give all that this person has; nobody suspends themselves."""
    one = _covered(caller, person)
    if one.address == caller.holder.mailbox:
        raise not_there()
    caller.store.people.suspend(one.address, by=caller.by, suspended=wanted.suspended)
    return _known(caller, caller.store.people.get(person) or one)


@ROUTES.get("/people/{person}/sessions")
def list_sessions(caller: PeopleAdmin, person: PersonNumber) -> list[KnownSession]:
    """Where somebody is signed in, for whoever could give all that this person has."""
    found = caller.store.sessions.list(_covered(caller, person).address)
    return [KnownSession(**{name: getattr(one, name) for name in KnownSession.model_fields}) for one in found]


@ROUTES.delete(
    "/people/{person}/sessions/{session}", dependencies=CHANGES, status_code=204, response_class=Response
)
def end_session(
    caller: PeopleAdmin, person: PersonNumber, session: Annotated[str, Path(max_length=100)]
) -> Response:
    """Sign somebody out where that session is."""
    if not caller.store.sessions.revoke(_covered(caller, person).address, session, by=caller.by):
        raise not_there()
    return Response(status_code=204)


@ROUTES.get("/audit")
def list_deeds(
    caller: PeopleAdmin,
    who: Annotated[str, Query(max_length=320)] = "",
    action: Annotated[str, Query(max_length=100)] = "",
    about: Annotated[str, Query(max_length=1000)] = "",
    before: Before = "",
    limit: RowLimit = 50,
) -> Rows[Deed]:
    """Who did what, the newest first."""
    found = caller.store.trail.find(
        caller.visible(TokenScope.PEOPLE_ADMIN),
        caller.locks,
        who=who,
        action=action,
        about=about,
        before=number_before(before),
        limit=limit + 1,
    )
    return rows(list(found), limit, lambda one: one.id)


def _covered(caller: Caller, number: int) -> PersonRecord:
    """A person on whom the caller may act as a whole. Raises ProblemError."""
    one = caller.store.people.get(number)
    if one is None or not any(caller.may(TokenScope.PEOPLE_ADMIN, given.grant.scope) for given in one.grants):
        raise not_there()
    if not covers_all(caller.holder, one.address, (given.grant for given in one.grants), caller.site):
        raise not_there()
    return one


def _known(caller: Caller, one: PersonRecord) -> KnownPerson:
    shown = [given for given in one.grants if caller.may(TokenScope.PEOPLE_ADMIN, given.grant.scope)]
    return KnownPerson(
        id=one.id, address=one.address, suspended=one.suspended, grants=[_given(given) for given in shown]
    )


def _given(one: StoredGrant) -> GivenGrant:
    return GivenGrant(
        id=one.id,
        scope=one.grant.scope,
        rights=sorted(one.grant.rights),
        by=one.by,
        at=one.at,
        expires=one.expires,
    )

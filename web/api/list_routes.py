"""White and black lists, and what senders have earned."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from tamis.base.errors import ConfigError, ServiceError
from tamis.contract.breadth import SENTENCES, breadth
from tamis.contract.lists import Colour, ListEntry, Subject, normalise_pattern
from tamis.database.earned_senders import Sender
from tamis.database.list_entries import NewEntry, allowed_senders
from tamis.filters.signing.forgeable import forgeable
from tamis.handover.sender_events import forget
from tamis.judging.list_conflicts import MOST_COMPARED, conflicts
from tamis.message.address import PLATFORM, address_key, domain_key
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.api.routes import CHANGES, Before, In, RowLimit, Rows, number_before, router, rows

log = logging.getLogger(__name__)

ROUTES = router("lists")
MOST_IMPORTED = 5000
"""Entries of one import. Beyond: refused."""
_SHOWN = 20

ListReader = Annotated[Caller, needs(TokenScope.LISTS_READ)]
ListWriter = Annotated[Caller, needs(TokenScope.LISTS_WRITE)]


class WantedEntry(BaseModel):
    """An entry to be added. One that covers very many or our own domains is refused without `broad` and a note."""

    colour: Colour
    subject: Subject
    pattern: str = Field(min_length=1, max_length=500)
    scope: str = Field(PLATFORM, max_length=300)
    note: str = Field("", max_length=500)
    expires: AwareDatetime | None = None
    broad: bool = False


class WantedImport(BaseModel):
    """Many entries of one kind, all or none."""

    colour: Colour
    subject: Subject
    patterns: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        min_length=1, max_length=MOST_IMPORTED
    )
    scope: str = Field(PLATFORM, max_length=300)
    note: str = Field("", max_length=500)
    expires: AwareDatetime | None = None
    broad: bool = False


class AddedEntries(BaseModel):
    """How many entries are new, how many were brought up to date, and which ones of the other colour were replaced."""

    new: int
    merged: int
    replaced: list[ListEntry]
    forgeable: dict[str, str] = Field(
        description="Allowed senders in whose name others can write, each with why. Nobody is in it without a DNS."
    )
    unasked: int = Field(description="Domains of allowed senders that were too many to be looked at.")


class ListConflict(BaseModel):
    """Two entries of which, for mail to `scope`, one counts and the other does not."""

    wins: ListEntry
    loses: ListEntry
    scope: str


class FoundConflicts(BaseModel):
    """Contradictions; `complete` says whether there are no more, and no older entries that were not compared."""

    items: list[ListConflict]
    complete: bool


@ROUTES.get("/lists/entries")
def list_entries(
    caller: ListReader,
    within: Annotated[
        str, Query(alias="in", max_length=300, description="Only what stands in this scope itself.")
    ] = "",
    colour: Colour | None = None,
    subject: Subject | None = None,
    pattern: Annotated[str, Query(max_length=500, description="In its normal form.")] = "",
    before: Before = "",
    limit: RowLimit = 50,
) -> Rows[ListEntry]:
    """Entries, the newest first."""
    found = caller.store.lists.find(
        scope=caller.scope(within) if within else None,
        colour=colour,
        subject=subject,
        pattern=pattern or None,
        before=number_before(before),
        limit=limit + 1,
        reach=caller.visible(TokenScope.LISTS_READ),
        newest_first=True,
    )
    return rows(list(found), limit, lambda one: one.id)


@ROUTES.post("/lists/entries", dependencies=CHANGES, status_code=201)
def add_entry(caller: ListWriter, wanted: WantedEntry) -> AddedEntries:
    """Add an entry. One that is there already gets the new note and expiry; one of the other colour is replaced."""
    entry = _new(caller, wanted, wanted.pattern, origin="api")
    return _added(caller, [entry], broad=wanted.broad)


@ROUTES.post("/lists/import", dependencies=CHANGES, status_code=201)
def import_entries(caller: ListWriter, wanted: WantedImport) -> AddedEntries:
    """Add many entries, all or none."""
    wrong: list[dict[str, str]] = []
    entries: list[NewEntry] = []
    for place, pattern in enumerate(wanted.patterns):
        try:
            entries.append(_new(caller, wanted, pattern, origin="import"))
        except ConfigError as error:
            wrong.append({"at": f"body.patterns.{place}", "problem": error.problem})
    if wrong:
        raise ProblemError(422, f"Nothing was imported: {len(wrong)} are wrong.", errors=wrong[:_SHOWN])
    return _added(caller, entries, broad=wanted.broad)


@ROUTES.get("/lists/conflicts")
def list_conflicts(caller: ListReader, within: In = PLATFORM, limit: RowLimit = 50) -> FoundConflicts:
    """Entries that say the contrary of each other, and which of the two counts, among the newest 20,000."""
    reach = caller.visible(TokenScope.LISTS_READ, caller.scope(within))
    entries = caller.store.lists.find(reach=reach, limit=MOST_COMPARED + 1, newest_first=True)
    found = list(islice(conflicts(entries[:MOST_COMPARED], datetime.now(UTC)), limit + 1))
    return FoundConflicts(
        items=[ListConflict(wins=one.wins, loses=one.loses, scope=one.scope) for one in found[:limit]],
        complete=len(entries) <= MOST_COMPARED and len(found) <= limit,
    )


@ROUTES.delete("/lists/entries/{number}", dependencies=CHANGES, status_code=204, response_class=Response)
def remove_entry(caller: ListWriter, number: Annotated[int, Path(ge=1, lt=2**63)]) -> Response:
    """Remove an entry."""
    reach = caller.visible(TokenScope.LISTS_WRITE)
    if not caller.store.lists.find(after=number - 1, before=number + 1, reach=reach):
        raise not_there()
    caller.store.lists.remove([number], by=caller.by)
    return Response(status_code=204)


def _new(caller: Caller, wanted: WantedEntry | WantedImport, pattern: str, *, origin: str) -> NewEntry:
    scope = caller.scope(wanted.scope)
    caller.require(TokenScope.LISTS_WRITE, scope)
    return NewEntry(
        colour=wanted.colour,
        subject=wanted.subject,
        pattern=normalise_pattern(wanted.subject, pattern),
        scope=scope,
        origin=origin,
        author=caller.by,
        note=wanted.note,
        expires=wanted.expires,
    )


def _added(caller: Caller, entries: list[NewEntry], *, broad: bool) -> AddedEntries:
    own = caller.site.settings.platform.domains
    wide = [
        {"at": one.pattern, "problem": SENTENCES[found]}
        for one in entries
        if (found := breadth(one.subject, one.pattern, own, one.scope))
    ]
    if wide and not (broad and entries[0].note):
        raise ProblemError(
            422, "These entries are broad: if that is meant, say so with `broad`, and why with `note`.",
            errors=wide[:_SHOWN],
        )  # fmt: skip
    added = caller.store.lists.add(entries)
    senders, scope = allowed_senders(entries), entries[0].scope
    doubted = caller.wait(forgeable, caller.house.dns, caller.site.book, senders, scope)
    return AddedEntries(
        new=added.new,
        merged=added.merged,
        replaced=list(added.replaced),
        forgeable=dict(doubted.why),
        unasked=doubted.unasked,
    )


@ROUTES.get("/senders")
def list_senders(
    caller: ListReader,
    domain: Annotated[str, Query(max_length=255)] = "",
    address: Annotated[str, Query(max_length=320)] = "",
    before: Annotated[
        str, Query(max_length=600, description="Go on after the answer whose `next` this was.")
    ] = "",
    limit: RowLimit = 50,
) -> Rows[Sender]:
    """What senders have earned with whole domains."""
    after_domain, _, after_address = before.partition("/")
    reach = caller.visible(TokenScope.LISTS_READ)
    found = caller.store.senders.find(
        domain=domain or None,
        address=address or None,
        limit=limit + 1,
        after=(after_domain, after_address),
        reach=reach,
    )
    shown = [_without_author(one) if reach.closed.closes(one.author) else one for one in found]
    return rows(shown, limit, lambda one: f"{one.domain}/{one.address}")


@ROUTES.delete("/senders/{domain}/{address}", dependencies=CHANGES, status_code=204, response_class=Response)
def forget_sender(
    caller: ListWriter,
    domain: Annotated[str, Path(max_length=255)],
    address: Annotated[str, Path(max_length=320)],
) -> Response:
    """Forget what an address has earned with a domain."""
    where, whom = domain_key(domain), address_key(address)
    caller.require(TokenScope.LISTS_WRITE, where)
    if not caller.store.senders.remove(where, whom, by=caller.by):
        raise not_there()
    try:
        caller.wait(forget, caller.house.state, where, whom)
    except ServiceError as error:
        log.warning("a sender is forgotten later, the shared state is lost: %s", error)
    return Response(status_code=204)


def _without_author(one: Sender) -> Sender:
    """A locked mailbox is named to nobody else."""
    return Sender(one.domain, one.address, one.validations, one.works, one.complaints, "", one.at)

"""Held mail: read it, and act on it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from tamis.people.token_scopes import TokenScope
from tamis.quarantine.records import Done, HeldRecord, HeldState, Summary
from tamis.web.actions import Actions, Verb
from tamis.web.api.caller import Caller, needs
from tamis.web.api.findings import SeenFinding, read_findings, seen_findings
from tamis.web.api.problems import not_there
from tamis.web.api.routes import CHANGES, MOST_ROWS, Before, In, RowLimit, Rows, router, rows
from tamis.web.many import MAX_AT_ONCE, act_on_all

ROUTES = router("held")
_EVERY = "all"

HeldReader = Annotated[Caller, needs(TokenScope.HELD_READ)]
HeldActor = Annotated[Caller, needs(TokenScope.HELD_ACT)]
Number = Annotated[str, Path(max_length=40, description="The id that the list shows.")]
HeldAct = Literal["deliver", "delete", "spam", "restore"]


class HeldMail(BaseModel):
    """A held message without its content."""

    summary: Summary
    recipients: list[str]
    return_path: str
    findings: list[SeenFinding]


class WantedAct(BaseModel):
    """What to do with one message; `learn` teaches the statistical filter what it was."""

    learn: bool = True


class WantedActs(BaseModel):
    """What to do with which messages."""

    act: Literal["deliver", "delete", "spam"]
    ids: list[Annotated[str, Field(max_length=40)]] = Field(min_length=1, max_length=MAX_AT_ONCE)
    learn: bool = True


class Result(BaseModel):
    """What came of it for one message. `left`: not tried, since the mail server takes nothing now, or time was over."""

    id: str
    result: Done | Literal["left"]


class Results(BaseModel):
    """What came of it, in the order that was asked; what is not there and what is not allowed are both unknown."""

    results: list[Result]
    trouble: str = Field("", description="Why some are left.")


@ROUTES.get("/held")
def list_held(
    caller: HeldReader,
    within: In = "platform",
    state: Literal["held", "releasing", "released", "deleted", "expired", "all"] = "held",
    search: Annotated[str, Query(max_length=500, description="Words in sender, From or subject.")] = "",
    before: Before = "",
    limit: RowLimit = 50,
) -> Rows[Summary]:
    """Held messages, the newest first."""
    scope = caller.scope(within)
    found = caller.store.quarantine.list(
        scope,
        state=None if state == _EVERY else HeldState(state),
        text=search,
        limit=limit + 1,
        before=before or None,
        reach=caller.visible(TokenScope.HELD_READ, scope),
    )
    return rows(list(found), limit, lambda one: one.id)


@ROUTES.get("/held/{number}")
def show_held(caller: HeldReader, number: Number) -> HeldMail:
    """One held message: why it is held, and what each filter saw."""
    record = _record(caller, number, TokenScope.HELD_READ)
    return HeldMail(
        summary=record.summary,
        recipients=[one.address for one in record.recipients],
        return_path=record.return_path,
        findings=seen_findings(caller, read_findings(record.findings)),
    )


@ROUTES.get("/held/{number}/content", response_class=Response)
def read_content(
    caller: Annotated[Caller, needs(TokenScope.HELD_READ, TokenScope.CONTENT_READ)], number: Number
) -> Response:
    """The message itself, octet for octet. That somebody looked stands in the audit trail."""
    _record(caller, number, TokenScope.HELD_READ)
    record = _record(caller, number, TokenScope.CONTENT_READ)
    content = caller.store.quarantine.content(record.summary.id)
    if content is None:
        raise not_there()
    caller.store.trail.note(caller.by, "preview", record.summary.id)
    return Response(
        content,
        media_type="message/rfc822",
        headers={"content-disposition": 'attachment; filename="message.eml"'},
    )


@ROUTES.post("/held/acts", dependencies=CHANGES)
def act_on_many(caller: HeldActor, wanted: WantedActs) -> Results:
    """The same with up to 500 messages; each is done or not by itself."""
    return _acted(caller, Verb(wanted.act), wanted.ids, learn=wanted.learn)


@ROUTES.post("/held/{number}/{act}", dependencies=CHANGES)
def act_on_one(caller: HeldActor, number: Number, act: HeldAct, wanted: WantedAct | None = None) -> Result:
    """Deliver, delete, delete and report as spam, or bring back within ten minutes what was deleted."""
    record = _record(caller, number, TokenScope.HELD_ACT)
    if act == "restore":
        done = caller.store.quarantine.restore(record.summary.id, caller.by)
        return Result(id=number, result=done)
    return _acted(caller, Verb(act), [number], learn=wanted.learn if wanted else True).results[0]


def _acted(caller: Caller, verb: Verb, numbers: list[str], *, learn: bool) -> Results:
    reach = caller.visible(TokenScope.HELD_ACT)
    known = {one.id: one for one in caller.store.quarantine.several(numbers, reach)}
    wanted = [known[number] for number in dict.fromkeys(numbers) if number in known]
    actions = Actions(caller.store, caller.site.settings)
    done = act_on_all(actions, verb, wanted, caller.site, caller.by, teach=learn)
    came: dict[str, Done | Literal["left"]] = {one.message: Done.DONE for one in done.deeds}
    came |= done.refused
    came |= dict.fromkeys(done.left, "left")
    results = [Result(id=one, result=came.get(one, Done.UNKNOWN)) for one in dict.fromkeys(numbers)]
    return Results(results=results, trouble=done.trouble)


def _record(caller: Caller, number: str, wanted: TokenScope) -> HeldRecord:
    """A message that may be seen. Raises ProblemError on all others."""
    record = caller.store.quarantine.get(number)
    if record is None or not caller.visible(wanted).covers(record.summary.mailbox):
        raise not_there()
    return record


assert MAX_AT_ONCE >= MOST_ROWS  # whatever a list shows can be acted on at once

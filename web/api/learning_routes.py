"""What programs teach the statistical filter."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Body, Query
from pydantic import BaseModel

from tamis.models.reports import ReportError, Spool
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import ProblemError
from tamis.web.api.routes import CHANGES, router

ROUTES = router("learning")

Teaching = Annotated[Caller, needs(TokenScope.LEARN_WRITE)]


class TakenReport(BaseModel):
    """A report that was taken; so many wait to be learned, it among them."""

    waiting: int


@ROUTES.post("/learning/reports", dependencies=CHANGES, status_code=202)
def report_message(
    caller: Teaching,
    label: Annotated[
        Literal["spam", "ham", "forget"], Query(description="What it is; forget takes a report back.")
    ],
    mailbox: Annotated[str, Query(min_length=3, max_length=300, description="Whose mail it is.")],
    message: Annotated[bytes, Body(media_type="message/rfc822", min_length=1)],
) -> TakenReport:
    """Teach the statistical filter a message, in the name of a mailbox, whose daily bounds hold. It is learned within
    seconds, once however often it is reported."""
    whose = caller.scope(mailbox)
    if "@" not in whose:
        raise ProblemError(422, "mailbox: must be the address of a mailbox")
    caller.require(TokenScope.LEARN_WRITE, whose)
    spool = Spool(caller.site.settings.spool_directory)
    try:
        spool.put(label, "web", whose, message)
    except ReportError:
        raise ProblemError(
            503, "Too many reports wait to be learned.", headers={"retry-after": "60"}
        ) from None
    caller.store.trail.note(caller.by, "report", label, scope=whose)
    return TakenReport(waiting=spool.waiting())

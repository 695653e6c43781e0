"""The history of messages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel

from tamis.database.history import KeptStory, SentAgain
from tamis.database.history_search import Wanted
from tamis.judging.story import Told
from tamis.judging.telling import chain, tell
from tamis.message.address import PLATFORM
from tamis.message.envelope import parse_ip
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.findings import SeenFinding, seen_findings
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.api.routes import Before, In, RowLimit, Rows, number_before, router, rows

ROUTES = router("messages")

MessageReader = Annotated[Caller, needs(TokenScope.HISTORY_READ)]
ShortText = Annotated[str, Query(max_length=500)]


class CameOf(BaseModel):
    """What came of a message for one recipient."""

    recipient: str
    decision: str
    outcome: str
    decided_by: str
    because: str
    score: float
    required: float
    spoke: str
    observed: bool


class TurningChange(BaseModel):
    """One change that would turn it round: a policy key of `scope` (which replay can try) or an entry of the lists
    (`lists.white`, `lists.black`), set to `value`."""

    scope: str
    key: str
    value: str | float
    sentence: str


class Now(BaseModel):
    """What would come of it under the policy in force, and which single changes would turn that round."""

    decision: str
    outcome: str
    otherwise_with: list[str]
    changes: list[TurningChange]


class CameOfAndNow(CameOf):
    """What came of it for one recipient, then and now."""

    now: Now


class SeenMessage(BaseModel):
    """A message of the history, for those recipients whose history the token may read."""

    id: int
    at: datetime
    queue_id: str
    sender: str
    client_ip: str
    helo: str
    login: str
    message_id: str
    size: int
    transaction: str
    subject: str
    header_from: str
    host: str
    side: str
    recipients: list[CameOf]


class MessageStory(SeenMessage):
    """A message with what filters saw, what else would have changed it, and the copies that went to Postfix again; of
    very many recipients the first hundred."""

    recipients: list[CameOfAndNow]  # type: ignore[assignment] # a narrower list, which nobody appends to
    copies: list[SentAgain]
    findings: list[SeenFinding]


@ROUTES.get("/messages")
def list_messages(
    caller: MessageReader,
    within: In = PLATFORM,
    sender: Annotated[str, Query(max_length=320, description='An address, a domain, or "<>".')] = "",
    recipient: ShortText = "",
    subject: Annotated[str, Query(max_length=500, description="Words, in any order.")] = "",
    message_id: ShortText = "",
    queue_id: ShortText = "",
    client: Annotated[str, Query(max_length=50, description="An IP address.")] = "",
    since: AwareDatetime | None = None,
    verdict: Literal["", "ham", "spam", "defer"] = "",
    decided_by: Annotated[str, Query(max_length=100, description="A filter.")] = "",
    before: Before = "",
    limit: RowLimit = 50,
) -> Rows[SeenMessage]:
    """Messages that passed through, the newest first, each with the recipients who fit."""
    scope = caller.scope(within)
    ip = parse_ip(client)
    if client and ip is None:
        raise ProblemError(422, "client: is no IP address")
    last = number_before(before)
    wanted = Wanted(
        scope="" if scope == PLATFORM else scope,
        sender=sender.strip(),
        recipient=recipient.strip().lower(),
        subject=subject,
        message_id=message_id.strip(),
        queue_id=queue_id.strip(),
        client_ip=str(ip or ""),
        since=since,
        decision=verdict,
        decided_by=decided_by,
        numbers=None if last is None else (0, last),
        reach=caller.visible(TokenScope.HISTORY_READ, scope),
    )
    found = [SeenMessage.model_validate(one.to_dict(findings=False)) for one in _find(caller, wanted, limit)]
    return rows(found, limit, lambda one: one.id)


def _find(caller: Caller, wanted: Wanted, limit: int) -> list[KeptStory]:
    return caller.store.history.find(wanted, limit + 1)


@ROUTES.get("/messages/named")
def show_named(
    caller: MessageReader,
    name: Annotated[
        str, Query(min_length=1, max_length=1000, description="Id, queue id, Message-ID or X-Spam-Id.")
    ],
) -> list[MessageStory]:
    """The messages, at most 20, that somebody means by a name."""
    found = caller.store.history.show(name, caller.visible(TokenScope.HISTORY_READ))
    return [_story(caller, one) for one in found]


@ROUTES.get("/messages/{number}")
def show_message(
    caller: MessageReader,
    number: Annotated[int, Path(ge=0, lt=2**63, description="The id that the list shows.")],
) -> MessageStory:
    """One message: what came of it, why, and what would have changed it."""
    one = caller.store.history.get(number, caller.visible(TokenScope.HISTORY_READ))
    if one is None:
        raise not_there()
    return _story(caller, one)


def _story(caller: Caller, one: KeptStory) -> MessageStory:
    site = caller.site
    copies = tell(one.story, site.book, site.settings.platform.domains)
    recipients = [
        {"recipient": copy.recipient} | _told(copy.told) | {"now": copy.to_dict()} for copy in copies
    ]
    steps = chain(one.story, site.filters, copies)
    findings = seen_findings(caller, [step.finding for step in steps])
    return MessageStory.model_validate(
        one.to_dict(findings=False)
        | {"recipients": recipients, "copies": list(one.copies), "findings": findings}
    )


def _told(what: Told) -> dict[str, object]:
    return {name: getattr(what, name) for name in CameOf.model_fields if name != "recipient"}

"""The history of messages."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel

from tamis.database.effective_labels import LabelSource
from tamis.database.history import KeptStory, SentAgain
from tamis.database.history_search import ANY, Wanted
from tamis.database.labels import source_of
from tamis.database.search_words import read_search
from tamis.judging.story import Told
from tamis.judging.telling import chain, tell
from tamis.language.time_zone import zone_of
from tamis.message.address import PLATFORM
from tamis.message.envelope import parse_ip
from tamis.people.token_scopes import TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.findings import SeenFinding, seen_findings
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.api.routes import CHANGES, Before, In, RowLimit, Rows, number_before, router, rows

ROUTES = router("messages")

MessageReader = Annotated[Caller, needs(TokenScope.HISTORY_READ)]
LabelWriter = Annotated[Caller, needs(TokenScope.LEARN_WRITE)]
MessageNumber = Annotated[int, Path(ge=0, lt=2**63, description="The id that the list shows.")]
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


class WantedLabel(BaseModel):
    """Whether a copy was wanted; null: no word of the token's maker."""

    wanted: bool | None


class SaidOfCopy(BaseModel):
    """What people's words on a copy come to; null when none counts."""

    mailbox: str
    wanted: bool | None


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
    q: Annotated[
        str,
        Query(
            max_length=500,
            description='As the page Messages takes it: marie@ from:garage is:held "devis". Other parameters win.',
        ),
    ] = "",
    before: Before = "",
    limit: RowLimit = 50,
) -> Rows[SeenMessage]:
    """Messages that passed through, the newest first, each with the recipients who fit."""
    scope = caller.scope(within)
    ip = parse_ip(client)
    if client and ip is None:
        raise ProblemError(422, "client: is no IP address")
    last = number_before(before)
    asked = _read(caller, q)
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
    given = {one.name: getattr(wanted, one.name) for one in fields(Wanted)}
    wanted = replace(asked, **{name: value for name, value in given.items() if value != getattr(ANY, name)})
    found = [SeenMessage.model_validate(one.to_dict(findings=False)) for one in _find(caller, wanted, limit)]
    return rows(found, limit, lambda one: one.id)


def _read(caller: Caller, text: str) -> Wanted:
    """What words of the search mean. Raises ProblemError on operators that nothing can be found by."""
    zone = zone_of(caller.site.book.policy("").terms.time_zone)
    known = {one.name: one.spec_id for one in caller.site.filters}
    search = read_search(text.strip(), datetime.now(zone), known)
    if search.problems:
        raise ProblemError(422, "q: an operator in it has a value that is no day, filter, address or number")
    return search.wanted


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
    number: MessageNumber,
) -> MessageStory:
    """One message: what came of it, why, and what would have changed it."""
    one = caller.store.history.get(number, caller.visible(TokenScope.HISTORY_READ))
    if one is None:
        raise not_there()
    return _story(caller, one)


@ROUTES.put("/messages/{number}/labels/{mailbox}", dependencies=CHANGES)
def label_message(
    caller: LabelWriter,
    number: MessageNumber,
    mailbox: Annotated[str, Path(max_length=320, description="Whose copy it is.")],
    wanted: WantedLabel,
) -> SaidOfCopy:
    """Say whether a copy was wanted; null takes that word back. It counts as an operator's, unless the copy is the
    token's maker's own."""
    whose = caller.scope(mailbox)
    reach = caller.visible(TokenScope.LEARN_WRITE)
    one = caller.store.history.get(number, reach)
    if one is None or not one.story.transaction or whose not in _mailboxes(caller, one):
        raise not_there()
    caller.require(TokenScope.LEARN_WRITE, whose)
    message, labels = one.story.transaction, caller.store.labels
    source = source_of(caller.by, whose, LabelSource.RELEASE)
    if wanted.wanted is None:
        labels.take_back(message, whose, source, caller.by)
    else:
        labels.say(message, whose, wanted.wanted, source, caller.by)
    details: dict[str, Any] = {"mailbox": whose, "wanted": wanted.wanted}
    caller.store.trail.note(caller.by, "label", message, details, scope=whose)
    return SaidOfCopy(mailbox=whose, wanted=labels.standing([message]).get((message, whose)))


def _mailboxes(caller: Caller, one: KeptStory) -> set[str]:
    story, policy = one.story, caller.site.book.policy
    return {policy(story.sender if story.login else who).mailbox for who, _ in story.recipients}


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

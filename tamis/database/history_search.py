"""Which messages of the history are wanted, as conditions that the tables' indexes answer.

Wanted -> conditions of the message | of its recipients (those within its Reach alone)
       -> newest: ids, found where the narrowest condition has its index -> their rows

What somebody may see is a condition of every recipient: a message is found by nothing that stands in copies of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute, aliased

from tamis.database.schema import CopyRow, StoryRow, ToldRow
from tamis.database.searching import AUTHOR, SUBJECT, FoundFirst, has_words
from tamis.database.seen_rows import seen
from tamis.message.address import PLATFORM, address_key, domain_key
from tamis.people.rights import Reach

MOST_APART = 20
"""Domains and mailboxes of somebody's reach that are each asked for their newest messages (beyond: all are asked at
once, which reads more)."""
LATE = timedelta(days=3)
"""How much later than others a message may have come into the history (beyond: a search up to a day may miss it)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages; "" and None are any.

    Of the message: `sender` is an address or a domain, "<>" the null sender; `subject` words that the subject has, in
    any order, `author` those that header From or sender have, `words` those of all three; `party` an address that sent
    or got it; `named` a queue id, Message-ID, transaction or number. `numbers` are the first id and the one behind the
    last.

    Of a recipient's copy: `scope` is the domain or mailbox whose it is (of outgoing mail the author's); `reach` what
    somebody may see; `recipient` an address as the envelope had it; `to` an address, a domain, or part of an address;
    `local` a mailbox in any domain ("marie@"); `outcome` where it went, while `observed` mail went to the inbox;
    `scores` comparisons with its score (">", 5.0).
    """

    scope: str = ""
    sender: str = ""
    since: datetime | None = None
    decision: str = ""
    decided_by: str = ""
    numbers: tuple[int, int] | None = None
    recipient: str = ""
    subject: str = ""
    message_id: str = ""
    queue_id: str = ""
    client_ip: str = ""
    until: datetime | None = None
    author: str = ""
    words: str = ""
    party: str = ""
    named: str = ""
    side: str = ""
    to: str = ""
    local: str = ""
    outcome: str = ""
    observed: bool | None = None
    scores: tuple[tuple[str, float], ...] = ()
    reach: Reach | None = None
    least: int = 0
    """An id below which nothing came since `since`, where that is known."""

    @property
    def is_rare(self) -> bool:
        """Whether few messages can fit, which are found first and sorted then."""
        return bool(
            self.subject
            or self.message_id
            or self.queue_id
            or self.author
            or self.words
            or self.party
            or self.named
        )

    @property
    def has_only_words(self) -> bool:
        """Whether nothing but words makes the messages rare."""
        others = (self.message_id, self.queue_id, self.party, self.named)
        return bool(self.subject or self.author or self.words) and not any(others)


ANY = Wanted()


def conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What StoryRow and ToldRow, joined, must meet."""
    return [*_of_message(wanted), *of_recipient(wanted)]


def newest(wanted: Wanted, limit: int) -> Select[int]:
    """The ids of the newest messages that have a recipient who fits."""
    message, recipient = _of_message(wanted), of_recipient(wanted)
    if recipient and not (wanted.is_rare or wanted.sender or wanted.client_ip):
        return _by_recipients(wanted, message, recipient, limit)
    query = select(StoryRow.id).where(*message, *_between(wanted, StoryRow.id))
    if recipient:
        query = query.where(exists().where(ToldRow.message == StoryRow.id, *recipient).correlate(StoryRow))
    # what is rare is found first and sorted then: the sum keeps a planner from reading the table in the wanted order
    order: ColumnElement[int] = StoryRow.id.expression
    if wanted.is_rare and not wanted.numbers:
        order = FoundFirst(StoryRow.id) if wanted.has_only_words else StoryRow.id + 0
    return query.order_by(order.desc()).limit(limit)


def _by_recipients(
    wanted: Wanted,
    message: Sequence[ColumnElement[bool]],
    recipient: Sequence[ColumnElement[bool]],
    limit: int,
) -> Select[int]:
    """By a recipient's own index, which has them in order; of several domains, each by itself."""

    def those(*where: ColumnElement[bool]) -> Select[int]:
        found = (
            select(ToldRow.message).distinct().where(*where, *recipient, *_between(wanted, ToldRow.message))
        )
        if message:
            found = found.join(StoryRow, StoryRow.id == ToldRow.message).where(*message)
        return found.order_by(ToldRow.message.desc()).limit(limit)

    apart = [] if wanted.scope or wanted.recipient or wanted.to or wanted.local else _apart(wanted.reach)
    if not 1 < len(apart) <= MOST_APART:
        return those()
    parts = [select(those(one).subquery().c.message) for one in apart]
    every = union(*parts).subquery()
    return select(every.c.message).order_by(every.c.message.desc()).limit(limit)


def _apart(reach: Reach | None) -> list[ColumnElement[bool]]:
    """The scopes of a reach, each with its index; none where it is the platform."""
    if reach is None or PLATFORM in reach.scopes:
        return []
    named = sorted(reach.scopes)
    mailboxes = dict.fromkeys([*(one for one in named if "@" in one), *([reach.own] if reach.own else [])])
    return [
        *(ToldRow.domain == one for one in named if "@" not in one),
        *(ToldRow.mailbox == one for one in mailboxes),
    ]


def _between(wanted: Wanted, number: InstrumentedAttribute[int]) -> list[ColumnElement[bool]]:
    """The ids that are in question, by the index of moments: it has no order of ids."""
    found: list[ColumnElement[bool]] = []
    if wanted.least:
        found.append(number >= wanted.least)
    elif wanted.since is not None:
        found.append(number >= least_since(wanted.since).scalar_subquery())
    if wanted.until is not None:
        near, any_ = aliased(StoryRow), aliased(StoryRow)
        lately = select(func.max(near.id + 0)).where(near.at < wanted.until, near.at >= wanted.until - LATE)
        before = select(any_.id).where(any_.at < wanted.until).order_by(any_.at.desc()).limit(1)
        found.append(number <= func.coalesce(lately.scalar_subquery(), before.scalar_subquery()))
    if wanted.numbers is not None:
        found += [number >= wanted.numbers[0], number < wanted.numbers[1]]
    return found


def least_since(since: datetime) -> Select[int]:
    """The lowest id of what came since then."""
    later = aliased(StoryRow)  # the sum: by the index of moments, not of ids
    return select(func.min(later.id + 0)).where(later.at >= since)


def named(given: str, reach: Reach | None = None) -> Select[StoryRow]:
    """The messages that somebody means by a number, a queue id, a Message-ID or a transaction."""
    return select(StoryRow).where(_is_named(given, reach), *is_seen(reach))


def is_seen(reach: Reach | None) -> list[ColumnElement[bool]]:
    """That a StoryRow has a copy that may be seen."""
    if reach is None:
        return []
    mine = exists().where(ToldRow.message == StoryRow.id, seen(reach, ToldRow.mailbox, ToldRow.domain))
    return [mine.correlate(StoryRow)]


def _is_named(given: str, reach: Reach | None = None) -> ColumnElement[bool]:
    if not given:
        return false()
    by_queue, by_message, by_transaction, by_number = (aliased(StoryRow) for _ in range(4))
    which = [
        select(by_queue.id).where(by_queue.queue_id == given),
        select(by_message.id).where(by_message.message_id.in_(_message_ids(given))),
        select(by_transaction.id).where(by_transaction.transaction == given),
        _of_copy(given, reach),
    ]
    if given.isascii() and given.isdecimal() and len(given) < 19:
        which.append(select(by_number.id).where(by_number.id == int(given)))
    return StoryRow.id.in_(union(*which))


def _of_copy(queue_id: str, reach: Reach | None) -> Select[int]:
    """The messages of which a copy that we sent back has this queue id; of copies that may be seen alone."""
    again = aliased(StoryRow)
    found = select(again.id).join(CopyRow, CopyRow.transaction == again.transaction)
    found = found.where(CopyRow.queue_id == queue_id)
    return found if reach is None else found.where(copy_is_seen(reach, again.id))


def copy_is_seen(reach: Reach, message: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whether a CopyRow of a message is for a recipient who may be seen."""
    mine = aliased(ToldRow)
    return exists().where(
        mine.message == message, mine.recipient == CopyRow.recipient, seen(reach, mine.mailbox, mine.domain)
    )


def _message_ids(given: str) -> list[str]:
    bare = given.removeprefix("<").removesuffix(">")
    return list(dict.fromkeys((given, f"<{bare}>", bare)))


def _of_message(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.sender == "<>" or "@" in wanted.sender:
        found.append(StoryRow.sender_key == address_key(wanted.sender))
    elif wanted.sender:
        found.append(StoryRow.sender_domain == domain_key(wanted.sender))
    if wanted.subject:
        found += has_words(wanted.subject, SUBJECT)
    if wanted.author:
        found += has_words(wanted.author, AUTHOR)
    if wanted.words:
        found += has_words(wanted.words)
    if wanted.message_id:
        found.append(StoryRow.message_id.in_(_message_ids(wanted.message_id)))
    if wanted.queue_id:
        first = aliased(StoryRow)
        own = select(first.id).where(first.queue_id == wanted.queue_id)
        found.append(StoryRow.id.in_(union(own, _of_copy(wanted.queue_id, wanted.reach))))
    if wanted.named:
        found.append(_is_named(wanted.named, wanted.reach))
    if wanted.party:
        sent, got = _sent_by(wanted.party), _got_by(wanted.party)
        found.append(StoryRow.id.in_(union(sent, *(select(ToldRow.message).where(one) for one in got))))
    if wanted.client_ip:
        found.append(StoryRow.client_ip == wanted.client_ip)
    if wanted.side:
        found.append(StoryRow.side == wanted.side)
    if wanted.since is not None:
        found.append(StoryRow.at >= wanted.since)
    if wanted.until is not None:
        found.append(StoryRow.at < wanted.until)
    return found


def _sent_by(address: str) -> Select[int]:
    sent = aliased(StoryRow)
    return select(sent.id).where(sent.sender_key == address)


def _got_by(address: str) -> list[ColumnElement[bool]]:
    return [ToldRow.mailbox == address, ToldRow.recipient == address]


_COMPARED = {
    ">": ToldRow.score.__gt__,
    ">=": ToldRow.score.__ge__,
    "<": ToldRow.score.__lt__,
    "<=": ToldRow.score.__le__,
}


def of_recipient(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What ToldRow must meet."""
    found: list[ColumnElement[bool]] = []
    if wanted.reach is not None:
        found += _reached(wanted.reach)
    if wanted.scope:
        column = ToldRow.mailbox if "@" in wanted.scope else ToldRow.domain
        found.append(column == wanted.scope)
    if wanted.recipient:
        found.append(ToldRow.recipient == wanted.recipient)
    if wanted.party:
        found.append(or_(*_got_by(wanted.party), ToldRow.message.in_(_sent_by(wanted.party))))
    if wanted.to:
        found.append(_is_to(wanted.to))
    if wanted.local:
        found.append(_is_local(wanted.local, wanted.reach))
    if wanted.decision:
        found.append(ToldRow.decision == wanted.decision)
    if wanted.decided_by:
        found.append(ToldRow.decided_by == wanted.decided_by)
    if wanted.outcome == "inbox":
        found.append(or_(ToldRow.outcome == "inbox", ToldRow.observed))
    elif wanted.outcome:
        found.append(and_(ToldRow.outcome == wanted.outcome, ~ToldRow.observed))
    if wanted.observed is not None:
        found.append(ToldRow.observed.is_(wanted.observed))
    found += [_COMPARED[how](limit) for how, limit in wanted.scores]
    if wanted.numbers is not None:
        found += [ToldRow.message >= wanted.numbers[0], ToldRow.message < wanted.numbers[1]]
    return found


def _reached(reach: Reach) -> list[ColumnElement[bool]]:
    """Nothing where all may be seen, so that messages are found by their own ids."""
    if PLATFORM in reach.scopes and not any(reach.closed.said.values()):
        return []
    return [seen(reach, ToldRow.mailbox, ToldRow.domain)]


def _is_to(text: str) -> ColumnElement[bool]:
    if "@" in text:
        return or_(*_got_by(text))
    if "." in text:
        return or_(
            ToldRow.domain == domain_key(text),
            ToldRow.recipient.endswith(f"@{domain_key(text)}", autoescape=True),
        )
    return ToldRow.recipient.contains(text, autoescape=True)


def _is_local(local: str, reach: Reach | None) -> ColumnElement[bool]:
    """A mailbox of that name: in the domains that may be seen, by their names, or in any."""
    if reach is None or PLATFORM in reach.scopes:
        return ToldRow.mailbox.startswith(local, autoescape=True)
    named = [f"{local}{one}" for one in reach.scopes if "@" not in one]
    named += [one for one in (*reach.scopes, reach.own) if one.startswith(local)]
    return ToldRow.mailbox.in_(sorted(set(named)))

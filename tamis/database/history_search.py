"""Which messages of the history are wanted, as conditions that the tables' indexes answer.

Wanted -> conditions of the message | of its recipients
       -> newest: ids, found where the narrowest condition has its index -> their rows
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, false, func, or_, select, union
from sqlalchemy.orm import Session, aliased

from tamis.database.schema import CopyRow, StoryRow, ToldRow
from tamis.database.searching import has_words
from tamis.database.seen_rows import seen
from tamis.message.address import address_key, domain_key
from tamis.people.rights import Reach


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: `scope` is a domain or a mailbox, of the recipient or of outgoing mail's author; `sender` an
    address or a domain, "<>" for the null sender; `subject` words that the subject has, in any order; "" is any.
    `numbers` are the first id and the one behind the last, `reach` is where somebody sees history; None is any."""

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
    reach: Reach | None = None


ANY = Wanted()


def conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What StoryRow and ToldRow, joined, must meet."""
    return [*_of_message(wanted), *of_recipient(wanted)]


def newest(wanted: Wanted, limit: int) -> Select[int]:
    """The ids of the newest messages that have a recipient who fits."""
    message, recipient = _of_message(wanted), of_recipient(wanted)
    rare = wanted.subject or wanted.message_id or wanted.queue_id
    if recipient and not (
        rare or wanted.sender or wanted.client_ip
    ):  # a recipient's own index has them in order
        found = select(ToldRow.message).distinct().where(*recipient)
        if message:
            found = found.join(StoryRow, StoryRow.id == ToldRow.message).where(*message)
        return found.order_by(ToldRow.message.desc()).limit(limit)
    query = select(StoryRow.id).where(*message)
    if wanted.since is not None:  # the sum: by the index of moments, not of ids
        later = aliased(StoryRow)
        first = select(func.min(later.id + 0)).where(later.at >= wanted.since).scalar_subquery()
        query = query.where(StoryRow.id >= first)
    if recipient:
        query = query.where(exists().where(ToldRow.message == StoryRow.id, *recipient).correlate(StoryRow))
    # what is rare is found first and sorted then: the sum keeps a planner from reading the table in the wanted order
    order = StoryRow.id + 0 if rare else StoryRow.id
    return query.order_by(order.desc()).limit(limit)


def named(session: Session, given: str) -> Select[StoryRow]:
    """The messages that somebody means by a number, a queue id, a Message-ID or a transaction."""
    copied = select(CopyRow.transaction).where(CopyRow.queue_id == given).distinct().limit(20)
    which = [
        StoryRow.queue_id == given,
        StoryRow.message_id.in_(_message_ids(given)),
        StoryRow.transaction.in_([given, *session.scalars(copied)]),
    ]
    if given.isascii() and given.isdecimal() and len(given) < 19:
        which.append(StoryRow.id == int(given))
    return select(StoryRow).where(or_(*which) if given else false())


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
        found += has_words(wanted.subject)
    if wanted.message_id:
        found.append(StoryRow.message_id.in_(_message_ids(wanted.message_id)))
    if wanted.queue_id:
        first, again = aliased(StoryRow), aliased(StoryRow)
        ours = select(again.id).join(CopyRow, CopyRow.transaction == again.transaction)
        either = union(
            select(first.id).where(first.queue_id == wanted.queue_id),
            ours.where(CopyRow.queue_id == wanted.queue_id),
        )
        found.append(StoryRow.id.in_(either))
    if wanted.client_ip:
        found.append(StoryRow.client_ip == wanted.client_ip)
    if wanted.since is not None:
        found.append(StoryRow.at >= wanted.since)
    return found


def of_recipient(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What ToldRow must meet."""
    found: list[ColumnElement[bool]] = []
    if wanted.scope:
        column = ToldRow.mailbox if "@" in wanted.scope else ToldRow.domain
        found.append(column == wanted.scope)
    if wanted.recipient:
        found.append(ToldRow.recipient == wanted.recipient)
    if wanted.decision:
        found.append(ToldRow.decision == wanted.decision)
    if wanted.decided_by:
        found.append(ToldRow.decided_by == wanted.decided_by)
    if wanted.reach is not None:
        found.append(seen(wanted.reach, ToldRow.mailbox, ToldRow.domain))
    if wanted.numbers is not None:
        found += [ToldRow.message >= wanted.numbers[0], ToldRow.message < wanted.numbers[1]]
    return found

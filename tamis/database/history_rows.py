"""Stories as rows of the history, and back."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tamis.contract.finding import Finding
from tamis.database.connection import clean, exact
from tamis.database.roll_ups import CountedCopy, CountedMessage
from tamis.database.schema import StoryRow
from tamis.database.searching import MAX_TEXT, search_text
from tamis.judging.met_rules import met_rules
from tamis.judging.story import Story, Told, finding_from, tame
from tamis.message.address import address_key, domain_of, mailbox_of

TOLD = ("decision", "outcome", "decided_by", "because", "score", "required", "spoke", "observed")
"""The columns of what came of a copy, in the order of Told."""


def story_row(name: str, one: Story, ids: Iterable[int]) -> dict[str, Any]:
    """The row of a message, with the name of its record and the numbers of its findings."""
    texts = ("queue_id", "sender", "client_ip", "helo", "login", "message_id", "transaction", "host")
    shown = [clean(text, MAX_TEXT) for text in (one.subject, one.header_from)]
    return {
        "record": name,
        "at": one.at,
        **{text: tame(getattr(one, text)) for text in texts},
        "size": one.size,
        "findings": array("I", ids).tobytes(),
        "seconds": array("f", (f.seconds for f in one.findings)).tobytes(),
        "subject": shown[0],
        "header_from": shown[1],
        "search": search_text(*shown, tame(one.sender)),
        "sender_key": exact(address_key(tame(one.sender))),
        "sender_domain": exact(domain_of(tame(one.sender))),
        "side": one.side,
        "other": tame(one.other),
    }


def owner_of(one: Story, recipient: str, mailboxes: Mapping[str, str]) -> str:
    """Whose copy it is: the mailbox here that gets it, or, where it goes outside, that of its authenticated author."""
    if one.side == "out" and one.sender and recipient not in mailboxes:
        return mailbox_of(one.sender)
    return mailboxes.get(recipient) or mailbox_of(recipient)


def told_row(number: int, place: int, recipient: str, told: Told, mailbox: str) -> dict[str, Any]:
    """The row of a copy, which is the mailbox's."""
    return {
        "message": number,
        "place": place,
        "recipient": exact(recipient),
        "mailbox": exact(mailbox),
        "domain": exact(domain_of(mailbox)),
        **{name: getattr(told, name) for name in TOLD},
    }


def counted_message(
    row: Mapping[str, Any],
    one: Story,
    owners: Iterator[Mapping[str, Any]],
    said: Mapping[tuple[str, str], bool],
) -> CountedMessage:
    """What the statistics count of a message; `owners` are the rows of copies, of which it takes its own."""
    copies = []
    for _, told in one.recipients:
        owner = next(owners)
        mailbox = owner["mailbox"]
        wanted = said.get((row["transaction"], mailbox)) if said else None
        copies.append(CountedCopy(owner["recipient"], mailbox, owner["domain"], told, wanted))
    looks = [(finding.filter, finding.status) for finding in one.findings]
    seconds = array("f", row["seconds"])  # as they are kept: shorter numbers than they were
    rules = met_rules(one.findings)
    return CountedMessage(one.at, one.side, row["sender"], one.size, looks, seconds, copies, rules)


def findings_of(row: StoryRow, contents: dict[int, bytes]) -> tuple[Finding, ...]:
    """The findings of a message, from their contents by number."""
    numbers, seconds = array("I", row.findings), array("f", row.seconds)
    return tuple(finding_from(contents[n], s) for n, s in zip(numbers, seconds, strict=True))


def story_of(row: StoryRow, findings: tuple[Finding, ...], told: Sequence[tuple[str, Told]]) -> Story:
    """A message with these findings and recipients."""
    return Story(
        row.at,
        row.queue_id,
        row.sender,
        row.client_ip,
        row.helo,
        row.login,
        row.message_id,
        row.size,
        findings,
        tuple(told),
        row.transaction,
        row.subject,
        row.header_from,
        row.host,
        row.other,
    )

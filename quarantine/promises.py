"""What an entry on a white list would not let in, of the mail that is held: each message judged again with it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tamis.contract.lists import Colour, Entry, Subject
from tamis.judging.flip import FlipSender
from tamis.judging.list_effect import covers
from tamis.judging.promise import why_held_despite
from tamis.judging.site import Site
from tamis.language.shown_mailbox import shown_mailbox
from tamis.quarantine.held_mail import Quarantine
from tamis.quarantine.records import HeldRecord, Summary

MOST_TRIED = 20
"""Held messages of a sender that are judged again, the newest; beyond: nothing is said of them, and how many were tried
is."""


@dataclass(frozen=True, slots=True)
class EntryTried:
    """What came of trying an entry: on how many messages, which of them would be held all the same, the newest first,
    and why the newest would (an English fragment; "" for none)."""

    tried: int = 0
    held: tuple[Summary, ...] = ()
    reason: str = ""


def try_entry(held_mail: Quarantine, site: Site, pattern: str, scope: str) -> EntryTried:
    """Try a white entry for a sender on the held mail of a scope that it is about."""
    literal = max(re.split(r"[*?]", pattern), key=len).strip(".")
    entry = Entry(id=0, scope=scope, colour=Colour.WHITE, subject=Subject.SENDER, pattern=pattern)
    found = held_mail.list(scope, text=literal, limit=MOST_TRIED)
    reasons: list[tuple[Summary, str]] = []
    tried = 0
    for one in found:
        senders = _met(entry, one)
        record = held_mail.get(one.id) if senders else None
        if record is None:
            continue
        tried += 1
        if reason := _reason(record, site, senders):
            reasons.append((one, reason))
    return EntryTried(tried, tuple(one for one, _ in reasons), reasons[0][1] if reasons else "")


def _met(entry: Entry, message: Summary) -> list[FlipSender]:
    """The addresses of a message that an entry is about, each by itself."""
    shown = shown_mailbox(message.header_from)[1]
    told = ((message.sender, FlipSender(message.sender)), (shown, FlipSender("", message.header_from)))
    return [sender for address, sender in told if address and covers([entry], address)]


def _reason(record: HeldRecord, site: Site, senders: list[FlipSender]) -> str:
    """Why it would be held whichever of the addresses counts; "" where one of them lets it in."""
    policy = site.book.policy(record.summary.mailbox)
    reasons = [why_held_despite(record.findings, policy, one, site.filters) for one in senders]
    return reasons[0] if all(reasons) else ""

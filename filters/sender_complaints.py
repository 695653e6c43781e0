"""S10: senders that others complained about."""

from __future__ import annotations

from collections.abc import Iterator

from tamis.contract.ask import ask, ask_each
from tamis.contract.filter import Filter, Message, NoChallenge
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks, Get
from tamis.contract.state_keys import hashed
from tamis.language.translation import marked
from tamis.message.address import address_key

GENERATION = "complaints:generation"
"""The key whose value names the entries that count now: a refresh is one change of it."""
_MAX_LABELS = 6
"""Labels of a domain, from its end, that are looked up. Beyond: not looked up: no listed domain has so many."""


class SenderComplaints(Filter):
    """Takes a message for spam when its envelope sender or header From is on a list of senders complained about.

    The lists are files or URLs (`platform.complaint_feeds`), such as a national CERT's: an address or a domain on each
    line; a domain includes its sub-domains. They are read again every `platform.complaint_refresh` seconds. If a
    list can't be fetched, is suddenly empty or is not a list, its last good content stays. Entries for whole mail
    providers, public suffixes and domains of our own are left out and told in the log. A redirect leads to no address
    inside; a list on a server of your own is named by its address. White list entries (S4,
    S6, S7) have priority. Own clients are not looked up.
    """

    name = "sender_complaints"
    spec_id = "S10"
    summary = "sender on a list of complaints"
    plain_reason = marked("there were complaints about this sender")
    forbids_challenge = NoChallenge.COMPLAINTS
    asks = ("state",)
    switchable = False

    def examine(self, message: Message) -> Asks[Finding]:
        """Whether an address, its domain or a domain above it is listed."""
        if not message.platform.complaint_feeds or message.is_own:
            return self.clear("no lists, or one of our own clients")
        generation = yield from ask(Get(GENERATION))
        if generation is None:
            return self.unavailable("the lists are not loaded yet")
        senders = [message.envelope.sender]
        senders += [author.address for author in message.mail.some_authors]
        patterns = list(dict.fromkeys(p for sender in senders for p in patterns_of(sender)))
        found = yield from ask_each([Get(entry_key(generation, pattern)) for pattern in patterns])
        for pattern, source in zip(patterns, found, strict=True):
            if source is not None:
                return self.hit("{pattern} is on {source}", pattern=pattern[:320], source=source)
        return self.clear("on no list")


def entry_key(generation: str, pattern: str) -> str:
    """Where the shared state has an entry of a generation."""
    return hashed(f"complaints:{generation}:", pattern)


def patterns_of(sender: str) -> Iterator[str]:
    """What may be listed for an address: itself, its domain, and the domains above it but the top one."""
    key = address_key(sender)
    _, at, domain = key.rpartition("@")
    if not at or not domain:
        return
    yield key
    labels = domain.split(".")
    for start in range(max(0, len(labels) - _MAX_LABELS), max(1, len(labels) - 1)):
        yield ".".join(labels[start:])

"""What the lists will make of a sender's next mail: pages say what will happen, not what was asked for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tamis.base.errors import ConfigError
from tamis.contract.list_index import ListIndex
from tamis.contract.lists import Colour, Entry, ListEntry, Match, Subject, nearest, normalise_pattern
from tamis.message.address import domain_of
from tamis.message.envelope import Envelope, parse_ip
from tamis.message.mail import Mail

_NOBODYS = Mail(b"")


def deciding_entry(
    index: ListIndex, own: Iterable[Entry], sender: str, scopes: Sequence[str]
) -> Match | None:
    """The entry that counts for mail of an envelope sender to a recipient with these scopes; None where there is none.

    `own` are the entries of the nearest scope as they stand now, `index` has those of the others. The sender's client
    is not known beforehand, so entries of networks are left out.
    """
    envelope, here, others = Envelope(sender=sender), frozenset(scopes[:1]), frozenset(scopes[1:])
    found = [*ListIndex(own).matches(envelope, _NOBODYS, here), *index.matches(envelope, _NOBODYS, others)]
    return nearest(found, scopes)


def listable(address: str) -> str:
    """The pattern of an entry for one address; "" when none can be made of it."""
    if any(c in address for c in "*?") or "@" not in address:
        return ""
    try:
        return normalise_pattern(Subject.SENDER, address)
    except ConfigError:
        return ""


def listable_of(addresses: Iterable[str], own: Collection[str]) -> str:
    """The pattern for the first of a sender's addresses of which an entry can be made, and which is in no domain of
    ours; "" for none."""
    for address in addresses:
        if domain_of(address) not in own and (pattern := listable(address)):
            return pattern
    return ""


def example_of(pattern: str) -> str:
    """A sender that a pattern covers."""
    text = f"x.{pattern[2:]}" if pattern.startswith("*.") else pattern
    text = text.replace("*", "x").replace("?", "x")
    return text if "@" in text else f"x@{text}"


def allowed_despite(pattern: str, entries: Iterable[ListEntry]) -> tuple[list[str], bool]:
    """The white ones among the entries of one scope that let in some of what a black pattern covers, and whether one of
    them lets in all of it."""
    own = [one for one in entries if one.colour is Colour.WHITE]
    whole = covers(own, example_of(pattern))
    black = [one for one in entries if one.pattern == pattern]
    some = [one.pattern for one in own if covers(black, example_of(one.pattern))]
    return list(dict.fromkeys([*whole, *some])), bool(whole)


def met_by(sender: str, entries: Iterable[Entry], scopes: Iterable[str]) -> Sequence[Match]:
    """The entries of these scopes that an address, a domain or a client (its IP address) meets."""
    envelope = Envelope(client_ip=sender) if parse_ip(sender) else Envelope(sender=example_of(sender.strip()))
    return ListIndex(entries).matches(envelope, _NOBODYS, frozenset(scopes))


def covers(entries: Iterable[Entry], sender: str) -> list[str]:
    """The patterns of those that match a sender, whatever their scope."""
    found = list(entries)
    scopes = frozenset(one.scope for one in found)
    return [one.pattern for one in ListIndex(found).matches(Envelope(sender=sender), _NOBODYS, scopes)]

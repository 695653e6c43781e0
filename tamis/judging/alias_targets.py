"""Where mail for an address ends: the mailboxes here that its aliases lead to, and addresses on other hosts. Pure: who
knows the aliases is asked (tamis/services/postfix)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tamis.message.address import address_key, domain_of, mailbox_of

MAX_DEPTH = 10
"""Aliases that lead to each other, one after the other. Beyond: the last one counts as a mailbox of its own."""
MAX_TARGETS = 50
"""Mailboxes that one alias leads to. Beyond: a list, which is one mailbox of its own, under its own policy."""
_MOST_ASKED = 5_000  # addresses of one look; beyond: each is a mailbox of its own
_ENTRY = re.compile(r'(?:\\.|"(?:[^"\\]|\\.)*"|\([^()]*\)|<[^<>]*>|[^,])+')
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|\([^()]*\)')
_ADDRESS = re.compile(r'(?:\\.|"(?:[^"\\]|\\.)*"|[^\s,"\\()<>:;])+(?:\[[^\]\s]*\])?')


@dataclass(frozen=True, slots=True)
class Destination:
    """`mailboxes` are the addresses of mailboxes here, in their comparing form and with an extension where there is
    one; `outside` are those on other hosts. `problem` says why aliases could not be followed, "" when they were; then
    the address counts as a mailbox of its own."""

    mailboxes: tuple[str, ...]
    outside: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_divided(self) -> bool:
        """Whether each of several gets a copy of its own, with a verdict of its own."""
        count = len(self.mailboxes) + len(self.outside)
        return bool(self.mailboxes) and 1 < count <= MAX_TARGETS


class Directory(Protocol):
    """Who knows where addresses lead."""

    def destination(self, address: str) -> Destination:
        """Of one address, whatever its spelling. Never raises."""

    def prepare(self, addresses: Collection[str]) -> None:
        """Look several up at once, so that each need not wait for itself."""


def mailbox_behind(address: str, directory: Directory, delimiter: str = "+") -> str:
    """The mailbox whose mail an address gets, in its comparing form: the one that an alias leads to."""
    found = directory.destination(address)
    is_one = len(found.mailboxes) == 1 and not found.outside
    return mailbox_of(found.mailboxes[0] if is_one else address, delimiter)


class NoAliases:
    """Each address is a mailbox of its own."""

    def destination(self, address: str) -> Destination:
        """The address itself."""
        return Destination((address_key(address),))

    def prepare(self, addresses: Collection[str]) -> None:
        """Nothing is looked up."""


NO_ALIASES = NoAliases()

AskAliases = Callable[[Collection[str]], Mapping[str, Sequence[str]]]
"""What addresses lead to directly, as comparing forms, for those that lead anywhere."""


def destinations(
    addresses: Iterable[str], look: AskAliases, hosted: Collection[str]
) -> Mapping[str, Destination]:
    """Where each address ends. `hosted` are the domains here; where none are named, none is outside.

    One look for each step, for all addresses together.
    """
    wanted = [address_key(one) for one in addresses]
    known: dict[str, Sequence[str]] = {}
    asked: set[str] = set()
    ask = set(wanted)
    for _ in range(MAX_DEPTH):
        if not ask or len(asked) + len(ask) > _MOST_ASKED:
            break
        asked |= ask
        found = look(ask)
        known |= found
        ask = {one for targets in found.values() for one in targets[: MAX_TARGETS + 1]} - asked
    return {one: _ends(one, known, hosted) for one in wanted}


def _ends(address: str, known: Mapping[str, Sequence[str]], hosted: Collection[str]) -> Destination:
    if address not in known:
        return Destination((address,))
    mailboxes: dict[str, None] = {}  # in order
    outside: dict[str, None] = {}
    seen = {address}
    waiting = list(reversed(known[address]))
    while waiting and len(mailboxes) + len(outside) <= MAX_TARGETS:
        one = waiting.pop()
        if one in known and one not in seen:
            seen.add(one)
            waiting += reversed(known[one])
        elif one not in known or one in known[one]:  # an alias that leads to itself is a mailbox, too
            domain = domain_of(one)
            (outside if hosted and domain and domain not in hosted else mailboxes)[one] = None
    if not mailboxes and not outside:  # a circle
        return Destination((address,))
    return Destination(tuple(mailboxes), tuple(outside))


def targets(value: str, address: str, matched: str, origin: str, delimiter: str) -> tuple[str, ...]:
    """The addresses on the right-hand side of an alias (virtual(5), canonical(5)), completed as Postfix does.

    `matched` is the key under which it stands: one without the extension passes that on
    (propagate_unmatched_extensions), and a target that is a domain alone takes the local part. A name alone is
    completed by the domain `origin`. None where one of them is no whole address.
    """
    found = tuple(_completed(value, address, matched, origin, delimiter))
    return found if all(map(_is_whole, found)) else ()


def _is_whole(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    return bool(local and domain) and "<" not in address


def _completed(value: str, address: str, matched: str, origin: str, delimiter: str) -> Iterator[str]:
    local, _, domain = address.rpartition("@")
    base, extension = divided(address, delimiter)
    passed_on = extension if matched in (base, f"{base}@{domain}") else ""
    for one in addresses(value):
        name, at, host = one.rpartition("@")
        if at and not name:
            yield address_key(f"{local}@{host}")
        else:
            name, host = (name, host) if at else (host, origin)
            yield address_key(f"{name}{passed_on}@{host}")


def entries(value: str) -> list[str]:
    """The entries on a right-hand side: what stands between commas, as it is written."""
    return [one for one in (found.strip() for found in _ENTRY.findall(value)) if one]


def addresses(value: str) -> tuple[str, ...]:
    """The addresses on a right-hand side, without names and comments (RFC 5322 3.4).

    Empty where one of the entries can't be understood: half a list would leave out the others, and a wrong address
    would bounce.
    """
    found: list[str] = []
    for entry in entries(value):
        plain = _COMMENT.sub(lambda match: match[1] or " ", entry)
        angle = re.findall(r"<([^<>]*)>", plain)
        words = angle if len(angle) == 1 else plain.split() if '"' not in plain else [plain.strip()]
        several = len(words) > 1 and not all("@" in one for one in words)
        if several or not all(_ADDRESS.fullmatch(one) and not one.endswith("@") for one in words):
            return ()
        found += words
    return tuple(found)


def keys(address: str, own: Collection[str], delimiter: str) -> tuple[str, ...]:
    """What is looked up for an address, in Postfix's order (virtual(5)): as it is, without its extension, the local
    part alone where the domain is one of `own` (mydestination, myorigin), and the domain."""
    local, _, domain = address.rpartition("@")
    base, extension = divided(address, delimiter)
    names = (local, base) if extension else (local,)
    alone = names if domain in own else ()
    return (*(f"{name}@{domain}" for name in names), *alone, f"@{domain}")


def divided(address: str, delimiter: str) -> tuple[str, str]:
    """The local part of an address without its extension, and that with its delimiter; "" where there is none."""
    local = address.rpartition("@")[0]
    base = mailbox_of(address, delimiter).rpartition("@")[0]
    return (base, local[len(base) :]) if local.startswith(base) else (local, "")

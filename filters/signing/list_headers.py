"""Whether somebody answers for what a message says of itself: that it is a list's or a newsletter."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Sequence

from tamis.base.errors import ServiceError
from tamis.contract.filter import Filter, Message, OptionsT
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks
from tamis.filters.signing.dkim_check import signatures
from tamis.filters.signing.spf_check import check_mail_from, identity_of
from tamis.message.address import domain_of
from tamis.message.domains import registered_domain
from tamis.message.mail.headers import Headers
from tamis.message.mail.urls import host_of

_URI = re.compile(r"<\s{0,9}(?:(https?)://([^<>\s]{1,1000})|mailto:([^<>\s]{1,500}))\s{0,9}>", re.IGNORECASE)
_VALUE = 4000  # characters of a field that are read; beyond: not read: the message is no list's
_MAX_URIS = 5  # addresses of a field that are read; beyond: left out: they only excuse


class ListsExcused(Filter[OptionsT]):
    """A filter whose hit is excused where lists and newsletters do the same, if somebody answers for its being one.

    Nearly always `look` knows all; only a hit that could be excused asks the DNS.
    """

    asks = ("dns",)

    @abstractmethod
    def look(self, message: Message) -> Finding:
        """What there is, excused or not."""

    @abstractmethod
    def excuses(self, message: Message, hit: Finding) -> Collection[str]:
        """The names of the fields that excuse this hit, if they can be believed."""

    def examine(self, message: Message) -> Asks[Finding]:
        """What there is, unless it is excused."""
        found = self.look(message)
        excuses = self.excuses(message, found) if found.status is Status.HIT else ()
        if excuses and (yield from vouched(message, excuses)):
            return self.clear("common for lists, newsletters and forms, and its origin is verified")
        return found


def vouched(message: Message, fields: Collection[str], *, by_author: bool = True) -> Asks[bool]:
    """Whether one of these fields (in lower case) can be believed.

    A DKIM signature must hold that covers it, or SPF pass for MAIL FROM, of the same owner as the list that the fields
    name or, with `by_author`, as the header From. Own networks and users are believed. Raises ServiceError where that
    is not known.
    """
    if message.is_own:
        return True
    mail = message.mail
    trusted = {registered_domain(host) for name in fields for host in _hosts(mail.headers, name)}
    authors = {registered_domain(one.domain) for one in mail.from_addresses}
    if by_author and len(authors) == 1:
        trusted |= authors
    trusted.discard("")
    unanswered = ""
    for one in (yield from signatures(message)):
        if registered_domain(one.domain) in trusted and not set(fields).isdisjoint(one.headers):
            if one.result == "pass":
                return True
            if one.result == "temperror" or not mail.complete:
                unanswered = one.reason
    if registered_domain(identity_of(message.envelope).domain) in trusted:
        result, problem = yield from check_mail_from(message)
        if result == "pass":
            return True
        if result == "temperror":
            unanswered = problem
    if unanswered:
        raise ServiceError(unanswered)
    return False


def list_id(headers: Headers) -> str:
    """The identifier of RFC 2919 2, lower case; "" when there is none."""
    value = headers.first("list-id") or ""
    return value.rpartition("<")[2].partition(">")[0].strip().lower()[:255]


def uris(headers: Headers, name: str) -> Sequence[tuple[str, str]]:
    """Scheme and host, in lower case, of the web and mail addresses in a field of RFC 2369."""
    found = list(_URI.finditer((headers.first(name) or "")[:_VALUE]))[:_MAX_URIS]
    return [
        (one[1].lower(), host_of(one[2])) if one[1] else ("mailto", domain_of(one[3].partition("?")[0]))
        for one in found
    ]


def _hosts(headers: Headers, name: str) -> Sequence[str]:
    """What a field that names a list says where it is."""
    if name == "list-id":
        return [list_id(headers)]
    return [host for _, host in uris(headers, name)] if name.startswith("list-") else []

"""Mail addresses as keys: one spelling for comparing, one way from an address to its scopes."""

from __future__ import annotations

import re
from functools import lru_cache

PLATFORM = "platform"
"""The scope of the whole installation; the other scopes are a domain and a mailbox."""


def unbracket(path: str) -> str:
    """The address in an SMTP path: `<a@b>` or `a@b` gives `a@b`, `<>` gives "" (RFC 5321 4.1.2)."""
    path = path.strip()
    if path.startswith("<") and path.endswith(">"):
        path = path[1:-1]
    if path.startswith("@") and ":" in path:  # a source route is to be ignored (RFC 5321 appendix C)
        path = path.partition(":")[2]
    return path


_PLAIN = re.compile(r"[^\s@%!\"(),:;<>\[\\\]]+@[^\s@%!\"(),:;<>\[\\\]]+")


def is_plain(address: str) -> bool:
    """Whether an address that somebody gave us means one mailbox to every server: nothing in it is quoted, and there is
    no route, which Postfix would follow for us to any host (`allow_percent_hack`: marie%example.net@example.com)."""
    return address.isprintable() and _PLAIN.fullmatch(address) is not None


@lru_cache(maxsize=4096)
def domain_key(domain: str) -> str:
    """A domain for comparing: lower case, A-labels, no trailing dot; never raises."""
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:  # over-long or empty label: compared as written
        return domain


def address_key(address: str) -> str:
    """An address for comparing. Local parts are compared without case, as mailbox hosts do."""
    local, at, domain = unbracket(address).rpartition("@")
    return f"{local.lower()}@{domain_key(domain)}" if at else domain.lower()


def domain_of(address: str) -> str:
    """The domain of an address in its comparing form; "" when it has none."""
    _, at, domain = unbracket(address).rpartition("@")
    return domain_key(domain) if at else ""


def scopes_of(address: str, delimiter: str = "+") -> tuple[str, ...]:
    """Where policy for a recipient may stand, nearest first: mailbox, base mailbox, domain, platform.

    `delimiter` is Postfix's recipient_delimiter: `marie+news@…` also obeys what `marie@…` says.
    """
    key = address_key(address)
    local, at, domain = key.rpartition("@")
    if not at:
        return (key, PLATFORM) if key else (PLATFORM,)
    cut = min((i for i in map(local.find, delimiter) if i > 0), default=0)
    base = (f"{local[:cut]}@{domain}",) if cut else ()
    return (key, *base, domain, PLATFORM)

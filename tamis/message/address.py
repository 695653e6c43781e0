"""Mail addresses as keys: one spelling for comparing, one way from an address to its scopes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from tamis.message.names import host_name
from tamis.message.unseen import without_invisible

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


_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_DOT_ATOM = re.compile(r"[^\s@\"(),:;<>\[\]\\.\x00-\x1f\x7f]+(?:\.[^\s@\"(),:;<>\[\]\\.\x00-\x1f\x7f]+)*+")


def is_plain(address: str) -> bool:
    """Whether an address that somebody gave us means one mailbox to every server: nothing in it is quoted, and there is
    no route, which Postfix would follow for us to any host (`allow_percent_hack`: marie%example.net@example.com)."""
    return address.isprintable() and _PLAIN.fullmatch(address) is not None


def domain_key(domain: str) -> str:
    """A domain for comparing: lower case, A-labels, no trailing dot (tamis.message.names); never raises."""
    return host_name(domain).key


@lru_cache(maxsize=4096)
def local_key(local: str) -> str:
    """A local part for comparing: without case, as mailbox hosts compare it, in one of its Unicode forms (RFC 6532
    3.1), without what nobody sees, and without quotes where it needs none (RFC 5321 4.1.2)."""
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        plain = _QUOTED_PAIR.sub(r"\1", local[1:-1])
        local = plain if _DOT_ATOM.fullmatch(plain) else local
    if not local.isascii():
        local = unicodedata.normalize("NFC", without_invisible(local))
    return local.lower()


def address_key(address: str) -> str:
    """An address for comparing only: mail goes to the address as it was written (RFC 5321 2.4)."""
    local, at, domain = unbracket(address).rpartition("@")
    return f"{local_key(local)}@{domain_key(domain)}" if at else domain.lower()


def domain_of(address: str) -> str:
    """The domain of an address in its comparing form; "" when it has none."""
    _, at, domain = unbracket(address).rpartition("@")
    return domain_key(domain) if at else ""


def scopes_of(address: str, delimiter: str = "+") -> tuple[str, ...]:
    """Where policy for a recipient may stand, nearest first: address, mailbox (where it is another), domain, platform.

    `delimiter` is Postfix's recipient_delimiter: `marie+news@…` also obeys what `marie@…` says.
    """
    key = address_key(address)
    _, at, domain = key.rpartition("@")
    if not at:
        return (key, PLATFORM) if key else (PLATFORM,)
    return (*dict.fromkeys((key, mailbox_of(key, delimiter))), domain, PLATFORM)


_UNDIVIDED = frozenset({"postmaster", "mailer-daemon", "double-bounce"})


def mailbox_of(address: str, delimiter: str = "+") -> str:
    """The key of the mailbox that an address belongs to: without its extension (`marie+news@…` is `marie@…`).

    Everything that is counted, learned or compared for a recipient goes by this key, so that nobody escapes it by
    writing to another of a mailbox's addresses. As Postfix divides: at the first of the delimiter's characters, never
    before it, and with its exceptions (recipient_delimiter, owner_request_special in postconf(5)).
    """
    key = address_key(address)
    local, at, domain = key.rpartition("@")
    if not at or not delimiter:
        return key
    plain = _QUOTED_PAIR.sub(r"\1", local[1:-1]) if local.startswith('"') else local
    cut = next((i for i, c in enumerate(plain) if c in delimiter), 0)
    request = "-" in delimiter and (plain.startswith("owner-") or plain[1:].endswith("-request"))
    if not cut or plain in _UNDIVIDED or request:
        return key
    user = plain[:cut]
    return f"{user if _DOT_ATOM.fullmatch(user) else _quoted(user)}@{domain}"


def _quoted(local: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


def mailbox_in(scopes: Sequence[str]) -> str:
    """The key of the mailbox among a recipient's scopes, nearest first; an address without a domain is its own."""
    return next((one for one in reversed(scopes) if "@" in one), scopes[0])

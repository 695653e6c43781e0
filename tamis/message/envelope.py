"""The envelope: what the SMTP dialogue said about a message, apart from the message."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tamis.message.address import address_key, is_plain

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO: `address` resolved ({rcpt_addr}), `args` its ESMTP arguments.

    `spellings` are the addresses as the client gave them, which Postfix's queue holds: `Bob@Example.COM`.
    """

    address: str
    args: tuple[str, ...] = ()
    spellings: frozenset[str] = frozenset()

    @property
    def as_given(self) -> str:
        """The address for delivery: with the local part's case that the client gave, which only the mailbox's host may
        interpret (RFC 5321 2.4). Postfix resolves to lower case."""
        local, at, domain = self.address.rpartition("@")
        for spelling in sorted(self.spellings):
            if spelling.casefold() == self.address.casefold():
                return f"{spelling.rpartition('@')[0]}{at}{domain}"
        for spelling in sorted(self.spellings):  # in quotes, or with comments that Postfix took out
            found = re.search(re.escape(local), spelling, re.IGNORECASE) if local else None
            if found:
                return f"{found[0]}{at}{domain}"
        return self.address

    @property
    def named(self) -> str:
        """The address that the sender named, for who reads of it there: the original recipient (ORCPT, RFC 3461 4.2)
        where that is another one, such as the alias that led to this mailbox."""
        for arg in self.args:
            found = re.fullmatch(r"ORCPT=rfc822;([!-~]{1,500})", arg, re.IGNORECASE)
            original = (
                re.sub(r"\+([0-9A-F]{2})", lambda octet: chr(int(octet[1], 16)), found[1]) if found else ""
            )
            if is_plain(original) and address_key(original) != address_key(self.address):
                return original
        return self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One SMTP transaction (RFC 5321 3.3), immutable.

    `client_ip` is "" when the client is not on a network; `client_name` is the name that Postfix
    verified both ways ("" when none), `client_ptr` the unverified PTR; `sender` is "" for the null
    reverse-path; `login` is the authenticated user, "" for strangers; `received_at` is aware; `transaction` is our own
    name for it, "" where nobody will look for it.
    """

    client_ip: str = ""
    client_name: str = ""
    client_ptr: str = ""
    helo: str = ""
    sender: str = ""
    sender_args: tuple[str, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    queue_id: str = ""
    login: str = ""
    tls: str = ""
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    transaction: str = ""

    @property
    def ip(self) -> IPAddress | None:
        """The client's address; an IPv4 address mapped into IPv6 counts as IPv4 (RFC 4291 2.5.5.2)."""
        return parse_ip(self.client_ip)

    @property
    def smtputf8(self) -> bool:
        """Whether the transaction asked for SMTPUTF8 (RFC 6531 3.4)."""
        return any(arg.upper() == "SMTPUTF8" for arg in self.sender_args)

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold; `from_dict` reads it back."""
        return {
            **{name: getattr(self, name) for name in _TEXTS},
            "sender_args": list(self.sender_args),
            "recipients": [[r.address, list(r.args)] for r in self.recipients],
            "received_at": self.received_at.isoformat(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Envelope:
        """Read what `to_dict` wrote. Raises KeyError or ValueError on anything else."""
        return cls(
            **{name: data[name] for name in _TEXTS},
            sender_args=tuple(data["sender_args"]),
            recipients=tuple(Recipient(address, tuple(args)) for address, args in data["recipients"]),
            received_at=datetime.fromisoformat(data["received_at"]),
        )


_TEXTS = ("client_ip", "client_name", "client_ptr", "helo", "sender", "queue_id", "login", "tls")


@lru_cache(maxsize=4096)
@lru_cache(maxsize=1024)  # the client's is asked for by a dozen filters
def parse_ip(text: str) -> IPAddress | None:
    """An IP address as Postfix writes it (`IPv6:` prefix allowed), or None."""
    try:
        address = ipaddress.ip_address(text.removeprefix("IPv6:"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address

"""What settings are made of: tables, and values that are checked where they are written."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict

from tamis.message.address import address_key, domain_key
from tamis.settings.dns_lists import DNSList


class Section(BaseModel):
    """A table of the settings file: immutable, unknown keys refused."""

    # built with the whole that they are tables of, not each for itself: half of what reading settings costs
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SocketAddress(BaseModel):
    """`inet:HOST:PORT`, `inet6:[HOST]:PORT` or `unix:/PATH`, as Postfix writes them."""

    model_config = ConfigDict(frozen=True)

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> SocketAddress:
        """Read one. Raises ValueError, with the forms that are allowed, on anything else."""
        kind, _, rest = text.partition(":")
        if kind in ("unix", "local") and rest.startswith("/"):
            return cls(path=rest)
        host, _, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if kind in ("inet", "inet6") and port.isdecimal() and 0 < int(port) < 65536:
            return cls(host=str(ipaddress.ip_address(host or "127.0.0.1")), port=int(port))
        raise ValueError("must be unix:/PATH, inet:IP:PORT or inet6:[IP]:PORT")

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"inet:{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host as it stands before a port."""
        return f"[{self.host}]" if ":" in self.host else self.host


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


def _socket(text: str) -> str:
    SocketAddress.parse(text)
    return text


def _dns_list(text: str) -> str:
    DNSList.parse(text)
    return text


def _lookup_table(text: str) -> str:
    if not re.fullmatch(r"(/|[a-z]+:)[^\x00-\x1f\x7f]+", text):
        raise ValueError("must be a text file's /PATH, or TYPE:NAME as in main.cf")
    return text


def _web_url(text: str) -> str:
    parts = urlsplit(text)
    plain = parts.query == parts.fragment == "" and "@" not in parts.netloc
    # it goes into SMTP replies too, which are ASCII: RFC 3986 2, and its host in A-labels
    plain = plain and re.fullmatch(r"[A-Za-z0-9._~:/\[\]%!$&'()*+,;=@-]+", text) is not None
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("must be http://HOST[:PORT][/PATH] or https://..., in ASCII")
    return text.rstrip("/")


Socket = Annotated[str, AfterValidator(_socket)]
Network = Annotated[str, AfterValidator(_network)]
DomainName = Annotated[str, AfterValidator(domain_key)]
AddressKey = Annotated[str, AfterValidator(address_key)]
LookupTable = Annotated[str, AfterValidator(_lookup_table)]
ListText = Annotated[str, AfterValidator(_dns_list)]
WebUrl = Annotated[str, AfterValidator(_web_url)]

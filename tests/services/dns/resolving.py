"""A DNS of a test's own: what it says is written down, and everything else is quiet."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tamis.base.errors import ServiceError
from tamis.contract.service_protocols import DNS, Answer
from tamis.message.envelope import parse_ip
from tamis.settings import Platform

CLIENT_NAME = "mail.example.net"


class WrittenDNS(DNS):
    """Answers by "NAME TYPE": records, or the words `none` (no such name), `empty` (no such type) and `dead`.

    What is not written down is as for a host that does things right: a client's name leads back to it, every domain has
    a mail server, no DNS list has anything, nobody has an SPF record. `dead` as a whole means that nothing answers.
    """

    def __init__(
        self,
        records: Mapping[str, Sequence[str] | str] | None = None,
        *,
        client: str = "",
        dead: bool = False,
    ) -> None:
        self.records = {key.lower(): value for key, value in (records or {}).items()}
        self.client = client
        self.dead = dead
        self.asked: list[tuple[str, str]] = []
        platform = Platform()
        lists = (*platform.dnsbl, *platform.rhsbl, *platform.uribl)
        self._zones = tuple("." + text.partition("=")[0].removesuffix("+ip") for text in lists)

    @classmethod
    def read(cls, path: Path, client: str) -> WrittenDNS:
        """What stands in a case's dns.toml, if it has one."""
        told = tomllib.loads(path.read_text()) if path.exists() else {}
        return cls(told.get("records"), client=client, dead=told.get("dead", False))

    async def query(self, name: str, rdtype: str) -> Answer:
        """One answer."""
        return self.answer(name, rdtype)

    def answer(self, name: str, rdtype: str) -> Answer:
        """The same, at once."""
        self.asked.append((name, rdtype))
        written = self.said(name, rdtype)
        if written == "dead":
            raise ServiceError("nothing answers here")
        if isinstance(written, str):
            return Answer(name, rdtype, exists=written == "empty")
        return Answer(name, rdtype, tuple(written), ttl=300)

    def said(self, name: str, rdtype: str) -> Sequence[str] | str:
        """Records, or one of the words."""
        if self.dead:
            return "dead"
        written = self.records.get(f"{name} {rdtype}".lower())
        return self._quiet(name, rdtype) if written is None else written

    async def queries(self, questions: Sequence[tuple[str, str]]) -> list[Answer | ServiceError]:
        """Many answers."""
        found: list[Answer | ServiceError] = []
        for question in questions:
            try:
                found.append(await self.query(*question))
            except ServiceError as error:
                found.append(error)
        return found

    def close(self) -> None:
        """Nothing is open."""

    def _quiet(self, name: str, rdtype: str) -> Sequence[str] | str:
        if name.endswith(self._zones):
            return "none"
        if rdtype == "MX":
            return [f"10 {CLIENT_NAME}"]
        if rdtype == "NS":
            return ["ns.example.net"]
        if rdtype == "PTR":
            return [CLIENT_NAME]
        ip = parse_ip(self.client)
        if ip is not None and name == CLIENT_NAME and rdtype == ("A" if ip.version == 4 else "AAAA"):
            return [str(ip)]
        return "empty"

"""DMARC records and what follows from them: policy and organizational domain (RFC 9989, before it 7489). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MAX_RECORD = 4096
"""Characters of a record that is read. Beyond: there is no record."""
MOST_LABELS = 8
"""Labels of a domain that are walked one by one. Beyond: only the last seven labels (RFC 9989 4.10)."""

_VERSION = re.compile(r"[vV][ \t]{0,9}=[ \t]{0,9}DMARC1[ \t]{0,9}(?:;|\Z)")


class DMARCPolicy(StrEnum):
    """What a domain's owner wants done with messages that fail."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


MILDER = {
    DMARCPolicy.REJECT: DMARCPolicy.QUARANTINE,
    DMARCPolicy.QUARANTINE: DMARCPolicy.NONE,
    DMARCPolicy.NONE: DMARCPolicy.NONE,
}
"""One step less, for an owner who is testing (RFC 9989 4.7 t=)."""


@dataclass(frozen=True, slots=True)
class DMARCRecord:
    """A domain's record. `testing` is t=y or, as it was before RFC 9989, pct= below 100; `suffix` is psd=."""

    domain: str
    policy: DMARCPolicy
    subdomains: DMARCPolicy
    missing: DMARCPolicy
    strict_dkim: bool = False
    strict_spf: bool = False
    testing: bool = False
    suffix: str = "u"


def read_record(domain: str, texts: Sequence[str]) -> DMARCRecord | None:
    """The record among a name's TXT records; None where there is none, or several (RFC 9989 4.10)."""
    found = [text for text in texts if _VERSION.match(text)]
    if len(found) != 1 or len(found[0]) > MAX_RECORD:
        return None
    tags: dict[str, str] = {}
    for spec in found[0].split(";"):
        name, _, value = spec.partition("=")
        tags.setdefault(name.strip().lower(), value.strip())
    policies = {name: tags[name].lower() for name in ("p", "sp", "np") if name in tags}
    if "p" not in policies or not all(value in set(DMARCPolicy) for value in policies.values()):
        if "mailto:" not in tags.get("rua", "").lower():
            return None
        policies = {"p": DMARCPolicy.NONE}  # who asks for reports only has no wish
    policy = DMARCPolicy(policies["p"])
    subdomains = DMARCPolicy(policies.get("sp", policy))
    return DMARCRecord(
        domain,
        policy,
        subdomains,
        DMARCPolicy(policies.get("np", subdomains)),
        strict_dkim=tags.get("adkim", "").lower() == "s",
        strict_spf=tags.get("aspf", "").lower() == "s",
        testing=tags.get("t", "").lower() == "y" or _below_all(tags.get("pct", "")),
        suffix=tags.get("psd", "").lower(),
    )


def _below_all(percentage: str) -> bool:
    """Whether pct= wants some messages left out: chance must not decide, so all are treated as tests."""
    return percentage.isascii() and percentage.isdecimal() and int(percentage[:4]) < 100


def targets(domain: str) -> list[str]:
    """The names whose records a walk from this domain asks for (RFC 9989 4.10)."""
    labels = domain.split(".")
    above = labels[1:] if len(labels) < MOST_LABELS else labels[1 - MOST_LABELS :]
    return [domain, *(".".join(above[start:]) for start in range(len(above)))]


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk from `domain` found, from the longest name up; `complete` is false when some name gave no answer."""

    domain: str
    records: Sequence[DMARCRecord]
    complete: bool = True

    @property
    def organizational(self) -> str:
        """The organizational domain (RFC 9989 4.10.2)."""
        for record in self.records:
            if record.suffix == "n":
                return record.domain
            if record.suffix == "y" and record.domain != self.domain:
                labels = self.domain.split(".")
                return ".".join(labels[-(record.domain.count(".") + 2) :])
        return self.records[-1].domain if self.records else self.domain

    @property
    def record(self) -> DMARCRecord | None:
        """The record that counts: the domain's own, the organizational domain's, or the public suffix's."""
        by_domain = {record.domain: record for record in self.records}
        suffix = next((record for record in self.records if record.suffix == "y"), None)
        return by_domain.get(self.domain) or by_domain.get(self.organizational) or suffix


def walk_of(domain: str, found: Sequence[DMARCRecord | None], *, complete: bool = True) -> Walk:
    """The walk from what its targets have, in their order: it stops where a record says what is a public suffix."""
    records: list[DMARCRecord] = []
    for record in found:
        if record is not None:
            records.append(record)
            if record.suffix == "n" or (record.suffix == "y" and record.domain != domain):
                break
    return Walk(domain, records, complete)


def applied(record: DMARCRecord, author: str, *, exists: bool = True) -> DMARCPolicy:
    """The policy for a message from `author` that fails."""
    inherited = record.subdomains if exists else record.missing
    policy = record.policy if record.domain == author else inherited
    return MILDER[policy] if record.testing else policy

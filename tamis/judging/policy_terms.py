"""What policy can set: the terms, and each filter's options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tamis.base.errors import nearest_name
from tamis.contract.filter import Filter, FilterOptions


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        near = nearest_name(name, available_timezones())
        raise ValueError(f"no such time zone{f'; did you mean {near!r}?' if near else ''}")
    return name


class Terms(BaseModel):
    """What policy can set apart from the filters; every field has its default and its help here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(True, description="false switches all spam filtering off for these recipients")
    mode: Literal["enforce", "observe"] = Field(
        "enforce",
        description="observe: every verdict is recorded, and the mail is delivered untouched: no header, no tag, no "
        "quarantine, no notice, no deferral (docs/observe.md)",
    )
    outcome: Literal["inbox", "tag", "junk", "quarantine"] = Field(
        "quarantine",
        description="where spam goes: quarantine, junk (headers for the mail store's Junk folder), tag "
        "(inbox, tagged subject) or inbox (headers only)",
    )
    required: float = Field(
        7.5, gt=0, le=1000, description="total score from which a message is spam; lower is more aggressive"
    )
    tag: str = Field(
        "SPAM: ",
        min_length=1,
        max_length=40,
        pattern=r"^[\x20-\x7e]+$",
        description="put before the subject by outcome tag (printable ASCII)",
    )
    forward: bool = Field(
        False,
        description="the recipient is relayed outside the platform: spam is quarantined, never tagged or junked "
        "(noticed where Postfix's aliases lead outside platform.domains)",
    )
    retention_days: int = Field(30, ge=1, le=3650, description="days that quarantined mail is kept")
    examine_everything: bool = Field(
        False, description="run the expensive filters even when the verdict is already decided, for tuning"
    )
    challenge: Literal["off", "mail", "reply"] = Field(
        "mail",
        description="how the sender of quarantined mail is asked to confirm it (Q1): by a mail, by a link in the "
        "SMTP reply (if all recipients have this setting, else by mail), or not at all",
    )
    challenge_proof: Literal["work", "code", "work-only", "code-only"] = Field(
        "work",
        description="what the sender's page asks for first: work (the browser's, and one press; delivers that message) "
        "or code (an image or sound; also whitelists); the other is offered beside it, unless -only",
    )
    challenge_whitelist: bool = Field(
        True, description="a code puts the sender on the domain's automatic whitelist (Q2)"
    )
    challenge_own_domain: bool = Field(
        False, description="also ask senders whose address is in the recipient's own domain (Q3)"
    )
    language: Literal["en", "fr"] = Field(
        "en", description="language of mails and pages when the reader's own is not known"
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "UTC",
        max_length=64,
        description="time zone of mails and pages, and of the digest's times: Europe/Paris",
    )
    digest: tuple[Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")], ...] = Field(
        (),
        max_length=6,
        description='times of day (["17:00"]) of the mail that lists held messages; none: no mail',
    )
    self_service: tuple[Literal["outcome", "required", "digest", "language", "time_zone", "locked"], ...] = (
        Field(
            ("digest", "language", "time_zone"),
            description="what recipients may set for their own mailbox on the pages",
        )
    )
    locked: bool = Field(
        False, description="the mailbox's quarantine is closed to delegated administrators (Q9)"
    )
    fixed: tuple[str, ...] = Field(
        (),
        max_length=200,
        description='settings that nobody below can set: ["outcome", "filters.antivirus", "filters.dmarc.state"]. What '
        "is set there nevertheless has no effect",
    )
    junk_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="days after which `tamis mailbox clean` removes mail from Junk (O5); 0: never",
    )
    on_error: Literal["defer", "deliver"] = Field(
        "defer",
        description="when Tamis itself fails on a message: defer (451, the sender tries again) or deliver "
        "(untouched, and a header says so); defer wins among several recipients",
    )


@dataclass(frozen=True, slots=True)
class FilterRule:
    """One filter as one policy has it."""

    filter: Filter[Any]
    options: FilterOptions

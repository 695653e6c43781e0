"""The tables of what is counted: sums that pages read instead of the history, and what people said of messages.

A day is its proleptic ordinal in the platform's time zone, an hour its number since 1970 in UTC. Rows that are found by
their keys alone stand in the key's own tree on SQLite. Annotations are no text here, as in tamis.database.schema.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from tamis.database.schema import Base

_KEYED = {"sqlite_with_rowid": False}


class DayRow(Base):
    """Copies of a mailbox on a day."""

    __tablename__ = "statistics_days"
    __table_args__ = (Index(None, "domain", "day"), Index(None, "mailbox", "day"), _KEYED)

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    mailbox: Mapped[str] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(String(3), primary_key=True)
    """out for what went to somebody outside, in for all else."""
    outcome: Mapped[str] = mapped_column(String(20), primary_key=True)
    """would_OUTCOME of what is only observed."""
    decided_by: Mapped[str] = mapped_column(primary_key=True)
    domain: Mapped[str]
    copies: Mapped[int] = mapped_column(BigInteger)
    octets: Mapped[int] = mapped_column(BigInteger)


class DomainRow(Base):
    """The same of a whole domain."""

    __tablename__ = "statistics_domains"
    __table_args__ = (Index(None, "domain", "day"), _KEYED)

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    domain: Mapped[str] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(String(3), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(20), primary_key=True)
    decided_by: Mapped[str] = mapped_column(primary_key=True)
    copies: Mapped[int] = mapped_column(BigInteger)
    octets: Mapped[int] = mapped_column(BigInteger)


class HourRow(Base):
    """The same by hours, for HOURS_KEPT days."""

    __tablename__ = "statistics_hours"
    __table_args__ = (_KEYED,)

    hour: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    domain: Mapped[str] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(String(3), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(20), primary_key=True)
    decided_by: Mapped[str] = mapped_column(primary_key=True)
    copies: Mapped[int] = mapped_column(BigInteger)


class FilterRow(Base):
    """What a filter did on a day. `what` is acted (it decided), spoke (it had points or an effect), shadow (it would
    have had) or unavailable, of a domain's copies; of domain "" are messages: unavailable, skipped, and how long it
    took, micros in all and step_N, findings in each of tamis.judging.metrics.BUCKETS."""

    __tablename__ = "statistics_filters"
    __table_args__ = (Index(None, "domain", "day"), _KEYED)

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    domain: Mapped[str] = mapped_column(primary_key=True)
    filter: Mapped[str] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(12), primary_key=True)
    copies: Mapped[int] = mapped_column(BigInteger)


class PartnerRow(Base):
    """Copies that a domain exchanged with another one on a day: "<>" are bounces, "" all that are not among the most
    frequent of a day that is over."""

    __tablename__ = "statistics_partners"
    __table_args__ = (Index(None, "domain", "day"), _KEYED)

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    domain: Mapped[str] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(String(3), primary_key=True)
    partner: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(String(20), primary_key=True)
    copies: Mapped[int] = mapped_column(BigInteger)


class ScoreRow(Base):
    """Copies that no filter decided, by their total: `bin` times 0.5 points is its lower end."""

    __tablename__ = "statistics_scores"
    __table_args__ = (Index(None, "domain", "day"), _KEYED)

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    domain: Mapped[str] = mapped_column(primary_key=True)
    bin: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    decision: Mapped[str] = mapped_column(String(10), primary_key=True)
    label: Mapped[str] = mapped_column(String(10), primary_key=True)
    """wanted or unwanted, as people said; "" of what nobody spoke about."""
    copies: Mapped[int] = mapped_column(BigInteger)


class LabelRow(Base):
    """One person's word on a copy: see tamis.database.labels."""

    __tablename__ = "labels"
    __table_args__ = (Index(None, "at"), _KEYED)

    message: Mapped[str] = mapped_column(String(80), primary_key=True)
    """Our id of it (history_messages.transaction)."""
    mailbox: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(12), primary_key=True)
    who: Mapped[str] = mapped_column(primary_key=True)
    wanted: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime]
    undone_at: Mapped[datetime | None]


class LabelCountRow(Base):
    """Copies of a mailbox on a day about which people spoke: `kind` is the word and what had become of it."""

    __tablename__ = "statistics_labels"
    __table_args__ = (Index(None, "domain", "day"), Index(None, "mailbox", "day"), _KEYED)

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    mailbox: Mapped[str] = mapped_column(primary_key=True)
    decided_by: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    domain: Mapped[str]
    copies: Mapped[int] = mapped_column(BigInteger)


class RuleCountRow(Base):
    """Copies of a domain on a day that met a rule: the operator's own, or one of the base of knowledge."""

    __tablename__ = "statistics_rules"
    __table_args__ = (Index(None, "domain", "day"), _KEYED)

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    domain: Mapped[str] = mapped_column(primary_key=True)
    filter: Mapped[str] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(10), primary_key=True)
    """As in `statistics_scores`."""
    copies: Mapped[int] = mapped_column(BigInteger)


class EntryDayRow(Base):
    """Copies that a list entry met on a day: see tamis.database.list_entries."""

    __tablename__ = "statistics_entries"
    __table_args__ = (Index(None, "day"), _KEYED)

    entry: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    hits: Mapped[int] = mapped_column(BigInteger)


class HealthRow(Base):
    """How a host is, as its background process told last."""

    __tablename__ = "health"

    host: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    state: Mapped[Any]

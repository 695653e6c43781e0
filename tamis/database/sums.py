"""The statistics as pages, API and commands read them: sums of what somebody may see.

    Reach, Days -> the rows of its domains (and of single mailboxes that it has besides) -> sums

A locked mailbox (Q9) counts in the sums of its domain unless fewer than FEW mailboxes are in the sum: then its copies
are left out, and what is kept of whole domains only is withheld. No row of its own is shown to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, false, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from tamis.database.counts import (
    DayCount,
    Days,
    DeciderCount,
    FilterCount,
    HourCount,
    LabelCount,
    Latency,
    PartnerCount,
    Questions,
    RuleCount,
    ScoreCount,
)
from tamis.database.mailbox_sums import KeptMailboxSums, during, sum_if
from tamis.database.roll_ups import MICROS, SKIPPED, STEPS, UNAVAILABLE, label_of
from tamis.database.schema import ChallengeRow
from tamis.database.seen_rows import seen
from tamis.database.statistics_schema import (
    DayRow,
    DomainRow,
    FilterRow,
    HourRow,
    LabelCountRow,
    PartnerRow,
    RuleCountRow,
    ScoreRow,
)
from tamis.message.address import PLATFORM, domain_of
from tamis.people.rights import NO_LOCKS, Reach

FEW = 5
"""Mailboxes in a sum that let nobody guess which copies are those of a locked one."""


class KeptSums(KeptMailboxSums):
    """The part of the store for sums. Every method raises StoreError when the database can't answer."""

    # --- what came, and where it went ---------------------------------------------------------------------------

    def by_day(self, reach: Reach, days: Days) -> list[DayCount]:
        """Copies by day, side and outcome."""
        found = self._copies(reach, days, ("day", "side", "outcome"))
        return [
            DayCount(date.fromordinal(day), side, outcome, copies, octets)
            for (day, side, outcome), (copies, octets) in found
        ]

    def by_decider(self, reach: Reach, days: Days) -> list[DeciderCount]:
        """Copies by side, outcome and what decided."""
        found = self._copies(reach, days, ("side", "outcome", "decided_by"))
        return [DeciderCount(side, outcome, by, copies) for (side, outcome, by), (copies, _) in found]

    def by_hour(self, reach: Reach, since: datetime, until: datetime) -> list[HourCount]:
        """Copies by hour, of whole domains; hours are kept for eight days."""
        first, last = (int(one.timestamp()) // 3600 for one in (since, until))
        span = Days(since.date() - timedelta(days=1), until.date())
        with self._database.read() as session:
            if self._is_withheld(session, reach, span):
                return []
            query = select(
                HourRow.hour, HourRow.side, HourRow.outcome, HourRow.decided_by, func.sum(HourRow.copies)
            )
            query = query.where(HourRow.hour >= first, HourRow.hour <= last, _in(reach, HourRow.domain))
            rows = session.execute(
                query.group_by(HourRow.hour, HourRow.side, HourRow.outcome, HourRow.decided_by)
            ).all()
        zone = since.tzinfo
        return [
            HourCount(datetime.fromtimestamp(r[0] * 3600, zone), r[1], r[2], r[3], int(r[4])) for r in rows
        ]

    # --- filters, partners, totals ------------------------------------------------------------------------------

    def filters(self, reach: Reach, days: Days) -> list[FilterCount]:
        """What each filter did on the mail of whole domains, those that decided most first."""
        query = select(FilterRow.filter, FilterRow.what, func.sum(FilterRow.copies))
        query = query.where(FilterRow.domain != "").group_by(FilterRow.filter, FilterRow.what)
        counts: dict[str, dict[str, int]] = {}
        for name, what, copies in self._of_domains(reach, days, FilterRow, query):
            counts.setdefault(name, {})[what] = int(copies)
        made = [FilterCount(name, **told) for name, told in counts.items()]
        return sorted(made, key=lambda one: (-one.acted, -one.spoke, one.filter))

    def latencies(self, days: Days) -> list[Latency]:
        """How long each filter took, and how often it had no answer: of the platform, whoever the mail was for."""
        query = select(FilterRow.filter, FilterRow.what, func.sum(FilterRow.copies))
        query = query.where(FilterRow.domain == "", *during(FilterRow.day, days))
        counts: dict[str, dict[str, int]] = {}
        with self._database.read() as session:
            for name, what, copies in session.execute(query.group_by(FilterRow.filter, FilterRow.what)):
                counts.setdefault(name, {})[what] = int(copies)
        return [
            Latency(
                name,
                tuple(told.get(step, 0) for step in STEPS),
                told.get(MICROS, 0),
                told.get(UNAVAILABLE, 0),
                told.get(SKIPPED, 0),
            )
            for name, told in sorted(counts.items())
        ]

    def partners(self, reach: Reach, days: Days, side: str = "in", limit: int = 20) -> list[PartnerCount]:
        """The domains that whole domains exchanged most mail with, the most first; `side` in: who writes to them."""
        copies = func.sum(PartnerRow.copies)
        held = sum_if(PartnerRow.outcome == "quarantine", PartnerRow.copies)
        query = select(PartnerRow.partner, copies, held, func.max(PartnerRow.day))
        query = query.where(PartnerRow.side == side).group_by(PartnerRow.partner)
        query = query.order_by(copies.desc(), PartnerRow.partner).limit(limit)
        return [
            PartnerCount(name, int(number), int(stopped or 0), date.fromordinal(last))
            for name, number, stopped, last in self._of_domains(reach, days, PartnerRow, query)
        ]

    def scores(self, reach: Reach, days: Days) -> list[ScoreCount]:
        """The totals of what no filter decided, in steps of half a point, the lowest first."""
        by = (ScoreRow.bin, ScoreRow.decision, ScoreRow.label)
        query = select(*by, func.sum(ScoreRow.copies)).group_by(*by).order_by(*by)
        return [
            ScoreCount(step / 2, decision, label, int(copies))
            for step, decision, label, copies in self._of_domains(reach, days, ScoreRow, query)
        ]

    def labels(self, reach: Reach, days: Days) -> list[LabelCount]:
        """What people said of copies, by what had decided."""
        by = (LabelCountRow.decided_by, LabelCountRow.kind)
        with self._database.read() as session:
            whole = not self._leaves_out(session, reach, days)
            condition = seen(
                replace(reach, closed=NO_LOCKS) if whole else reach,
                LabelCountRow.mailbox,
                LabelCountRow.domain,
            )
            query = select(*by, func.sum(LabelCountRow.copies))
            query = query.where(condition, *during(LabelCountRow.day, days)).group_by(*by).order_by(*by)
            return [LabelCount(name, kind, int(copies)) for name, kind, copies in session.execute(query)]

    def rules(self, reach: Reach, days: Days) -> list[RuleCount]:
        """What met rules, of whole domains."""
        by = (RuleCountRow.filter, RuleCountRow.rule)
        said = [
            sum_if(RuleCountRow.label == label_of(wanted), RuleCountRow.copies) for wanted in (True, False)
        ]
        query = select(*by, func.sum(RuleCountRow.copies), *said).group_by(*by).order_by(*by)
        found = self._of_domains(reach, days, RuleCountRow, query)
        return [RuleCount(name, rule, *map(int, numbers)) for name, rule, *numbers in found]

    def questions(self, reach: Reach, since: datetime, until: datetime) -> Questions:
        """What became of the senders of held mail, of whole domains."""
        by = (ChallengeRow.state, ChallengeRow.reason)
        query = select(*by, func.count()).where(
            ChallengeRow.at >= since, ChallengeRow.at < until, _in(reach, ChallengeRow.domain)
        )
        with self._database.read() as session:
            span = Days(since.date(), until.date())
            withheld = self._is_withheld(session, reach, span)
            rows = [] if withheld else session.execute(query.group_by(*by)).all()
        counts: dict[str, int] = {}
        reasons: dict[str, int] = {}
        for state, reason, number in rows:
            if reason:
                reasons[reason] = reasons.get(reason, 0) + number
            else:
                counts[state] = counts.get(state, 0) + number
        delivered = counts.get("delivered", 0)
        return Questions(sum(counts.values()), delivered + counts.get("solved", 0), delivered, reasons)

    def is_withheld(self, reach: Reach, days: Days) -> bool:
        """Whether what is kept of whole domains only is not shown: fewer than FEW mailboxes are in it, and one is
        locked."""
        with self._database.read() as session:
            return self._is_withheld(session, reach, days)

    # --- inside -------------------------------------------------------------------------------------------------

    def _copies(
        self, reach: Reach, days: Days, by: Sequence[str]
    ) -> list[tuple[tuple[Any, ...], tuple[int, int]]]:
        """Copies and octets by columns that DayRow and DomainRow have."""
        sums: dict[tuple[Any, ...], tuple[int, int]] = {}
        parts: list[tuple[type[DayRow | DomainRow], ColumnElement[bool]]]
        with self._database.read() as session:
            if self._leaves_out(session, reach, days):
                parts = [(DayRow, seen(reach, DayRow.mailbox, DayRow.domain))]
            else:
                single = replace(reach, scopes=_single(reach), own=_own(reach), closed=NO_LOCKS)
                parts = [(DomainRow, _in(reach, DomainRow.domain))] if _has_domains(reach) else []
                if single:
                    parts.append((DayRow, seen(single, DayRow.mailbox, DayRow.domain)))
            for table, condition in parts:
                columns = [getattr(table, name) for name in by]
                query = select(*columns, func.sum(table.copies), func.sum(table.octets))
                query = query.where(condition, *during(table.day, days)).group_by(*columns)
                for *key, copies, octets in session.execute(query):
                    was = sums.get(tuple(key), (0, 0))
                    sums[tuple(key)] = (was[0] + int(copies), was[1] + int(octets))
        return sorted(sums.items())

    def _of_domains(
        self,
        reach: Reach,
        days: Days,
        table: type[FilterRow | PartnerRow | RuleCountRow | ScoreRow],
        query: Select[*tuple[Any, ...]],
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """Rows of whole domains; none where these are withheld."""
        with self._database.read() as session:
            if not _has_domains(reach) or self._is_withheld(session, reach, days):
                return []
            return session.execute(query.where(_in(reach, table.domain), *during(table.day, days))).all()

    def _is_withheld(self, session: Session, reach: Reach, days: Days) -> bool:
        return not _has_domains(reach) or self._leaves_out(session, reach, days)

    @staticmethod
    def _leaves_out(session: Session, reach: Reach, days: Days) -> bool:
        """Whether locked mailboxes must stay out of a sum: so few are in it that theirs could be told."""
        if not any(reach.closed.said.values()):
            return False
        everybody = seen(replace(reach, closed=NO_LOCKS), DayRow.mailbox, DayRow.domain)
        some = select(DayRow.mailbox).distinct().where(everybody, *during(DayRow.day, days)).limit(FEW)
        return len(session.scalars(some).all()) < FEW


def _domains(reach: Reach) -> list[str]:
    return sorted(one for one in reach.scopes if "@" not in one and one != PLATFORM)


def _has_domains(reach: Reach) -> bool:
    return PLATFORM in reach.scopes or bool(_domains(reach))


def _in(reach: Reach, domain: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The rows of the whole domains of a reach."""
    if PLATFORM in reach.scopes:
        return true()
    names = _domains(reach)
    return domain.in_(names) if names else false()


def _single(reach: Reach) -> frozenset[str]:
    """The mailboxes of a reach that none of its domains has."""
    boxes = (one for one in reach.scopes if "@" in one)
    return frozenset(one for one in boxes if not reach.scopes & {PLATFORM, domain_of(one)})


def _own(reach: Reach) -> str:
    return "" if reach.scopes & {PLATFORM, domain_of(reach.own)} else reach.own

"""Challenges: what senders of held mail were asked, or why not; what they answer is in tamis/challenge/answers.py.

Called from threads; one call is a few transactions. A row stands for all copies of one transaction in one domain that
share one answer, and has its own copies: those whose `messages.challenge` names it. So what a sender may see and set
free follows from rows, not from what a link holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, delete, exists, func, select, text, update
from sqlalchemy.orm import Session, aliased

from tamis.base.errors import StoreError
from tamis.challenge.challenge_records import (
    Challenge,
    ChallengeDecision,
    ChallengeState,
    Undecided,
)
from tamis.contract.finding import Finding
from tamis.database.connection import Database, clean
from tamis.database.schema import (
    MAILED,
    UNASKED,
    UNFINISHED,
    Body,
    ChallengeRow,
    DetailsRow,
    MessageRow,
)
from tamis.database.seen_rows import seen
from tamis.judging.suppression import NotAsked, Spent, over_budget
from tamis.message.address import PLATFORM, address_key, domain_of
from tamis.people.rights import Reach
from tamis.quarantine.content import packed_head, unpack_head
from tamis.quarantine.held_mail import Quarantine
from tamis.quarantine.records import HeldMessage, new_id
from tamis.quarantine.rows import read_findings
from tamis.settings import NoticeSettings

STALE_SENDING = timedelta(minutes=10)
"""After this long a notice that was being handed to Postfix is taken for interrupted."""
HEAD = 64 * 1024
"""Octets of a message that are looked at before its sender is asked: its header."""

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_FIELDS = tuple(Challenge.__dataclass_fields__)
_TEXT = 500


class Challenges:
    """The challenge part of the store. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database, quarantine: Quarantine) -> None:
        self._database = database
        self._quarantine = quarantine

    # --- deciding -----------------------------------------------------------------------------------------------

    def undecided(self, *, held_before: datetime, limit: int = 100) -> tuple[Undecided, ...]:
        """The oldest held copies about which nothing was decided yet."""
        waiting = (
            select(MessageRow.id)
            .where(text(UNASKED), MessageRow.held_at <= held_before)
            .order_by(MessageRow.id)
            .limit(limit)
        )
        head = func.substr(Body.content, 1, packed_head(HEAD), type_=LargeBinary)
        findings = aliased(Body)
        with self._database.read() as session:
            ids = session.scalars(waiting).all()
            if not ids:
                return ()
            query = (
                select(MessageRow, findings.content, head)
                .join(DetailsRow, DetailsRow.id == MessageRow.id)
                .join(Body, Body.digest == MessageRow.body)
                .outerjoin(findings, findings.digest == DetailsRow.findings_body)
                .where(MessageRow.id.in_(ids))
                .order_by(MessageRow.id)
            )
            return tuple(_undecided(*found) for found in session.execute(query))

    def decide(
        self, decisions: Iterable[ChallengeDecision], budgets: NoticeSettings, *, now: datetime | None = None
    ) -> Counter[str]:
        """Write down what becomes of copies, all of them or none; how many new challenges there are, by reason.

        A copy that comes after its siblings joins what they were asked. Whoever decides about the same copy in another
        process at the same moment changes nothing more.
        """
        now = now or datetime.now(UTC)
        made: Counter[str] = Counter()
        with self._database.write() as session:
            for decision in decisions:
                copy, reason = decision.copy, decision.reason
                known = self._known(session, copy, "") if reason is None else None
                if known is None and reason is None:
                    reason = over_budget(_spent(session, copy, now), budgets)
                row = known or self._known(session, copy, reason or "")
                if row is None:
                    row = self._insert(session, decision, reason, now)
                    made[reason or ""] += 1
                self._join(session, row, copy.message, copy.expires_at)
        return made

    def hold_asked(
        self,
        message: HeldMessage,
        content: bytes,
        *,
        language: str,
        authenticated: bool,
        now: datetime | None = None,
    ) -> tuple[str, str]:
        """Hold a copy whose sender is asked by SMTP reply: the ids of message and challenge.

        The challenge is "" when the copy was known and the sender is not to be asked about it. What is sent anew
        after it was deleted or had expired is held anew, so that the link leads somewhere.
        """
        now = now or datetime.now(UTC)

        def ask(session: Session, held: str) -> None:
            expires = now + timedelta(days=message.retention_days)
            copy = Undecided(
                held,
                clean(message.transaction),
                clean(domain_of(message.recipients[0].address), _TEXT),
                message.recipients[0].address,
                message.envelope.sender,
                now,
                expires,
                {},
                b"",
            )
            decision = ChallengeDecision(copy, None, language, authenticated)
            row = self._known(session, copy, "")
            row = row or self._insert(session, decision, None, now, ChallengeState.ASKED, "reply")
            self._join(session, row, held, expires)

        since = message.envelope.received_at
        held = self._quarantine.hold(message, content, now=now, since=since, also=ask)
        query = (
            select(ChallengeRow.id)
            .join(MessageRow, MessageRow.challenge == ChallengeRow.id)
            .where(MessageRow.id == held, ChallengeRow.reason == "")
        )
        with self._database.read() as session:
            return held, session.scalar(query) or ""

    def untold(self, message: str) -> None:
        """A copy whose sender was to be asked by SMTP reply, and was not: it is undecided again, with its siblings."""
        query = (
            select(ChallengeRow.id)
            .join(MessageRow, MessageRow.challenge == ChallengeRow.id)
            .where(
                MessageRow.id == clean(message),
                ChallengeRow.transport == "reply",
                ChallengeRow.state == ChallengeState.ASKED,
            )
        )
        with self._database.read() as session:
            if session.scalar(query) is None:  # as nearly always: no lock is wanted for that
                return
        with self._database.write() as session:
            challenge = session.scalar(query)
            if challenge is not None:
                joined = update(MessageRow).where(MessageRow.challenge == challenge)
                session.execute(joined.values(challenge=None))
                session.execute(delete(ChallengeRow).where(ChallengeRow.id == challenge))

    def _known(self, session: Session, copy: Undecided, reason: str) -> ChallengeRow | None:
        query = select(ChallengeRow).where(
            ChallengeRow.transaction == copy.transaction,
            ChallengeRow.domain == copy.domain,
            ChallengeRow.reason == reason,
        )
        return session.scalars(query).one_or_none()

    def _insert(
        self,
        session: Session,
        decision: ChallengeDecision,
        reason: NotAsked | None,
        now: datetime,
        state: ChallengeState = ChallengeState.PENDING,
        transport: str = "mail",
    ) -> ChallengeRow:
        copy = decision.copy
        values = {
            "id": new_id(now),
            "transaction": copy.transaction,
            "domain": copy.domain,
            "sender": clean(address_key(copy.sender), _TEXT),
            "sender_domain": clean(domain_of(copy.sender), _TEXT),
            "transport": "" if reason else transport,
            "state": ChallengeState.SUPPRESSED if reason else state,
            "reason": reason or "",
            "authenticated": decision.authenticated,
            "whitelisted": False,
            "proof": "",
            "language": decision.language,
            "at": now,
            "attempts": 0,
            "expires_at": copy.expires_at,
        }
        session.execute(self._database.insert(ChallengeRow).values(values).on_conflict_do_nothing())
        row = self._known(session, copy, reason or "")  # ours, or that of a process that was faster
        assert row is not None
        return row

    @staticmethod
    def _join(session: Session, row: ChallengeRow, message: str, expires_at: datetime) -> None:
        joined = session.execute(
            update(MessageRow)
            .where(MessageRow.id == message, MessageRow.challenge.is_(None))
            .values(challenge=row.id)
            .returning(MessageRow.id)
        ).first()
        if joined is None:
            return
        row.expires_at = max(row.expires_at, expires_at)
        if row.state == ChallengeState.DELIVERED:
            row.state = ChallengeState.SOLVED  # the sender has confirmed this one as well

    # --- mailing ------------------------------------------------------------------------------------------------

    def pending(self, limit: int = 100) -> tuple[Challenge, ...]:
        """Challenges whose notice is to be mailed, oldest first."""
        return unfinished(self._database, ChallengeState.PENDING, limit)

    def claim(self, challenge: str, *, now: datetime | None = None) -> bool:
        """Take a notice for mailing, before it is handed over: from here on a crash may cost it, never double it."""
        now = now or datetime.now(UTC)
        return move(self._database, challenge, (ChallengeState.PENDING,), ChallengeState.SENDING, sent_at=now)

    def sent(self, challenge: str) -> None:
        """Postfix has the notice."""
        move(self._database, challenge, (ChallengeState.SENDING, ChallengeState.LOST), ChallengeState.ASKED)

    def unsent(self, challenge: str) -> None:
        """Postfix did not take the notice: it is tried again."""
        move(self._database, challenge, (ChallengeState.SENDING,), ChallengeState.PENDING, sent_at=None)

    def give_up(self, challenge: str) -> None:
        """The notice waited so long that it comes too late."""
        move(self._database, challenge, (ChallengeState.PENDING,), ChallengeState.LOST)

    def lose_interrupted(self, *, now: datetime | None = None) -> int:
        """Notices that a crash interrupted are lost, and not mailed again; how many."""
        stale = (now or datetime.now(UTC)) - STALE_SENDING
        interrupted = [
            one.id
            for one in unfinished(self._database, ChallengeState.SENDING, 1000)
            if one.sent_at is not None and one.sent_at <= stale
        ]
        return sum(
            move(self._database, one, (ChallengeState.SENDING,), ChallengeState.LOST) for one in interrupted
        )

    # --- looking ------------------------------------------------------------------------------------------------

    def get(self, challenge: str) -> Challenge | None:
        """One challenge; None when there is no such id."""
        with self._database.read() as session:
            row = session.get(ChallengeRow, clean(challenge))
            return None if row is None else _challenge(row)

    def of_copy(self, message: str) -> Challenge | None:
        """The challenge about a held message; None while it is not decided whether its sender is asked."""
        query = select(ChallengeRow).join(MessageRow, MessageRow.challenge == ChallengeRow.id)
        with self._database.read() as session:
            row = session.scalar(query.where(MessageRow.id == clean(message)))
            return None if row is None else _challenge(row)

    def messages(self, challenge: str, reach: Reach | None = None) -> tuple[str, ...]:
        """The ids of a challenge's copies, of those that somebody sees."""
        query = select(MessageRow.id).where(MessageRow.challenge == clean(challenge)).order_by(MessageRow.id)
        if reach is not None:
            query = query.where(seen(reach, MessageRow.mailbox, MessageRow.domain))
        with self._database.read() as session:
            return tuple(session.scalars(query))

    def about(self, transaction: str, domains: Collection[str]) -> Mapping[str, Challenge]:
        """What was asked about a message, or why not, by the domain whose copies it is about; the latest of each."""
        query = select(ChallengeRow).where(
            ChallengeRow.transaction == clean(transaction), ChallengeRow.domain.in_(sorted(domains))
        )
        with self._database.read() as session:
            rows = session.scalars(query.order_by(ChallengeRow.id))
            return {row.domain: _challenge(row) for row in rows}

    def list(
        self,
        *,
        state: ChallengeState | None = None,
        reason: str | None = None,
        domain: str | None = None,
        sender: str | None = None,
        limit: int = 50,
        before: str | None = None,
        reach: Reach | None = None,
    ) -> tuple[Challenge, ...]:
        """The newest challenges, newest first; `before` is the last id of the page before. `reach` leaves those that
        have a copy which somebody sees."""
        wanted: tuple[tuple[Any, str | None], ...] = (
            (ChallengeRow.state, state),
            (ChallengeRow.reason, reason),
            (ChallengeRow.domain, domain),
            (ChallengeRow.sender, address_key(sender) if sender else None),
        )
        conditions: list[ColumnElement[bool]] = [
            column == clean(value) for column, value in wanted if value is not None
        ]
        if before is not None:
            conditions.append(ChallengeRow.id < clean(before))
        if reach is not None:
            conditions.append(_has_copy(reach))
        query = select(ChallengeRow).where(*conditions).order_by(ChallengeRow.id.desc()).limit(limit)
        with self._database.read() as session:
            return tuple(map(_challenge, session.scalars(query)))

    def counts(self, since: datetime) -> tuple[tuple[ChallengeState, str, str, int], ...]:
        """How many challenges there are since a moment: (state, transport, reason, number), most first."""
        columns = (ChallengeRow.state, ChallengeRow.transport, ChallengeRow.reason)
        number = func.count()
        query = select(*columns, number).where(ChallengeRow.at >= since).group_by(*columns)
        with self._database.read() as session:
            found = session.execute(query.order_by(number.desc(), *columns)).all()
        return tuple((ChallengeState(s), transport, reason, count) for s, transport, reason, count in found)


def _has_copy(reach: Reach) -> ColumnElement[bool]:
    """Whether a challenge has a copy that somebody sees: who sees the platform sees nearly all of the newest; who sees
    a few domains has few, which are found by their domain."""
    copies = seen(reach, MessageRow.mailbox, MessageRow.domain)
    if PLATFORM in reach.scopes:
        return exists().where(MessageRow.challenge == ChallengeRow.id, copies)
    return ChallengeRow.id.in_(select(MessageRow.challenge).where(copies, MessageRow.challenge.is_not(None)))


def unfinished(database: Database, state: ChallengeState, limit: int) -> tuple[Challenge, ...]:
    """Challenges about which something is left to do, in a state; the oldest."""
    query = (
        select(ChallengeRow)
        .where(text(UNFINISHED), ChallengeRow.state == state)
        .order_by(ChallengeRow.id)
        .limit(limit)
    )
    with database.read() as session:
        return tuple(map(_challenge, session.scalars(query)))


def move(
    database: Database,
    challenge: str,
    was: Sequence[ChallengeState],
    becomes: ChallengeState,
    **values: Any,
) -> bool:
    """Bring a challenge from one of some states into another, with what else changes; whether it was in one."""
    with database.write() as session:
        moved = session.execute(
            update(ChallengeRow)
            .where(ChallengeRow.id == clean(challenge), ChallengeRow.state.in_(was))
            .values(state=becomes, **values)
            .returning(ChallengeRow.id)
        ).first()
    return moved is not None


def _spent(session: Session, copy: Undecided, now: datetime) -> Spent:
    def mailed(since: timedelta, *more: ColumnElement[bool]) -> int:
        query = select(func.count(ChallengeRow.id)).where(text(MAILED), ChallengeRow.at > now - since, *more)
        return session.scalar(query) or 0

    return Spent(
        mailed(_DAY, ChallengeRow.sender == clean(address_key(copy.sender), _TEXT)),
        mailed(_DAY, ChallengeRow.sender_domain == clean(domain_of(copy.sender), _TEXT)),
        mailed(_DAY, ChallengeRow.domain == copy.domain),
        mailed(_HOUR),
        mailed(_DAY),
    )


def _undecided(row: MessageRow, findings: bytes | None, content: bytes) -> Undecided:
    """A copy; without findings, so that nobody is asked, when it is damaged: the others' senders are waiting."""
    try:
        found, head = _findings(read_findings(findings) if findings else ()), unpack_head(content, HEAD)
    except StoreError:
        found, head = {}, b""
    return Undecided(
        row.id,
        row.transaction,
        row.domain,
        row.recipient,
        row.sender,
        row.held_at,
        row.expires_at,
        found,
        head,
    )


def _findings(details: Iterable[Any]) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for data in details:
        try:
            finding = Finding.from_dict(data)
        except (KeyError, TypeError, ValueError):  # of a version that wrote it otherwise
            continue
        found[finding.filter] = finding
    return found


def _challenge(row: ChallengeRow) -> Challenge:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Challenge(**values | {"state": ChallengeState(row.state)})

"""Challenges: what senders of held mail were asked, or why not. Called from threads; one call is a few transactions.

A row stands for all copies of one transaction in one domain that share one answer, and has its own copies: those whose
`messages.challenge` names it. So what a sender may see and set free follows from rows, not from what a link holds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Text, cast, delete, func, select, text, update
from sqlalchemy.orm import Session

from tamis.address import address_key, domain_of
from tamis.errors import StoreError, TamisError
from tamis.finding import Finding
from tamis.quarantine.challenge_records import (
    MOST_WRONG,
    OPEN,
    Agrees,
    Challenge,
    ChallengeState,
    Decision,
    Page,
    PageState,
    Receipt,
    SolveResult,
    Undecided,
)
from tamis.quarantine.content import packed_head, unpack_head
from tamis.quarantine.database import Database, audit, clean
from tamis.quarantine.mail import Quarantine
from tamis.quarantine.records import Deliver, Done, HeldMessage, State, new_id
from tamis.quarantine.schema import (
    MAILED,
    UNASKED,
    UNFINISHED,
    Body,
    ChallengeRow,
    DetailsRow,
    MessageRow,
)
from tamis.quarantine.senders import can_earn, earn
from tamis.quarantine.suppression import Reason, Spent, over_budget
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
        with self._database.read() as session:
            ids = session.scalars(waiting).all()
            if not ids:
                return ()
            query = (
                select(MessageRow, cast(DetailsRow.findings, Text), head)
                .join(DetailsRow, DetailsRow.id == MessageRow.id)
                .join(Body, Body.digest == MessageRow.body)
                .where(MessageRow.id.in_(ids))
                .order_by(MessageRow.id)
            )
            return tuple(_undecided(*found) for found in session.execute(query))

    def decide(
        self, decisions: Iterable[Decision], budgets: NoticeSettings, *, now: datetime | None = None
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
                clean(domain_of(message.recipient.address), _TEXT),
                message.recipient.address,
                message.envelope.sender,
                now,
                expires,
                {},
                b"",
            )
            decision = Decision(copy, None, language, authenticated)
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
        decision: Decision,
        reason: Reason | None,
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
        return self._unfinished(ChallengeState.PENDING, limit)

    def claim(self, challenge: str, *, now: datetime | None = None) -> bool:
        """Take a notice for mailing, before it is handed over: from here on a crash may cost it, never double it."""
        now = now or datetime.now(UTC)
        return self._move(challenge, (ChallengeState.PENDING,), ChallengeState.SENDING, sent_at=now)

    def sent(self, challenge: str) -> None:
        """Postfix has the notice."""
        self._move(challenge, (ChallengeState.SENDING, ChallengeState.LOST), ChallengeState.ASKED)

    def unsent(self, challenge: str) -> None:
        """Postfix did not take the notice: it is tried again."""
        self._move(challenge, (ChallengeState.SENDING,), ChallengeState.PENDING, sent_at=None)

    def give_up(self, challenge: str) -> None:
        """The notice waited so long that it comes too late."""
        self._move(challenge, (ChallengeState.PENDING,), ChallengeState.LOST)

    def lose_interrupted(self, *, now: datetime | None = None) -> int:
        """Notices that a crash interrupted are lost, and not mailed again; how many."""
        stale = (now or datetime.now(UTC)) - STALE_SENDING
        interrupted = [
            one.id
            for one in self._unfinished(ChallengeState.SENDING, 1000)
            if one.sent_at is not None and one.sent_at <= stale
        ]
        return sum(self._move(one, (ChallengeState.SENDING,), ChallengeState.LOST) for one in interrupted)

    def _unfinished(self, state: ChallengeState, limit: int) -> tuple[Challenge, ...]:
        query = (
            select(ChallengeRow)
            .where(text(UNFINISHED), ChallengeRow.state == state)
            .order_by(ChallengeRow.id)
            .limit(limit)
        )
        with self._database.read() as session:
            return tuple(map(_challenge, session.scalars(query)))

    def _move(
        self, challenge: str, was: Sequence[ChallengeState], becomes: ChallengeState, **values: Any
    ) -> bool:
        with self._database.write() as session:
            moved = session.execute(
                update(ChallengeRow)
                .where(ChallengeRow.id == clean(challenge), ChallengeRow.state.in_(was))
                .values(state=becomes, **values)
                .returning(ChallengeRow.id)
            ).first()
        return moved is not None

    # --- the sender's page --------------------------------------------------------------------------------------

    def open(self, challenge: str, terms: Agrees, *, now: datetime | None = None) -> Page | None:
        """What the sender's page may say; None when there is no such challenge. Changes nothing."""
        now = now or datetime.now(UTC)
        with self._database.read() as session:
            row = session.get(ChallengeRow, clean(challenge))
            if row is None or row.state == ChallengeState.SUPPRESSED:
                return None
            copies = _copies(session, row.id, terms)
            return _page(row, copies, terms, now) if copies else None

    def fail(self, challenge: str) -> int:
        """Count a wrong answer; how many more are left, 0 once the challenge is locked for good."""
        with self._database.write() as session:
            attempts = session.scalar(
                update(ChallengeRow)
                .where(ChallengeRow.id == clean(challenge))
                .values(attempts=ChallengeRow.attempts + 1)
                .returning(ChallengeRow.attempts)
            )
        return max(0, MOST_WRONG - (attempts or MOST_WRONG))

    def solve(
        self, challenge: str, terms: Agrees, deliver: Deliver, *, now: datetime | None = None
    ) -> Receipt:
        """A right answer: the copies of all who agree go to `deliver`, each once, and the sender earns its way.

        What `deliver` can't do now, and what a crash leaves undone, the background process does by `finish`. A second
        answer changes nothing. An address that nobody vouched for earns nothing: whoever forges it would pass, too.
        """
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            row = session.get(ChallengeRow, clean(challenge), with_for_update=True)
            if row is None or row.state == ChallengeState.SUPPRESSED:
                return Receipt(result=SolveResult.GONE, at=now)
            if row.state not in OPEN:
                at = row.solved_at or now
                return Receipt(
                    result=SolveResult.ALREADY, at=at, whitelisted=row.whitelisted, domain=row.domain
                )
            if row.attempts >= MOST_WRONG:
                return Receipt(result=SolveResult.LOCKED, at=now, domain=row.domain)
            copies = _held(_copies(session, row.id, terms))
            if not copies or row.expires_at <= now:
                return Receipt(result=SolveResult.GONE, at=now, domain=row.domain)
            by = _by(row.sender)
            row.state, row.solved_at = ChallengeState.SOLVED, now
            row.whitelisted = _whitelists(row, copies, terms)
            if row.whitelisted:
                earn(session, row.domain, row.sender, by, validations=1)
            audit(session, now, by, "challenge solve", row.id, {"messages": [copy.id for copy in copies]})
            whitelisted, domain = row.whitelisted, row.domain
        delivered, waiting = self._release(copies, by, deliver)
        return Receipt(
            result=SolveResult.DELIVERED,
            delivered=delivered,
            waiting=waiting,
            at=now,
            whitelisted=whitelisted,
            domain=domain,
        )

    # --- what a right answer leaves to do -----------------------------------------------------------------------

    def solved(self, limit: int = 100) -> tuple[Challenge, ...]:
        """Challenges that were answered and are not known to be done."""
        return self._unfinished(ChallengeState.SOLVED, limit)

    def finish(self, challenge: Challenge, terms: Agrees, deliver: Deliver) -> bool:
        """Release what is left of an answered challenge; whether it is done, but for `close`."""
        with self._database.read() as session:
            copies = [c for c in _copies(session, challenge.id, terms) if c.state in _UNDER_WAY]
        _, waiting = self._release(_held(copies), _by(challenge.sender), deliver)
        return not waiting and len(copies) == len(_held(copies))

    def close(self, challenge: Challenge) -> None:
        """All copies of an answered challenge are delivered, and everybody knows what the sender earned."""
        self._move(challenge.id, (ChallengeState.SOLVED,), ChallengeState.DELIVERED)

    def _release(
        self, copies: Sequence[MessageRow], by: str, deliver: Deliver
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        delivered, waiting = [], []
        for copy in copies:
            try:
                done = self._quarantine.release(copy.id, by, deliver)
            except TamisError:
                waiting.append(copy.recipient)
                continue
            if done is Done.DONE:
                delivered.append(copy.recipient)
            elif done is Done.BUSY:
                waiting.append(copy.recipient)
        return tuple(delivered), tuple(waiting)

    # --- looking ------------------------------------------------------------------------------------------------

    def get(self, challenge: str) -> Challenge | None:
        """One challenge; None when there is no such id."""
        with self._database.read() as session:
            row = session.get(ChallengeRow, clean(challenge))
            return None if row is None else _challenge(row)

    def messages(self, challenge: str) -> tuple[str, ...]:
        """The ids of a challenge's copies."""
        query = select(MessageRow.id).where(MessageRow.challenge == clean(challenge)).order_by(MessageRow.id)
        with self._database.read() as session:
            return tuple(session.scalars(query))

    def list(
        self,
        *,
        state: ChallengeState | None = None,
        reason: str | None = None,
        domain: str | None = None,
        sender: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[Challenge, ...]:
        """The newest challenges, newest first; `before` is the last id of the page before."""
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


_UNDER_WAY = (State.HELD, State.RELEASING)


def _by(sender: str) -> str:
    return f"its sender {sender}"


def _held(copies: Sequence[MessageRow]) -> list[MessageRow]:
    return [copy for copy in copies if copy.state == State.HELD]


def _copies(session: Session, challenge: str, terms: Agrees) -> list[MessageRow]:
    """The copies of a challenge whose recipients agree, whatever became of them."""
    query = select(MessageRow).where(MessageRow.challenge == challenge).order_by(MessageRow.id)
    rows = [row for row in session.scalars(query) if terms(row.recipient).challenge != "off"]
    for row in rows:
        session.expunge(row)  # they are read after the transaction, and never written here
    return rows


def _whitelists(row: ChallengeRow, copies: Sequence[MessageRow], terms: Agrees) -> bool:
    return (
        row.authenticated
        and can_earn(row.domain, row.sender)
        and all(terms(copy.recipient).challenge_whitelist for copy in copies)
    )


def _page(row: ChallengeRow, copies: Sequence[MessageRow], terms: Agrees, now: datetime) -> Page:
    held = _held(copies)
    if row.state not in OPEN or (any(copy.state == State.RELEASED for copy in copies) and not held):
        state = PageState.DELIVERED
    elif not held or row.expires_at <= now:
        state = PageState.GONE
    elif row.attempts >= MOST_WRONG:
        state = PageState.LOCKED
    else:
        state = PageState.OPEN
    shown = held or copies
    return Page(
        id=row.id,
        state=state,
        recipients=tuple(dict.fromkeys(copy.recipient for copy in shown)),
        domain=row.domain,
        sender=shown[0].sender,
        subject=shown[0].subject,
        message_id=shown[0].message_id,
        sent_at=shown[0].received_at,
        held_until=min(copy.expires_at for copy in shown),
        decided_by=shown[0].decided_by,
        attempts_left=max(0, MOST_WRONG - row.attempts),
        solved_at=row.solved_at,
        whitelists=row.whitelisted or _whitelists(row, shown, terms),
        language=row.language,
        time_zone=terms(shown[0].recipient).time_zone,
    )


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


def _undecided(row: MessageRow, details: str, content: bytes) -> Undecided:
    """A copy; without findings, so that nobody is asked, when it is damaged: the others' senders are waiting."""
    try:
        found, head = _findings(json.loads(details)), unpack_head(content, HEAD)
    except (StoreError, ValueError, TypeError):
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

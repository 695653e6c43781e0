"""Answers: what the sender's page shows, and which messages a correct answer releases.

Called from threads; one call is a few transactions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tamis.base.errors import StoreError, TamisError
from tamis.challenge.challenge_records import (
    MOST_WRONG,
    OPEN,
    Agrees,
    AnswerProof,
    Challenge,
    ChallengeState,
    PageState,
    Receipt,
    SenderPage,
    SolveResult,
    ways_for,
)
from tamis.challenge.challenges import move, unfinished
from tamis.database.connection import Database, audit, clean
from tamis.database.earned_senders import can_earn, earn
from tamis.database.effective_labels import LabelSource
from tamis.database.labels import SaidLabel, say
from tamis.database.schema import ChallengeRow, DetailsRow, MessageRow
from tamis.judging.policy_terms import Terms
from tamis.judging.site import Site
from tamis.quarantine.held_mail import ITS_SENDER, Quarantine
from tamis.quarantine.records import Deliver, Done, HeldState
from tamis.quarantine.rows import recipients_of


def terms_of(site: Site) -> Agrees:
    """What the policy of a recipient's address says."""

    def terms(recipient: str) -> Terms:
        return site.book.policy(recipient).terms

    return terms


class Answers:
    """The part of the store for senders who answer. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database, quarantine: Quarantine) -> None:
        self._database = database
        self._quarantine = quarantine

    def open(self, challenge: str, terms: Agrees, *, now: datetime | None = None) -> SenderPage | None:
        """What the sender's page may say; None when there is no such challenge. Changes nothing."""
        now = now or datetime.now(UTC)
        with self._database.read() as session:
            row = session.get(ChallengeRow, clean(challenge))
            if row is None or row.state == ChallengeState.SUPPRESSED:
                return None
            copies = _copies(session, row.id, terms)
            return _page(row, copies, _named(session, copies), terms, now) if copies else None

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
        self,
        challenge: str,
        terms: Agrees,
        deliver: Deliver,
        proof: AnswerProof,
        *,
        now: datetime | None = None,
    ) -> Receipt:
        """A right answer: the copies of all who agree go to `deliver`, each once, and the sender earns what it proves.

        What `deliver` can't do now, and what a crash leaves undone, the background process does by `finish`. A second
        answer changes nothing, but for a code after a proof of work, which whitelists. An address that nobody vouched
        for earns nothing: whoever forges it would pass, too.
        """
        now = now or datetime.now(UTC)
        with self._database.write() as session:
            row = session.get(ChallengeRow, clean(challenge), with_for_update=True)
            if row is None or row.state == ChallengeState.SUPPRESSED:
                return Receipt(result=SolveResult.GONE, at=now)
            if row.state not in OPEN:
                return self._kept(session, row, terms, proof, now)
            if row.attempts >= MOST_WRONG:
                return Receipt(result=SolveResult.LOCKED, at=now, domain=row.domain)
            copies = _held(_copies(session, row.id, terms))
            if not copies or row.expires_at <= now or proof not in _ways(copies, terms):
                return Receipt(result=SolveResult.GONE, at=now, domain=row.domain)
            by = _by(row.sender)
            row.state, row.solved_at, row.proof = ChallengeState.SOLVED, now, proof
            keeps = _earns(session, row, copies, terms, proof)
            details = {"messages": [copy.id for copy in copies], "proof": proof}
            audit(session, now, by, "challenge solve", row.id, details, scope=row.domain)
            self._note(session, copies, row.sender, proof, now)
            whitelisted, domain = row.whitelisted, row.domain
            named = _named(session, copies)
        delivered, waiting = self._release(copies, by, deliver)
        return Receipt(
            result=SolveResult.DELIVERED,
            delivered=tuple(dict.fromkeys(named[one] for one in delivered)),
            waiting=tuple(dict.fromkeys(named[one] for one in waiting)),
            at=now,
            whitelisted=whitelisted,
            keeps=keeps,
            domain=domain,
        )

    def _kept(
        self, session: Session, row: ChallengeRow, terms: Agrees, proof: AnswerProof, now: datetime
    ) -> Receipt:
        """What a right answer does to a challenge that has one."""
        copies = _copies(session, row.id, terms)
        result = SolveResult.ALREADY
        if proof is AnswerProof.CODE and _keeps(row, copies, terms, now):
            _earns(session, row, copies, terms, proof)
            row.state, row.proof = ChallengeState.SOLVED, proof  # `finish` tells everybody what was earned
            told = {"proof": proof}
            audit(session, now, _by(row.sender), "challenge keep", row.id, told, scope=row.domain)
            self._note(session, copies, row.sender, proof, now)
            result = SolveResult.KEPT
        at = row.solved_at or now
        return Receipt(result=result, at=at, whitelisted=row.whitelisted, domain=row.domain)

    def _note(
        self, session: Session, copies: Sequence[MessageRow], sender: str, proof: AnswerProof, now: datetime
    ) -> None:
        """What somebody wrote who proved to be a person counts as wanted; what a program can prove says nothing."""
        if proof is not AnswerProof.CODE:
            return
        for message, mailbox in sorted({(one.transaction.partition("/")[0], one.mailbox) for one in copies}):
            say(
                self._database, session, SaidLabel(message, mailbox, True, LabelSource.CHALLENGE, sender, now)
            )

    def vouched(self, message: str) -> None:
        """A recipient delivered a message: the challenge to its sender has the best answer that there is."""
        with self._database.write() as session:
            named = select(MessageRow.challenge).where(MessageRow.id == clean(message)).scalar_subquery()
            session.execute(
                update(ChallengeRow)
                .where(ChallengeRow.id == named, ChallengeRow.reason == "", ChallengeRow.proof == "")
                .values(proof=AnswerProof.RECIPIENT)
            )

    # --- what a right answer leaves to do -----------------------------------------------------------------------

    def solved(self, limit: int = 100) -> tuple[Challenge, ...]:
        """Challenges that were answered and are not known to be done."""
        return unfinished(self._database, ChallengeState.SOLVED, limit)

    def finish(self, challenge: Challenge, terms: Agrees, deliver: Deliver) -> bool:
        """Release what is left of an answered challenge; whether it is done, but for `close`."""
        with self._database.read() as session:
            copies = [c for c in _copies(session, challenge.id, terms) if c.state in _UNDER_WAY]
        _, waiting = self._release(_held(copies), _by(challenge.sender), deliver)
        return not waiting and len(copies) == len(_held(copies))

    def close(self, challenge: Challenge) -> None:
        """All copies of an answered challenge are delivered, and everybody knows what the sender earned."""
        move(self._database, challenge.id, (ChallengeState.SOLVED,), ChallengeState.DELIVERED)

    def _release(
        self, copies: Sequence[MessageRow], by: str, deliver: Deliver
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids of the copies that are delivered, and of those that are not yet."""
        delivered, waiting = [], []
        for copy in copies:
            try:
                done = self._quarantine.release(copy.id, by, deliver)
            except TamisError:
                waiting.append(copy.id)
                continue
            if done in (Done.DONE, Done.ALREADY):  # the background process may have been faster
                delivered.append(copy.id)
            elif done is Done.BUSY:
                waiting.append(copy.id)
        return tuple(delivered), tuple(waiting)


_UNDER_WAY = (HeldState.HELD, HeldState.RELEASING)


def _by(sender: str) -> str:
    return f"{ITS_SENDER}{sender}"


def _held(copies: Sequence[MessageRow]) -> list[MessageRow]:
    return [copy for copy in copies if copy.state == HeldState.HELD]


def _copies(session: Session, challenge: str, terms: Agrees) -> list[MessageRow]:
    """The copies of a challenge whose recipients agree, whatever became of them."""
    query = select(MessageRow).where(MessageRow.challenge == challenge).order_by(MessageRow.id)
    rows = [row for row in session.scalars(query) if terms(row.recipient).challenge != "off"]
    for row in rows:
        session.expunge(row)  # they are read after the transaction, and never written here
    return rows


def _named(session: Session, copies: Sequence[MessageRow]) -> Mapping[str, str]:
    """The address of each copy, by its id, as the sender named it: who is behind an alias is no business of theirs."""
    query = select(DetailsRow.id, DetailsRow.record).where(DetailsRow.id.in_([copy.id for copy in copies]))
    found = {copy.id: copy.recipient for copy in copies}
    for one, record in session.execute(query):
        with suppress(StoreError):  # damaged: its details are lost
            found[one] = recipients_of(record)[0].named
    return found


def _whitelists(row: ChallengeRow, copies: Sequence[MessageRow], terms: Agrees) -> bool:
    return (
        row.authenticated
        and can_earn(row.domain, row.sender)
        and all(terms(copy.recipient).challenge_whitelist for copy in copies)
    )


def _earns(
    session: Session, row: ChallengeRow, copies: Sequence[MessageRow], terms: Agrees, proof: AnswerProof
) -> bool:
    """Count what an answer earns, if it may earn anything; whether a code would earn more."""
    if not _whitelists(row, copies, terms):
        return False
    by = _by(row.sender)
    if proof is AnswerProof.CODE:
        row.whitelisted = True
        earn(session, row.domain, row.sender, by, validations=1)
        return False
    earn(session, row.domain, row.sender, by, works=1)
    return AnswerProof.CODE in _ways(copies, terms)


def _keeps(row: ChallengeRow, copies: Sequence[MessageRow], terms: Agrees, now: datetime) -> bool:
    """Whether a code would whitelist a sender who answered by a proof of work."""
    return (
        row.state in (ChallengeState.SOLVED, ChallengeState.DELIVERED)
        and row.proof == AnswerProof.WORK
        and row.attempts < MOST_WRONG
        and row.expires_at > now
        and bool(copies)
        and AnswerProof.CODE in _ways(copies, terms)
        and _whitelists(row, copies, terms)
    )


def _ways(copies: Sequence[MessageRow], terms: Agrees) -> tuple[AnswerProof, ...]:
    return ways_for(terms(copy.recipient) for copy in copies)


def _page(
    row: ChallengeRow,
    copies: Sequence[MessageRow],
    named: Mapping[str, str],
    terms: Agrees,
    now: datetime,
) -> SenderPage:
    held = _held(copies)
    if row.state not in OPEN or (any(copy.state == HeldState.RELEASED for copy in copies) and not held):
        state = PageState.DELIVERED
    elif not held or row.expires_at <= now:
        state = PageState.GONE
    elif row.attempts >= MOST_WRONG:
        state = PageState.LOCKED
    else:
        state = PageState.OPEN
    shown = held or copies
    return SenderPage(
        id=row.id,
        state=state,
        recipients=tuple(dict.fromkeys(named[copy.id] for copy in shown)),
        domain=row.domain,
        sender=shown[0].sender,
        subject=shown[0].subject,
        message_id=shown[0].message_id,
        sent_at=shown[0].received_at,
        held_until=min(copy.expires_at for copy in shown),
        decided_by=shown[0].decided_by,
        attempts_left=max(0, MOST_WRONG - row.attempts),
        solved_at=row.solved_at,
        ways=_ways(shown, terms),
        whitelists=_whitelists(row, shown, terms),
        keeps=_keeps(row, copies, terms, now),
        whitelisted=row.whitelisted,
        language=row.language,
        time_zone=terms(shown[0].recipient).time_zone,
    )

"""Labels: people's words on copies, each kept, the one that counts applied to the statistics at once.

    release, answer, spam button, move to Junk, operator -> labels -> effective: wanted, unwanted, nothing
    it changes -> the copies that the history has of it move from one row of the sums to another

A word on a copy that the history does not have yet counts when the history gets it; one on a copy that nobody got here,
never. A person has one word of a kind on a copy: the later replaces the earlier.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tamis.database.connection import Database, clean, exact
from tamis.database.effective_labels import LabelSource, effective, words_on
from tamis.database.roll_ups import (
    LOCK,
    MISTAKES,
    WOULD,
    Key,
    add_to,
    bin_of,
    is_scored,
    kind_of,
    label_of,
    met_by,
    observed_as,
)
from tamis.database.schema import FindingRow, StoryRow, ToldRow
from tamis.database.seen_rows import seen
from tamis.database.statistics_schema import LabelCountRow, LabelRow, RuleCountRow, ScoreRow
from tamis.database.statistics_zone import zone_in
from tamis.judging.met_rules import MetRules, met_rules
from tamis.judging.story import Told, finding_from
from tamis.people.rights import Reach

_AT_ONCE = 500
"""Words whose messages are read together."""

MAX_MESSAGE = 80
"""Characters of a message's id (beyond: it is none of ours, and nothing is noted)."""

_TOLD = ("decision", "outcome", "decided_by", "because", "score", "required", "spoke", "observed")


@dataclass(frozen=True, slots=True)
class SaidLabel:
    """One word on one copy: `message` is our id of it (transaction); `undone_at` when it was taken back."""

    message: str
    mailbox: str
    wanted: bool
    source: LabelSource
    who: str
    at: datetime
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReviewedLabel:
    """A word on a copy that the history has: `number` is the message's there, `outcome` what had become of the copy."""

    label: SaidLabel
    number: int
    subject: str
    outcome: str
    decided_by: str

    @property
    def contradicts(self) -> bool:
        """Whether it says that the verdict was wrong."""
        return kind_of(self.outcome, self.label.wanted) in MISTAKES


@dataclass(frozen=True, slots=True)
class PersonWords:
    """How often somebody spoke, and how often against the verdict."""

    who: str
    words: int
    contrary: int


def disagreements(lately: Sequence[ReviewedLabel]) -> list[list[ReviewedLabel]]:
    """Words that stand on one message and say different things, by message."""
    found: dict[int, list[ReviewedLabel]] = {}
    for one in lately:
        if one.label.undone_at is None:
            found.setdefault(one.number, []).append(one)
    return [words for words in found.values() if len({one.label.wanted for one in words}) > 1]


def words_by_person(lately: Sequence[ReviewedLabel]) -> list[PersonWords]:
    """Who spoke how often, those first who contradicted most."""
    standing = [one for one in lately if one.label.undone_at is None]
    words = Counter(one.label.who for one in standing)
    contrary = Counter(one.label.who for one in standing if one.contradicts)
    people = [PersonWords(who, number, contrary[who]) for who, number in words.items()]
    return sorted(people, key=lambda one: (-one.contrary, -one.words, one.who))


class SaidLabels:
    """The part of the store for people's words. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def say(
        self,
        message: str,
        mailbox: str,
        wanted: bool,
        source: LabelSource,
        who: str,
        *,
        now: datetime | None = None,
    ) -> None:
        """Note somebody's word."""
        with self._database.write() as session:
            say(
                self._database,
                session,
                SaidLabel(message, mailbox, wanted, source, who, now or datetime.now(UTC)),
            )

    def take_back(
        self, message: str, mailbox: str, source: LabelSource, who: str, *, now: datetime | None = None
    ) -> bool:
        """Whether there was a word to take back."""
        with self._database.write() as session:
            return take_back(self._database, session, message, mailbox, source, who, now or datetime.now(UTC))

    def of(self, message: str) -> list[SaidLabel]:
        """All words on a message, the oldest first."""
        query = select(LabelRow).where(LabelRow.message == clean(message)).order_by(LabelRow.at)
        with self._database.read() as session:
            return [_label(row) for row in session.scalars(query)]

    def standing(self, messages: Sequence[str]) -> Mapping[tuple[str, str], bool]:
        """(message, mailbox) -> whether it was wanted, where a word on one of these messages counts."""
        with self._database.read() as session:
            return words_on(session, messages)

    def lately(self, reach: Reach, since: datetime, most: int) -> list[ReviewedLabel]:
        """Words since then on copies that may be seen and that the history has, the newest first, at most so many."""
        query = (
            select(LabelRow)
            .where(LabelRow.at >= since)
            .order_by(LabelRow.at.desc(), LabelRow.message, LabelRow.mailbox, LabelRow.source, LabelRow.who)
        )
        found: list[ReviewedLabel] = []
        with self._database.read() as session:
            for labels in session.scalars(query.execution_options(yield_per=_AT_ONCE)).partitions():
                found += _reviewed(session, labels, reach)
                if len(found) >= most:
                    break
        return found[:most]

    def named(self, mailbox: str, *, message: str, message_id: str) -> str:
        """Our id of the newest message with that id, or else with that Message-ID, of which a mailbox got a copy; ""
        when there is none."""
        for column, given in ((StoryRow.transaction, message), (StoryRow.message_id, message_id)):
            if not given:
                continue
            query = (
                select(StoryRow.transaction)
                .join(ToldRow, ToldRow.message == StoryRow.id)
                .where(column == clean(given), ToldRow.mailbox == exact(mailbox))
                .order_by(StoryRow.id.desc())
                .limit(1)
            )
            with self._database.read() as session:
                if found := session.scalar(query):
                    return found
        return ""


def _reviewed(session: Session, labels: Sequence[LabelRow], reach: Reach) -> Iterator[ReviewedLabel]:
    """Those of words whose copies may be seen: from words to messages to copies, an index each."""
    of = select(StoryRow.id, StoryRow.transaction, StoryRow.subject)
    stories = {
        number: (transaction, subject)
        for number, transaction, subject in session.execute(
            of.where(StoryRow.transaction.in_({one.message for one in labels}))
        )
    }
    copies: dict[tuple[str, str], list[ToldRow]] = {}
    told = select(ToldRow).where(ToldRow.message.in_(stories), seen(reach, ToldRow.mailbox, ToldRow.domain))
    for copy in session.scalars(told.order_by(ToldRow.message, ToldRow.place)):
        copies.setdefault((stories[copy.message][0], copy.mailbox), []).append(copy)
    for label in labels:
        for copy in copies.get((label.message, label.mailbox), ()):
            outcome = f"{WOULD}{copy.outcome}" if copy.observed else copy.outcome
            yield ReviewedLabel(
                _label(label), copy.message, stories[copy.message][1], outcome, copy.decided_by
            )


def source_of(by: str, mailbox: str, own: LabelSource) -> LabelSource:
    """What somebody's word on a mailbox's copy counts as: its owner's as `own`, all others' as an operator's."""
    return own if by == mailbox else LabelSource.OPERATOR


def say(database: Database, session: Session, label: SaidLabel) -> None:
    """Note a word in the transaction of what it was said by."""
    if not 0 < len(label.message) <= MAX_MESSAGE:
        return
    put = database.insert(LabelRow)
    keys = ("message", "mailbox", "source", "who")
    put = put.on_conflict_do_update(
        index_elements=keys,
        set_={name: put.excluded[name] for name in ("wanted", "at", "undone_at")},
    )
    values = {
        "message": clean(label.message),
        "mailbox": exact(label.mailbox),
        "source": label.source,
        "who": clean(label.who),
        "wanted": label.wanted,
        "at": label.at,
        "undone_at": None,
    }
    _changed(database, session, label.message, label.mailbox, lambda: session.execute(put, values))


def take_back(
    database: Database,
    session: Session,
    message: str,
    mailbox: str,
    source: LabelSource | None,
    who: str,
    now: datetime,
) -> bool:
    """Take a word back in the transaction of what undoes it; of every kind without a source. Whether there was one."""
    rows = [
        row
        for row in _words(session, message, mailbox)
        if row.who == clean(who) and row.undone_at is None and source in (None, row.source)
    ]

    def undo() -> None:
        for row in rows:
            row.undone_at = now
        session.flush()

    if rows:
        _changed(database, session, message, mailbox, undo)
    return bool(rows)


def _changed(
    database: Database, session: Session, message: str, mailbox: str, change: Callable[[], object]
) -> None:
    """Do something to the words on a copy, and make the sums follow."""
    database.lock(session, LOCK)
    before = effective(_words(session, message, mailbox))
    change()
    session.expire_all()
    after = effective(_words(session, message, mailbox))
    if before is not after:
        _recount(database, session, message, mailbox, before, after)


def _words(session: Session, message: str, mailbox: str) -> Sequence[LabelRow]:
    query = select(LabelRow).where(LabelRow.message == clean(message), LabelRow.mailbox == exact(mailbox))
    return session.scalars(query).all()


def _recount(
    database: Database,
    session: Session,
    message: str,
    mailbox: str,
    before: bool | None,
    after: bool | None,
) -> None:
    """Move the copies of a message from what was said of them to what is said now."""
    columns = [getattr(ToldRow, name) for name in _TOLD]
    copies = session.execute(
        select(StoryRow.at, StoryRow.findings, ToldRow.domain, *columns)
        .join(ToldRow, ToldRow.message == StoryRow.id)
        .where(StoryRow.transaction == clean(message), ToldRow.mailbox == exact(mailbox))
    ).all()
    labels, scores, rules = Counter[Key](), Counter[Key](), Counter[Key]()
    zone = zone_in(session)
    for at, findings, domain, *rest in copies:
        told = Told(*rest)
        met = met_by(_rules_of(session, findings), told)
        day = at.astimezone(zone).toordinal()
        for wanted, number in ((before, -1), (after, 1)):
            if wanted is not None and (kind := kind_of(observed_as(told), wanted)):
                labels[day, exact(mailbox), told.decided_by, kind, domain] += number
            if is_scored(told):
                scores[day, domain, bin_of(told.score), told.decision, label_of(wanted)] += number
            for rule in met:
                rules[day, domain, *rule, label_of(wanted)] += number
    for table, sums in ((LabelCountRow, labels), (ScoreRow, scores), (RuleCountRow, rules)):
        add_to(database, session, table, {key: (number,) for key, number in sums.items()})
        session.execute(
            delete(table).where(table.day.in_(sorted({key[0] for key in sums})), table.copies <= 0)
        )


def _rules_of(session: Session, findings: bytes) -> MetRules:
    """The rules that a message of the history met."""
    query = select(FindingRow.content).where(FindingRow.id.in_(array("I", findings).tolist()))
    return met_rules(finding_from(bytes(content)) for content in session.scalars(query))


def _label(row: LabelRow) -> SaidLabel:
    return SaidLabel(
        row.message, row.mailbox, row.wanted, LabelSource(row.source), row.who, row.at, row.undone_at
    )

"""The tables of the durable store. One definition serves SQLite and PostgreSQL.

Annotations are no text here: SQLAlchemy reads them at each start, and would compile every one.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(TypeDecorator[datetime]):
    """An aware moment. SQLite knows no time zones, so it is kept in UTC there and made aware when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a naive moment is a mistake of the caller's."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive moment can't be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only in a column that is declared INTEGER
_Id = BigInteger().with_variant(Integer(), "sqlite")
# ids are ASCII: byte order is their order, whatever the database's language
_MessageId = String(26).with_variant(String(26, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """Root of the tables; names of constraints are fixed so that a migration can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment, str: Text, Any: JSON}  # noqa: RUF012 # as SQLAlchemy wants it


def _partly(name: str, where: str, *columns: str) -> Index:
    """An index of the rows that meet a condition; a query is served by it if it says the same, in these words.

    It begins with a column that the condition fixes: without statistics, SQLite prefers an index that it can enter by
    an equality to one that is merely small.
    """
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


UNASKED = "challenge IS NULL AND state = 'held'"
UNFINISHED = "state IN ('pending', 'sending', 'solved')"
MAILED = "transport = 'mail'"
ASKED = "challenge IS NOT NULL"
UNTOLD = "told_at IS NULL AND state = 'held'"


class Body(Base):
    """What is kept once however many recipients a message had, its content or its findings: zstd-compressed, by
    SHA-256."""

    __tablename__ = "bodies"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class LooseBody(Base):
    """A body that lost a message and may be an orphan now. Every loss is a row of its own, written in the
    transaction of the loss, so that none is forgotten by a crash or overlooked in a race."""

    __tablename__ = "loose_bodies"

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    digest: Mapped[str] = mapped_column(String(64))


class MessageRow(Base):
    """One mailbox's copy in quarantine: what lists show and search. Narrow, so that a scan is cheap."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("transaction", "recipient"),
        Index(None, "state", "mailbox", "id"),
        Index(None, "mailbox", "id"),
        Index(None, "domain", "state", "id"),
        Index(None, "domain", "id"),
        Index(None, "state", "id"),
        Index(None, "state", "expires_at"),
        Index(None, "body"),
        Index(None, "challenge"),
        _partly("ix_messages_unasked", UNASKED, "state", "id"),
        _partly("ix_messages_untold", UNTOLD, "state", "mailbox", "held_at", "id"),
        _partly("ix_messages_bin_until", "bin_until IS NOT NULL", "bin_until"),
        _partly("ix_messages_asked", ASKED, "mailbox", "challenge"),
    )

    id: Mapped[str] = mapped_column(_MessageId, primary_key=True)
    transaction: Mapped[str]
    recipient: Mapped[str]
    """The first of its addresses; DetailsRow has all."""
    domain: Mapped[str]
    mailbox: Mapped[str]
    sender: Mapped[str]
    header_from: Mapped[str]
    subject: Mapped[str]
    search: Mapped[str]
    """Sender, header From and subject, case-folded: what a search looks into."""
    message_id: Mapped[str]
    client_ip: Mapped[str]
    helo: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime]
    held_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(10))
    decided_by: Mapped[str]
    because: Mapped[str]
    score: Mapped[float] = mapped_column(Double)
    required: Mapped[float] = mapped_column(Double)
    body: Mapped[str | None] = mapped_column(String(64), ForeignKey("bodies.digest"))
    claim: Mapped[str | None] = mapped_column(String(32))
    """Who releases it now: a random token, so that a claim that was taken over can't be undone by its loser."""
    claimed_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None]
    challenge: Mapped[str | None] = mapped_column(_MessageId)
    """The ChallengeRow that its sender may solve, or that says why nobody was asked; None until that is decided."""
    bin_until: Mapped[datetime | None]
    """Until when the content of a message that was released or deleted can be wanted again."""
    told_at: Mapped[datetime | None]
    """When a digest told of it. Not "all ids up to": two hosts' clocks, and with them their ids, are never the same."""


class DetailsRow(Base):
    """The wide part of a message in quarantine, read only when one message is shown or released."""

    __tablename__ = "details"
    __table_args__ = (Index(None, "findings_body"),)

    id: Mapped[str] = mapped_column(
        _MessageId, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True
    )
    record: Mapped[bytes] = mapped_column(LargeBinary)
    """Recipients, envelope and verdict: see tamis.quarantine.rows."""
    findings_body: Mapped[str | None] = mapped_column(String(64), ForeignKey("bodies.digest"))
    """The message's findings, in `bodies` as well: most of its recipients have the same."""


class EntryRow(Base):
    """One list entry (tamis.contract.lists.ListEntry)."""

    __tablename__ = "list_entries"
    __table_args__ = (
        UniqueConstraint("scope", "colour", "subject", "pattern"),
        Index(None, "pattern"),
        Index(None, "expires"),
        {"sqlite_autoincrement": True},  # a removed entry's id is never another's
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    scope: Mapped[str]
    colour: Mapped[str] = mapped_column(String(10))
    subject: Mapped[str] = mapped_column(String(10))
    pattern: Mapped[str]
    origin: Mapped[str]
    author: Mapped[str]
    note: Mapped[str]
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    hits: Mapped[int] = mapped_column(BigInteger, default=0)


class OverrideRow(Base):
    """One policy setting on top of the settings file."""

    __tablename__ = "overrides"

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any]
    author: Mapped[str]
    at: Mapped[datetime]


class PolicyVersionRow(Base):
    """A change of policy: who made it, and when."""

    __tablename__ = "policy_versions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    who: Mapped[str]
    note: Mapped[str]
    undoes: Mapped[int | None] = mapped_column(_Id)
    """The version that this one takes back."""
    from_file: Mapped[bool]
    """It was made in the settings file, and is taken back there."""


class PolicyChangeRow(Base):
    """One setting of a version: JSON null stands for "not set"."""

    __tablename__ = "policy_changes"
    __table_args__ = (Index(None, "scope", "version"), Index(None, "domain", "version"))

    version: Mapped[int] = mapped_column(
        _Id, ForeignKey("policy_versions.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    scope: Mapped[str]
    domain: Mapped[str]
    """The scope's; "" of the platform."""
    key: Mapped[str]
    was: Mapped[Any]
    now: Mapped[Any]


class JobRow(Base):
    """Work that somebody asked for and that nothing waits for: see tamis.database.jobs."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "state", "id"),
        Index(None, "who", "id"),
        Index(None, "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    """When it was asked for."""
    kind: Mapped[str] = mapped_column(String(20))
    who: Mapped[str]
    scope: Mapped[str]
    asked: Mapped[Any]
    state: Mapped[str] = mapped_column(String(10))
    done: Mapped[int] = mapped_column(Integer)
    total: Mapped[int] = mapped_column(Integer)
    result: Mapped[Any]
    """What is known so far; None before anything is."""
    problem: Mapped[str]
    host: Mapped[str]
    """Whose background process works on it, "" for none."""
    claim: Mapped[str] = mapped_column(String(32))
    """Drawn at each start: a process that was given up can't write over its successor's work."""
    starts: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[datetime]


class RuleVersionRow(Base):
    """The operator's rules that are kept in the store, as somebody wrote them: the newest is in force."""

    __tablename__ = "rule_versions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    who: Mapped[str]
    note: Mapped[str]
    text: Mapped[str] = mapped_column(Text)


class RevisionRow(Base):
    """The one row that counts changes of lists and overrides."""

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger)


class ChangeRow(Base):
    """What one revision changed, so that those who know the one before need not read everything again.

    `mark` is random: who knows a revision by number and mark knows this store's, not that of another or of a backup.
    `entries` are ids, `scopes` those of overrides; without them (null) it is not known what changed: everything may.
    """

    __tablename__ = "revision_changes"

    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    mark: Mapped[str] = mapped_column(String(32))
    entries: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    scopes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class NoteRow(Base):
    """A copy that the desk has re-injected, so that a second delivery of it is answered and dropped."""

    __tablename__ = "desk_notes"
    __table_args__ = (Index(None, "done_at"),)

    transaction: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(primary_key=True)
    done_at: Mapped[datetime]


class AuditRow(Base):
    """Who did what, when, to which message, list entry or setting."""

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "object"),
        Index(None, "at"),
        Index(None, "who", "id"),
        Index(None, "scope", "id"),
        Index(None, "domain", "id"),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    who: Mapped[str]
    action: Mapped[str]
    object: Mapped[str]
    details: Mapped[Any]
    scope: Mapped[str] = mapped_column(server_default="")
    """Where it was done: "platform", a domain or a mailbox; "" in rows from before migration 0019."""
    domain: Mapped[str] = mapped_column(server_default="")
    """That scope's domain; "" for the platform."""
    network: Mapped[str] = mapped_column(server_default="")
    """Where a page or the API was asked from; "" for commands and the daemon."""
    token: Mapped[str] = mapped_column(server_default="")
    """The id of the API's token that did it; "" for all else."""


class StoryRow(Base):
    """One message of the history. `findings` are 4-octet ids of FindingRow in chain order (little-endian), `seconds`
    the 4-octet floats of their times.

    Words are found by an index of each database's own kind, which the migrations make: `history_words` (FTS5) on
    SQLite, ix_history_messages_words (GIN) on PostgreSQL.
    """

    __tablename__ = "history_messages"
    __table_args__ = (
        Index(None, "at"),
        Index(None, "queue_id"),
        Index(None, "message_id"),
        Index(None, "transaction"),
        Index(None, "sender_key", "id"),
        Index(None, "sender_domain", "id"),
        Index(None, "client_ip", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    record: Mapped[str] = mapped_column(String(80), unique=True)
    """Journal file and line, so that what is read twice after a crash is kept once."""
    at: Mapped[datetime]
    queue_id: Mapped[str]
    sender: Mapped[str]
    client_ip: Mapped[str]
    helo: Mapped[str]
    login: Mapped[str]
    message_id: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    findings: Mapped[bytes] = mapped_column(LargeBinary)
    seconds: Mapped[bytes] = mapped_column(LargeBinary)
    transaction: Mapped[str]
    """Our own id, which X-Spam-Id and the quarantine have as well; "" of messages from before migration 0013."""
    subject: Mapped[str]
    header_from: Mapped[str]
    search: Mapped[str]
    """Three lines: the words of subject, header From and envelope sender, without case and accents."""
    sender_key: Mapped[str]
    """The envelope sender in lower case."""
    sender_domain: Mapped[str]
    side: Mapped[str] = mapped_column(String(3))
    """in, or out for what an authenticated user sent."""
    host: Mapped[str]
    """Where it was examined."""
    other: Mapped[str] = mapped_column(server_default="")
    """What another filter said of it: see tamis.judging.other_verdict."""


class CopyRow(Base):
    """A copy that went to Postfix a second time, changed or released: see tamis.database.sent_again."""

    __tablename__ = "history_copies"
    __table_args__ = (Index(None, "queue_id"), Index(None, "transaction"), Index(None, "at"))

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    transaction: Mapped[str]
    recipient: Mapped[str]
    queue_id: Mapped[str]
    at: Mapped[datetime]


class FindingRow(Base):
    """One finding as it was seen in any number of messages, kept once: JSON by the first half of its SHA-256."""

    __tablename__ = "history_findings"
    __table_args__ = (Index(None, "last_day"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    last_day: Mapped[int] = mapped_column(Integer)
    """The latest day (proleptic ordinal) of a message that has it: when those are gone, it can go."""


class ToldRow(Base):
    """What came of a message of the history for one recipient. `mailbox` and `domain` say whose copy it is: the
    recipient's, or of outgoing mail the author's."""

    __tablename__ = "history_verdicts"
    __table_args__ = (
        Index(None, "recipient", "message"),
        Index(None, "mailbox", "message"),
        Index(None, "domain", "message"),
        Index(None, "decided_by", "message"),
    )

    message: Mapped[int] = mapped_column(
        _Id, ForeignKey("history_messages.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    recipient: Mapped[str]
    mailbox: Mapped[str]
    domain: Mapped[str]
    decision: Mapped[str] = mapped_column(String(10))
    outcome: Mapped[str] = mapped_column(String(10))
    decided_by: Mapped[str]
    because: Mapped[str]
    score: Mapped[float] = mapped_column(Double)
    required: Mapped[float] = mapped_column(Double)
    spoke: Mapped[str]
    observed: Mapped[bool] = mapped_column(server_default=false())
    """The outcome is what would have been: the message was delivered untouched."""


class SenderRow(Base):
    """What an address has earned with a domain of ours (S7): see tamis.database.earned_senders."""

    __tablename__ = "senders"
    __table_args__ = (Index(None, "at"),)

    domain: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    validations: Mapped[int] = mapped_column(Integer)
    """By codes and by operators; those from before migration 0011 by whatever answered a challenge."""
    works: Mapped[int] = mapped_column(Integer)
    """Challenges answered by a proof of work."""
    complaints: Mapped[int] = mapped_column(Integer)
    author: Mapped[str]
    """The mailbox that wrote to the address last; "" when none did, or a bounce came back."""
    at: Mapped[datetime]


class ComplaintRow(Base):
    """A client that was complained about (S15): see tamis.database.complaints."""

    __tablename__ = "complaints"
    __table_args__ = (Index(None, "reports", "client"),)

    client: Mapped[str] = mapped_column(primary_key=True)
    reports: Mapped[int] = mapped_column(Integer)
    why: Mapped[str]
    """Why it was condemned; "" when it is not."""
    at: Mapped[datetime]


class MarkRow(Base):
    """One person's word on one fingerprint: see tamis.database.marks."""

    __tablename__ = "marks"
    __table_args__ = (Index(None, "expires"),)

    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    message: Mapped[str] = mapped_column(primary_key=True)
    reporter: Mapped[str] = mapped_column(primary_key=True)
    spam: Mapped[bool] = mapped_column(Boolean)
    expires: Mapped[datetime]


class HandledRow(Base):
    """A message of the abuse mailbox that was counted: see tamis.background.abuse_mailbox."""

    __tablename__ = "handled_reports"
    __table_args__ = (Index(None, "at"),)

    message: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class ChallengeRow(Base):
    """What a sender was asked, or why not, for the copies of one transaction in one domain: see
    tamis.challenge.challenges."""

    __tablename__ = "challenges"
    __table_args__ = (
        UniqueConstraint("transaction", "domain", "reason"),
        Index(None, "at"),
        Index(None, "expires_at"),
        # what was mailed is counted for each question, and is little beside what was not
        _partly("ix_challenges_mailed", MAILED, "transport", "at"),
        _partly("ix_challenges_mailed_sender", MAILED, "sender", "at"),
        _partly("ix_challenges_mailed_sender_domain", MAILED, "sender_domain", "at"),
        _partly("ix_challenges_mailed_domain", MAILED, "domain", "at"),
        _partly("ix_challenges_unfinished", UNFINISHED, "state", "id"),
    )

    id: Mapped[str] = mapped_column(_MessageId, primary_key=True)
    transaction: Mapped[str]
    domain: Mapped[str]
    sender: Mapped[str]
    """address_key of MAIL FROM."""
    sender_domain: Mapped[str]
    transport: Mapped[str] = mapped_column(String(8))
    """mail or reply; "" when nobody was asked."""
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str]
    """Why nobody was asked; "" when the sender was."""
    authenticated: Mapped[bool]
    """Whether the sender's domain vouched for the message: only then its address may be put on a white list."""
    whitelisted: Mapped[bool]
    """Whether it was."""
    proof: Mapped[str] = mapped_column(String(10))
    """What the best answer proved (challenge_records.Proof); "" when none came, or before that was recorded."""
    language: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer)
    """Wrong answers so far."""
    sent_at: Mapped[datetime | None]
    """When handing the notice to Postfix began."""
    solved_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class WebSessionRow(Base):
    """Somebody who signed in: the row's id is the SHA-256 of what the cookie holds, `address` whose session it is."""

    __tablename__ = "web_sessions"
    __table_args__ = (Index(None, "expires_at"), Index(None, "address"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    address: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    how: Mapped[str] = mapped_column(server_default="")
    """What proved it: see tamis.database.sessions."""
    strong: Mapped[bool] = mapped_column(server_default=false())
    """Whether a password and a code did."""
    network: Mapped[str] = mapped_column(server_default="")
    agent: Mapped[str] = mapped_column(String(60), server_default="")
    seen_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    """When a code was asked for last."""


class PersonRow(Base):
    """Somebody who may do more than open the own mailbox, by that mailbox's address (its key)."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    address: Mapped[str] = mapped_column(unique=True)
    suspended: Mapped[bool] = mapped_column(server_default=false())
    """Whether nothing that was granted counts for now."""
    author: Mapped[str]
    at: Mapped[datetime]


class GrantRow(Base):
    """Rights of a person in a scope: names of tamis.people.rights.Right."""

    __tablename__ = "grants"
    __table_args__ = (Index(None, "person"), Index(None, "scope"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    person: Mapped[int] = mapped_column(_Id, ForeignKey("people.id", ondelete="CASCADE"))
    scope: Mapped[str]
    rights: Mapped[Any]
    author: Mapped[str]
    """Who gave it."""
    at: Mapped[datetime]
    expires: Mapped[datetime | None]


class FactorRow(Base):
    """Something that proves who a person is: see tamis.people.proving."""

    __tablename__ = "factors"
    __table_args__ = (Index(None, "person"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    person: Mapped[int] = mapped_column(_Id, ForeignKey("people.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    used: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The last step of time whose code was taken."""
    at: Mapped[datetime]


class InvitationRow(Base):
    """Rights that were offered and not taken up yet: the row's id is the SHA-256 of what the mailed link holds."""

    __tablename__ = "invitations"
    __table_args__ = (Index(None, "scope"), Index(None, "expires"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    address: Mapped[str]
    scope: Mapped[str]
    rights: Mapped[Any]
    author: Mapped[str]
    at: Mapped[datetime]
    expires: Mapped[datetime]
    """Until when the link works."""
    until: Mapped[datetime | None]
    """Until when the rights will hold."""


class SpentTokenRow(Base):
    """A token that works once and was used: SHA-256 of it, kept until it would have expired anyway."""

    __tablename__ = "spent_tokens"
    __table_args__ = (Index(None, "expires_at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime]


class ApiTokenRow(Base):
    """A token of the API: see tamis.people.token_scopes. `secret` is the SHA-256 of what its user has."""

    __tablename__ = "tokens"
    __table_args__ = (Index(None, "maker"), Index(None, "expires_at"))

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))
    maker: Mapped[str]
    name: Mapped[str]
    scopes: Mapped[Any]
    domains: Mapped[Any]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiAnswerRow(Base):
    """The answer to a request with an Idempotency-Key: the row's id is the SHA-256 of token and key, `request` that of
    what was asked; the status is 0 until there is an answer."""

    __tablename__ = "api_answers"
    __table_args__ = (Index(None, "token"), Index(None, "expires_at"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    token: Mapped[str] = mapped_column(String(12))
    request: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    began_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ActRow(Base):
    """What was done to many messages at once, a list of words for each, until it can't be undone any more."""

    __tablename__ = "acts"
    __table_args__ = (Index(None, "expires_at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    deeds: Mapped[Any]
    expires_at: Mapped[datetime]


class MailingRow(Base):
    """The last mail of a kind (digest, quota) to a mailbox, so that a crash or a second process sends none twice."""

    __tablename__ = "mailings"

    mailbox: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    sent_at: Mapped[datetime]


class FactRow(Base):
    """What all hosts of the store must agree on, by name.

    `oldest_schema`: the migration that a version of Tamis must know at least to go on with these tables. One that takes
    away or changes what older versions use raises it to its own number; one that adds leaves it. `signing_key`: a
    fingerprint of the key in whose name links and redirection addresses are signed.
    """

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str]


class HostRow(Base):
    """A host that works on this store, as it told of itself last."""

    __tablename__ = "hosts"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    web_url: Mapped[str]
    clock: Mapped[datetime]
    """Its own time when it told."""
    seen_at: Mapped[datetime]
    """The database's."""


class BlockedRow(Base):
    """A client that an operator blocked (S2), in the form of the shared state, which may lose it."""

    __tablename__ = "blocked"
    __table_args__ = (Index(None, "expires"),)

    client: Mapped[str] = mapped_column(primary_key=True)
    entry: Mapped[str]
    expires: Mapped[datetime]


class ModelStepRow(Base):
    """A step of the statistical model that hosts share: see tamis.models.shared_teaching."""

    __tablename__ = "model_steps"

    number: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=False)
    act: Mapped[str] = mapped_column(String(10))
    content: Mapped[bytes] = mapped_column(LargeBinary)


class TaughtRow(Base):
    """How many lessons a source, a reporter or a domain gave today on all hosts: see tamis.models.ledger. `attended` is
    1 for what people looked at."""

    __tablename__ = "taught"

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    attended: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    about: Mapped[str] = mapped_column(primary_key=True)
    lessons: Mapped[int] = mapped_column(Integer)


class ModelPartRow(Base):
    """A piece of the checkpoint from which hosts join; the facts `model_lineage`, `model_through` and `model_version`
    say which checkpoint it is."""

    __tablename__ = "model_parts"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)

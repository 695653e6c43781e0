"""The history knows subject, author, host, side and our id of a message, and finds messages by them.

What was recorded before has no subject; held copies that are still there have one, and their transaction. A copy of
outgoing mail becomes its author's.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tamis.database.searching import search_text
from tamis.message.address import domain_of, mailbox_of

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BATCH = 2000
_TEXTS = ("transaction", "subject", "header_from", "search", "sender_key", "sender_domain", "host")
_INDEXES = (["queue_id"], ["message_id"], ["transaction"], ["sender_key", "id"], ["sender_domain", "id"])


def upgrade() -> None:
    """The columns, what old rows have for them, then the indexes."""
    for name in _TEXTS:
        op.add_column("history_messages", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("history_messages", sa.Column("side", sa.String(3), nullable=False, server_default="in"))
    op.create_table(
        "history_copies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("transaction", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history_copies"),
    )
    for column in ("queue_id", "transaction", "at"):
        op.create_index(f"ix_history_copies_{column}", "history_copies", [column])
    _fill(op.get_bind())
    for columns in (*_INDEXES, ["client_ip", "id"]):
        op.create_index(f"ix_history_messages_{'_'.join(columns)}", "history_messages", columns)
    op.create_index("ix_history_verdicts_recipient_message", "history_verdicts", ["recipient", "message"])
    _index_words()


def _fill(bind: sa.Connection) -> None:
    metadata = sa.MetaData()
    kept = sa.Table("history_messages", metadata, autoload_with=bind)
    told = sa.Table("history_verdicts", metadata, autoload_with=bind)
    held = sa.Table("messages", metadata, autoload_with=bind)
    known = {
        (row.message_id, row.sender, row.received_at): row
        for row in bind.execute(
            sa.select(
                *(held.c[name] for name in ("message_id", "sender", "received_at", "transaction", "subject")),
                held.c.header_from,
            )
        )
    }
    columns = (kept.c.id, kept.c.sender, kept.c.login, kept.c.message_id, kept.c.at)
    last = -1
    while rows := bind.execute(
        sa.select(*columns).where(kept.c.id > last).order_by(kept.c.id).limit(_BATCH)
    ).all():
        last = rows[-1].id
        changed, owned = [], []
        for row in rows:
            copy = known.get((row.message_id, row.sender, row.at))
            subject, author = (copy.subject, copy.header_from) if copy else ("", "")
            changed.append(
                {
                    "this": row.id,
                    "transaction": copy.transaction.partition("/")[0] if copy else "",
                    "subject": subject,
                    "header_from": author,
                    "search": search_text(subject, author, row.sender),
                    "sender_key": row.sender.lower(),
                    "sender_domain": domain_of(row.sender),
                    "side": "out" if row.login else "in",
                }
            )
            if row.login and row.sender:
                owned.append(
                    {"this": row.id, "mailbox": mailbox_of(row.sender), "domain": domain_of(row.sender)}
                )
        bind.execute(sa.update(kept).where(kept.c.id == sa.bindparam("this")), changed)
        if owned:
            bind.execute(sa.update(told).where(told.c.message == sa.bindparam("this")), owned)


def _index_words() -> None:
    """SQLite: FTS5 beside the table, kept up by triggers; PostgreSQL: GIN."""
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            "CREATE INDEX ix_history_messages_words ON history_messages USING gin (to_tsvector('simple', search))"
        )
        return
    op.execute(
        "CREATE VIRTUAL TABLE history_words USING fts5(search, content='history_messages', content_rowid='id')"
    )
    forget = "INSERT INTO history_words(history_words, rowid, search) VALUES ('delete', old.id, old.search);"
    learn = "INSERT INTO history_words(rowid, search) VALUES (new.id, new.search);"
    for name, when, does in (
        ("added", "INSERT", learn),
        ("removed", "DELETE", forget),
        ("changed", "UPDATE OF id, search", forget + learn),
    ):
        op.execute(f"CREATE TRIGGER history_words_{name} AFTER {when} ON history_messages BEGIN {does} END")
    op.execute("INSERT INTO history_words(history_words) VALUES ('rebuild')")

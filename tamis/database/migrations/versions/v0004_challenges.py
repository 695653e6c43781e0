"""Challenges to senders, people who signed in to the pages, and mails to mailboxes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("state IN ('pending', 'sending', 'solved')")
_MAILED = sa.text("transport = 'mail'")
_UNASKED = sa.text("challenge IS NULL AND state = 'held'")


def upgrade() -> None:
    """Create the tables, and the column that ties held messages to their challenge."""
    ids = sa.String(length=26).with_variant(sa.String(length=26, collation="C"), "postgresql")
    op.add_column("messages", sa.Column("challenge", ids, nullable=True))
    op.create_index("ix_messages_challenge", "messages", ["challenge"])
    op.create_index(
        "ix_messages_unasked", "messages", ["state", "id"], sqlite_where=_UNASKED, postgresql_where=_UNASKED
    )
    op.create_table(
        "challenges",
        sa.Column("id", ids, nullable=False),
        sa.Column("transaction", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("sender_domain", sa.Text(), nullable=False),
        sa.Column("transport", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("authenticated", sa.Boolean(), nullable=False),
        sa.Column("whitelisted", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("solved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_challenges"),
        sa.UniqueConstraint(
            "transaction", "domain", "reason", name="uq_challenges_transaction_domain_reason"
        ),
    )
    for columns in (["at"], ["expires_at"]):
        op.create_index(f"ix_challenges_{'_'.join(columns)}", "challenges", columns)
    for name, columns, where in (
        ("mailed", ["transport", "at"], _MAILED),
        ("mailed_sender", ["sender", "at"], _MAILED),
        ("mailed_sender_domain", ["sender_domain", "at"], _MAILED),
        ("mailed_domain", ["domain", "at"], _MAILED),
        ("unfinished", ["state", "id"], _UNFINISHED),
    ):
        op.create_index(
            f"ix_challenges_{name}", "challenges", columns, sqlite_where=where, postgresql_where=where
        )
    op.create_table(
        "web_sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_web_sessions"),
    )
    op.create_index("ix_web_sessions_expires_at", "web_sessions", ["expires_at"])
    op.create_index("ix_web_sessions_address", "web_sessions", ["address"])
    op.create_table(
        "spent_tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_spent_tokens"),
    )
    op.create_index("ix_spent_tokens_expires_at", "spent_tokens", ["expires_at"])
    op.create_table(
        "mailings",
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("upto", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "kind", name="pk_mailings"),
    )

"""The tables of the first version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _moment() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _message_id() -> sa.types.TypeEngine[str]:
    return sa.String(length=26).with_variant(sa.String(length=26, collation="C"), "postgresql")


def upgrade() -> None:
    """Create all tables, and the one row of `revision`."""
    op.create_table(
        "audit",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("at", _moment(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_object", "audit", ["object"])
    op.create_table(
        "bodies",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_bodies"),
    )
    op.create_table(
        "desk_notes",
        sa.Column("transaction", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("done_at", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("transaction", "recipient", name="pk_desk_notes"),
    )
    op.create_index("ix_desk_notes_done_at", "desk_notes", ["done_at"])
    op.create_table(
        "list_entries",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("colour", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=10), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created", _moment(), nullable=False),
        sa.Column("expires", _moment(), nullable=True),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_list_entries"),
        sa.UniqueConstraint(
            "scope", "colour", "subject", "pattern", name="uq_list_entries_scope_colour_subject_pattern"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_list_entries_expires", "list_entries", ["expires"])
    op.create_index("ix_list_entries_pattern", "list_entries", ["pattern"])
    op.create_table(
        "loose_bodies",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_loose_bodies"),
    )
    op.create_table(
        "overrides",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_overrides"),
    )
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
    )
    op.create_table(
        "messages",
        sa.Column("id", _message_id(), nullable=False),
        sa.Column("transaction", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("header_from", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("client_ip", sa.Text(), nullable=False),
        sa.Column("helo", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received_at", _moment(), nullable=False),
        sa.Column("held_at", _moment(), nullable=False),
        sa.Column("expires_at", _moment(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("required", sa.Double(), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=True),
        sa.Column("claim", sa.String(length=32), nullable=True),
        sa.Column("claimed_at", _moment(), nullable=True),
        sa.Column("released_at", _moment(), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["body"], ["bodies.digest"], name="fk_messages_body_bodies"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("transaction", "recipient", name="uq_messages_transaction_recipient"),
    )
    op.create_index("ix_messages_body", "messages", ["body"])
    op.create_index("ix_messages_domain_id", "messages", ["domain", "id"])
    op.create_index("ix_messages_domain_state_id", "messages", ["domain", "state", "id"])
    op.create_index("ix_messages_state_expires_at", "messages", ["state", "expires_at"])
    op.create_index("ix_messages_mailbox_id", "messages", ["mailbox", "id"])
    op.create_index("ix_messages_mailbox_state_id", "messages", ["mailbox", "state", "id"])
    op.create_index("ix_messages_state_id", "messages", ["state", "id"])
    op.create_table(
        "details",
        sa.Column("id", _message_id(), nullable=False),
        sa.Column("recipient", sa.JSON(), nullable=False),
        sa.Column("envelope", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["messages.id"], name="fk_details_id_messages", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_details"),
    )
    op.execute("INSERT INTO revision (id, value) VALUES (1, 0)")

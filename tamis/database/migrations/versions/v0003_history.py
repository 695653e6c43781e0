"""The history: messages' findings and verdicts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "history_messages",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("record", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("client_ip", sa.Text(), nullable=False),
        sa.Column("helo", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("findings", sa.LargeBinary(), nullable=False),
        sa.Column("seconds", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history_messages"),
        sa.UniqueConstraint("record", name="uq_history_messages_record"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_history_messages_at", "history_messages", ["at"])
    op.create_table(
        "history_findings",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history_findings"),
        sa.UniqueConstraint("digest", name="uq_history_findings_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_history_findings_last_day", "history_findings", ["last_day"])
    op.create_table(
        "history_verdicts",
        sa.Column("message", _number(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("required", sa.Double(), nullable=False),
        sa.Column("spoke", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message"],
            ["history_messages.id"],
            name="fk_history_verdicts_message_history_messages",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message", "place", name="pk_history_verdicts"),
    )
    op.create_index("ix_history_verdicts_decided_by_message", "history_verdicts", ["decided_by", "message"])
    op.create_index("ix_history_verdicts_domain_message", "history_verdicts", ["domain", "message"])
    op.create_index("ix_history_verdicts_mailbox_message", "history_verdicts", ["mailbox", "message"])

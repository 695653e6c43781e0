"""One index for a mailbox's held messages and for what digests count: held ones by mailbox, without reading a row."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The same columns, the state first."""
    op.create_index("ix_messages_state_mailbox_id", "messages", ["state", "mailbox", "id"])
    op.drop_index("ix_messages_mailbox_state_id", "messages")

"""Held copies whose senders were asked are found by their mailbox. Older versions can go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One index more."""
    asked = sa.text("challenge IS NOT NULL")
    op.create_index(
        "ix_messages_asked",
        "messages",
        ["mailbox", "challenge"],
        sqlite_where=asked,
        postgresql_where=asked,
    )

"""What was released or deleted keeps its content for a short while, so that it can be undone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_IN_BIN = sa.text("bin_until IS NOT NULL")


def upgrade() -> None:
    """Add the column and the index by which the clean-up finds what is over."""
    op.add_column("messages", sa.Column("bin_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_messages_bin_until", "messages", ["bin_until"], sqlite_where=_IN_BIN, postgresql_where=_IN_BIN
    )

"""What was done to many messages at once can be undone at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tamis.database.schema import Moment

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is kept yet."""
    op.create_table(
        "acts",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("deeds", sa.JSON(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_acts"),
    )
    op.create_index("ix_acts_expires_at", "acts", ["expires_at"])

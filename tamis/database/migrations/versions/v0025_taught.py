"""What was taught today is counted for all hosts. Older versions can go on: each counts for itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The day's counts begin anew."""
    op.create_table(
        "taught",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attended", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("lessons", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "attended", "about", name="pk_taught"),
    )

"""The hits of list entries are counted by days, and clients are found in the order of reports. Older versions can go
on: what they count has no day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Days begin now: what was met before is in the entries' sums alone."""
    op.create_table(
        "statistics_entries",
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entry", "day", name="pk_statistics_entries"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_statistics_entries_day", "statistics_entries", ["day"])
    op.create_index("ix_complaints_reports_client", "complaints", ["reports", "client"])

"""What was marked by hand (S8b, S22, S26), and which messages of the abuse mailbox were counted (S15)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "marks",
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("reporter", sa.Text(), nullable=False),
        sa.Column("spam", sa.Boolean(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "fingerprint", "scope", "message", "reporter", name="pk_marks"),
    )
    op.create_index("ix_marks_expires", "marks", ["expires"])
    op.create_table(
        "handled_reports",
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message", name="pk_handled_reports"),
    )
    op.create_index("ix_handled_reports_at", "handled_reports", ["at"])

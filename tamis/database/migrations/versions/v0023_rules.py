"""What rules meet is counted, and the rules that operators write in the console have versions. Older versions can go
on: what they add to the history is not counted by rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tamis.database.schema import Moment

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Both tables; what the history has is counted by `tamis statistics rebuild`."""
    op.create_table(
        "statistics_rules",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("label", sa.String(10), nullable=False),
        sa.Column("copies", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "domain", "filter", "rule", "label", name="pk_statistics_rules"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_statistics_rules_domain_day", "statistics_rules", ["domain", "day"])
    op.create_table(
        "rule_versions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rule_versions"),
        sqlite_autoincrement=True,
    )

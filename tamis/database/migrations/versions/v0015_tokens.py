"""Tokens of the API, and its answers to requests with an Idempotency-Key. Older versions can go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tamis.database.schema import Moment

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """There are none yet."""
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("maker", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("domains", sa.JSON(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_table(
        "api_answers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("token", sa.String(12), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_answers"),
    )
    for table, column in (
        ("tokens", "maker"),
        ("tokens", "expires_at"),
        ("api_answers", "token"),
        ("api_answers", "expires_at"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])

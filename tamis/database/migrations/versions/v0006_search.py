"""Indexes for searching the whole quarantine: each database has its own kind, so they are not in the schema."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

log = logging.getLogger(__name__)


def upgrade() -> None:
    """SQLite reads this index instead of the table; PostgreSQL finds text by its trigrams, where it has pg_trgm."""
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        op.create_index("ix_messages_search", "messages", ["state", "id", "search"])
        return
    try:
        with bind.begin_nested():
            op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            op.execute("CREATE INDEX ix_messages_search ON messages USING gin (search gin_trgm_ops)")
    except sa.exc.DBAPIError as error:  # not installed, or not ours to create: searching reads the table
        log.warning("search goes without an index: %s", error.orig)

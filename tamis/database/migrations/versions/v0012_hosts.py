"""Each held message says when a digest told of it; until now a mailbox had the id of the newest one that was told.

From here on the tables say which versions of Tamis can go on with them, and which hosts do. Operators' blocks are kept.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tamis.database.schema import Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_UNTOLD = sa.text("told_at IS NULL AND state = 'held'")


def upgrade() -> None:
    """What was told stays told."""
    op.add_column("messages", sa.Column("told_at", Moment(), nullable=True))
    op.execute(
        "UPDATE messages SET told_at = (SELECT sent_at FROM mailings WHERE kind = 'digest'"
        " AND mailings.mailbox = messages.mailbox AND messages.id <= mailings.upto)"
    )
    op.create_index(
        "ix_messages_untold",
        "messages",
        ["state", "mailbox", "held_at", "id"],
        sqlite_where=_UNTOLD,
        postgresql_where=_UNTOLD,
    )
    op.drop_column("mailings", "upto")
    op.create_table(
        "facts",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.execute("INSERT INTO facts (name, value) VALUES ('oldest_schema', '0012')")
    op.create_table(
        "hosts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("web_url", sa.Text(), nullable=False),
        sa.Column("clock", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_hosts"),
    )
    op.create_table(
        "blocked",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("expires", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("client", name="pk_blocked"),
    )
    op.create_index("ix_blocked_expires", "blocked", ["expires"])

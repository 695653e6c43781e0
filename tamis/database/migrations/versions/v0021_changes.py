"""Each revision says what it changed, so that nobody reads all lists again for one entry. Older versions can go on:
where they made a revision, everything is read again."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What the present revision changed is not known; from the next one on it is."""
    table = op.create_table(
        "revision_changes",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.String(32), nullable=False),
        sa.Column("entries", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("revision", name="pk_revision_changes"),
    )
    present = op.get_bind().scalar(sa.text("SELECT value FROM revision"))
    op.bulk_insert(table, [{"revision": present, "mark": secrets.token_hex(16)}])

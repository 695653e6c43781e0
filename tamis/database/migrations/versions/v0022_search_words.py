"""Held mail is searched without accents: what is searched of the mail that is there. Older versions can go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tamis.quarantine.rows import without_accents

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_AT_ONCE = 1000


def upgrade() -> None:
    """A thousand rows at a time; those in ASCII stay as they are."""
    bind = op.get_bind()
    table = sa.table("messages", sa.column("id", sa.String), sa.column("search", sa.Text))
    last = ""
    while True:
        query = sa.select(table.c.id, table.c.search).where(table.c.id > last).order_by(table.c.id)
        rows = bind.execute(query.limit(_AT_ONCE)).all()
        changed = [
            {"row": row.id, "found": without_accents(row.search)} for row in rows if not row.search.isascii()
        ]
        if changed:
            statement = sa.update(table).where(table.c.id == sa.bindparam("row"))
            bind.execute(statement.values(search=sa.bindparam("found")), changed)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].id

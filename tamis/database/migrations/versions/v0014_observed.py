"""The history says which mail was only observed, and what another filter said of it. Older versions can go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing was observed until now."""
    op.add_column("history_messages", sa.Column("other", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "history_verdicts", sa.Column("observed", sa.Boolean(), nullable=False, server_default=sa.false())
    )

"""What an answer proved is kept, and what senders earned by proofs of work is counted apart.

What was earned before keeps its weight, as validations: nobody knows any more which of them were codes. Who was on the
automatic whitelist stays there, under the rules of today (S7b: authenticated; no excuse for evidence).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns, empty."""
    op.add_column("senders", sa.Column("works", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("challenges", sa.Column("proof", sa.String(10), nullable=False, server_default=""))

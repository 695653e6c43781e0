"""People with rights, what proves who they are, invitations; where a deed was done. Older versions can go on: what they
write is a session that proves the mailbox alone, and a deed that only the platform's owners read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Nobody was granted anything until now, but in the settings file."""
    op.create_table(
        "people",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("address", name="uq_people_address"),
    )
    op.create_table(
        "grants",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        _person("grants"),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("expires", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "factors",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        _person("factors"),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_factors"),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("expires", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
    )
    for table, columns in (
        ("grants", ("person",)),
        ("grants", ("scope",)),
        ("factors", ("person",)),
        ("invitations", ("scope",)),
        ("invitations", ("expires",)),
    ):
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
    for name, kind in (("how", sa.Text()), ("network", sa.Text()), ("agent", sa.String(60))):
        op.add_column("web_sessions", sa.Column(name, kind, nullable=False, server_default=""))
    op.add_column(
        "web_sessions", sa.Column("strong", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("web_sessions", sa.Column("seen_at", _MOMENT))
    op.add_column("web_sessions", sa.Column("confirmed_at", _MOMENT))
    for name in ("scope", "domain", "network", "token"):
        op.add_column("audit", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in ("who", "scope", "domain"):
        op.create_index(f"ix_audit_{name}_id", "audit", [name, "id"])


def _person(table: str) -> sa.Column[int]:
    key = sa.ForeignKey("people.id", name=f"fk_{table}_person_people", ondelete="CASCADE")
    return sa.Column("person", _ID, key, nullable=False)

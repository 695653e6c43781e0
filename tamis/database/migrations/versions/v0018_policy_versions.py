"""Every change of policy is a version that can be taken back; jobs are what the pages ask the background process for.
Older versions can go on: what they change has no version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tamis.database.schema import Moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Versions begin now: what was set before is where the first of them starts from."""
    op.create_table(
        "policy_versions",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("undoes", _Id, nullable=True),
        sa.Column("from_file", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_policy_versions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "policy_changes",
        sa.Column("version", _Id, autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("was", sa.JSON(), nullable=False),
        sa.Column("now", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version", "place", name="pk_policy_changes"),
        sa.ForeignKeyConstraint(
            ["version"],
            ["policy_versions.id"],
            name="fk_policy_changes_version_policy_versions",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_policy_changes_scope_version", "policy_changes", ["scope", "version"])
    op.create_index("ix_policy_changes_domain_version", "policy_changes", ["domain", "version"])
    op.create_table(
        "jobs",
        sa.Column("id", _Id, autoincrement=True, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("claim", sa.String(32), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_state_id", "jobs", ["state", "id"])
    op.create_index("ix_jobs_who_id", "jobs", ["who", "id"])
    op.create_index("ix_jobs_at", "jobs", ["at"])

"""Sums of what came and where it went, people's words on messages, and how hosts are.

Older versions can go on: what they bring into the history is counted by `tamis statistics rebuild`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TEXT, _DAY, _COUNT = sa.Text(), sa.Integer(), sa.BigInteger()
_SIDE, _OUTCOME, _KIND, _MOMENT = sa.String(3), sa.String(20), sa.String(20), sa.DateTime(timezone=True)
_VERDICT = (("side", _SIDE), ("outcome", _OUTCOME), ("decided_by", _TEXT))
_BY_DOMAIN, _BY_MAILBOX = ["domain", "day"], ["mailbox", "day"]


def upgrade() -> None:
    """Nothing is counted until now."""
    count, octets, domain = ("copies", _COUNT), ("octets", _COUNT), ("domain", _TEXT)
    day = ("day", _DAY)
    _table(
        "statistics_days",
        [day, ("mailbox", _TEXT), *_VERDICT],
        [domain, count, octets],
        [_BY_DOMAIN, _BY_MAILBOX],
    )
    _table("statistics_domains", [day, domain, *_VERDICT], [count, octets], [_BY_DOMAIN])
    _table("statistics_hours", [("hour", _DAY), domain, *_VERDICT], [count], [])
    told = [("filter", _TEXT), ("what", sa.String(12))]
    _table("statistics_filters", [day, domain, *told], [count], [_BY_DOMAIN])
    exchanged = [("side", _SIDE), ("partner", _TEXT), ("outcome", _OUTCOME)]
    _table("statistics_partners", [day, domain, *exchanged], [count], [_BY_DOMAIN])
    scored = [("bin", _DAY), ("decision", sa.String(10)), ("label", sa.String(10))]
    _table("statistics_scores", [day, domain, *scored], [count], [_BY_DOMAIN])
    said = [("source", sa.String(12)), ("who", _TEXT)]
    word = [("wanted", sa.Boolean()), ("at", _MOMENT), ("undone_at", _MOMENT)]
    _table("labels", [("message", sa.String(80)), ("mailbox", _TEXT), *said], word, [["at"]])
    _table(
        "statistics_labels",
        [day, ("mailbox", _TEXT), ("decided_by", _TEXT), ("kind", _KIND)],
        [domain, count],
        [_BY_DOMAIN, _BY_MAILBOX],
    )
    _table("health", [("host", _TEXT)], [("at", _MOMENT), ("state", sa.JSON())], [])


Columns = Sequence[tuple[str, Any]]


def _table(name: str, key: Columns, more: Columns, indexes: list[list[str]]) -> None:
    op.create_table(
        name,
        *(
            sa.Column(one, kind, nullable=one == "undone_at", autoincrement=False)
            for one, kind in (*key, *more)
        ),
        sa.PrimaryKeyConstraint(*(one for one, _ in key), name=f"pk_{name}"),
        sqlite_with_rowid=name == "health",
    )
    for columns in indexes:
        op.create_index(f"ix_{name}_{'_'.join(columns)}", name, columns)

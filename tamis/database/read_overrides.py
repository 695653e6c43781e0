"""Policy settings as they stand in the store. Who only reads them needs nothing of what checks a change."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from tamis.database.schema import OverrideRow
from tamis.judging.stored_policy import Override


def read_overrides(session: Session, scopes: Collection[str] | None = None) -> tuple[Override, ...]:
    """The overrides of these scopes, or all, by scope and key."""
    query = select(OverrideRow.scope, OverrideRow.key, OverrideRow.value)
    if scopes is not None:
        query = query.where(OverrideRow.scope.in_(scopes))
    rows = session.execute(query.order_by(OverrideRow.scope, OverrideRow.key))
    return tuple(Override(scope, key, value) for scope, key, value in rows)

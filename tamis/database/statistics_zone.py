"""The zone of the statistics' days, which all who count must agree on: a fact of the store."""

from __future__ import annotations

from datetime import tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from tamis.database.connection import Database
from tamis.database.schema import FactRow
from tamis.language.time_zone import zone_of

_NAME = "statistics_zone"


def zone_in(session: Session) -> tzinfo:
    """The one that was counted with last; UTC at first."""
    return zone_of(session.scalar(select(FactRow.value).where(FactRow.name == _NAME)) or "UTC")


def tell_zone(database: Database, session: Session, zone: tzinfo) -> None:
    """Count with this one from now on."""
    put = database.insert(FactRow)
    put = put.on_conflict_do_update(index_elements=["name"], set_={"value": put.excluded.value})
    session.execute(put, {"name": _NAME, "value": str(zone)})

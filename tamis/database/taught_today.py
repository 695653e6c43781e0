"""What was taught today, counted for all hosts of a store, so that a bound is one however many hosts get reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from tamis.database.connection import Database, exact
from tamis.database.schema import TaughtRow

_LOCK = "taught"


class TaughtToday:
    """The part of the store for the day's lessons. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(
        self,
        day: int,
        keys: Collection[str],
        decide: Callable[[Mapping[str, int], int], Collection[str]],
        *,
        attended: bool,
    ) -> bool:
        """Count a lesson for those of the keys that `decide` names, which gets their counts and how many keys the day
        has; whether it named any. One caller at a time decides; the counts of earlier days go."""
        of_day = (TaughtRow.day == day, TaughtRow.attended == int(attended))
        with self._database.write() as session:
            self._database.lock(session, _LOCK)
            session.execute(delete(TaughtRow).where(TaughtRow.day < day))
            known = session.scalar(select(func.count()).select_from(TaughtRow).where(*of_day)) or 0
            counted = decide(_counts(session, of_day, keys), known)
            for key in counted:
                row = {"day": day, "attended": int(attended), "about": exact(key), "lessons": 1}
                statement = self._database.insert(TaughtRow).values(row)
                session.execute(
                    statement.on_conflict_do_update(
                        index_elements=["day", "attended", "about"], set_={"lessons": TaughtRow.lessons + 1}
                    )
                )
        return bool(counted)

    def of(self, day: int, keys: Iterable[str]) -> Mapping[str, int]:
        """What people taught on a day, of those keys for which there is anything."""
        with self._database.read() as session:
            return _counts(session, (TaughtRow.day == day, TaughtRow.attended == 1), list(keys))


def _counts(
    session: Session, of_day: tuple[ColumnElement[bool], ...], keys: Collection[str]
) -> dict[str, int]:
    names = {exact(key): key for key in keys}
    rows = select(TaughtRow.about, TaughtRow.lessons).where(*of_day, TaughtRow.about.in_(names))
    return {names[about]: lessons for about, lessons in session.execute(rows)}

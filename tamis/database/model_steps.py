"""The statistical model's steps and its checkpoint in the store, so that all hosts have one model.

Numbers are given under a lock that ends with the transaction, so a step that can be read has none before it that can't
be yet.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from tamis.base.errors import StoreError
from tamis.contract.shared_steps import Act, Checkpoint, ModelStep
from tamis.database.connection import Database
from tamis.database.schema import FactRow, ModelPartRow, ModelStepRow

_LINEAGE, _THROUGH, _VERSION = "model_lineage", "model_through", "model_version"
_LOCK = "model steps"
_PIECE = 1 << 20


class ModelSteps:
    """The part of the store for the model that hosts share. Every method raises StoreError when the database can't
    answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def checkpoint(self) -> Checkpoint | None:
        """The last one; None while nobody has shared a model."""
        with self._database.read() as session:
            return _checkpoint(session)

    def parts(self, checkpoint: Checkpoint) -> Mapping[str, bytes]:
        """Its files. Raises StoreError when there is a newer one meanwhile."""
        pieces: defaultdict[str, list[bytes]] = defaultdict(list)
        with self._database.read() as session:
            if _checkpoint(session) != checkpoint:
                raise StoreError("the hosts' model has a newer checkpoint meanwhile")
            rows = select(ModelPartRow).order_by(ModelPartRow.name, ModelPartRow.place)
            for row in session.scalars(rows):
                pieces[row.name].append(row.content)
        return {name: b"".join(found) for name, found in pieces.items()}

    def publish(self, checkpoint: Checkpoint, parts: Mapping[str, bytes]) -> None:
        """Put a checkpoint in the place of the last. The steps that are in it go, and all of another lineage."""
        facts = {
            _LINEAGE: checkpoint.lineage,
            _THROUGH: str(checkpoint.through),
            _VERSION: str(checkpoint.version),
        }
        pieces = [
            {"name": name, "place": place, "content": content[start : start + _PIECE]}
            for name, content in parts.items()
            for place, start in enumerate(range(0, max(1, len(content)), _PIECE))
        ]
        with self._database.write() as session:
            self._database.lock(session, _LOCK)
            last = _checkpoint(session)
            gone = delete(ModelStepRow)
            if last is not None and last.lineage == checkpoint.lineage:
                gone = gone.where(ModelStepRow.number <= checkpoint.through)
            session.execute(gone)
            session.execute(delete(ModelPartRow))
            for piece in pieces:  # one at a time: all together are tens of MB
                session.execute(insert(ModelPartRow), [piece])
            for name, value in facts.items():
                statement = self._database.insert(FactRow).values(name=name, value=value)
                session.execute(
                    statement.on_conflict_do_update(index_elements=["name"], set_={"value": value})
                )

    def append(self, lineage: str, act: Act, content: bytes = b"") -> None:
        """Add a step. Raises StoreError when the model is of another lineage meanwhile."""
        with self._database.write() as session:
            self._database.lock(session, _LOCK)
            last = _checkpoint(session)
            if last is None or last.lineage != lineage:
                raise StoreError("the hosts share another model meanwhile")
            newest = session.scalar(select(func.max(ModelStepRow.number))) or 0
            number = max(newest, last.through) + 1
            session.add(ModelStepRow(number=number, act=act.value, content=content))

    def after(self, lineage: str, number: int, limit: int) -> Sequence[ModelStep] | None:
        """The next steps after a number; None where the lineage is another, or the log begins later."""
        with self._database.read() as session:
            last = _checkpoint(session)
            if last is None or last.lineage != lineage or last.through > number:
                return None
            rows = select(ModelStepRow).where(ModelStepRow.number > number).order_by(ModelStepRow.number)
            return [
                ModelStep(row.number, Act(row.act), row.content) for row in session.scalars(rows.limit(limit))
            ]

    def turn(self) -> AbstractContextManager[bool]:
        """True within for one host at a time."""
        return self._database.sole("model")

    def new_lineage(self) -> str:
        """A name that no other has."""
        return secrets.token_hex(16)


def _checkpoint(session: Session) -> Checkpoint | None:
    named = select(FactRow.name, FactRow.value).where(FactRow.name.in_((_LINEAGE, _THROUGH, _VERSION)))
    facts: dict[str, str] = dict(iter(session.execute(named)))
    if _LINEAGE not in facts:
        return None
    return Checkpoint(facts[_LINEAGE], int(facts[_THROUGH]), int(facts[_VERSION]))

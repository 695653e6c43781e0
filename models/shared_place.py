"""How far a host is with the model that hosts share. Nothing here computes: who only asks needs no numpy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tamis.contract.shared_steps import Act, Checkpoint, ModelStep
from tamis.models.durable import replace_file

PLACE = "shared.json"
"""Not part of backups: a folder that was restored joins anew."""


class StepLog(Protocol):
    """The log that hosts share. Every method raises StoreError when the store can't answer."""

    def checkpoint(self) -> Checkpoint | None:
        """The last one; None while nobody has shared a model."""

    def parts(self, checkpoint: Checkpoint) -> Mapping[str, bytes]:
        """Its files. Raises StoreError when there is a newer one meanwhile."""

    def publish(self, checkpoint: Checkpoint, parts: Mapping[str, bytes]) -> None:
        """Put a checkpoint in the place of the last; steps that are in it go."""

    def append(self, lineage: str, act: Act, content: bytes = b"") -> None:
        """Add a step. Raises StoreError when the model is of another lineage meanwhile."""

    def after(self, lineage: str, number: int, limit: int) -> Sequence[ModelStep] | None:
        """The next steps after a number; None where the lineage is another, or the log begins later."""

    def turn(self) -> AbstractContextManager[bool]:
        """True within for one host at a time."""

    def new_lineage(self) -> str:
        """A name that no other has."""


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """How far a folder's model is: the last step of a lineage that was taken for sure."""

    lineage: str
    number: int

    @classmethod
    def of(cls, folder: Path) -> SharedPlace | None:
        """None where the model is the host's own, or a checkpoint was being put in."""
        try:
            told = json.loads((folder / PLACE).read_bytes())
            return cls(str(told["lineage"]), int(told["number"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def keep(self, folder: Path) -> None:
        """Write it down, durably."""
        replace_file(folder / PLACE, [json.dumps({"lineage": self.lineage, "number": self.number}).encode()])


def is_behind(folder: Path, steps: StepLog) -> bool:
    """Whether other hosts' steps wait, without opening the model."""
    place = SharedPlace.of(folder)
    if place is None:
        return steps.checkpoint() is not None
    found = steps.after(place.lineage, place.number, 1)
    return found is None or bool(found)

"""The steps that make one statistical model of all hosts: what the store keeps and each host takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Act(StrEnum):
    """What a step does; its content is a record, a message's id, nothing, nothing, or the levels."""

    LESSON = "lesson"
    BACK = "back"
    BALANCE = "balance"
    FOLD = "fold"
    LEVELS = "levels"


@dataclass(frozen=True, slots=True)
class ModelStep:
    """One step of the log; numbers are without gaps."""

    number: int
    act: Act
    content: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a host needs to join: `through` is the number of the last step that is in it, `version` its features'."""

    lineage: str
    through: int
    version: int

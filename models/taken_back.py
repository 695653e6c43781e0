"""Which lessons that nobody looked at were taken back, and why, as `tamis model status` shows it. Imports no numpy.

a lesson that a stranger answers for -> the name of his domain beside the number that the journal keeps
a doubt (`strangers`) -> his lessons taken back -> domain, count, how many were held against him, when
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tamis.models.durable import replace_file

TAKEN_BACK = "taken-back.json"
"""Its name in the model's folder."""
_MOST_NAMES = 10_000
"""Strangers whose names are kept. Beyond: the first ones go, and if one of those is doubted, he has no name."""
_MOST_DOUBTED = 1_000
"""Strangers who are shown. Beyond: those whose lessons were taken back first go."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken back of one stranger: how many lessons in all; of the last that were measured, `against` of
    `measured` were spam to a model without them; `at` is when (seconds since 1970)."""

    stranger: str
    lessons: int
    measured: int
    against: int
    at: float


@dataclass(slots=True)
class TakenBack:
    """Names of strangers by number, and what was taken back, the last stranger last."""

    names: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    changed: bool = False

    @classmethod
    def load(cls, path: Path) -> TakenBack:
        """What `save` wrote; an empty one where there is none, or none whole."""
        try:
            data = json.loads(path.read_bytes())
            names = {str(number): str(name) for number, name in data["names"].items()}
            return cls(names, [Taken(**one) for one in data["taken"]])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def save(self, path: Path) -> None:
        """Write it in the place of the one at `path`, if it changed."""
        if self.changed:
            content = {"names": self.names, "taken": [asdict(one) for one in self.taken]}
            replace_file(path, [json.dumps(content).encode()])
            self.changed = False

    def call(self, number: int, name: str) -> None:
        """Note who a number stands for."""
        if number and self.names.get(str(number)) != name:
            self.names[str(number)] = name
            while len(self.names) > _MOST_NAMES:
                del self.names[next(iter(self.names))]
            self.changed = True

    def note(self, number: int, *, lessons: int, measured: int, against: int, at: float) -> None:
        """Note what was taken back of a stranger; `lessons` are added to those before."""
        name = self.names.get(str(number), "")
        before = sum(one.lessons for one in self.taken if name and one.stranger == name)
        others = [one for one in self.taken if not name or one.stranger != name]
        self.taken = [*others, Taken(name, before + lessons, measured, against, at)][-_MOST_DOUBTED:]
        self.changed = True

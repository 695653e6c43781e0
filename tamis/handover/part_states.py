"""How each process of the daemon stands with the external parts it asks, for metrics and `tamis doctor`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tamis.base.breaker import Breakers, PartState
from tamis.base.shared_files import read_json, write_json
from tamis.installation.paths import Paths

log = logging.getLogger(__name__)


class PartsFile:
    """One process's file: written when something changed since it was last asked to."""

    def __init__(self, folder: Path, *breakers: Breakers) -> None:
        self._folder = folder
        self._breakers = breakers
        self._written: Sequence[PartState] = ()

    def write(self) -> None:
        """Say how the parts stand."""
        states = [one for some in self._breakers for one in some.states()]
        if states == self._written:
            return
        try:
            write_json(self._folder / f"{os.getpid()}.json", [one.to_dict() for one in states])
        except OSError as error:
            log.warning("the state of external parts can't be written: %s", error)
        self._written = states


def read_parts(paths: Paths) -> Mapping[int, Sequence[PartState]]:
    """What each process that runs now says of the parts, by its pid."""
    running = read_json(paths.processes) or {}
    pids = {pid for role, some in running.items() if role != "supervisor" for pid in some}
    return {pid: found for pid in sorted(pids) if (found := _read(paths.parts / f"{pid}.json"))}


def left_out(told: Mapping[int, Sequence[PartState]]) -> dict[str, list[PartState]]:
    """The parts that some process leaves out now, each as those processes see it."""
    parts: dict[str, list[PartState]] = {}
    for one in (state for states in told.values() for state in states if state.left_out_until):
        parts.setdefault(one.part, []).append(one)
    return parts


def _read(path: Path) -> list[PartState]:
    try:
        return [PartState.from_dict(one) for one in read_json(path) or ()]
    except (KeyError, TypeError, ValueError):  # of another version of ours
        return []

"""The checkout in which this file stands is the one that is tested and measured.

An editable installation may point to another one, and processes that a test starts elsewhere would import that.
PYTHONPATH goes before whatever an environment has installed, and is inherited.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def use() -> None:
    """Let all processes that are started from here on import from this checkout. Raises RuntimeError where this one
    itself has another."""
    others = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one and Path(one) != ROOT]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *others])
    place = Path(import_module("tamis").__file__ or "/").resolve()
    if ROOT not in place.parents:
        raise RuntimeError(f"tamis comes from {place.parent}, not from {ROOT}: start it there, as python -m")

"""Which inner loops are used: those in C (`_inner_loops.c`), or numpy's beside them, which compute the same bits.

The extension is made where there is a compiler when Tamis is installed, and never needed: where it is missing, or was
made from another version of its source, numpy is used, at two to five times the cost.
"""

from __future__ import annotations

from typing import Final

__all__ = ["INTERFACE", "WHY_NOT", "loops", "used"]

INTERFACE: Final = 1
"""As in `_inner_loops.c`: an extension that takes or returns something else is not used."""

WHY_NOT = ""
"""Why numpy is used; "" where the extension is."""

try:
    from tamis.models import _inner_loops as loops
except ImportError as error:
    WHY_NOT = f"the extension can't be loaded: {error}"
else:
    if loops.INTERFACE != INTERFACE:
        WHY_NOT = f"the extension is of interface {loops.INTERFACE}, not {INTERFACE}: install Tamis anew"

used = not WHY_NOT
"""Whether `loops` may be called."""

"""Loading code without looks for cycles."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Look for no cycles while code is loaded, and later never among what there is then: it stays to the end. Looks at
    all of it, several of them when the process ends, are a quarter of what a short command costs."""
    before, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) != known:
            gc.freeze()
        if before:
            gc.enable()

"""The inner loops in C for tests: made from the source as it stands, with warnings as errors, and with memory that ends
when a test says so. CFLAGS are added, as scripts/sanitize does."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from tamis.models import compiled

SOURCE = Path(__file__).parents[2] / "models" / "_inner_loops.c"

_CODE = ["-std=c11", "-O2", "-ffp-contract=off"]
_WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
_ALLOCATIONS = """
#include <stdlib.h>
long allocations = -1; /* that succeed; -1: all */
static inline void *allocate(size_t octets)
{
    if (allocations == 0) return NULL;
    if (allocations > 0) allocations--;
    return malloc(octets);
}
#define ALLOCATE allocate
"""


class Built:
    """An extension and how many of its allocations succeed from now on."""

    def __init__(self, path: Path) -> None:
        spec = importlib.util.spec_from_file_location("_inner_loops", path)
        assert spec is not None
        assert spec.loader is not None
        self.loops: ModuleType = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.loops)
        self._allocations = ctypes.c_long.in_dll(ctypes.CDLL(str(path)), "allocations")

    @contextmanager
    def memory_for(self, allocations: int) -> Iterator[None]:
        """As many allocations succeed, and no more."""
        self._allocations.value = allocations
        try:
            yield
        finally:
            self._allocations.value = -1


def build(folder: Path) -> Built:
    """Compile and load it; a warning is an error."""
    header = folder / "allocations.h"
    header.write_text(_ALLOCATIONS)
    made = folder / "_inner_loops.so"
    includes = ["-include", str(header), "-isystem", sysconfig.get_path("include")]
    flags = [*_CODE, *_WARNINGS, *os.environ.get("CFLAGS", "").split(), "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, *includes, str(SOURCE), "-o", str(made), "-lm"], check=True)
    return Built(made)


@contextmanager
def using(loops: ModuleType | None) -> Iterator[None]:
    """These inner loops, or numpy's; for hypothesis, whose examples share a test's fixtures."""
    before = compiled.used, vars(compiled).get("loops")
    vars(compiled).update(used=loops is not None, loops=loops)
    try:
        yield
    finally:
        vars(compiled).update(used=before[0], loops=before[1])

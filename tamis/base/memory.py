"""What the C library's allocator keeps, bounded: a process of many threads would keep a heap for each."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # mallopt(3)

_HEAPS = 1
"""Heaps of a process. Beyond: threads share them; each would have one of its own (up to eight a core), and keep there
what the largest message in it needed. Threads of Python rarely allocate at the same time."""
_LARGE = 256 * 1024
"""Octets from which on a piece of memory is a mapping of its own. Beyond: it goes back to the system when it is free;
glibc would raise this by itself to the largest piece ever freed, up to 32 MB."""
_FREE_AT_TOP = 1 << 20
"""Octets of free memory at the heap's end. Beyond: given back to the system."""


def bound_heaps() -> None:
    """Keep heaps few and small in this process and in all that it forks: call it before there are threads. Where the C
    library is not glibc, nothing is changed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for what, value in (
            (_M_ARENA_MAX, _HEAPS),
            (_M_MMAP_THRESHOLD, _LARGE),
            (_M_TRIM_THRESHOLD, _FREE_AT_TOP),
        ):
            mallopt(what, value)

"""The least that a pymilter can do: every step without a reply, nothing looked at. What Tamis is measured against."""

from __future__ import annotations

import sys
from typing import Any

import Milter


class Noop(Milter.Base):
    """Takes everything, keeps nothing."""

    @Milter.noreply
    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        """Nothing."""
        return Milter.CONTINUE

    @Milter.noreply
    def envfrom(self, f: str, *s: str) -> int:
        """Nothing."""
        return Milter.CONTINUE

    @Milter.noreply
    def envrcpt(self, to: str, *s: str) -> int:
        """Nothing."""
        return Milter.CONTINUE

    @Milter.noreply
    @Milter.decode("bytes")
    def header(self, field: str, value: bytes) -> int:
        """Nothing."""
        return Milter.CONTINUE

    @Milter.noreply
    def body(self, blk: bytes) -> int:
        """Nothing."""
        return Milter.CONTINUE


if __name__ == "__main__":
    Milter.factory = Noop
    Milter.runmilter("noop", sys.argv[1], 600)

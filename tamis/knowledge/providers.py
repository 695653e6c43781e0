"""Mail providers, by the base that ships."""

from __future__ import annotations

from functools import cache

from tamis.knowledge.base import SHIPPED, shipped_domains


@cache
def free_mail() -> frozenset[str]:
    """Domains at which anybody gets an address at once. Takes some milliseconds to read."""
    return shipped_domains(SHIPPED / "tables" / "free_mail.toml")

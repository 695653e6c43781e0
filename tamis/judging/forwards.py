"""Which recipients are relayed outside the platform (spec O4), read from virtual(5) alias files."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from tamis.base.errors import ConfigError
from tamis.message.address import address_key, domain_of
from tamis.settings import Platform

log = logging.getLogger(__name__)


def outside_recipients(platform: Platform) -> dict[str, bool]:
    """Address keys (or domains, for catch-all lines) that have an alias, and whether it leads to any domain not
    hosted here.

    Raises ConfigError when a file can't be read. Nothing is outside while platform.domains is empty.
    """
    if not platform.domains or not platform.alias_maps:
        return {}
    aliases: dict[str, tuple[str, ...]] = {}
    for path in platform.alias_maps:
        try:
            lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError as error:
            raise ConfigError(
                "settings", "platform.alias_maps", f"can't be read: {error}", value=str(path)
            ) from None
        aliases |= dict(_entries(lines))
    hosted = frozenset(platform.domains)
    return {source: _leads_outside(source, aliases, hosted) for source in aliases}


def _entries(lines: Iterable[str]) -> Iterable[tuple[str, tuple[str, ...]]]:
    """(source, targets) of each logical line; a line that begins with white space continues (postmap(5))."""
    logical: list[str] = []
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and logical:
            logical[-1] += " " + line.strip()
        else:
            logical.append(line.strip())
    for line in logical:
        source, *targets = line.replace(",", " ").split() or [""]
        if not targets:  # postmap(1) passes over such a line too
            log.warning("platform.alias_maps: no target in %r", line[:100])
            continue
        yield address_key(source.removeprefix("@")), tuple(map(address_key, targets))


def _leads_outside(source: str, aliases: Mapping[str, tuple[str, ...]], hosted: frozenset[str]) -> bool:
    seen: set[str] = set()
    waiting = list(aliases[source])
    while waiting:
        target = waiting.pop()
        if target in seen:
            continue
        seen.add(target)
        domain = domain_of(target)
        if domain and domain not in hosted:
            return True
        waiting += aliases.get(target, aliases.get(domain, ()))
    return False

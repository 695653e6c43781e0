"""The list part of `tamis doctor`: entries that cover very many, or ourselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from tamis.cli.checks import CheckResult, ok, warning
from tamis.cli.terminal import printable
from tamis.contract.breadth import SENTENCES, breadth
from tamis.contract.lists import ListEntry

_SHOWN = 10


def list_checks(entries: Iterable[ListEntry], own: Collection[str]) -> Iterator[CheckResult]:
    """A warning for each broad entry, up to a number of them."""
    broad = [(one, found) for one in entries if (found := breadth(one.subject, one.pattern, own, one.scope))]
    for entry, found in broad[:_SHOWN]:
        why = f" ({printable(entry.note)})" if entry.note else ""
        yield warning(
            "lists",
            f"{entry.colour} entry {entry.id} of {entry.scope}, {printable(entry.pattern)}: {SENTENCES[found]}{why}",
            f"if it is not meant so: tamis lists remove {entry.id}",
        )
    if len(broad) > _SHOWN:
        yield warning("lists", f"{len(broad) - _SHOWN} more broad entries", "tamis lists show")
    if not broad:
        yield ok("lists", "no entry covers very many, or a domain of our own")

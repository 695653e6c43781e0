"""Registered domains, and what a domain looks like to a reader."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

from tamis.message.names import u_label

_ASCII_LIKE = (
    ("rn", "m"),
    ("vv", "w"),
    ("cl", "d"),
    ("0", "o"),
    ("1", "l"),
    ("i", "l"),
    ("5", "s"),
    ("3", "e"),
)
"""What looks like something else in ASCII already; both sides of a comparison are mapped."""

_IP = re.compile(r"[0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*")
_MAX_LABEL = 63


@cache
def suffixes() -> PublicSuffixList:
    """The public suffix list that came with the package: nothing is fetched. Takes a quarter of a second to read."""
    return PublicSuffixList()


_RESERVED = frozenset({"example", "test"})  # RFC 2606: where documentation and tests play at being a domain


@lru_cache(maxsize=4096)
def is_top_level(label: str) -> bool:
    """Whether a label is a top-level domain that exists, in lower case."""
    return label in _RESERVED or suffixes().publicsuffix(label, accept_unknown=False) == label


@lru_cache(maxsize=4096)
def registered_domain(host: str) -> str:
    """The domain that somebody registered, by the public suffix list: "shop.example.co.uk" -> "example.co.uk".

    An IP address is its own; '' for a bare suffix or a name without a dot.
    """
    if _IP.fullmatch(host):
        return host
    if "." not in host or len(host) > 253:
        return ""
    return suffixes().privatesuffix(host.rstrip(".").lower()) or ""


def label_of(domain: str) -> str:
    """The registered label as readers see it: "example.co.uk" -> "example", A-labels decoded."""
    return u_label(domain.partition(".")[0])


@lru_cache(maxsize=4096)
def skeleton(text: str) -> str:
    """What a name looks like, for comparison with another's skeleton only (after Unicode TR39)."""
    flat = text.casefold()[:_MAX_LABEL]
    if not flat.isascii():
        flat = unicodedata.normalize("NFKD", flat)
        flat = "".join(_latin(c) for c in flat if not unicodedata.combining(c))
    for seen, meant in _ASCII_LIKE:
        flat = flat.replace(seen, meant)
    return flat


@lru_cache(maxsize=4096)
def _latin(character: str) -> str:
    if character.isascii():
        return character
    # slow to load, and most mail has no use for it
    from confusable_homoglyphs import confusables  # noqa: PLC0415

    found = confusables.is_confusable(character, greedy=True, preferred_aliases=[])
    for one in found[0]["homoglyphs"] if found else ():
        if one["c"].isascii() and one["c"].isalnum():
            return str(one["c"]).lower()
    return character


def is_one_edit(one: str, other: str) -> bool:
    """Whether one insertion, deletion, replacement or swap of neighbours makes one of the other."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    a, b = one[start:], other[start:]
    if len(a) == len(b):
        return a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
    return a[1:] == b if len(a) > len(b) else a == b[1:]

"""Which of alternative texts readers' programs show (RFC 2046 5.1.4)."""

from __future__ import annotations

from collections.abc import Iterable

from tamis.message.mail.html import Html
from tamis.message.mail.mime import Container
from tamis.message.mail.part import Part

Bodies = tuple[tuple[Part, Html | None], ...]
"""Parts that are read as text, with the parsed HTML of those that are HTML."""

# What programs show in the place of alternatives to it; others they leave out.
_SHOWN = frozenset({"text/html", "text/plain"})


def opened(bodies: Bodies, containers: Iterable[Container]) -> Bodies:
    """Those of bodies that most programs open with: of alternatives the HTML, or the last where there is none."""
    for container in containers:
        if container.content_type == "multipart/alternative" and len(bodies) > 1:
            bodies = _one_of(bodies, f"{container.path}." if container.path else "")
    return bodies


def _one_of(bodies: Bodies, within: str) -> Bodies:
    """Bodies without those in whose place another one is shown, of the parts whose paths begin with `within`."""
    shown = max(
        (
            (html is not None, int(branch))
            for part, html in bodies
            if (branch := _branch(part, within)) and part.content_type in _SHOWN
        ),
        default=None,
    )
    if shown is None:
        return bodies
    return tuple(one for one in bodies if _branch(one[0], within) in {"", str(shown[1])})


def _branch(part: Part, within: str) -> str:
    """The number of the alternative that a part belongs to, "" for a part outside."""
    return part.path.removeprefix(within).partition(".")[0] if part.path.startswith(within) else ""

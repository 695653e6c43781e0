"""Marks by hand on messages that others may be nearly the same as (S8b), as store, shared state and filter have them.

A fingerprint is "CLIENT DOMAIN SKETCH": where it came from, who answered for it ("-" for nobody), what it said
(`tamis.message.mail.likeness`). The shared state has those of a client together, for each is looked at by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from tamis.contract.state_keys import client_key
from tamis.message.envelope import IPAddress
from tamis.message.mail.likeness import Sketch, read, written

MOST_ALIKE: Final = 20
"""Marked messages of one client that others are compared with. Beyond: those that end first don't count."""
_NOBODY = "-"


@dataclass(frozen=True, slots=True)
class MarkedSketch:
    """What was marked of a client's mail: the domain that answered for it ("" for none), its sketch as text, its marks
    by scope, and until when they count (seconds since 1970)."""

    answering: str
    sketch: str
    marks: Mapping[str, int]
    until: float


def sketch_fingerprint(ip: IPAddress, answering: str, sketch: Sketch) -> str:
    """What a mark is about that counts for what is nearly the same."""
    return f"{client_key(ip)} {answering or _NOBODY} {written(sketch)}"


def client_in(fingerprint: str) -> str:
    """The client of a fingerprint, of this kind or that of equal contents."""
    return fingerprint.partition(" ")[0]


def sketch_in(fingerprint: str) -> Sketch | None:
    """The sketch of a fingerprint; None where it has none."""
    return read(fingerprint.rpartition(" ")[2])


def marked_sketch(fingerprint: str, marks: Mapping[str, int], until: float) -> MarkedSketch:
    """What a fingerprint and its marks tell."""
    _, _, told = fingerprint.partition(" ")
    answering, _, sketch = told.partition(" ")
    return MarkedSketch("" if answering == _NOBODY else answering, sketch, marks, until)


def sketches_key(client: str) -> str:
    """Where the shared state has what was marked of a client's mail."""
    return f"marked-alike:{client}"


def written_sketches(sketches: Iterable[MarkedSketch]) -> str:
    """As they stand in the shared state: the MOST_ALIKE that end last."""
    last = sorted(sketches, key=lambda one: one.until, reverse=True)[:MOST_ALIKE]
    return json.dumps([asdict(one) for one in last])


def read_sketches(text: str | None) -> list[MarkedSketch]:
    """What `written_sketches` wrote; none of nothing."""
    return [MarkedSketch(**one) for one in json.loads(text or "[]")]

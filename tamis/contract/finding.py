"""A finding: what one filter saw in a message. It knows no recipient, no threshold, no policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from tamis.language.translation import marked

if TYPE_CHECKING:
    from tamis.message.mail import Seen  # commands that show findings read no message


class Status(StrEnum):
    """The result of one filter's look at one message."""

    HIT = "hit"
    CLEAR = "clear"
    UNAVAILABLE = "unavailable"  # could not look (service down, timed out): never counts as a hit
    SKIPPED = "skipped"  # did not look, and `because` says why


ALREADY_DECIDED = marked("already decided")
"""Why the chain skips an expensive filter: its finding was not wanted then, which replay must know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One filter's fact about one message: small and serialisable.

    `because` is an English sentence with `{name}` placeholders for `facts`, so that it can be shown in the
    reader's language. `facts` holds only what JSON can hold. `seconds` is the time spent.
    """

    filter: str
    status: Status
    because: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def text(self, translate: Callable[[str], str] = str) -> str:
        """The sentence, filled in; `translate` maps English ones to the reader's language: this one, and those that are
        facts of it. A fact that is a list is shown with commas between."""
        if not self.because:
            return str(self.status)
        return translate(self.because).format_map(_Shown(self.facts, translate))

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold; `from_dict` reads it back."""
        return {
            "filter": self.filter,
            "status": str(self.status),
            "because": self.because,
            "facts": dict(self.facts),
            "seconds": round(self.seconds, 6),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        """Read what `to_dict` wrote. Raises KeyError or ValueError on anything else."""
        return cls(
            data["filter"], Status(data["status"]), data["because"], dict(data["facts"]), data["seconds"]
        )


class Revealed(NamedTuple):
    """A finding together with what was read for it in images and documents: with that, the filters that look again have
    the message a second time."""

    finding: Finding
    seen: Seen


class _Shown(dict[str, Any]):
    """Facts as a sentence shows them."""

    def __init__(self, facts: Mapping[str, Any], translate: Callable[[str], str]) -> None:
        super().__init__(facts)
        self._translate = translate

    def __getitem__(self, name: str) -> Any:
        """The fact, if it is a phrase in the reader's language."""
        fact = super().__getitem__(name)
        if isinstance(fact, str) and fact:
            return self._translate(fact)
        if isinstance(fact, (list, tuple)):
            return ", ".join(self._translate(str(one)) if one else "" for one in fact)
        return fact

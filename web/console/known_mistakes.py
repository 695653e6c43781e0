"""Copies that went where people say they should not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tamis.database.history import KeptStory
from tamis.database.history_search import Wanted
from tamis.database.replaying import is_mistake
from tamis.people.rights import Reach
from tamis.store import Store

_READ = 20
"""Messages that people spoke about which are read for each mistake that is wanted (beyond: older ones are left out)."""


@dataclass(frozen=True, slots=True)
class KnownMistake:
    """A copy that went where people say it should not."""

    kept: KeptStory
    recipient: str
    outcome: str
    wanted: bool

    @property
    def name(self) -> str:
        """What stands in a form for it."""
        return f"{self.kept.id} {self.recipient}"


def known_mistakes(store: Store, reach: Reach, since: datetime, most: int) -> Sequence[KnownMistake]:
    """Those that somebody may see, the newest first."""
    said = store.history.words(Wanted(since=since, reach=reach))
    newest = sorted({message for message, _ in said}, reverse=True)[: _READ * most]
    found = [
        KnownMistake(kept, recipient, told.outcome, said[kept.id, recipient])
        for kept in store.history.kept(newest, reach)
        for recipient, told in kept.story.recipients
        if (kept.id, recipient) in said and is_mistake(told.outcome, wanted=said[kept.id, recipient])
    ]
    return found[:most]

"""What operators do with marks by hand, for console and API.

fingerprint in a scope -> Marks (store), with the audit trail's row -> the shared state and the learned entries of lists
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import anyio.from_thread

from tamis.base.errors import ServiceError
from tamis.database.marks import EndedMark, Fingerprint, Marked, MarkKind
from tamis.handover.marking import learn_files, publish_marked
from tamis.people.rights import Reach
from tamis.web.visit import House

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MarkDeeds:
    """What one person does; every method raises StoreError when the store can't answer."""

    house: House
    by: str

    def end(self, kind: MarkKind, fingerprint: str, scope: str, reach: Reach) -> tuple[EndedMark, ...]:
        """Let the marks of a fingerprint in a scope count no more; those that there were."""
        ended = self.house.store.marks.end(kind, fingerprint, scope, by=self.by, reach=reach)
        if ended:
            self._publish([(one.mark.kind, one.mark.fingerprint) for one in ended])
        return ended

    def bring_back(self, ended: Iterable[EndedMark]) -> None:
        """Let them count again."""
        self._publish(self.house.store.marks.bring_back(ended, by=self.by))

    def _publish(self, about: list[Fingerprint]) -> None:
        """Bring what stands now into force at once; without the shared state, when that is filled again."""
        store = self.house.store
        stand = store.marks.of(about)
        learn_files(about, stand, store, self.house.site().settings.learning.learned_from)
        try:
            anyio.from_thread.run(publish_marked, self.house.state, about, stand)
        except ServiceError as error:
            log.warning("marks are in force later, the shared state is lost: %s", error)


def place_of_fingerprint(one: Marked) -> str:
    """A fingerprint in a scope, as it stands in an address and in a form."""
    return f"{one.fingerprint} {one.scope}"


def last_fingerprint(place: str) -> tuple[str, str] | None:
    """What `place_of_fingerprint` said; None for anything else."""
    fingerprint, space, scope = place.rpartition(" ")
    return (fingerprint, scope) if space else None

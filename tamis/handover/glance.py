"""Today at a glance: numbers of the store, of Postfix's queue, of what was learned, of the disk.

store, settings, domain, since -> look -> Glance -> `tamis status`, the API
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tamis.base.breaker import PartState
from tamis.base.errors import ServiceError
from tamis.challenge.challenge_records import OPEN
from tamis.database.hosts import Host
from tamis.database.today import CopyCount, HeldNow, Traffic
from tamis.handover.part_states import left_out, read_parts
from tamis.installation.paths import Paths
from tamis.judging.policy import Outcome
from tamis.judging.verdict import Decision
from tamis.models.learned_so_far import model_state
from tamis.services.postfix.desk_queue import DeskQueue, desk_queue
from tamis.settings import Settings
from tamis.store import Store


@dataclass(frozen=True, slots=True)
class LearnedSoFar:
    """What the statistical filter has learned, what it needs, and whether it decides."""

    ham: int
    spam: int
    needed: int
    deciding: bool


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system of a directory: octets free and in all."""

    directory: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Glance:
    """All that is shown, as it was at `now`. `queue` is None where Postfix did not list it."""

    since: datetime
    now: datetime
    domain: str
    traffic: Traffic
    unavailable: Mapping[str, int]
    left_out: Mapping[str, Sequence[PartState]]
    held: HeldNow
    queue: DeskQueue | None
    learning: LearnedSoFar
    disk: Disk
    hosts: Sequence[Host]

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        copies = self.traffic.copies
        return {
            "since": self.since.isoformat(),
            "now": self.now.isoformat(),
            "domain": self.domain or None,
            "messages": {side: self.traffic.messages.get(side, 0) for side in ("in", "out")},
            "copies": {side: sum(one.copies for one in copies if one.side == side) for side in ("in", "out")},
            "went_to": went_to(copies),
            "observed": observed(copies),
            "decided_by": {
                str(decision): decided_by(copies, decision) for decision in (Decision.SPAM, Decision.DEFER)
            },
            "unavailable": dict(self.unavailable),
            "left_out": {
                part: {"until": latest(states).left_out_until, "reason": latest(states).reason}
                for part, states in self.left_out.items()
            },
            "held": asdict(self.held),
            "queue": asdict(self.queue) if self.queue else None,
            "learning": asdict(self.learning),
            "disk": asdict(self.disk),
            "hosts": [{**asdict(one), "seen_at": one.seen_at.isoformat()} for one in self.hosts],
        }


def went_to(copies: Iterable[CopyCount]) -> dict[str, int]:
    """Outcome -> copies that went there: what was only observed, to the inbox."""
    return _sums((Outcome.INBOX if one.observed else one.outcome, one.copies) for one in copies)


def observed(copies: Iterable[CopyCount]) -> dict[str, int]:
    """Outcome -> copies that would have gone there, and were delivered untouched."""
    return _sums((one.outcome, one.copies) for one in copies if one.observed)


def decided_by(copies: Iterable[CopyCount], decision: Decision) -> dict[str, int]:
    """Filter, or "score" -> copies of which it decided that, most first."""
    return _sums((one.decided_by, one.copies) for one in copies if one.decision == decision)


def look(store: Store, settings: Settings, domain: str, since: datetime, now: datetime) -> Glance:
    """All of it, or of one domain's mail; `domain` is "" for all."""
    traffic = store.today.traffic(since, domain)
    unavailable = store.today.unavailable(since, domain)
    held = store.today.held(OPEN, now, domain)
    learned = model_state(settings)
    space = shutil.disk_usage(settings.state_directory)
    return Glance(
        since,
        now,
        domain,
        traffic,
        unavailable,
        left_out(read_parts(Paths(settings))),
        held,
        _queue(settings),
        LearnedSoFar(learned["ham"], learned["spam"], learned["needed"], learned["deciding"]),
        Disk(str(settings.state_directory), space.free, space.total),
        store.hosts.all(),
    )


def latest(states: Sequence[PartState]) -> PartState:
    """Of the processes that leave a part out, the one that does so longest."""
    return max(states, key=lambda one: one.left_out_until)


def _queue(settings: Settings) -> DeskQueue | None:
    try:
        return desk_queue(settings.postfix.config_directory)
    except ServiceError:  # no Postfix here, or not for this user: the line says that it is unknown
        return None


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums = Counter[str]()
    for name, number in pairs:
        sums[str(name)] += number
    return dict(sorted(sums.items(), key=lambda one: (-one[1], one[0])))

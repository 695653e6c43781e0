"""What `tamis status` shows: numbers, gathered elsewhere, as a person reads them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any

from tamis.base.breaker import PartState
from tamis.cli.terminal import printable
from tamis.database.hosts import Host
from tamis.database.today import CopyCount, HeldNow, Traffic
from tamis.judging.policy import Outcome
from tamis.judging.verdict import Decision
from tamis.services.postfix.desk_queue import DeskQueue

_TOP = 5
"""Filters that are named in a line. Beyond: their sum, as "others"; JSON has all."""
_WIDTH, _LABEL = 100, 13


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
                part: {"until": _latest(states).left_out_until, "reason": _latest(states).reason}
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


def lines(glance: Glance) -> Iterator[str]:
    """What a terminal shows."""
    whose = glance.domain or "the platform"
    yield printable(f"{whose} since {glance.since:%Y-%m-%d %H:%M} UTC")
    for label, value in _fields(glance):
        if value:
            yield from wrap(
                f"{label + ':':<{_LABEL}}{printable(value)}", _WIDTH, subsequent_indent=" " * _LABEL
            )


def _fields(glance: Glance) -> Iterator[tuple[str, str]]:
    told = glance.to_dict()
    yield "came", f"{_messages(told['messages']['in'])} in {_copies(told['copies']['in'])}"
    if told["messages"]["out"]:
        yield "users sent", f"{_messages(told['messages']['out'])} in {_copies(told['copies']['out'])}"
    yield "went to", _most(told["went_to"])
    yield (
        "observed",
        _most(told["observed"]) and f"delivered, and would have gone to {_most(told['observed'])}",
    )
    yield "spam by", _most(told["decided_by"]["spam"])
    yield "deferred by", _most(told["decided_by"]["defer"])
    yield (
        "unavailable",
        _most(told["unavailable"]) and f"{_most(told['unavailable'])} (messages not looked at)",
    )
    for part, states in sorted(glance.left_out.items()):
        last = _latest(states)
        until = datetime.fromtimestamp(last.left_out_until, glance.now.tzinfo)
        yield "left out", f"{part} until {until:%H:%M:%S} UTC: {last.reason}"
    held = glance.held
    waiting = f"; {held.asked:,} of them wait for their sender's answer" if held.asked else ""
    yield "held now", f"{_messages(held.messages)}, {_octets(held.octets)}{waiting}"
    yield "queue", _queue(glance.queue)
    learning = glance.learning
    state = "deciding" if learning.deciding else f"in shadow until both reach {learning.needed:,}"
    yield "learned", f"ham {learning.ham:,}, spam {learning.spam:,}; {state}"
    disk = glance.disk
    yield "disk", f"{_octets(disk.free)} of {_octets(disk.total)} free for {disk.directory}"
    yield "hosts", ", ".join(_host(one, glance.now) for one in glance.hosts)


def _host(one: Host, now: datetime) -> str:
    return f"{one.name} ({one.version}, seen {max((now - one.seen_at).total_seconds(), 0):.0f} s ago)"


def _queue(queue: DeskQueue | None) -> str:
    if queue is None:
        return "unknown: postqueue does not list it"
    least = "" if queue.is_whole else "at least "
    return f"{least}{_messages(queue.messages)} with copies that wait for Tamis, on this host"


def _latest(states: Sequence[PartState]) -> PartState:
    return max(states, key=lambda one: one.left_out_until)


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums = Counter[str]()
    for name, number in pairs:
        sums[str(name)] += number
    return dict(sorted(sums.items(), key=lambda one: (-one[1], one[0])))


def _most(counts: Mapping[str, int]) -> str:
    """The largest numbers in words; "" for none."""
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    rest = sum(number for _, number in ranked[_TOP:])
    shown = [*ranked[:_TOP], *([("others", rest)] if rest else [])]
    return ", ".join(f"{name} {number:,}" for name, number in shown)


def _messages(number: int) -> str:
    return f"{number:,} message{'s' * (number != 1)}"


def _copies(number: int) -> str:
    return f"{number:,} cop{'y' if number == 1 else 'ies'}"


def _octets(number: int) -> str:
    unit, name = (1024**3, "GiB") if number >= 1024**3 else (1024**2, "MiB")
    return f"{number / unit:,.1f} {name}"

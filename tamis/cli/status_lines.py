"""What `tamis status` shows: numbers, gathered elsewhere, as a person reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from textwrap import wrap

from tamis.cli.terminal import printable
from tamis.database.hosts import Host
from tamis.handover.glance import Glance, latest
from tamis.services.postfix.desk_queue import DeskQueue

_TOP = 5
"""Filters that are named in a line. Beyond: their sum, as "others"; JSON has all."""
_WIDTH, _LABEL = 100, 13


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
        last = latest(states)
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

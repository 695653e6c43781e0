"""What `tamis status` shows: numbers, gathered elsewhere, as a person reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

from tamis.cli.terminal import printable

_TOP = 5
"""Filters that are named in a line. Beyond: their sum, as "others"; JSON has all."""
_WIDTH, _LABEL = 100, 13


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """What a terminal shows of a glance as plain data; that of a Tamis elsewhere may lack what is the platform's."""
    since = datetime.fromisoformat(told["since"]).astimezone(UTC)
    yield printable(f"{told['domain'] or 'the platform'} since {since:%Y-%m-%d %H:%M} UTC")
    for label, value in (*_of_mail(told), *(_of_platform(told) if "queue" in told else ())):
        if value:
            yield from wrap(
                f"{label + ':':<{_LABEL}}{printable(value)}", _WIDTH, subsequent_indent=" " * _LABEL
            )


def _of_mail(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
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
    for part, last in sorted(told.get("left_out", {}).items()):
        yield (
            "left out",
            f"{part} until {datetime.fromtimestamp(last['until'], UTC):%H:%M:%S} UTC: {last['reason']}",
        )
    held = told["held"]
    waiting = f"; {held['asked']:,} of them wait for their sender's answer" if held["asked"] else ""
    yield "held now", f"{_messages(held['messages'])}, {_octets(held['octets'])}{waiting}"


def _of_platform(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "queue", _queue(told["queue"])
    learning, disk = told["learning"], told["disk"]
    state = "deciding" if learning["deciding"] else f"in shadow until both reach {learning['needed']:,}"
    yield "learned", f"ham {learning['ham']:,}, spam {learning['spam']:,}; {state}"
    yield "disk", f"{_octets(disk['free'])} of {_octets(disk['total'])} free for {disk['directory']}"
    now = datetime.fromisoformat(told["now"])
    yield "hosts", ", ".join(_host(one, now) for one in told["hosts"])


def _host(one: Mapping[str, Any], now: datetime) -> str:
    ago = (now - datetime.fromisoformat(one["seen_at"])).total_seconds()
    return f"{one['name']} ({one['version']}, seen {max(ago, 0):.0f} s ago)"


def _queue(queue: Mapping[str, Any] | None) -> str:
    if queue is None:
        return "unknown: postqueue does not list it"
    least = "" if queue["is_whole"] else "at least "
    return f"{least}{_messages(queue['messages'])} with copies that wait for Tamis, on this host"


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

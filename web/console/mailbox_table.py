"""How are the mailboxes doing: a table of them, and one of them in numbers.

Reach, Span -> MailboxCount (Statistics), questions, list entries, levels -> rows, sorted -> page or CSV
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from starlette.responses import Response

from tamis.base.errors import ConfigError
from tamis.database.counts import MailboxCount
from tamis.database.mailbox_sums import Rank
from tamis.database.scope import parse_scope
from tamis.judging.stored_policy import Override
from tamis.judging.verdict import SCORE
from tamis.language.translation import marked
from tamis.letters.mailings import MailingKind
from tamis.message.address import domain_of
from tamis.people.rights import Reach, Right, visible
from tamis.web import charts
from tamis.web.console import taking_back
from tamis.web.console.console import Console
from tamis.web.console.known_mistakes import KnownMistake, known_mistakes
from tamis.web.console.messages import WENT
from tamis.web.console.overview import SERIES, caught_links, filter_name, series_of
from tamis.web.console.spans import SPANS, Span
from tamis.web.page_reader import PageReader
from tamis.web.rate_limits import CHANGES
from tamis.web.table_file import csv_file
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_HERE, NoAccessError

_USUAL = "30d"
_PAGE = 50
_CAUGHT = 3
"""Filters that a row names."""
_EXCHANGED = 2000
"""Messages of which a mailbox's page tells who wrote them, the newest; beyond: older ones are not looked at."""
_MISTAKES = 50
"""Mistakes that a mailbox's page names, the newest; beyond: they are counted, and not named."""
_NOT_SURE = marked("Tick that you know who can open it again.")
_LOCK_NOTE = marked("locked on the mailbox's page")
_LOCKED = marked("%(mailbox)s is locked. Only its owner can open it again, so this can't be undone here.")


@dataclass(frozen=True, slots=True)
class MailboxLine:
    """A row of the table."""

    count: MailboxCount
    asked: int = 0
    answered: int = 0
    entries: int = 0
    required: float = 0.0
    caught: Sequence[tuple[str, int]] = ()


Sorting = Callable[[MailboxLine], tuple[float | str, ...]]
COLUMNS: Mapping[str, tuple[str, Sorting]] = {
    "mailbox": (marked("Mailbox"), lambda one: (one.count.mailbox,)),
    "in": (marked("Came"), lambda one: (-one.count.came,)),
    "held": (marked("Held"), lambda one: (-one.count.held,)),
    "junk": (marked("Junk"), lambda one: (-one.count.junk,)),
    "out": (marked("Went out"), lambda one: (-one.count.sent,)),
    "caught": (marked("Caught by"), lambda one: (one.caught[0][0] if one.caught else "~",)),
    "mistakes": (marked("Mistakes"), lambda one: (-one.count.mistakes,)),
    "asked": (marked("Asked / answered"), lambda one: (-one.asked, -one.answered)),
    "entries": (marked("List entries"), lambda one: (-one.entries,)),
    "limit": (marked("Limit"), lambda one: (one.required,)),
    "last": (marked("Last mail"), lambda one: (-one.count.last.toordinal(),)),
}
"""The columns by their names in the address: what people call them, and how rows are sorted by them."""
_RANKS: Mapping[str, Rank] = {
    "mailbox": "mailbox",
    "in": "came",
    "held": "held",
    "junk": "junk",
    "out": "sent",
    "last": "last",
}
"""Those by which the store ranks mailboxes, so that all else is asked of those alone that are shown."""


def show(console: Console) -> Response:
    """The table."""
    span = Span.of(console, _USUAL)
    reach = console.visible(Right.STATISTICS)
    statistics = console.visit.store.statistics
    if console.visit.query("as") == "csv":
        return _csv(console, _all(console, reach, span))
    place = typed_number(console.visit.query("from")) or 0
    shown, total = _part(console, reach, span, place)
    courses = statistics.courses([one.count.mailbox for one in shown], span.days)
    return console.render(
        "mailboxes.html",
        span=span,
        spans=SPANS,
        columns=COLUMNS,
        sort=_sort(console),
        filter_name=filter_name,
        lines=shown,
        total=total,
        start=place,
        page=_PAGE,
        sparks={
            name: charts.spark([by_day.get(day, 0) for day in span.days]) for name, by_day in courses.items()
        },
        quiet=statistics.quiet(reach, span.days, 50),
        withheld=statistics.is_withheld(reach, span.days),
        notice=taking_back.notice(console),
    )


def _part(console: Console, reach: Reach, span: Span, place: int) -> tuple[Sequence[MailboxLine], int]:
    """The rows of a page, and how many there are on all pages."""
    sort = _sort(console)
    column = sort.removeprefix("-")
    if (rank := _RANKS.get(column)) is None:
        lines = _all(console, reach, span)
        return lines[place : place + _PAGE], len(lines)
    names, total = console.visit.store.statistics.ranked(
        reach,
        span.days,
        rank,
        upwards=(column == "mailbox") != sort.startswith("-"),
        start=place,
        limit=_PAGE,
    )
    shown = _lines(console, reach, span, names) if names else []
    by_name = {one.count.mailbox: one for one in shown}
    return [by_name[name] for name in names if name in by_name], total


def _all(console: Console, reach: Reach, span: Span) -> list[MailboxLine]:
    return _sorted(console, _lines(console, reach, span))


def show_one(console: Console) -> Response:
    """One mailbox, as far as it may be seen."""
    return _page(console, *_mailbox(console))


def _mailbox(console: Console) -> tuple[str, Reach]:
    """The mailbox of the address, and where numbers may be seen; raises NoAccessError on one whose are not."""
    try:
        scope = parse_scope(console.visit.request.path_params["mailbox"][:320])
    except ConfigError:
        raise NoAccessError(NOT_HERE) from None
    mailbox = console.site.book.policy(scope).mailbox if "@" in scope else ""
    everything = visible(console.holder, Right.STATISTICS, console.locks)
    if not mailbox or not everything.covers(mailbox):
        raise NoAccessError(NOT_HERE)
    return mailbox, everything


def _page(console: Console, mailbox: str, everything: Reach, problem: str = "") -> Response:
    span, reader, store = Span.of(console, _USUAL), console.visit.reader, console.visit.store
    own = everything.within(mailbox)
    found = store.statistics.mailboxes(own, span.days, only=[mailbox])
    count = found[0] if found else None
    by_week = Counter[tuple[date, str]]()
    for one in store.statistics.by_day(own, span.days):
        if one.side == "in":
            by_week[one.day - timedelta(days=one.day.weekday()), series_of(one.outcome)] += one.copies
    weeks = sorted({day - timedelta(days=day.weekday()) for day in span.days})
    rows = [(reader.date(week), {key: by_week[week, key] for key, _ in SERIES}) for week in weeks]
    series = [(key, reader.gettext(name)) for key, name in SERIES]
    heads = [reader.gettext(one) for one in (marked("filter"), marked("caught"))]
    caught = (
        [(filter_name(name, reader), number) for name, number in _caught(count.caught_by)] if count else []
    )
    may_see = console.may(Right.HISTORY, mailbox)
    policy, above = console.site.book.policy(mailbox), console.site.book.policy(domain_of(mailbox))
    return console.render(
        "mailbox.html",
        status=422 if problem else 200,
        problem=problem,
        mailbox=mailbox,
        span=span,
        spans=SPANS,
        count=count,
        weeks=charts.bars(rows, series, reader.gettext(marked("week of")), reader.number),
        catches=charts.ranks(caught, heads, reader.number),
        caught_links=caught_links(console, count.caught_by if count else (), span, mailbox)
        if may_see
        else {},
        mistakes=_mistakes(console, mailbox, span) if may_see else None,
        went=lambda one: reader.gettext(WENT.get(one.outcome, one.outcome)),
        digest=_digest(console, mailbox),
        may_lock=console.may(Right.POLICY, mailbox) and not policy.terms.locked,
        partners=_partners(console, mailbox, span) if may_see else None,
        policy=policy,
        differences=_differences(
            policy.terms.model_dump(), above.terms.model_dump(), policy.required, above.required
        ),
        entries=store.lists.find(scope=mailbox) if console.may(Right.LISTS_READ, mailbox) else None,
    )


def _mistakes(console: Console, mailbox: str, span: Span) -> Sequence[KnownMistake]:
    """Its newest messages that went where people say they should not."""
    reach = visible(console.holder, Right.HISTORY, console.locks).within(mailbox)
    return known_mistakes(console.visit.store, reach, span.since, _MISTAKES)


@dataclass(frozen=True, slots=True)
class DigestState:
    """What a mailbox is told of its held mail: at which times of day (none: never), when last, and how many messages
    the next digest will tell of. A mailbox that is `forwarded` gets none."""

    times: Sequence[str]
    time_zone: str
    last: datetime | None
    waiting: int
    forwarded: bool


def _digest(console: Console, mailbox: str) -> DigestState:
    policy, mailings = console.site.book.policy(mailbox), console.visit.store.mailings
    return DigestState(
        policy.terms.digest,
        policy.terms.time_zone,
        mailings.last(mailbox, MailingKind.DIGEST),
        len(mailings.untold_of(mailbox)),
        bool(policy.forward),
    )


def lock(console: Console) -> Response:
    """Close a mailbox to everybody but its owner, who alone opens it again."""
    mailbox, everything = _mailbox(console)
    console.require(Right.POLICY, mailbox)
    console.visit.spend(CHANGES, console.holder.mailbox)
    gettext = console.visit.reader.gettext
    if console.visit.field("sure") != "yes":
        return _page(console, mailbox, everything, gettext(_NOT_SURE))
    try:
        console.visit.store.overrides.change(
            [Override(mailbox, "locked", True)],
            by=console.holder.mailbox,
            check=console.visit.house.check,
            note=gettext(_LOCK_NOTE),
        )
    except ConfigError as error:
        return _page(console, mailbox, everything, error.problem)
    return taking_back.told(console, "/mailboxes", gettext(_LOCKED) % {"mailbox": mailbox})


@dataclass(frozen=True, slots=True)
class Partner:
    """A domain that a mailbox exchanged mail with."""

    name: str
    copies: int
    held: int
    last: datetime


def _partners(console: Console, mailbox: str, span: Span) -> tuple[list[Partner], list[Partner]]:
    """Who writes to a mailbox, and to whom it writes: from the history, which has less than the sums."""
    found: tuple[dict[str, Partner], dict[str, Partner]] = ({}, {})
    for one in console.visit.store.history.exchanged(mailbox, span.since, _EXCHANGED):
        is_sent = one.side == "out" and domain_of(one.recipient) != domain_of(mailbox)
        name = domain_of(one.recipient if is_sent else one.sender) or "<>"
        known = found[is_sent].get(name) or Partner(name, 0, 0, one.at)
        held = known.held + (one.outcome == "quarantine")
        found[is_sent][name] = Partner(name, known.copies + 1, held, max(known.last, one.at))
    both = [sorted(one.values(), key=lambda p: (-p.copies, p.name))[:20] for one in found]
    return both[0], both[1]


def _differences(
    own: Mapping[str, object], above: Mapping[str, object], required: float, usual: float
) -> list[tuple[str, object, object]]:
    """What the mailbox's policy has otherwise than its domain's."""
    found: list[tuple[str, object, object]] = [
        (name, value, above[name]) for name, value in own.items() if value != above.get(name)
    ]
    if required != usual and not any(name == "required" for name, _, _ in found):
        found.append(("required", required, usual))
    return found


def _lines(console: Console, reach: Reach, span: Span, only: Sequence[str] = ()) -> list[MailboxLine]:
    """The rows of mailboxes, with all that stands in them: of these, or of all."""
    statistics = console.visit.store.statistics
    counts = statistics.mailboxes(reach, span.days, only=only)
    names = [one.mailbox for one in counts]
    asked = statistics.questions_by_mailbox(reach, span.since, span.now, names)
    entries = statistics.entries_of(names)
    return [
        MailboxLine(
            one,
            *asked.get(one.mailbox, (0, 0)),
            entries.get(one.mailbox, 0),
            console.site.book.policy(one.mailbox).required,
            _caught(one.caught_by)[:_CAUGHT],
        )
        for one in counts
    ]


def _caught(by_filter: Mapping[str, int]) -> list[tuple[str, int]]:
    caught: dict[str, int] = {}
    for name, number in by_filter.items():
        caught[name or SCORE] = caught.get(name or SCORE, 0) + number
    return sorted(caught.items(), key=lambda one: (-one[1], one[0]))


def _sort(console: Console) -> str:
    """The column in the address, with a minus before it for the other way round."""
    asked = console.visit.query("sort")
    return asked if asked.removeprefix("-") in COLUMNS else "in"


def _sorted(console: Console, lines: Sequence[MailboxLine]) -> list[MailboxLine]:
    sort = _sort(console)
    by = COLUMNS[sort.removeprefix("-")][1]
    return sorted(lines, key=lambda one: (by(one), one.count.mailbox), reverse=sort.startswith("-"))


def _csv(console: Console, lines: Sequence[MailboxLine]) -> Response:
    reader = console.visit.reader
    heads = [reader.gettext(name) for name, _ in COLUMNS.values()]
    heads[7:8] = [reader.gettext(marked("Asked")), reader.gettext(marked("Answered"))]
    return csv_file("mailboxes", heads, (_cells(one, reader) for one in lines))


def _cells(one: MailboxLine, reader: PageReader) -> list[str]:
    count = one.count
    caught = "; ".join(f"{filter_name(name, reader)} {number}" for name, number in one.caught)
    numbers = (count.mistakes, one.asked, one.answered, one.entries, f"{one.required:g}")
    return [
        count.mailbox,
        *map(str, (count.came, count.held, count.junk, count.sent)),
        caught,
        *map(str, numbers),
        count.last.isoformat(),
    ]

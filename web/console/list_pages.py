"""Lists: who always passes, who never does; what contradicts itself, and what covers more than is meant."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from starlette.responses import Response

from tamis.base.errors import ConfigError
from tamis.contract.breadth import SENTENCES, breadth
from tamis.contract.lists import Colour, ListEntry, Subject, normalise_pattern
from tamis.database.list_entries import NewEntry, allowed_senders
from tamis.filters.signing.forgeable import Forgeable, forgeable
from tamis.judging.list_conflicts import MOST_COMPARED, Conflict, conflicts
from tamis.judging.promise import LIMITS
from tamis.language.time_zone import zone_of
from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.quarantine.promises import EntryTried, try_entry
from tamis.web.console.console import Console
from tamis.web.rate_limits import CHANGES
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_HERE, NoAccessError

PAGE = 100
MOST_ADDED = 1000
"""Entries that a form adds at once; beyond: nothing is added, with a sentence."""
_MOST_CONFLICTS = 20
"""Contradictions that are shown; beyond: only that there are more."""
_MOST_TRIED = 5
"""Entries that were added which are tried on held mail; beyond: nothing is said of them."""
TOO_MANY = marked("At most 1,000 entries can be added at once.")
NO_DATE = marked("This is no day to come.")
NEEDS_NOTE = marked("Say in the note why something so broad is meant.")

COLOURS = {Colour.WHITE: marked("allowed"), Colour.BLACK: marked("blocked")}
SUBJECTS = {
    Subject.SENDER: marked("sender"),
    Subject.IP: marked("client"),
    Subject.ATTACHMENT: marked("file"),
    Subject.IMAGE: marked("image"),
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into the form, and what is the matter with it: lines that are nothing, with their numbers,
    and entries that are
    broad, or that others could forge, each with why that matters."""

    patterns: str = ""
    colour: str = "white"
    until: str = ""
    note: str = ""
    wrong: Sequence[tuple[int, str]] = ()
    broad: Mapping[str, str] = field(default_factory=dict)
    forgeable: Forgeable = field(default_factory=Forgeable)
    problem: str = ""


def show(console: Console) -> Response:
    """The entries that may be seen, the newest first."""
    return _page(console)


def _page(
    console: Console,
    typed: Typed | None = None,
    *,
    said: tuple[str, int] | None = None,
    undo: str = "",
    despite: Sequence[tuple[str, EntryTried]] = (),
) -> Response:
    lists, reach = console.visit.store.lists, console.visible(Right.LISTS_READ)
    words, colour, before = (
        console.visit.query("q"),
        console.visit.query("colour"),
        console.visit.query("before"),
    )
    found = lists.find(
        reach=reach,
        colour=Colour(colour) if colour in list(Colour) else None,
        words=words.strip().casefold(),
        before=typed_number(before),
        limit=PAGE,
        newest_first=True,
    )
    compared = lists.find(reach=reach, limit=MOST_COMPARED + 1, newest_first=True)
    contrary = list(islice(conflicts(compared[:MOST_COMPARED], datetime.now(UTC)), _MOST_CONFLICTS + 1))
    typed = typed or Typed()
    return console.render(
        "lists.html",
        status=422 if typed.wrong or typed.broad or typed.forgeable.why or typed.problem else 200,
        entries=found,
        met=lists.met([one.id for one in found]),
        more=len(found) == PAGE,
        words=words,
        colour=colour,
        conflicts=contrary[:_MOST_CONFLICTS],
        more_conflicts=len(contrary) > _MOST_CONFLICTS,
        partly=len(compared) > MOST_COMPARED,
        typed=typed,
        colours=COLOURS,
        subjects=SUBJECTS,
        may_add=console.may(Right.LISTS),
        may_remove=lambda one: console.may(Right.LISTS, one.scope),
        said=said,
        despite=despite,
        limits=LIMITS,
        undo=undo,
        seal=console.visit.seal("lists", undo) if undo else "",
        wins=_wins,
        now=datetime.now(UTC),
    )


def _wins(one: Conflict) -> tuple[ListEntry, ListEntry]:
    """The allowing entry, then the blocking one."""
    return (one.wins, one.loses) if one.wins.colour is Colour.WHITE else (one.loses, one.wins)


def add(console: Console) -> Response:
    """Add what stands in the form, a line each, to the scope that is looked at: all or nothing."""
    console.require(Right.LISTS)
    console.visit.spend(CHANGES, console.holder.mailbox)
    told = console.visit.field
    typed = Typed(told("patterns")[:60_000], told("colour"), told("until"), told("note")[:500])
    if typed.colour not in list(Colour):
        raise NoAccessError(NOT_HERE)
    lines = list(lines_of(typed.patterns))
    if len(lines) > MOST_ADDED:
        return _page(console, _with(typed, problem=TOO_MANY))
    expires = until_day(console, typed.until)
    if typed.until and expires is None:
        return _page(console, _with(typed, problem=NO_DATE))
    wrong = [(number, text) for number, text in lines if _about(text) is None]
    if wrong or not lines:
        return _page(console, _with(typed, wrong=wrong or [(1, "")]))
    entries = [
        NewEntry(
            colour=Colour(typed.colour),
            subject=about[0],
            pattern=about[1],
            scope=console.scope,
            origin="console",
            author=console.holder.mailbox,
            note=typed.note,
            expires=expires,
        )
        for _, text in lines
        if (about := _about(text)) is not None
    ]
    own = console.site.settings.platform.domains
    broad = {
        one.pattern: SENTENCES[found]
        for one in entries
        if (found := breadth(one.subject, one.pattern, own, one.scope)) is not None
    }
    sure = told("sure") == "yes"
    if broad and not (sure and typed.note.strip()):
        return _page(console, _with(typed, broad=broad, problem=NEEDS_NOTE if sure else ""))
    if not sure:
        visit, senders = console.visit, allowed_senders(entries)
        doubted = visit.wait(forgeable, visit.house.dns, console.site.book, senders, console.scope)
        if doubted.why:
            return _page(console, _with(typed, forgeable=doubted))
    added = console.visit.store.lists.add(entries)
    said = ("replaced" if added.replaced else "added", added.new + added.merged)
    return _page(console, said=said, despite=_despite(console, entries))


def _despite(console: Console, entries: Sequence[NewEntry]) -> list[tuple[str, EntryTried]]:
    """Of the first white entries for senders that were added, those that would not let in all that is held."""
    if not console.may(Right.HELD):
        return []
    held = console.visit.store.quarantine
    tried = [
        (pattern, try_entry(held, console.site, pattern, console.scope))
        for pattern in allowed_senders(entries)[:_MOST_TRIED]
    ]
    return [(pattern, one) for pattern, one in tried if one.held]


def _with(typed: Typed, **more: object) -> Typed:
    return Typed(typed.patterns, typed.colour, typed.until, typed.note, **more)  # type: ignore[arg-type]


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a form's field that say something, with their numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        if pattern := line.partition("#")[0].strip():
            yield number, pattern


def _about(text: str) -> tuple[Subject, str] | None:
    """What a line means: a client or a network, else an address or a domain; None for neither."""
    try:
        ipaddress.ip_network(text, strict=False)
        subject = Subject.IP
    except ValueError:
        subject = Subject.SENDER
    try:
        return subject, normalise_pattern(subject, text)
    except ConfigError:
        return None


def until_day(console: Console, text: str) -> datetime | None:
    """The end of a day that is to come, in the zone of the scope; None for all else."""
    zone = zone_of(console.site.book.policy("").terms.time_zone)
    try:
        day = date.fromisoformat(text)
        end = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return end if end > datetime.now(UTC) else None


def change(console: Console) -> Response:
    """Remove the entries that are ticked, or give them another end."""
    console.visit.spend(CHANGES, console.holder.mailbox)
    chosen = _chosen(console)
    if console.visit.field("verb") == "remove":
        removed = console.visit.store.lists.remove([one.id for one in chosen], by=console.holder.mailbox)
        return _page(console, said=("removed", len(removed)), undo=kept(removed))
    expires = until_day(console, console.visit.field("until"))
    if expires is None and console.visit.field("until"):
        return _page(console, Typed(problem=NO_DATE))
    console.visit.store.lists.add(_anew(one, console.holder.mailbox, one.note, expires) for one in chosen)
    return _page(console, said=("dated", len(chosen)))


def undo(console: Console) -> Response:
    """Bring back what was removed a moment ago."""
    told = console.visit.field("undo")
    if console.visit.field("seal") != console.visit.seal("lists", told):
        raise NoAccessError(NOT_HERE)
    entries = entries_again(told, console.holder.mailbox)
    for one in entries:
        console.require(Right.LISTS, one.scope)
    added = console.visit.store.lists.add(entries)
    return _page(console, said=("restored", added.new + added.merged))


def _chosen(console: Console) -> list[ListEntry]:
    """The entries of the form, each of which this person may change; or none of them."""
    ticked = console.visit.fields("entry")
    numbers = [number for one in ticked if (number := typed_number(one)) is not None]
    if not numbers or len(numbers) < len(ticked):
        raise NoAccessError(NOT_HERE)
    found: list[ListEntry] = []
    for number in numbers[:PAGE]:
        reach = console.visible(Right.LISTS)
        one = console.visit.store.lists.find(reach=reach, after=number - 1, before=number + 1)
        if not one or not console.may(Right.LISTS, one[0].scope):
            raise NoAccessError(NOT_HERE)
        found += one
    return found


def _anew(one: ListEntry, author: str, note: str, expires: datetime | None) -> NewEntry:
    return NewEntry(
        colour=one.colour,
        subject=one.subject,
        pattern=one.pattern,
        scope=one.scope,
        origin=one.origin,
        author=author,
        note=note,
        expires=expires,
    )


def entries_again(told: str, author: str) -> list[NewEntry]:
    """The entries that `kept` wrote down."""
    return [
        NewEntry(
            colour=Colour(colour),
            subject=Subject(subject),
            pattern=pattern,
            scope=scope,
            origin="console",
            author=author,
            note=note,
            expires=datetime.fromisoformat(expires) if expires else None,
        )
        for scope, colour, subject, pattern, note, expires in json.loads(told)
    ]


def kept(removed: Sequence[ListEntry]) -> str:
    """What brings entries back."""
    return json.dumps(
        [
            (
                *(one.scope, one.colour, one.subject, one.pattern, one.note),
                one.expires.isoformat() if one.expires else "",
            )
            for one in removed
        ]
    )

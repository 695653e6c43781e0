"""Which files, images and messages are known to be bad (S8b, S22, S26). For who has the platform.

?kind=, ?q= -> entries of the lists (files, images), marks by hand (messages as well) -> page
form: hashes -> entries | ticked -> entries removed, marks ended -> Undo brings them back
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.responses import Response

from tamis.base.errors import ConfigError
from tamis.contract.lists import Colour, ListEntry, Subject, normalise_pattern
from tamis.database.list_entries import NewEntry
from tamis.database.marks import EndedMark, Mark, MarkKind
from tamis.handover.marking import LEARNED
from tamis.language.translation import marked
from tamis.people.rights import Reach, Right
from tamis.web.console import taking_back
from tamis.web.console.console import Console
from tamis.web.console.list_pages import (
    COLOURS,
    MOST_ADDED,
    NO_DATE,
    TOO_MANY,
    entries_again,
    kept,
    until_day,
)
from tamis.web.console.list_pages import lines_of as lines
from tamis.web.mark_deeds import MarkDeeds, last_fingerprint, place_of_fingerprint
from tamis.web.rate_limits import CHANGES
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_HERE, NOT_VALID, NoAccessError, PageRefusedError

PAGE = 50
"""Rows of each table on one page (beyond: the next one)."""
MOST_UNDONE = 1000
"""Marks that Undo brings back; beyond: nothing brings them back, and the page says so."""
_PLACE = "/fingerprints"
_LONGEST = 200

KINDS = {
    MarkKind.ATTACHMENT: marked("Files"),
    MarkKind.IMAGE: marked("Images"),
    MarkKind.MESSAGE: marked("Messages"),
}
_SUBJECTS = {MarkKind.ATTACHMENT: Subject.ATTACHMENT, MarkKind.IMAGE: Subject.IMAGE}
_ADDED = marked("The fingerprints are listed: %(new)s new, %(old)s brought up to date.")
_REMOVED = marked("Taken off the lists: %(entries)s. Marks ended: %(marks)s.")
_FOR_GOOD = marked("That is more than can be undone.")
_BACK = marked("It stands as before.")


@dataclass(frozen=True, slots=True)
class TypedHashes:
    """What somebody typed into the form, and what is the matter with it."""

    hashes: str = ""
    note: str = ""
    until: str = ""
    wrong: Sequence[tuple[int, str]] = ()
    problem: str = ""


def show(console: Console) -> Response:
    """The page."""
    return _page(console)


def _kind(console: Console) -> MarkKind:
    asked = console.visit.query("kind") or console.visit.field("kind")
    return MarkKind(asked) if asked in KINDS else MarkKind.ATTACHMENT


def reach_of(console: Console) -> Reach:
    """Whose fingerprints are seen: everybody's in the scope that is looked at, without locked mailboxes."""
    return replace(console.visible(Right.PLATFORM), own=console.holder.mailbox, closed=console.locks).within(
        console.scope
    )


def _page(console: Console, typed: TypedHashes | None = None) -> Response:
    visit, kind, typed = console.visit, _kind(console), typed or TypedHashes()
    words, reach = visit.query("q").strip().casefold()[:_LONGEST], reach_of(console)
    entries: Sequence[ListEntry] = ()
    if kind in _SUBJECTS:
        entries = visit.store.lists.find(
            reach=reach,
            subject=_SUBJECTS[kind],
            words=words,
            before=typed_number(visit.query("before")),
            limit=PAGE + 1,
            newest_first=True,
        )
    marks = visit.store.marks.find(
        kind, reach=reach, beginning=words, after=last_fingerprint(visit.query("after")), limit=PAGE + 1
    )
    return console.render(
        "fingerprints.html",
        status=422 if typed.wrong or typed.problem else 200,
        kind=kind,
        kinds=KINDS,
        can_be_listed=kind in _SUBJECTS,
        words=words,
        entries=entries[:PAGE],
        older=str(entries[PAGE - 1].id) if len(entries) > PAGE else "",
        marks=marks[:PAGE],
        next_marks=place_of_fingerprint(marks[PAGE - 1]) if len(marks) > PAGE else "",
        place_of=place_of_fingerprint,
        colours=COLOURS,
        learned=LEARNED,
        learned_from=console.site.settings.learning.learned_from,
        mark_days=console.site.settings.learning.mark_days,
        typed=typed,
        notice=taking_back.notice(console),
    )


def add(console: Console) -> Response:
    """List the files or images of hashes as bad, in the scope that is looked at: all or nothing."""
    visit, kind = console.visit, _kind(console)
    if kind not in _SUBJECTS or console.locks.closes(console.scope):
        raise NoAccessError(NOT_HERE)
    visit.spend(CHANGES, console.holder.mailbox)
    typed = TypedHashes(visit.field("hashes")[:100_000], visit.field("note")[:500], visit.field("until"))
    expires = until_day(console, typed.until)
    if typed.until and expires is None:
        return _page(console, replace(typed, problem=NO_DATE))
    found = list(lines(typed.hashes))
    if len(found) > MOST_ADDED:
        return _page(console, replace(typed, problem=TOO_MANY))
    patterns = [(number, text, _pattern(_SUBJECTS[kind], text)) for number, text in found]
    wrong = [(number, text) for number, text, pattern in patterns if not pattern]
    if wrong or not patterns:
        return _page(console, replace(typed, wrong=wrong or [(1, "")]))
    added = visit.store.lists.add(
        NewEntry(
            colour=Colour.BLACK,
            subject=_SUBJECTS[kind],
            pattern=pattern,
            scope=console.scope,
            origin="console",
            author=console.holder.mailbox,
            note=typed.note,
            expires=expires,
        )
        for _, _, pattern in patterns
    )
    said = visit.reader.gettext(_ADDED) % {"new": added.new, "old": added.merged}
    return taking_back.told(console, _PLACE, said, kind=str(kind))


def _pattern(subject: Subject, text: str) -> str:
    try:
        return normalise_pattern(subject, text)
    except ConfigError:
        return ""


def change(console: Console) -> Response:
    """Take the ticked entries off the lists, and end the ticked marks."""
    visit, kind, by = console.visit, _kind(console), console.holder.mailbox
    visit.spend(CHANGES, by)
    reach = reach_of(console)
    ticked = [one.id for number in visit.fields("entry")[:PAGE] for one in _entry(console, kind, number)]
    places = [
        place for one in visit.fields("mark")[:PAGE] if (place := last_fingerprint(one[:1000])) is not None
    ]
    if not ticked and not places:
        raise PageRefusedError(NOT_VALID, 400)
    removed = visit.store.lists.remove(ticked, by=by)
    deeds = MarkDeeds(visit.house, by)
    ended = [mark for fingerprint, scope in places for mark in deeds.end(kind, fingerprint, scope, reach)]
    marks = sum(one.mark.kind is kind for one in ended)
    said = visit.reader.gettext(_REMOVED) % {"entries": len(removed), "marks": marks}
    words = [("entries", kept(removed)), *map(_words_of, ended)]
    if len(ended) > MOST_UNDONE:
        said, words = f"{said} {visit.reader.gettext(_FOR_GOOD)}", []
    return taking_back.told(console, _PLACE, said, words, kind=str(kind))


def _entry(console: Console, kind: MarkKind, number: str) -> Sequence[ListEntry]:
    """The entry of a number, if it is one of this kind that is seen and that no marks make."""
    asked = typed_number(number)
    if kind not in _SUBJECTS or asked is None:
        return ()
    found = console.visit.store.lists.find(
        reach=reach_of(console), subject=_SUBJECTS[kind], after=asked - 1, before=asked + 1
    )
    return [one for one in found if one.origin != LEARNED]


def _words_of(one: EndedMark) -> Sequence[str]:
    mark = one.mark
    return (
        str(mark.kind),
        mark.fingerprint,
        mark.scope,
        mark.message,
        mark.reporter,
        one.expires.isoformat(),
    )


def undo(console: Console) -> Response:
    """Bring back what was removed a moment ago."""
    words = taking_back.kept(console, _PLACE)
    if not words:
        return taking_back.too_late(console, _PLACE, kind=str(_kind(console)))
    by = console.holder.mailbox
    (_, entries), *marks = words
    console.visit.store.lists.add(entries_again(entries, by))
    MarkDeeds(console.visit.house, by).bring_back(
        EndedMark(
            Mark(MarkKind(kind), fingerprint, scope, message, reporter, spam=True),
            datetime.fromisoformat(expires),
        )
        for kind, fingerprint, scope, message, reporter, expires in marks
    )
    return taking_back.told(console, _PLACE, console.visit.reader.gettext(_BACK), kind=str(_kind(console)))

"""Where is that mail? One search for all that passed through.

    ?q= (as typed), ?outcome= and ?by= (as chosen), ?days= -> Search -> Wanted within the reach -> page | CSV

What was chosen is written into the search as words, so that an address and a bookmark say all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from starlette.responses import Response

from tamis.database.history import KeptStory
from tamis.database.history_search import Wanted
from tamis.database.search_words import Search, read_search
from tamis.judging.story import Told
from tamis.judging.verdict import SCORE
from tamis.language.time_zone import zone_of
from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.web.console.console import Console
from tamis.web.page_reader import PageReader
from tamis.web.table_file import csv_file
from tamis.web.typed_numbers import typed_number

PAGE = 50
"""Messages on a page."""
MOST_COUNTED = 10_000
"""Messages that are counted (beyond: the page says "more than 10,000")."""
MOST_IN_FILE = 10_000
"""Messages in a CSV file (beyond: its last line says that there are more)."""
_PART = 500
COPIES_SHOWN = 3
"""Recipients that a row names (beyond: it says how many more)."""

DAYS = {
    "1": marked("24 hours"),
    "7": marked("7 days"),
    "30": marked("30 days"),
    "all": marked("all that is kept"),
}
USUAL_DAYS = "7"

WENT = {
    "inbox": marked("inbox"),
    "tag": marked("inbox, tagged"),
    "junk": marked("Junk"),
    "quarantine": marked("held"),
    "defer": marked("deferred"),
}
"""Where a copy went, in a word."""
CHOICES = {
    "inbox": WENT["inbox"],
    "tag": WENT["tag"],
    "junk": WENT["junk"],
    "held": WENT["quarantine"],
    "deferred": WENT["defer"],
    "outgoing": marked("sent from here"),
    "observed": marked("only observed"),
}
"""What `is:` of the search is called in the list to choose from."""


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What the address asks for: the search with what was chosen beside it, and the days that it goes back."""

    search: Search
    days: str
    wanted: Wanted

    @classmethod
    def of(cls, console: Console) -> AskedFor:
        """From `?q=`, `?outcome=`, `?by=`, `?days=`."""
        visit = console.visit
        chosen = [
            f"{operator}:{value}"
            for operator, value in (("is", visit.query("outcome")), ("by", visit.query("by")))
            if value
        ]
        now = visit.reader.now.astimezone(zone_of(visit.reader.zone))
        filters = {one.name: one.spec_id for one in console.site.filters}
        search = read_search(" ".join([visit.query("q"), *chosen]).strip(), now, filters)
        days = visit.query("days") if visit.query("days") in DAYS else USUAL_DAYS
        since = None if search.has_dates or days == "all" else now - timedelta(days=int(days))
        wanted = replace(
            search.wanted, reach=console.visible(Right.HISTORY), since=search.wanted.since or since
        )
        return cls(search, days, wanted)


def show(console: Console) -> Response:
    """The page; `?as=csv` is a file of the same."""
    asked = AskedFor.of(console)
    if console.visit.query("as") == "csv" and not asked.search.problems:
        return _file(console, asked)
    before = typed_number(console.visit.query("before")) or 0
    found, total = ([], 0) if asked.search.problems else _found(console, asked.wanted, before)
    return console.render(
        "messages.html",
        asked=asked,
        found=found[:PAGE],
        older=found[PAGE - 1].id if len(found) > PAGE else 0,
        before=before,
        total=min(total, MOST_COUNTED),
        is_more=total > MOST_COUNTED,
        days=DAYS,
        choices=CHOICES,
        filters=sorted(one.name for one in console.site.filters),
        went=went,
        named_by=named_by,
        copies_shown=COPIES_SHOWN,
        wanted_words=_labels(console, found[:PAGE]),
    )


def _find(console: Console, wanted: Wanted, before: int, limit: int) -> list[KeptStory]:
    if before:
        wanted = replace(wanted, numbers=(0, before))
    return console.visit.store.history.find(wanted, limit)


def _found(console: Console, wanted: Wanted, before: int) -> tuple[list[KeptStory], int]:
    """Those of the page and one more, and how many there are on all pages."""
    history = console.visit.store.history
    if before:
        return _find(console, wanted, before, PAGE + 1), history.reckoned(wanted, MOST_COUNTED + 1)
    return history.find_and_count(wanted, PAGE + 1, MOST_COUNTED + 1)


def _labels(console: Console, found: list[KeptStory]) -> dict[tuple[int, str], bool]:
    """What people said of the copies: wanted or not, by message and recipient."""
    said = console.visit.store.labels.standing([one.story.transaction for one in found])
    mailbox = console.site.book.policy
    return {
        (one.id, who): said[one.story.transaction, key]
        for one in found
        for who, _ in one.story.recipients
        if (one.story.transaction, key := mailbox(who).mailbox) in said
    }


def went(told: Told, reader: PageReader) -> str:
    """Where a copy went, in a word or two."""
    if told.decision == "defer":
        return reader.gettext(WENT["defer"])
    place = reader.gettext(WENT.get(told.outcome, told.outcome))
    return (
        reader.gettext(marked("inbox (observed: %(place)s)")) % {"place": place} if told.observed else place
    )


def named_by(decided_by: str, reader: PageReader) -> str:
    """What people call what decided; "" for nothing."""
    if decided_by == SCORE:
        return reader.gettext(marked("the total of all"))
    return decided_by.replace("_", " ")


def _file(console: Console, asked: AskedFor) -> Response:
    reader = console.visit.reader
    heads = (
        *("id", "at", "from", "sender", "subject", "recipient", "went", "decided by", "score", "limit"),
        *("client", "queue id", "Message-ID"),
    )
    return csv_file("messages", heads, _lines(console, asked, reader))


def _lines(console: Console, asked: AskedFor, reader: PageReader) -> Iterator[tuple[str, ...]]:
    before, left = 0, MOST_IN_FILE
    while left > 0:
        found = _find(console, asked.wanted, before, min(_PART, left))
        for one in found:
            yield from _rows(one, reader)
        left -= len(found)
        if len(found) < _PART:
            return
        before = found[-1].id
    if _find(console, asked.wanted, before, 1):
        yield (reader.gettext(marked("There are more: search for fewer days.")),)


def _rows(one: KeptStory, reader: PageReader) -> Iterator[tuple[str, ...]]:
    story = one.story
    for who, told in story.recipients:
        yield (
            str(one.id),
            story.at.isoformat(timespec="seconds"),
            story.header_from,
            story.sender,
            story.subject,
            who,
            went(told, reader),
            told.decided_by,
            f"{told.score:.1f}",
            f"{told.required:.1f}",
            story.client_ip,
            story.queue_id,
            story.message_id,
        )

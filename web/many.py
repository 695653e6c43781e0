"""Acting on many held messages at once, and undoing it as one: for lists of pages and for the API.

ids of a form, Reach -> Quarantine.several: those that may be seen -> act_on_all -> DoneAll
DoneAll -> kept (Acts) -> one token -> undo_all
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tamis.base.errors import ReinjectError
from tamis.base.tokens import Purpose, Tokens
from tamis.judging.site import Site
from tamis.language.translation import marked
from tamis.quarantine.held_mail import BIN
from tamis.quarantine.records import Done, Summary
from tamis.store import Store
from tamis.web.actions import Actions, Undoable, Verb, listed_sender
from tamis.web.page_reader import PageReader

MAX_AT_ONCE = 500
"""Messages that one act may name (beyond: the rest is not looked at; the page that asks shows fewer)."""
MAX_SECONDS = 20.0
"""How long one act goes on (beyond: what is left stays held, and the page says how many)."""

ON_MANY = (Verb.DELIVER, Verb.DELETE, Verb.SPAM)
"""What can be done with many at once: a list of senders is changed one by one."""

_MANY = "many"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoneAll:
    """What came of acting on many: `deeds` were done, `refused` says why others were not, and `left` are those that
    were not tried, since Postfix took nothing (`trouble`) or time was over."""

    verb: Verb
    deeds: tuple[Undoable, ...]
    refused: Mapping[str, Done] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    trouble: str = ""

    def keep(self, store: Store, tokens: Tokens, by: str, now: datetime | None = None) -> str:
        """The token that says what was done and, to whoever holds it, undoes all of it within BIN."""
        until = (now or datetime.now(UTC)) + BIN
        undoable = [one.words for one in self.deeds if one.leaves_something]
        act = store.acts.keep(undoable, until) if undoable else ""
        counts = (str(len(self.deeds)), str(len(self.refused)), str(len(self.left)))
        return tokens.make(Purpose.UNDO, by, _MANY, self.verb, act, *counts, expires=until)


@dataclass(frozen=True, slots=True)
class KeptAct:
    """What the token of `DoneAll.keep` says. `act` is "" where nothing is left to undo."""

    verb: Verb
    act: str
    done: int
    refused: int
    left: int

    @classmethod
    def read(cls, words: Sequence[str]) -> tuple[KeptAct, str] | None:
        """From the words of a token of Purpose.UNDO, and who did it; None for what was done to a single message."""
        by, kind, *rest = words
        if kind != _MANY:
            return None
        verb, act, done, refused, left = rest
        return cls(Verb(verb), act, int(done), int(refused), int(left)), by


def act_on_all(
    actions: Actions, verb: Verb, messages: Sequence[Summary], site: Site, by: str, *, teach: bool = True
) -> DoneAll:
    """Do the same with each of these messages, which the caller may act on. It ends at the first that Postfix does not
    take: the others are held as before."""
    until = time.monotonic() + MAX_SECONDS
    deeds: list[Undoable] = []
    refused: dict[str, Done] = {}
    for place, message in enumerate(messages[:MAX_AT_ONCE]):
        left = tuple(one.id for one in messages[place:MAX_AT_ONCE])
        if time.monotonic() > until:
            return DoneAll(verb, tuple(deeds), refused, left)
        try:
            done, deed = actions.do(verb, message, listed_sender(message, site), by, teach=teach)
        except ReinjectError as error:
            log.warning("%d of %d messages are left: %s", len(left), len(messages), error)
            return DoneAll(verb, tuple(deeds), refused, left, str(error))
        if done is Done.DONE:
            deeds.append(deed)
        else:
            refused[message.id] = done
    return DoneAll(verb, tuple(deeds), refused)


def undo_all(actions: Actions, store: Store, act: str, by: str) -> tuple[int, int]:
    """Undo what was kept under an id, as far as it can be: how many of how many."""
    deeds = [Undoable.of(words) for words in store.acts.find(act)]
    undone = Counter(actions.undo(deed, by) for deed in deeds)
    return undone[True], len(deeds)


_DONE = {
    Verb.DELIVER: (marked("%(num)s message was delivered."), marked("%(num)s messages were delivered.")),
    Verb.DELETE: (marked("%(num)s message was deleted."), marked("%(num)s messages were deleted.")),
    Verb.SPAM: (
        marked("%(num)s message was deleted and reported as unwanted."),
        marked("%(num)s messages were deleted and reported as unwanted."),
    ),
}
_NOTHING = marked("Nothing was done: no message was chosen.")
_REFUSED = (
    marked("%(num)s was dealt with before."),
    marked("%(num)s were dealt with before."),
)
_LEFT = (
    marked("%(num)s is still held: the mail server takes no more now. Please try again later."),
    marked("%(num)s are still held: the mail server takes no more now. Please try again later."),
)
_UNDONE = (marked("%(num)s message is as before."), marked("%(num)s messages are as before."))
UNDO_ALL = marked("Undo for all of them")


def told_of(act: KeptAct, reader: PageReader) -> str:
    """What was done, in a sentence or a few."""
    counted = [(_DONE[act.verb], act.done), (_REFUSED, act.refused), (_LEFT, act.left)]
    said = [_counted(reader, forms, number) for forms, number in counted if number]
    return " ".join(said) or reader.gettext(_NOTHING)


def told_undone(reader: PageReader, undone: int) -> str:
    """What undoing came to."""
    return _counted(reader, _UNDONE, undone)


def _counted(reader: PageReader, forms: tuple[str, str], number: int) -> str:
    return reader.gettext(forms[0 if number == 1 else 1]) % {"num": reader.number(number)}

"""What pages say was just done, and its undoing: said by the address that the browser is sent to, so that a reload
repeats nothing."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from tamis.base.errors import TokenError
from tamis.base.tokens import Purpose
from tamis.contract.lists import Colour
from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.quarantine.records import Done, HeldState
from tamis.web.actions import DONE_DESPITE, UNDO, UNDONE, Actions, Undoable, Verb, listed_sender, told
from tamis.web.many import UNDO_ALL, KeptAct, told_of, told_undone, undo_all
from tamis.web.preferences import deciding_entry, take_care
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_VALID, PageRefusedError, Visit, Way
from tamis.web.why import not_enough

NOT_DONE = {
    Done.ALREADY: marked("This has already been done."),
    Done.BUSY: marked("This message is being delivered right now."),
    Done.GONE: marked("This message is no longer here: it was delivered or deleted, or it expired."),
    Done.UNKNOWN: marked("This message is no longer here: it was delivered or deleted, or it expired."),
}


BECAME = {
    HeldState.RELEASING: NOT_DONE[Done.BUSY],
    HeldState.RELEASED: marked("This message is no longer held: it was delivered."),
    HeldState.DELETED: marked("This message is no longer held: it was deleted."),
    HeldState.EXPIRED: marked(
        "This message is no longer held: it was deleted, because nobody wanted it in time."
    ),
}
"""What became of a message that can't be dealt with any more, as its state says."""

DEEDS = {
    "preview": marked("looked at it"),
    "release": marked("delivered it"),
    "release failed": marked("tried to deliver it"),
    "delete": marked("deleted it"),
    "restore": marked("took it back from the bin"),
    "chose allow": marked("always allowed its sender"),
    "chose block": marked("always blocked its sender"),
    "chose spam": marked("reported it as unwanted"),
}
"""The audit trail's actions in words."""


@dataclass(frozen=True, slots=True)
class DoneNotice:
    """What the page says on top: what was done, and how to undo it (`token`, `undo`)."""

    text: str
    token: str = ""
    undo: str = ""


_TOO_LATE = marked("It is too late to undo this.")


def undo(visit: Visit) -> Response:
    """Undo what the token in the form says. It is the right to do so: whoever did it got it."""
    try:
        words = visit.house.tokens.read(Purpose.UNDO, visit.field("deed"))
    except TokenError:
        raise PageRefusedError(_TOO_LATE) from None
    many, place = KeptAct.read(words), back(visit)
    if many is not None:
        act, by = many
        undone, _ = undo_all(actions(visit), visit.store, act.act, by)
        said, sentence = f"undone-{undone}", told_undone(visit.reader, undone)
    else:
        deed, by = Undoable.read(words)
        place["at"] = deed.message
        undone = actions(visit).undo(deed, by)
        said, sentence = f"undone-{deed.verb}", visit.reader.gettext(UNDONE[deed.verb])
    if not undone:
        said, sentence = "late", visit.reader.gettext(_TOO_LATE)
    if visit.person is not None and visit.person.address == by:
        return visit.redirect("/done" if visit.field("from") == "done" else "/mail", said=said, **place)
    return visit.render("told.html", sentence=sentence, way=Way("/mail", marked("All held messages")))


def verb_of(text: str) -> Verb:
    """What is to be done. Raises RefusedError on anything that can't be."""
    try:
        return Verb(text)
    except ValueError:
        raise PageRefusedError(NOT_VALID, 400) from None


def actions(visit: Visit) -> Actions:
    """What can be done with held mail here."""
    return Actions(visit.store, visit.site.settings)


RIGHTS_OF = {
    Verb.DELIVER: (Right.RELEASE,),
    Verb.ALLOW: (Right.RELEASE, Right.LISTS),
    Verb.DELETE: (Right.RELEASE,),
    Verb.SPAM: (Right.RELEASE,),
    Verb.BLOCK: (Right.RELEASE, Right.LISTS),
}
"""What each deed wants in the message's mailbox."""
_BACK = ("box", "q", "before", "sort", "at")


def back(visit: Visit) -> dict[str, str]:
    """The parameters of the list that one came from, and where in it one was."""
    return {name: (visit.query(name) or visit.field(name))[:500] for name in _BACK}


def notice(visit: Visit) -> DoneNotice | None:
    """What the address says was just done. The token makes sure that nobody else puts words on the page."""
    said, reader = visit.query("said"), visit.reader
    undone = said.removeprefix("undone-") if said.startswith("undone-") else ""
    if undone in tuple(Verb):
        return DoneNotice(reader.gettext(UNDONE[Verb(undone)]))
    if (number := typed_number(undone)) is not None:
        return DoneNotice(told_undone(reader, number))
    if said == "late":
        return DoneNotice(reader.gettext(_TOO_LATE))
    if said in tuple(NOT_DONE):
        return DoneNotice(reader.gettext(NOT_DONE[Done(said)]))
    token = visit.query("did")
    try:
        words = visit.house.tokens.read(Purpose.UNDO, token)
    except TokenError:
        return None
    many = KeptAct.read(words)
    if many is None:
        return done_notice(visit, Undoable.read(words)[0], token)
    act = many[0]
    return DoneNotice(told_of(act, reader), token if act.act else "", reader.gettext(UNDO_ALL))


def done_notice(visit: Visit, deed: Undoable, token: str) -> DoneNotice:
    """What was done, with its undoing where there is something to undo."""
    record = visit.store.quarantine.get(deed.message)
    mailbox = record.summary.mailbox if record else ""
    sender = listed_sender(record.summary, visit.site) if record else ""
    decides = deciding_entry(visit, sender, mailbox) if record and sender else None
    is_own = visit.person is not None and visit.person.address == mailbox
    sentence, pattern = told(deed.verb, sender, decides, is_own=is_own)
    despite = care = ""
    if record and deed.verb is Verb.ALLOW and decides is not None and decides.colour is Colour.WHITE:
        despite = not_enough(record, visit)
        care = take_care(visit, sender, mailbox)
    text = visit.reader.gettext(DONE_DESPITE if despite else sentence)
    filled = text % {"sender": sender, "pattern": pattern, "mailbox": mailbox}
    text = " ".join(one for one in (filled, despite, care) if one)
    return DoneNotice(text, token if deed.leaves_something else "", visit.reader.gettext(UNDO[deed.verb]))

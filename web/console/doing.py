"""What the console's forms do with mail, how it is said, and how it is undone.

form -> rights of each mailbox -> Actions -> redirect: what was done (sealed), and the token that undoes it
GET  -> DoneNotice, if the seal is ours
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response

from tamis.base.errors import TokenError
from tamis.base.tokens import Purpose
from tamis.judging.list_effect import listable_of
from tamis.language.translation import marked
from tamis.message.address import domain_of
from tamis.people.rights import Right
from tamis.quarantine.records import Done, Summary
from tamis.web.actions import LISTING, Actions, Undoable, Verb
from tamis.web.console.console import Console
from tamis.web.done_notices import NOT_DONE, DoneNotice, verb_of
from tamis.web.many import UNDO_ALL, KeptAct, told_undone, undo_all
from tamis.web.preferences import deciding_entry, take_care
from tamis.web.visit import NOT_HERE, NOT_VALID, NoAccessError, PageRefusedError

_BACK = re.compile(r"/(messages(/[0-9]{1,18})?|held)")
KEPT = ("q", "days", "before", "sort")
"""What of an address stays when something was done on its page."""

MOST_SAID = 500
"""Characters of what an address says was done; beyond: it is cut, since more of an address is not read."""
TOO_LATE = marked("It is too late to undo this.")
_UNDONE: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.DELIVER: marked("Forgotten. The message stays delivered."),
        Verb.ALLOW: marked("The sender is filtered as before."),
        Verb.DELETE: marked("The message is held again."),
        Verb.SPAM: marked("The message is held again."),
        Verb.BLOCK: marked("The sender is filtered as before, and the message is held again if it was."),
    }
)
_DID: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.DELIVER: marked("Delivered to %(mailbox)s."),
        Verb.ALLOW: marked("Delivered to %(mailbox)s. Mail from %(sender)s is always allowed for %(scope)s."),
        Verb.DELETE: marked("Deleted."),
        Verb.SPAM: marked("Deleted and reported as unwanted."),
        Verb.BLOCK: marked("Deleted. Mail from %(sender)s is always held for %(scope)s."),
    }
)
_LISTED: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.ALLOW: marked("Mail from %(sender)s is always allowed for %(scope)s."),
        Verb.BLOCK: marked("Mail from %(sender)s is always held for %(scope)s."),
    }
)
_OVERRULED = marked("But another entry decides about it: %(pattern)s.")
UNDO = marked("Undo")


def actions_of(console: Console) -> Actions:
    """The doing."""
    return Actions(console.visit.store, console.site.settings)


def act_on_copy(
    console: Console,
    verb: Verb,
    mailbox: str,
    held: Summary | None,
    sender: str,
    scope: str,
    despite: str = "",
) -> tuple[str, str]:
    """Do something about one copy of a message: what is to be said of it, and the token that undoes it ("" for none).
    `held` is its held copy, if there is one; `sender` who is listed by ALLOW and BLOCK, for `scope`; `despite` says
    what ALLOW can't promise. Raises NoAccessError where a right is missing."""
    by = console.holder.mailbox
    if verb in LISTING:
        if not sender or scope not in (mailbox, domain_of(mailbox)):
            raise PageRefusedError(NOT_VALID, 400)
        console.require(Right.LISTS, scope)
    else:
        console.require(Right.RELEASE, mailbox)
    if held is None:
        if verb not in LISTING:
            return console.visit.reader.gettext(NOT_DONE[Done.GONE]), ""
        deed = actions_of(console).list_sender(verb, sender, scope, by)
        said = _sentence(console, _LISTED[verb], mailbox, sender, scope, verb, despite)
        return said, _token(console, deed)
    console.require(Right.RELEASE, mailbox)
    teach = console.may(Right.LEARN, mailbox)
    done, deed = actions_of(console).do(verb, held, sender, by, scope=scope, teach=teach)
    if done is not Done.DONE:
        return console.visit.reader.gettext(NOT_DONE[done]), ""
    return _sentence(console, _DID[verb], mailbox, sender, scope, verb, despite), _token(console, deed)


def _token(console: Console, deed: Undoable) -> str:
    return deed.token(console.visit.house.tokens, console.holder.mailbox) if deed.leaves_something else ""


def _sentence(
    console: Console, sentence: str, mailbox: str, sender: str, scope: str, verb: Verb, despite: str
) -> str:
    """What was done, as the lists stand: another entry may decide, or what no entry overrules."""
    reader = console.visit.reader
    said = reader.gettext(sentence) % {"mailbox": mailbox, "sender": sender, "scope": scope}
    if verb in LISTING:
        decides = deciding_entry(console.visit, sender, mailbox)
        if decides is not None and decides.colour is not LISTING[verb]:
            said += " " + reader.gettext(_OVERRULED) % {"pattern": decides.pattern}
        elif verb is Verb.ALLOW and despite:
            said += f" {despite}"
    care = take_care(console.visit, sender, scope) if verb is Verb.ALLOW else ""
    return f"{said} {care}".rstrip()


def sender_of(console: Console, addresses: tuple[str, ...], mailbox: str) -> str:
    """The address that ALLOW and BLOCK mean for a mailbox; "" for none."""
    return listable_of(addresses, {*console.site.settings.platform.domains, domain_of(mailbox)})


def told(console: Console, back: str, said: str, did: str = "") -> Response:
    """Back to a page of the console, which says what was done."""
    kept = {name: console.visit.field(name)[:500] for name in KEPT}
    said = said[:MOST_SAID]
    return console.redirect(back, said=said, did=did, seal=console.visit.seal(said, did), **kept)


def notice(console: Console) -> DoneNotice | None:
    """What the address says was just done, if that was said by us."""
    visit = console.visit
    said, did = visit.query("said"), visit.query("did")
    if not said or not visit.is_sealed(said, did):
        return None
    undoes = _read(console, did) if did else None
    label = UNDO_ALL if isinstance(undoes, KeptAct) and undoes.done > 1 else UNDO
    is_left = undoes is not None and (not isinstance(undoes, KeptAct) or bool(undoes.act))
    return DoneNotice(said, did if is_left else "", visit.reader.gettext(label))


def undo(console: Console) -> Response:
    """Undo what the token in the form says, for who did it."""
    visit = console.visit
    back = visit.field("back")
    if not _BACK.fullmatch(back):
        raise PageRefusedError(NOT_VALID, 400)
    deed = _read(console, visit.field("deed"))
    if deed is None:
        return told(console, back, visit.reader.gettext(TOO_LATE))
    by = console.holder.mailbox
    if isinstance(deed, KeptAct):
        undone, of = undo_all(actions_of(console), visit.store, deed.act, by)
        said = told_undone(visit.reader, undone) if undone else ""
        late = visit.reader.gettext(TOO_LATE) if undone < of or not of else ""
        return told(console, back, f"{said} {late}".strip())
    undone_one = actions_of(console).undo(deed, by)
    return told(console, back, visit.reader.gettext(_UNDONE[deed.verb] if undone_one else TOO_LATE))


def _read(console: Console, token: str) -> Undoable | KeptAct | None:
    """What a token says that this person did; None for all others."""
    try:
        words = console.visit.house.tokens.read(Purpose.UNDO, token)
    except TokenError:
        return None
    many = KeptAct.read(words)
    deed, by = many if many is not None else Undoable.read(words)
    return deed if by == console.holder.mailbox else None


def asked_verb(console: Console) -> Verb:
    """What the form asks for. Raises PageRefusedError on what can't be done."""
    return verb_of(console.visit.field("verb"))


def refuse() -> NoAccessError:
    """What is not there, or not for this person."""
    return NoAccessError(NOT_HERE)

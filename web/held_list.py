"""The recipient's quarantine: list, one message, what is done with it. Administrators see those of their domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import HTMLResponse, Response

from tamis.base.errors import TokenError
from tamis.base.tokens import Purpose
from tamis.contract.finding import Finding
from tamis.contract.sentences import retold
from tamis.judging.reasons import plain_reason
from tamis.judging.verdict import SCORE
from tamis.language.translation import marked
from tamis.message.address import domain_key
from tamis.people.rights import Right
from tamis.quarantine.records import Done, HeldRecord, HeldState, Summary
from tamis.web.actions import UNDO, UNDONE, Actions, Undoable, Verb, listed_sender, told
from tamis.web.guard import FRAME_CSP
from tamis.web.preferences import deciding_entry
from tamis.web.preview import formatted, preview
from tamis.web.visit import NOT_VALID, NoAccessError, PageRefusedError, Visit

PAGE = 50
"""Messages on one page of the list."""
_LOOKS = 10  # pages of a domain that are read to fill one, where mailboxes in it are closed

NOT_DONE = {
    Done.ALREADY: marked("This has already been done."),
    Done.BUSY: marked("This message is being delivered right now."),
    Done.GONE: marked("This message is no longer here: it was delivered or deleted, or it expired."),
    Done.UNKNOWN: marked("This message is no longer here: it was delivered or deleted, or it expired."),
}


DEEDS = {
    "preview": marked("looked at it"),
    "release": marked("delivered it"),
    "release failed": marked("tried to deliver it"),
    "delete": marked("deleted it"),
    "restore": marked("took it back from the bin"),
}
"""The audit trail's actions in words."""


@dataclass(frozen=True, slots=True)
class DoneNotice:
    """What the page says on top: what was done, and how to undo it (`token`, `undo`)."""

    text: str
    token: str = ""
    undo: str = ""


def show_list(visit: Visit) -> Response:
    """The held messages of a mailbox, newest first; of a domain for its administrators."""
    person = visit.signed_in
    scope = _scope(visit)
    text, before = visit.query("q"), visit.query("before")
    found, last = _page(visit, scope, text, before)
    terms = visit.site.book.policy(person.address).terms
    return visit.render(
        "list.html",
        scope=scope,
        is_own=scope == person.address,
        found=found,
        more=last,
        text=text,
        before=before,
        count=visit.store.quarantine.count(scope) if "@" in scope else None,
        digest=terms.digest,
        may_set="digest" in terms.self_service,
        notice=_notice(visit),
        plain_reason=lambda decided_by: plain_reason(decided_by, visit.site.filters),
        may_list=lambda one: bool(listed_sender(one, visit.site)),
    )


def _scope(visit: Visit) -> str:
    """The mailbox or domain that is looked at: the own one unless an administrator asked for another."""
    person = visit.signed_in
    wanted = visit.query("box").strip()
    if not wanted:
        return person.address
    scope = visit.site.book.policy(wanted).mailbox if "@" in wanted else domain_key(wanted)
    if person.may(Right.HELD, scope, visit.site):
        return scope
    visit.want_strength(Right.HELD, scope)
    raise NoAccessError(marked("There is no such mailbox, or you have no access to it."))


def _page(visit: Visit, scope: str, text: str, before: str) -> tuple[list[Summary], str]:
    """One page of a list, and the id to go on after ("" at its end). Closed mailboxes are left out."""
    open_to = visit.signed_in.visible(Right.HELD, visit.site)
    found: list[Summary] = []
    last = before
    for _ in range(_LOOKS):
        part = visit.store.quarantine.list(scope, text=text, limit=PAGE + 1, before=last or None)
        for one in part[:PAGE]:
            last = one.id
            if open_to.covers(one.mailbox):
                found.append(one)
            if len(found) == PAGE:
                return found, last if one is not part[-1] else ""
        if len(part) <= PAGE:
            return found, ""
    return found, last


def _record(visit: Visit, *rights: Right) -> HeldRecord:
    """The message of the address, for who has all these rights. What is not there and what is not open are refused
    alike."""
    person = visit.signed_in
    record = visit.store.quarantine.get(visit.request.path_params["message"])
    if record is None:
        raise NoAccessError(NOT_VALID)
    mailbox = record.summary.mailbox
    if not all(person.may(right, mailbox, visit.site) for right in rights):
        for right in rights:
            visit.want_strength(right, mailbox)
        raise NoAccessError(NOT_VALID)
    return record


def show_message(visit: Visit) -> Response:
    """One message: its text, why it was held, what can be done."""
    person = visit.signed_in
    record = _record(visit, Right.HELD, Right.CONTENT)
    one = record.summary
    content = visit.store.quarantine.content(one.id) if one.state is HeldState.HELD else None
    if content is not None:
        visit.store.trail.note(person.address, "preview", one.id, scope=one.mailbox)
    return visit.render(
        "message.html",
        one=one,
        is_own=one.mailbox == person.address,
        preview=preview(content) if content is not None else None,
        why=plain_reason(one.decided_by, visit.site.filters),
        evidence=evidence(record, visit),
        trace=trace(record, visit),
        deeds=visit.store.trail.about(one.id),
        deed_names=DEEDS,
        sender=listed_sender(one, visit.site),
        back=_back(visit),
        notice=_notice(visit),
    )


def show_formatted(visit: Visit) -> Response:
    """The cleaned HTML of a message, for the sandboxed frame."""
    record = _record(visit, Right.HELD, Right.CONTENT)
    content = (
        visit.store.quarantine.content(record.summary.id) if record.summary.state is HeldState.HELD else None
    )
    if content is None:
        raise PageRefusedError(NOT_VALID)
    one = record.summary
    visit.store.trail.note(visit.signed_in.address, "preview", one.id, scope=one.mailbox)
    response: HTMLResponse = visit.render("formatted.html", html=formatted(content))
    response.headers["content-security-policy"] = FRAME_CSP
    return response


def act(visit: Visit) -> Response:
    """Do something with a message, and go back to the list, which says so."""
    person = visit.signed_in
    verb = verb_of(visit.field("verb"))
    record = _record(visit, Right.HELD, *RIGHTS_OF[verb])
    one = record.summary
    done, deed = _actions(visit).do(verb, one, listed_sender(one, visit.site), person.address)
    if done is not Done.DONE:
        return visit.redirect("/mail", said=done, **_back(visit))
    return visit.redirect("/mail", did=deed.token(visit.house.tokens, person.address), **_back(visit))


def undo(visit: Visit) -> Response:
    """Undo what the token in the form says. It is the right to do so: whoever did it got it."""
    try:
        words = visit.house.tokens.read(Purpose.UNDO, visit.field("deed"))
    except TokenError:
        raise PageRefusedError(marked("It is too late to undo this.")) from None
    deed, by = Undoable.read(words)
    undone = _actions(visit).undo(deed, by)
    sentence = UNDONE[deed.verb] if undone else marked("It is too late to undo this.")
    if visit.person is not None and visit.person.address == by:
        said = f"undone-{deed.verb}" if undone else "late"
        return visit.redirect("/mail", said=said, **_back(visit))
    return visit.render("told.html", sentence=sentence)


def verb_of(text: str) -> Verb:
    """What is to be done. Raises RefusedError on anything that can't be."""
    try:
        return Verb(text)
    except ValueError:
        raise PageRefusedError(NOT_VALID, 400) from None


def _actions(visit: Visit) -> Actions:
    return Actions(visit.store, visit.site.settings)


RIGHTS_OF = {
    Verb.DELIVER: (Right.RELEASE,),
    Verb.ALLOW: (Right.RELEASE, Right.LISTS),
    Verb.DELETE: (Right.RELEASE,),
    Verb.SPAM: (Right.RELEASE,),
    Verb.BLOCK: (Right.RELEASE, Right.LISTS),
}
"""What each deed wants in the message's mailbox."""
_BACK = ("box", "q", "before")


def _back(visit: Visit) -> dict[str, str]:
    """The parameters of the list that one came from."""
    return {name: (visit.query(name) or visit.field(name))[:500] for name in _BACK}


def _notice(visit: Visit) -> DoneNotice | None:
    """What the address says was just done. The token makes sure that nobody else puts words on the page."""
    said = visit.query("said")
    if said == "late":
        return DoneNotice(visit.reader.gettext(marked("It is too late to undo this.")))
    if said.startswith("undone-") and said.removeprefix("undone-") in tuple(Verb):
        return DoneNotice(visit.reader.gettext(UNDONE[Verb(said.removeprefix("undone-"))]))
    if said in tuple(NOT_DONE):
        return DoneNotice(visit.reader.gettext(NOT_DONE[Done(said)]))
    try:
        deed, _ = Undoable.read(visit.house.tokens.read(Purpose.UNDO, visit.query("did")))
    except TokenError:
        return None
    return done_notice(visit, deed, visit.query("did"))


def done_notice(visit: Visit, deed: Undoable, token: str) -> DoneNotice:
    """What was done, with its undoing where there is something to undo."""
    record = visit.store.quarantine.get(deed.message)
    sender = listed_sender(record.summary, visit.site) if record else ""
    decides = deciding_entry(visit, sender, record.summary.mailbox) if record and sender else None
    sentence, pattern = told(deed.verb, sender, decides)
    text = visit.reader.gettext(sentence) % {"sender": sender, "pattern": pattern}
    return DoneNotice(text, token if deed.leaves_something else "", visit.reader.gettext(UNDO[deed.verb]))


# --- why ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One filter's line of the trace."""

    name: str
    spec_id: str
    status: str
    effect: str
    points: float
    text: str
    decided: bool


STATUS = {
    "hit": marked("hit"),
    "clear": marked("clear"),
    "unavailable": marked("no answer"),
    "skipped": marked("left out"),
}


def evidence(record: HeldRecord, visit: Visit) -> str:
    """What the deciding filter saw, in the reader's language where its sentence is known there; what weighed most where
    the total decided."""
    steps = trace(record, visit)
    if record.summary.decided_by == SCORE:
        heaviest = sorted((step for step in steps if step.points > 0), key=lambda step: -step.points)
        return "; ".join(f"{step.text} ({visit.reader.number(step.points)})" for step in heaviest[:3])
    because = retold(record.summary.because, visit.reader.gettext)
    return next((step.text for step in steps if step.decided), because)


def trace(record: HeldRecord, visit: Visit) -> list[Step]:
    """What every filter said for this recipient, in chain order."""
    findings = {str(f.get("filter")): f for f in record.findings}
    steps = []
    for opinion in record.verdict.get("opinions", ()):
        name = str(opinion.get("filter", ""))
        steps.append(
            Step(
                name,
                str(opinion.get("spec_id", "")),
                visit.reader.gettext(STATUS.get(str(opinion.get("status")), str(opinion.get("status")))),
                str(opinion.get("effect") or ""),
                float(opinion.get("points") or 0.0),
                _sentence(opinion, findings.get(name), visit),
                name == record.summary.decided_by,
            )
        )
    return steps


def _sentence(opinion: Mapping[str, Any], finding: Mapping[str, Any] | None, visit: Visit) -> str:
    """The finding's sentence, translated, where the opinion says what the finding says; else the opinion's."""
    said = str(opinion.get("text", ""))
    if finding is not None:
        try:
            seen = Finding.from_dict(finding)
            if seen.text() == said:
                return seen.text(visit.reader.gettext)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError):  # of another version of Tamis
            pass
    return retold(said, visit.reader.gettext)

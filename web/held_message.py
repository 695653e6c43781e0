"""One held message: its text, why it is held, what is done with it."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from tamis.judging.reasons import plain_reason
from tamis.people.rights import Right
from tamis.quarantine.records import Done, HeldRecord, HeldState
from tamis.web.actions import listed_sender
from tamis.web.done_notices import BECAME, DEEDS, RIGHTS_OF, actions, back, notice, verb_of
from tamis.web.guard import FRAME_CSP
from tamis.web.preview import formatted, preview
from tamis.web.visit import NOT_VALID, NoAccessError, PageRefusedError, Visit
from tamis.web.why import evidence, not_enough, others, sender_was_told, trace


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
    steps = trace(record, visit)
    whole = person.is_administrator
    return visit.render(
        "message.html",
        one=one,
        is_own=one.mailbox == person.address,
        gone=BECAME.get(one.state, ""),
        preview=preview(content) if content is not None else None,
        why=plain_reason(one.decided_by, visit.site.filters),
        evidence=evidence(record, visit, whole=whole),
        trace=steps,
        signs=[step for step in steps if step.is_sign],
        others=others(steps),
        whole=whole,
        asked=sender_was_told(visit.store.challenges.of_copy(one.id), visit),
        deeds=visit.store.trail.about(one.id),
        deed_names=DEEDS,
        sender=listed_sender(one, visit.site),
        not_enough=not_enough(record, visit),
        back=back(visit),
        notice=notice(visit),
    )


def show_formatted(visit: Visit) -> Response:
    """The cleaned HTML of a message, for the sandboxed frame."""
    record = _record(visit, Right.HELD, Right.CONTENT)
    shown = framed(visit, record)
    one = record.summary
    visit.store.trail.note(visit.signed_in.address, "preview", one.id, scope=one.mailbox)
    return shown


def framed(visit: Visit, record: HeldRecord) -> Response:
    """The cleaned HTML of a held message as a page of its own."""
    one = record.summary
    content = visit.store.quarantine.content(one.id) if one.state is HeldState.HELD else None
    if content is None:
        raise PageRefusedError(NOT_VALID)
    response: HTMLResponse = visit.render("formatted.html", html=formatted(content))
    response.headers["content-security-policy"] = FRAME_CSP
    return response


def act(visit: Visit) -> Response:
    """Do something with a message, and go back to the list, which says so."""
    person = visit.signed_in
    verb = verb_of(visit.field("verb"))
    one = _record(visit, Right.HELD, *RIGHTS_OF[verb]).summary
    done, deed = actions(visit).do(verb, one, listed_sender(one, visit.site), person.address)
    said = (
        {"said": str(done)}
        if done is not Done.DONE
        else {"did": deed.token(visit.house.tokens, person.address)}
    )
    return visit.redirect("/mail", **said, **back(visit))

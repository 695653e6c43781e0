"""The page behind a link of the digest: it asks for confirmation, for programs that look at mail open links too."""

from __future__ import annotations

from starlette.responses import Response

from tamis.base.tokens import Purpose
from tamis.judging.reasons import plain_reason
from tamis.language.translation import marked
from tamis.quarantine.records import Done, HeldRecord, HeldState
from tamis.web.actions import Actions, Verb, listed_sender
from tamis.web.held_list import NOT_DONE, done_notice, verb_of
from tamis.web.visit import NOT_VALID, PageRefusedError, Visit

CHOICES = {
    Verb.DELIVER: marked("Deliver it to my inbox"),
    Verb.ALLOW: marked("Deliver it, and always allow this sender"),
    Verb.DELETE: marked("Delete it"),
    Verb.SPAM: marked("Delete it: it is spam"),
    Verb.BLOCK: marked("Delete it, and always block this sender"),
}


def _message(visit: Visit) -> tuple[HeldRecord, Verb]:
    mailbox, message, verb = visit.token(Purpose.ACTION)
    record = visit.store.quarantine.get(message)
    if record is None or record.summary.mailbox != mailbox or verb not in tuple(Verb):
        raise PageRefusedError(NOT_VALID)
    visit.__dict__["reader"] = visit.reader_of(mailbox)
    return record, Verb(verb)


def show(visit: Visit) -> Response:
    """What is asked, with the link's choice preselected."""
    record, verb = _message(visit)
    one = record.summary
    if one.state is not HeldState.HELD:
        return visit.render("told.html", sentence=NOT_DONE[Done.GONE])
    sender = listed_sender(one, visit.site)
    choices = {
        choice: sentence
        for choice, sentence in CHOICES.items()
        if sender or choice not in (Verb.ALLOW, Verb.BLOCK)
    }
    why = plain_reason(one.decided_by, visit.site.filters)
    return visit.render("confirm.html", one=one, verb=verb, choices=choices, why=why, sender=sender)


def act(visit: Visit) -> Response:
    """Do what was chosen."""
    record, _ = _message(visit)
    one = record.summary
    actions = Actions(visit.store, visit.site.settings)
    sender = listed_sender(one, visit.site)
    done, deed = actions.do(verb_of(visit.field("verb")), one, sender, one.mailbox)
    if done is not Done.DONE:
        return visit.render("told.html", sentence=NOT_DONE[done])
    token = deed.token(visit.house.tokens, one.mailbox)
    return visit.render("told.html", sentence="", notice=done_notice(visit, deed, token))

"""The page behind a link of the digest: it asks for confirmation, for programs that look at mail open links too."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tamis.base.tokens import Purpose
from tamis.judging.reasons import plain_reason
from tamis.language.translation import marked
from tamis.quarantine.records import Done, HeldRecord, HeldState
from tamis.web.actions import Verb, listed_sender
from tamis.web.done_notices import BECAME, NOT_DONE, actions, done_notice, verb_of
from tamis.web.held_message import framed
from tamis.web.preview import preview
from tamis.web.visit import NOT_VALID, PageRefusedError, Visit, Way
from tamis.web.why import evidence, not_enough

CHOICES = {
    Verb.DELIVER: marked("Deliver it to the inbox"),
    Verb.ALLOW: marked("Deliver it, and always allow this sender"),
    Verb.DELETE: marked("Delete it"),
    Verb.SPAM: marked("Delete it: it is spam"),
    Verb.BLOCK: marked("Delete it, and always block this sender"),
}


_OLDER = 3  # words: mailbox, message, verb


def _message(visit: Visit) -> tuple[HeldRecord, Verb]:
    """The message of the address, and what is preselected. Links of older versions say more in their token."""
    words = visit.token(Purpose.ACTION)
    mailbox, message, verb = (
        words if len(words) == _OLDER else ("", words[0], visit.query("do") or Verb.DELIVER)
    )
    record = visit.store.quarantine.get(message)
    if record is None or mailbox not in ("", record.summary.mailbox) or verb not in tuple(Verb):
        raise PageRefusedError(NOT_VALID)
    visit.__dict__["reader"] = visit.reader_of(record.summary.mailbox)
    return record, Verb(verb)


def show(visit: Visit) -> Response:
    """The message with its text, and what is asked, with the link's choice preselected. That it was looked at is not
    noted: programs open links, too."""
    record, verb = _message(visit)
    one = record.summary
    content = visit.store.quarantine.content(one.id) if one.state is HeldState.HELD else None
    if content is None:
        return _told(visit, BECAME.get(one.state, NOT_DONE[Done.GONE]))
    sender = listed_sender(one, visit.site)
    choices = {
        choice: sentence
        for choice, sentence in CHOICES.items()
        if sender or choice not in (Verb.ALLOW, Verb.BLOCK)
    }
    why = plain_reason(one.decided_by, visit.site.filters)
    return visit.render(
        "confirm.html",
        one=one,
        verb=verb,
        choices=choices,
        why=why,
        evidence=evidence(record, visit, whole=False),
        sender=sender,
        not_enough=not_enough(record, visit),
        preview=preview(content),
        frame=f"/a/{visit.request.path_params['token']}/formatted",
    )


def show_formatted(visit: Visit) -> Response:
    """The cleaned HTML of the message, for the sandboxed frame."""
    record, _ = _message(visit)
    return framed(visit, record)


def act(visit: Visit) -> Response:
    """Do what was chosen."""
    record, _ = _message(visit)
    one = record.summary
    sender = listed_sender(one, visit.site)
    done, deed = actions(visit).do(verb_of(visit.field("verb")), one, sender, one.mailbox)
    if done is not Done.DONE:
        return _told(visit, NOT_DONE[done])
    token = deed.token(visit.house.tokens, one.mailbox)
    return _told(visit, "", notice=done_notice(visit, deed, token))


def _told(visit: Visit, sentence: str, **values: Any) -> Response:
    """What is said, with the way to all held messages."""
    return visit.render(
        "told.html", sentence=sentence, way=Way("/mail", marked("All held messages")), **values
    )

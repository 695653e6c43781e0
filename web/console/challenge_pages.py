"""What happens to senders that we ask, and why others were not asked.

?state=, ?reason=, ?sender=, reach -> Challenges.list -> page
id, reach -> the copies that may be seen; none: no such page -> what was asked, what came of it, the message's story
"""

from __future__ import annotations

from starlette.responses import Response

from tamis.challenge.challenge_records import AnswerProof, ChallengeState
from tamis.judging.suppression import SENTENCES, NotAsked
from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.web.console.console import Console
from tamis.web.console.overview import questions, why_not_asked
from tamis.web.console.spans import SPANS, Span
from tamis.web.console.story_page import asked_in_words, held_in_words
from tamis.web.visit import NOT_HERE, NoAccessError

PAGE = 50
"""Rows on one page (beyond: the next one)."""
_LONGEST_ID = 40

STATES = {
    ChallengeState.ASKED: marked("asked, no answer yet"),
    ChallengeState.SOLVED: marked("answered, being delivered"),
    ChallengeState.DELIVERED: marked("answered, delivered"),
    ChallengeState.PENDING: marked("will be asked"),
    ChallengeState.SENDING: marked("being asked"),
    ChallengeState.LOST: marked("perhaps asked: it was interrupted"),
    ChallengeState.SUPPRESSED: marked("not asked"),
}
PROOFS = {
    AnswerProof.WORK: marked("its browser did some work, which says little of who it is"),
    AnswerProof.CODE: marked("somebody typed the code of a picture or a recording"),
    AnswerProof.RECIPIENT: marked("a recipient delivered the message"),
}


def show(console: Console) -> Response:
    """The newest, of those that may be seen."""
    visit, reach = console.visit, console.visible(Right.HISTORY)
    state, reason, sender = (visit.query(name).strip() for name in ("state", "reason", "sender"))
    found = visit.store.challenges.list(
        state=ChallengeState(state) if state in set(ChallengeState) else None,
        reason=reason if reason in set(NotAsked) else None,
        sender=sender or None,
        before=visit.query("before")[:_LONGEST_ID] or None,
        limit=PAGE + 1,
        reach=reach,
    )
    span, sums = Span.of(console, "30d"), console.visible(Right.STATISTICS)
    asked = visit.store.statistics.questions(sums, span.since, span.now) if sums.scopes else None
    not_asked = sum(asked.not_asked.values()) if asked else 0
    return console.render(
        "challenges.html",
        found=found[:PAGE],
        older=found[PAGE - 1].id if len(found) > PAGE else "",
        span=span,
        spans=SPANS,
        asked=asked,
        not_asked=not_asked,
        became=questions(asked.asked + not_asked, asked, visit.reader) if asked else None,
        withheld=bool(sums.scopes) and visit.store.statistics.is_withheld(sums, span.days),
        wanted={"state": state, "reason": reason, "sender": sender},
        states=STATES,
        reasons=SENTENCES,
        why=lambda one: why_not_asked(one.reason, visit.reader),
    )


def show_one(console: Console) -> Response:
    """One question, or why nobody was asked."""
    store, reader = console.visit.store, console.visit.reader
    number = console.visit.request.path_params["challenge"][:_LONGEST_ID]
    reach = console.visible(Right.HISTORY)
    copies = store.quarantine.several(store.challenges.messages(number, reach), reach)
    one = store.challenges.get(number) if copies else None
    if one is None:
        raise NoAccessError(NOT_HERE)
    stories = store.history.show(one.transaction.partition("/")[0], reach) if one.transaction else ()
    return console.render(
        "challenge.html",
        one=one,
        said=asked_in_words(console, one),
        why=why_not_asked(one.reason, reader) if one.reason else "",
        proof=reader.gettext(PROOFS[AnswerProof(one.proof)]) if one.proof in set(AnswerProof) else "",
        copies=copies,
        held=lambda copy: held_in_words(console, copy),
        story=stories[-1].id if stories else 0,
    )

"""What waits? The held mail of a scope, what is perhaps wanted first, and acting on all that is ticked or shown.

?q=, ?before=, reach -> Quarantine.list -> groups by likelihood -> page
form: ids            -> Quarantine.several within the reach -> act_on_all -> one token that undoes it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from starlette.responses import Response

from tamis.base.tokens import Purpose
from tamis.contract.filter import Filter
from tamis.database.history import KeptStory
from tamis.judging.reasons import plain_reason
from tamis.judging.verdict import SCORE
from tamis.people.rights import Right
from tamis.quarantine.records import Summary
from tamis.web.actions import Verb
from tamis.web.console import doing
from tamis.web.console.console import Console
from tamis.web.console.messages import named_by
from tamis.web.done_notices import verb_of
from tamis.web.many import MAX_AT_ONCE, ON_MANY, KeptAct, act_on_all, told_of
from tamis.web.visit import NOT_VALID, PageRefusedError

PAGE = 100
"""Messages on a page (beyond: on the next ones); they are sorted among themselves."""
_NEAR = 1.2
"""How far beyond the limit a total may be for a message to be perhaps wanted, in parts of the limit."""


def show(console: Console) -> Response:
    """The page."""
    visit = console.visit
    text, before, newest = visit.query("q"), visit.query("before"), visit.query("sort") == "newest"
    found = visit.store.quarantine.list(
        text=text, limit=PAGE + 1, before=before or None, reach=console.visible(Right.HELD)
    )
    shown = found[:PAGE]
    release, learn = console.visible(Right.RELEASE), console.visible(Right.LEARN)
    wanted, others = groups(shown, console.site.filters)
    return console.render(
        "held.html",
        found=shown,
        wanted=[] if newest else wanted,
        others=shown if newest else others,
        text=text,
        before=before,
        newest=newest,
        older=shown[-1].id if len(found) > PAGE else "",
        may_act=frozenset(one.id for one in shown if release.covers(one.mailbox)),
        may_teach=any(learn.covers(one.mailbox) for one in shown),
        reason=lambda one: plain_reason(one.decided_by, console.site.filters),
        named_by=named_by,
        notice=doing.notice(console),
        back={name: visit.query(name) for name in doing.KEPT},
    )


def groups(found: Iterable[Summary], filters: Iterable[Filter[Any]]) -> tuple[list[Summary], list[Summary]]:
    """What is perhaps wanted, the likeliest first, and all else as it came: held by one suspicion while little else
    spoke against it, or by a total near the limit. What evidence holds is never among the former."""
    evident = {one.name for one in filters if one.forbids_challenge is not None}
    wanted: list[Summary] = []
    others: list[Summary] = []
    for one in found:
        limit = _NEAR if one.decided_by == SCORE else 1.0
        near = one.decided_by not in evident and one.score < limit * one.required
        (wanted if near else others).append(one)
    return sorted(wanted, key=lambda one: one.score / one.required if one.required else 0.0), others


def story_of(console: Console) -> Response:
    """From a held message to its story; where the history has none any more, to the message itself."""
    visit = console.visit
    one = next(iter(_within(console, [visit.request.path_params["message"]], Right.HELD)), None)
    if one is None:
        raise doing.refuse()
    known: Sequence[KeptStory] = (
        visit.store.history.show(one.transaction.partition("/")[0], console.visible(Right.HISTORY))
        if one.transaction
        else ()
    )
    if known:
        return console.redirect(f"/messages/{known[-1].id}")
    return visit.redirect(f"/mail/{one.id}")


def act(console: Console) -> Response:
    """Do the same with all that is ticked, or with all that is shown."""
    visit = console.visit
    every = visit.field("all")
    verb = verb_of(every or visit.field("verb"))
    if verb not in ON_MANY:
        raise PageRefusedError(NOT_VALID, 400)
    named = visit.fields("shown" if every else "id")[:MAX_AT_ONCE]
    messages = _within(console, named, Right.RELEASE)
    learn = console.visible(Right.LEARN)
    if verb is Verb.SPAM:
        messages = [one for one in messages if learn.covers(one.mailbox)]
    by, tokens = console.holder.mailbox, visit.house.tokens
    done = act_on_all(
        doing.actions_of(console),
        verb,
        messages,
        console.site,
        by,
        teach=all(learn.covers(one.mailbox) for one in messages),
    )
    did = done.keep(visit.store, tokens, by)
    kept = KeptAct.read(tokens.read(Purpose.UNDO, did))
    said = told_of(kept[0], visit.reader) if kept else ""
    return doing.told(console, "/held", said, did)


def _within(console: Console, ids: Sequence[str], right: Right) -> list[Summary]:
    """Those of these messages on which this person has a right, in the scope that is looked at."""
    return list(console.visit.store.quarantine.several([one[:100] for one in ids], console.visible(right)))

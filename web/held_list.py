"""The recipient's quarantine: the list, and what is done with many at once. Administrators see those of a domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from tamis.judging.likelihood import Likelihood, likelihood
from tamis.judging.reasons import plain_reason
from tamis.language.translation import marked
from tamis.letters.digests import GROUPS
from tamis.message.address import PLATFORM, domain_key
from tamis.people.rights import Right
from tamis.quarantine.records import Summary
from tamis.web.actions import listed_sender
from tamis.web.done_notices import RIGHTS_OF, actions, back, notice, verb_of
from tamis.web.many import ON_MANY, act_on_all
from tamis.web.visit import NoAccessError, PageRefusedError, Visit

PAGE = 50
"""Messages on one page of the list (beyond: on the next page). A form about many names at most so many."""
_LOOKS = 10  # pages of a domain that are read to fill one, where mailboxes in it are closed
_NEWEST = "newest"
"""How the list is sorted: so, or in groups by likelihood."""


@dataclass(frozen=True, slots=True)
class LikelyGroup:
    """Some messages of a page, under a heading; `key` names them in a form, `title` is "" for all of them."""

    key: str
    title: str
    messages: Sequence[Summary]

    @property
    def ids(self) -> str:
        """What a form about all of them says."""
        return " ".join(one.id for one in self.messages)


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
        is_platform=scope == PLATFORM,
        found=found,
        groups=[*_groups(visit, found)],
        sort=visit.query("sort"),
        more=last,
        text=text,
        before=before,
        count=visit.store.quarantine.count(scope) if "@" in scope else None,
        digest=terms.digest,
        may_set="digest" in terms.self_service,
        notice=notice(visit),
        at=visit.query("at"),
        plain_reason=lambda decided_by: plain_reason(decided_by, visit.site.filters),
        may_list=lambda one: bool(listed_sender(one, visit.site)),
    )


def _groups(visit: Visit, found: Sequence[Summary]) -> Iterator[LikelyGroup]:
    """The messages of a page as they are shown; no empty groups."""
    if visit.query("sort") == _NEWEST:
        if found:
            yield LikelyGroup("all", "", found)
        return
    filters = visit.site.filters
    of = {one.id: likelihood(one.decided_by, one.score, one.required, filters) for one in found}
    for wanted, title in GROUPS:
        those = [one for one in found if of[one.id] is wanted]
        if those:
            yield LikelyGroup(wanted, visit.reader.gettext(title), those)


def act_on_many(visit: Visit) -> Response:
    """Do something with all messages that were ticked, one by one or as a group: only with what was shown."""
    person = visit.signed_in
    verb = verb_of(visit.field("verb"))
    if verb not in ON_MANY:
        raise PageRefusedError(marked("This can't be done here."), 400)
    open_to = [person.visible(right, visit.site) for right in (Right.HELD, *RIGHTS_OF[verb])]
    found = visit.store.quarantine.several(_ticked(visit))
    messages = [one for one in found if all(reach.covers(one.mailbox) for reach in open_to)]
    done = act_on_all(actions(visit), verb, messages, visit.site, person.address)
    did = done.keep(visit.store, visit.house.tokens, person.address)
    return visit.redirect("/mail", did=did, **back(visit))


_GROUPS = frozenset({"all", *Likelihood})


def _ticked(visit: Visit) -> list[str]:
    """The ids that a form names, each once, as many as a page shows at most."""
    ids: Iterable[str] = visit.fields("one")
    groups = _GROUPS.intersection(visit.fields("all"))
    if "all" in groups:
        groups = _GROUPS
    shown = [one for group in sorted(groups) for one in _words(visit, f"shown-{group}")]
    return list(dict.fromkeys([*ids, *shown]))[:PAGE]


def _words(visit: Visit, name: str) -> list[str]:
    return visit.field(name).split()


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

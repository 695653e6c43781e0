"""The tester: what rules say of a message that was pasted, or that is held, as far as its text may be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tamis.database.history import KeptStory
from tamis.judging.met_rules import met_rules
from tamis.judging.trace import RULED
from tamis.language.translation import marked
from tamis.message.mail import Mail
from tamis.people.rights import Right
from tamis.quarantine.records import HeldState, Summary
from tamis.rules import RuleBook
from tamis.rules.matches import Tried, tried
from tamis.web.console.console import Console

_CHOICES = 8
"""Held messages that are offered."""
_LONGEST_NAME = 1000
_SLOWEST = 5
UNKNOWN = marked("No message that you may see has this name.")
NO_TEXT = marked("Its text is not kept: only that of held mail is. These rules it met when it came:")
NONE_MET = marked("Its text is not kept: only that of held mail is. It met no rule when it came.")


@dataclass(frozen=True, slots=True)
class Trial:
    """What rules say of a message; nothing was asked unless there is something of it. `spots` by rule are
    (place, pattern, text)."""

    named: str = ""
    pasted: str = ""
    about: str = ""
    """The message's subject."""
    result: Tried | None = None
    spots: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    slowest: Sequence[tuple[str, float]] = ()
    complete: bool = True
    then: Sequence[str] = ()
    """Of a message whose text is gone: the rules that it met."""
    said: str = ""
    problem: str = ""


def choices(console: Console) -> Sequence[Summary]:
    """Held messages whose text may be read, the newest first."""
    reach = console.visible(Right.CONTENT)
    if not reach:
        return ()
    return console.visit.store.quarantine.list(console.scope, reach=reach, limit=_CHOICES)


def of(console: Console, book: RuleBook, *, posted: bool, own: str = "") -> Trial:
    """What the request asks to be tried, on rules. With `own`, only rules of that source are timed one by one."""
    visit = console.visit
    pasted = visit.field("pasted") if posted else ""
    named = (visit.field("named").strip() or visit.field("held")) if posted else visit.query("message")
    named = named[:_LONGEST_NAME]
    if pasted.strip():
        return _tried(console, book, pasted.replace("\r\n", "\n").encode("utf-8", "replace"), pasted=pasted)
    if not named:
        return Trial()
    held = _held(console, named)
    if held is not None:
        content = visit.store.quarantine.content(held.id)
        if content is not None:
            visit.store.trail.note(console.holder.mailbox, "preview", held.id, scope=held.mailbox)
            return _tried(console, book, content, named=named, about=held.subject)
    story = _story(console, named)
    if story is None:
        return Trial(named=named, problem=UNKNOWN)
    met = [rule for name, rule in met_rules(story.story.findings).met if name in RULED]
    return Trial(named=named, about=story.story.subject, then=met, said=NO_TEXT if met else NONE_MET)


def _tried(
    console: Console, book: RuleBook, octets: bytes, *, named: str = "", pasted: str = "", about: str = ""
) -> Trial:
    limit = console.site.settings.milter.max_examined
    mail = Mail(octets[:limit], complete=len(octets) <= limit, size=len(octets))
    result = tried(book, mail, each=True)
    spots: dict[str, list[tuple[str, str, str]]] = {}
    for one in result.spots:
        spots.setdefault(one.rule, []).append((one.place, one.pattern, one.text))
    return Trial(
        named=named,
        pasted=pasted,
        about=about or mail.subject or "",
        result=result,
        spots=spots,
        times=dict(result.by_rule),
        slowest=result.by_rule[:_SLOWEST],
        complete=len(octets) <= limit,
    )


def _held(console: Console, named: str) -> Summary | None:
    """A held message by its own name, or by that of its message, if its text may be read."""
    quarantine, reach = console.visit.store.quarantine, console.visible(Right.CONTENT)
    found = list(quarantine.several([named], reach))
    if not found and (story := _story(console, named)) is not None and story.story.transaction:
        found = list(quarantine.of_message(story.story.transaction, reach))
    return next((one for one in found if one.state is HeldState.HELD), None)


def _story(console: Console, named: str) -> KeptStory | None:
    reach = console.visible(Right.HISTORY)
    if not reach:
        return None
    return next(iter(console.visit.store.history.show(named, reach)), None)

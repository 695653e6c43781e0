"""Rules: which of the operator's own work, what Tamis proposes, and what one would be before it is in force.

/rules       all of them with what they met -> proposals: accept, shadow, forget; a message to try them on
/rules/edit  the text that the store keeps: what is wrong stands at its line, examples run, then save (RuleVersions)

For who has the platform: rules are one set for everybody.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from starlette.responses import Response

from tamis.base.errors import ChangedSinceError, ConfigError
from tamis.database.counts import RuleCount
from tamis.handover.own_rules import NAME, KeptRules, write_own_rules
from tamis.handover.taken_rules import MOST_TAKEN, TakenRules
from tamis.judging.trace import RULED
from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.rules import Rule, RuleBook
from tamis.rules.expression import written
from tamis.rules.proposals import Proposal
from tamis.rules.rule_file import failed_examples
from tamis.web.console import rule_trial
from tamis.web.console.console import Console
from tamis.web.console.rule_trial import Trial
from tamis.web.console.spans import SPANS, Span
from tamis.web.guard import MAX_BODY
from tamis.web.rate_limits import CHANGES
from tamis.web.strong_sign_in import WRONG_CODE, confirmed_by
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_HERE, CodeError, NoAccessError

log = logging.getLogger(__name__)

PAGE = 200
"""Rules of a page; beyond: on the next one."""
_USUAL = "30d"
_VERSIONS = 20
_CUT = 200
"""Characters of a line that are shown; beyond: it is cut."""
_AROUND = 3
"""Lines that are shown around a mistake."""
_LONGEST = MAX_BODY * 2 // 3
"""Octets of a text that a form takes (beyond: it is shown, and changed by the API or in a file)."""
_MOST_DIFFERENCES = 400
_MOST_FAILED = 20
_PLACE = re.compile(rf"{NAME}:([0-9]+)(?::([0-9]+))?")
MEANWHILE = marked("Somebody saved other rules meanwhile. Nothing was saved now: look at the difference.")
CODE_FIRST = marked("Saving rules wants a code, for the last one was given more than 15 minutes ago.")
_SAID = {
    "saved": marked("Saved as version %(about)s. In force within seconds."),
    "same": marked("These rules are in force already."),
    "accept": marked("In force within seconds: %(about)s."),
    "shadow": marked("In shadow within seconds: %(about)s."),
    "forget": marked("Taken out, and not proposed again: %(about)s."),
}


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as the table has it, and what it met."""

    rule: Rule
    count: RuleCount | None
    origin: str
    """own (the store's), proposed, or file."""

    @property
    def wanted(self) -> int:
        """Copies that met it and that people wanted: its false hits."""
        return self.count.wanted if self.count else 0

    @property
    def copies(self) -> int:
        """Copies that met it."""
        return self.count.copies if self.count else 0


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a text, at a line and column (0: not known), and the lines around it."""

    problem: str
    nearest: str = ""
    line: int = 0
    column: int = 0
    around: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class TypedRules:
    """The text of the form, and what was found of it."""

    text: str
    note: str = ""
    mistake: Mistake | None = None
    failed: Sequence[str] = ()
    rules: int = 0
    examples: int = 0
    looked: bool = False
    """Whether it was looked at: nothing was wrong unless there is a mistake."""
    problem: str = ""


SORTS = {"": marked("Rule"), "met": marked("Met"), "wanted": marked("Wanted")}


def show(console: Console) -> Response:
    """All rules, what they met, what is proposed, and what they say of a message."""
    return _page(console)


def try_message(console: Console) -> Response:
    """The same, with what the rules say of the message in the form."""
    return _page(console, tries=True)


def _page(console: Console, *, tries: bool = False) -> Response:
    book, broken = _book_on_disk(console)
    span = Span.of(console, _USUAL)
    words, sort = console.visit.query("q"), console.visit.query("sort")
    lines = _lines(console, book, span)
    found = [one for one in lines if words.casefold() in one.rule.name.casefold()]
    if sort in ("met", "wanted"):
        found.sort(key=lambda one: (-one.copies if sort == "met" else -one.wanted, one.rule.name))
    place = typed_number(console.visit.query("from")) or 0
    taken = _taken(console)
    kept = taken.taken()
    trial = rule_trial.of(console, book, posted=tries)
    return console.render(
        "rules.html",
        status=422 if trial.problem else 200,
        lines=found[place : place + PAGE],
        total=len(lines),
        found=len(found),
        start=place,
        page=PAGE,
        met=sum(1 for one in lines if one.copies),
        wanted=sum(one.wanted for one in lines),
        sorts=SORTS,
        sort=sort if sort in SORTS else "",
        words=words,
        span=span,
        spans=SPANS,
        withheld=console.visit.store.statistics.is_withheld(console.visible(Right.STATISTICS), span.days),
        broken=broken,
        version=console.visit.store.rules.current(),
        proposed=_open(taken),
        taken=kept,
        room=MOST_TAKEN - len(kept),
        said=_said(console),
        trial=trial,
        held=rule_trial.choices(console),
        written=written,
    )


def _lines(console: Console, book: RuleBook, span: Span) -> list[RuleLine]:
    reach = console.visible(Right.STATISTICS)
    counts: dict[str, RuleCount] = {}
    for one in console.visit.store.statistics.rules(reach, span.days):
        if one.filter in RULED:
            counts[one.rule] = one
    settings = console.site.settings
    origins = {str(settings.own_rules): "own", str(settings.taken_rules): "proposed", NAME: "own"}
    return [RuleLine(rule, counts.get(rule.name), origins.get(rule.source, "file")) for rule in book.rules]


def _book_on_disk(console: Console) -> tuple[RuleBook, str]:
    """The rules as they stand on the disk, or those in force and why the others can't be."""
    try:
        return _own(console).book(), ""
    except ConfigError as error:
        return console.site.rules, str(error)


def _own(console: Console) -> KeptRules:
    return KeptRules(console.site.settings, frozenset(one.name for one in console.site.filters))


def _taken(console: Console) -> TakenRules:
    return TakenRules(console.site.settings, frozenset(one.name for one in console.site.filters))


def _open(taken: TakenRules) -> list[Proposal]:
    """What is proposed and was neither taken nor forgotten."""
    names, gone = {one.name for one, _ in taken.taken()}, set(taken.forgotten())
    return [one for one in taken.proposals() if one.name not in names and one.trait not in gone]


def take(console: Console) -> Response:
    """Accept the proposals that are ticked, put them into shadow, or forget them."""
    console.visit.spend(CHANGES, console.holder.mailbox)
    verb, names = console.visit.field("verb"), list(dict.fromkeys(console.visit.fields("rule")))[:MOST_TAKEN]
    taken = _taken(console)
    known = {one.name for one in (*_open(taken), *(one for one, _ in taken.taken()))}
    if verb not in ("accept", "shadow", "forget") or not names or not known.issuperset(names):
        raise NoAccessError(NOT_HERE)
    if verb == "forget":
        taken.forget(names)
    else:
        taken.take(names, shadow=verb == "shadow")
    for name in names:
        console.visit.store.trail.note(console.holder.mailbox, f"rule {verb}", name)
    shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    return console.redirect("/rules", **_told(console, verb, shown))


def show_text(console: Console) -> Response:
    """The text that the store keeps, or that of an older version to be saved again."""
    versions = console.visit.store.rules
    wanted = console.visit.query("version")
    one = versions.current()
    if wanted:
        number = typed_number(wanted)
        found = versions.get(number) if number is not None else None
        if found is None:
            raise NoAccessError(NOT_HERE)
        one = found
    return _form(console, TypedRules(one.text))


def change_text(console: Console) -> Response:
    """Look at the text of the form, try it, or save it."""
    typed = _looked_at(console, console.visit.field("text").replace("\r\n", "\n"))
    if console.visit.field("verb") != "save" or typed.mistake or typed.failed:
        return _form(console, typed, tries=True)
    return _save(console, typed)


def _save(console: Console, typed: TypedRules) -> Response:
    console.visit.spend(CHANGES, console.holder.mailbox)
    confirmed: Callable[[Response], Response] | None = None
    try:
        console.require_confirmed("/rules/edit")
    except CodeError:
        code = console.visit.field("code").strip()
        confirmed = confirmed_by(console.visit, code) if code else None
        if confirmed is None:
            return _form(console, _with_problem(typed, WRONG_CODE if code else CODE_FIRST), wants_code=True)
    response = _saved(console, typed)
    return response if confirmed is None else confirmed(response)


def _saved(console: Console, typed: TypedRules) -> Response:
    base = typed_number(console.visit.field("base")) or 0
    by = console.holder.mailbox
    try:
        made = console.visit.store.rules.save(typed.text, by=by, note=typed.note, base=base)
    except ChangedSinceError:
        return _form(console, _with_problem(typed, MEANWHILE))
    try:
        write_own_rules(console.site.settings, typed.text)
    except OSError as error:
        log.warning("the rules come into force by the background process: %s", error)
    return console.redirect(
        "/rules", **_told(console, "saved" if made else "same", str(made.id) if made else "")
    )


def _with_problem(typed: TypedRules, problem: str) -> TypedRules:
    return TypedRules(typed.text, typed.note, rules=typed.rules, examples=typed.examples, problem=problem)


def _looked_at(console: Console, text: str) -> TypedRules:
    """The text with what is wrong with it, its examples run."""
    note = console.visit.field("note")
    try:
        book = _own(console).with_text(text)
    except ConfigError as error:
        return TypedRules(text, note, _mistake(error, text), looked=True)
    own = [rule for rule in book.rules if rule.source == NAME]
    failed = list(islice(failed_examples(book, NAME), _MOST_FAILED))
    examples = sum(len(one.hits) + len(one.clear) for one in own)
    return TypedRules(text, note, None, failed, len(own), examples, looked=True)


def _mistake(error: ConfigError, text: str) -> Mistake:
    """What is wrong, with the lines around it where the text itself is meant."""
    found = _PLACE.fullmatch(error.source)
    if found is None:
        return Mistake(error.problem if error.source == NAME else str(error), error.nearest)
    line, column = int(found[1]), int(found[2] or 0)
    lines = text.split("\n")
    first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
    around = [(number, lines[number - 1][:_CUT]) for number in range(first, last + 1)]
    return Mistake(error.problem, error.nearest, line, column, around)


def _form(console: Console, typed: TypedRules, *, tries: bool = False, wants_code: bool = False) -> Response:
    store = console.visit.store
    current = store.rules.current()
    trial = Trial()
    if tries and not typed.mistake:
        trial = rule_trial.of(console, _own(console).with_text(typed.text), posted=True, own=NAME)
    differences = list(
        islice(
            difflib.unified_diff(current.text.split("\n"), typed.text.split("\n"), lineterm="", n=1),
            2,
            2 + _MOST_DIFFERENCES,
        )
    )
    base = console.visit.field("base") if wants_code else str(current.id)
    return console.render(
        "rules_edit.html",
        status=422 if typed.mistake or typed.failed or typed.problem or trial.problem else 200,
        typed=typed,
        current=current,
        base=base,
        too_long=len(typed.text.encode("utf-8", "replace")) > _LONGEST,
        differences=[one[:_CUT] for one in differences],
        versions=store.rules.find(limit=_VERSIONS),
        wants_code=wants_code,
        trial=trial,
        held=rule_trial.choices(console),
        written=written,
    )


def _told(console: Console, said: str, about: str) -> Mapping[str, str]:
    return {"said": said, "about": about, "seal": console.visit.seal(said, about)}


def _said(console: Console) -> tuple[str, str] | None:
    """What was just done, in words, and which version it made ("" for none)."""
    said, about = console.visit.query("said"), console.visit.query("about")
    if said not in _SAID or not console.visit.is_sealed(said, about):
        return None
    return console.visit.reader.gettext(_SAID[said]) % {"about": about}, about if said == "saved" else ""

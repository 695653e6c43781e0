"""The operator's rules: what they met, those that the store keeps, proposals, and which of them a message meets."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import Body, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from tamis.base.errors import ChangedSinceError, ConfigError
from tamis.database.counts import Days, RuleCount
from tamis.handover.own_rules import NAME, KeptRules, write_own_rules
from tamis.handover.taken_rules import TakenRules
from tamis.judging.trace import RULED
from tamis.language.time_zone import zone_of
from tamis.message.mail import Mail
from tamis.people.rights import Right, visible
from tamis.people.token_scopes import TokenScope
from tamis.rules.matches import matches
from tamis.rules.rule_file import MAX_FILE, failed_examples
from tamis.web.api.caller import Caller
from tamis.web.api.platform_routes import PlatformReader, PlatformWriter
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.api.routes import CHANGES, IfMatch, check_match, router

ROUTES = router("rules")
_DAYS = 30
_MOST_FAILED = 20


class OwnRule(BaseModel):
    """One of the operator's own rules: where it stands (`source` is a file, "store" or "proposed"), and what it met in
    30 days: copies, those that people called wanted (false hits), and unwanted."""

    name: str
    action: str
    points: float
    shadow: bool
    source: str
    line: int
    met: int
    wanted: int
    unwanted: int


class Proposed(BaseModel):
    """A rule that was proposed by what readers reported, and whether it was taken: in force, in shadow, or not."""

    name: str
    trait: str
    evidence: str
    points: float
    taken: Literal["no", "shadow", "yes"]


class OwnRules(BaseModel):
    """The operator's own rules, and those that are proposed."""

    rules: list[OwnRule]
    proposed: list[Proposed]
    version: int = Field(description="Of the rules that the store keeps; the ETag says the same.")
    text: str = Field(description="The rules that the store keeps, as TOML.")


class MatchedRule(BaseModel):
    """A rule that a message meets; `depends_on` says what is still open."""

    rule: str
    met: bool | None
    depends_on: Any
    action: str
    points: float


class MatchedSpot(BaseModel):
    """Where a pattern matched."""

    rule: str
    place: str
    pattern: str
    text: str


class TestedRules(BaseModel):
    """Which rules a message meets, where, and the seconds that all of them took."""

    rules: list[MatchedRule]
    matches: list[MatchedSpot]
    seconds: float


class WantedRules(BaseModel):
    """Rules to put in place of those that the store keeps."""

    text: str = Field(max_length=MAX_FILE, description="TOML, as a rule file has it.")
    note: str = Field("", max_length=500, description="Why; shown with the version.")


class SavedRules(BaseModel):
    """A version of the rules that the store keeps."""

    id: int
    at: datetime
    who: str
    note: str


@ROUTES.get("/rules")
def list_rules(caller: PlatformReader, response: Response) -> OwnRules:
    """The operator's own rules with what they met, those that the store keeps as text, and proposals."""
    caller.require(TokenScope.PLATFORM_READ)
    taken = _taken(caller)
    held = {one.name: (one, "shadow" if shadow else "yes") for one, shadow in taken.taken()}
    known = {one.name: (one, "no") for one in taken.proposals()} | held
    current = caller.store.rules.current()
    response.headers["etag"] = f'"{current.id}"'
    return OwnRules(
        rules=_shown(caller),
        proposed=[
            Proposed.model_validate(
                {
                    "name": one.name,
                    "trait": str(one.trait),
                    "evidence": str(one.evidence),
                    "points": one.points,
                    "taken": how,
                }
            )
            for one, how in known.values()
        ],
        version=current.id,
        text=current.text,
    )


def _shown(caller: Caller) -> list[OwnRule]:
    zone = zone_of(caller.site.book.policy("").terms.time_zone)
    days = Days.until(datetime.now(zone).date(), _DAYS)
    reach = visible(caller.holder, Right.PLATFORM, caller.locks)
    counts = {one.rule: one for one in caller.store.statistics.rules(reach, days) if one.filter in RULED}
    settings = caller.site.settings
    kept = {str(settings.own_rules): "store", str(settings.taken_rules): "proposed"}
    return [
        OwnRule(
            name=one.name,
            action=str(one.action),
            points=one.points,
            shadow=one.shadow,
            source=kept.get(one.source, one.source),
            line=one.line,
            met=met.copies,
            wanted=met.wanted,
            unwanted=met.unwanted,
        )
        for one in _kept(caller).book().rules
        for met in [counts.get(one.name, RuleCount("", one.name, 0, 0, 0))]
    ]


@ROUTES.put("/rules", dependencies=CHANGES)
def replace_rules(
    caller: PlatformWriter, wanted: WantedRules, response: Response, if_match: IfMatch = ""
) -> SavedRules:
    """Put rules in place of those that the store keeps, as one version. They must compile beside all others, and their
    examples must do what they say. In force on every host within seconds."""
    caller.require(TokenScope.PLATFORM_WRITE)
    current = caller.store.rules.current()
    check_match(if_match, f'"{current.id}"', "The rules were changed since they were read.")
    text = wanted.text.replace("\r\n", "\n")
    try:
        book = _kept(caller).with_text(text)
    except ConfigError as error:
        where = (
            f"body.text{error.source.removeprefix(NAME)}" if error.source.startswith(NAME) else error.source
        )
        wrong = [{"at": where, "problem": error.problem}]
        raise ProblemError(422, "These rules can't be used.", errors=wrong, nearest=error.nearest) from None
    if failed := list(islice(failed_examples(book, NAME), _MOST_FAILED)):
        wrong = [{"at": "body.text", "problem": one} for one in failed]
        raise ProblemError(422, "Examples don't do what their rule says.", errors=wrong)
    try:
        base = None if if_match == "*" else current.id
        made = caller.store.rules.save(text, by=caller.by, note=wanted.note, base=base)
    except ChangedSinceError:
        raise ProblemError(412, "The rules were changed since they were read.") from None
    if made is None:
        raise ProblemError(409, "Nothing would change: these rules stand so already.")
    write_own_rules(caller.site.settings, text)
    response.headers["etag"] = f'"{made.id}"'
    return SavedRules(id=made.id, at=made.at, who=made.who, note=made.note)


@ROUTES.post("/rules/proposed/{name}/{act}", dependencies=CHANGES, status_code=204, response_class=Response)
def take_rule(
    caller: PlatformWriter,
    name: Annotated[str, Path(max_length=100)],
    act: Literal["accept", "shadow", "forget"],
) -> Response:
    """Put a proposed rule into force or into shadow, or take it out and don't propose it again."""
    caller.require(TokenScope.PLATFORM_WRITE)
    taken = _taken(caller)
    unknown = taken.forget([name]) if act == "forget" else taken.take([name], shadow=act == "shadow")
    if unknown:
        raise not_there()
    caller.store.trail.note(caller.by, f"rule {act}", name)
    return Response(status_code=204)


@ROUTES.post("/rules/test")
def test_rules(
    caller: PlatformReader, message: Annotated[bytes, Body(media_type="message/rfc822", min_length=1)]
) -> TestedRules:
    """Which of the operator's rules a message meets. Images and documents in it are not read."""
    caller.require(TokenScope.PLATFORM_READ)
    limit = caller.site.settings.milter.max_examined
    mail = Mail(message[:limit], complete=len(message) <= limit, size=len(message))
    return TestedRules.model_validate(matches(_kept(caller).book(), mail))


def _kept(caller: Caller) -> KeptRules:
    return KeptRules(caller.site.settings, frozenset(one.name for one in caller.site.filters))


def _taken(caller: Caller) -> TakenRules:
    return TakenRules(caller.site.settings, frozenset(one.name for one in caller.site.filters))

"""What would have been needed for another verdict: the smallest changes of policy or lists. Pure.

findings, policy -> candidates: limit, lists, numbers of filters, switches -> each tried by judging again -> Flip
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parseaddr
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from tamis.contract.filter import Effect, FilterOptions, Opinion, Scopes, State
from tamis.contract.finding import Finding, Status
from tamis.contract.lists import Colour, Match, MatchedField, Subject
from tamis.judging.list_effect import listable_of
from tamis.judging.policy import Policy
from tamis.judging.policy_terms import FilterRule
from tamis.judging.verdict import Decision, Verdict, judge, opinion_of
from tamis.language.translation import marked
from tamis.message.address import address_key

MAX_CHANGES = 5
"""Changes that are told of one verdict (beyond: the first ones are, of each kind in this order)."""
_MOST_STEPS = (
    40  # of a search for a number; beyond: the last one that was tried and turned the verdict counts
)
_GRID = 10  # numbers are sought in tenths

LISTS = "lists"
"""What a Flip's key begins with where an entry of the lists is the change: lists.white, lists.black."""

_REQUIRED = marked("the limit were {value} instead of {now}")
_SWITCHED_OFF = marked("{filter} were switched off")
_SWITCHED_ON = marked("{filter} were on instead of in shadow")
_NUMBER = marked("“{option}” of {filter} were {value} instead of {now}")
_ALLOWED = marked("mail from {value} were always allowed")
_BLOCKED = marked("mail from {value} were always blocked")


@dataclass(frozen=True, slots=True)
class Flip:
    """One change that would have turned the verdict, and was tried: `key` in `scope` set to `value`, for a policy key
    (`required`, `filters.NAME.OPTION`) or an entry of the lists (`lists.white`, `lists.black`: a sender)."""

    scope: str
    key: str
    value: str | float
    sentence: str
    """An English fragment behind "it would have passed if", with `{places}` for `facts`."""
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def text(self, translate: Callable[[str], str] = str) -> str:
        """The fragment, filled in, in the reader's language."""
        return translate(self.sentence).format_map(self.facts)

    @property
    def is_policy(self) -> bool:
        """Whether it is a key of the policy, which replay can try."""
        return not self.key.startswith(f"{LISTS}.")

    @property
    def setting(self) -> str:
        """The change as it is written in a settings file, or said of the lists."""
        if not self.is_policy:
            return f"{self.value} on the {self.key.removeprefix(f'{LISTS}.')} list"
        if self.key == "required":
            return f"required = {self.value:g} (it is {self.facts['now']})"
        return (
            f'{self.key} = "{self.value}"' if isinstance(self.value, str) else f"{self.key} = {self.value:g}"
        )

    def in_scope(self, scope: str) -> Flip:
        """The same change elsewhere."""
        return replace(self, scope=scope)

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {"scope": self.scope, "key": self.key, "value": self.value, "sentence": self.text()}


@dataclass(frozen=True, slots=True)
class FlipSender:
    """Whom an entry of the lists could be about: the address of the header From, or else the envelope sender."""

    envelope: str = ""
    header_from: str = ""
    own: frozenset[str] = frozenset()
    """Domains whose addresses a stranger only pretends to have: no entry is about them."""

    def met_by(self) -> tuple[str, tuple[MatchedField, ...]]:
        """The pattern of such an entry, and where a message meets it; "" where there is none."""
        shown = parseaddr(self.header_from)[1]
        pattern = listable_of((shown, self.envelope), self.own)
        found = ((self.envelope, MatchedField.ENVELOPE), (shown, MatchedField.HEADER))
        return pattern, tuple(
            where for address, where in found if pattern and address_key(address) == pattern
        )


_NOBODY = FlipSender()


def flips(
    verdict: Verdict, findings: Mapping[str, Finding], policy: Policy, sender: FlipSender = _NOBODY
) -> list[Flip]:
    """Single changes that would each have turned spam into ham, or ham into spam.

    Each is tried: the message is judged again with the change made. Nothing is said of mail that nothing spoke about,
    but for the entry that would have blocked its `sender`.
    """
    if verdict.decision is Decision.DEFER:
        return []
    tried = _Trial(verdict, findings, policy)
    found: list[Flip] = []
    for kind in (_limit(tried), _entry(tried, sender), _switches(tried), _numbers(tried)):
        for one in kind:
            found.append(one)
            if len(found) == MAX_CHANGES:
                return found
    return found


class _Trial:
    """One verdict, and what judging with a change would have made of the message."""

    def __init__(self, verdict: Verdict, findings: Mapping[str, Finding], policy: Policy) -> None:
        self.verdict, self.findings, self.policy = verdict, findings, policy
        self.rules = {rule.filter.name: rule for rule in policy.rules}
        self._known: dict[int, Opinion] = {}

    def turns(self, policy: Policy, findings: Mapping[str, Finding] | None = None) -> bool:
        """Whether the message would have gone the other way."""
        opine = self._opine if findings is None else opinion_of
        changed = judge(findings or self.findings, policy, opine).decision
        return changed not in (self.verdict.decision, Decision.DEFER)

    def turns_with(self, rule: FilterRule, **options: Any) -> bool:
        """The same with other options of a filter, taken as they are."""
        other = replace(rule, options=rule.options.model_copy(update=options))
        rules = tuple(other if one is rule else one for one in self.policy.rules)
        return self.turns(replace(self.policy, rules=rules))

    def turns_without(self, rule: FilterRule) -> bool:
        """The same without a filter."""
        return self.turns(replace(self.policy, rules=tuple(r for r in self.policy.rules if r is not rule)))

    def flip(self, key: str, to: str | float, sentence: str, **facts: str) -> Flip:
        """A change for the mailbox whose verdict it is."""
        return Flip(self.policy.mailbox, key, to, sentence, facts)

    def _opine(self, rule: FilterRule, finding: Finding, scopes: Scopes) -> Opinion:
        if self.rules.get(rule.filter.name) is not rule:
            return opinion_of(rule, finding, scopes)
        if id(rule) not in self._known:
            self._known[id(rule)] = opinion_of(rule, finding, scopes)
        return self._known[id(rule)]


def _limit(tried: _Trial) -> Iterator[Flip]:
    """A limit on the other side of the total."""
    verdict, policy = tried.verdict, tried.policy
    required = round(verdict.score + 0.1, 1) if verdict.decision is Decision.SPAM else verdict.score
    if required > 0 and tried.turns(policy.with_terms(required=required)):
        facts = {"value": f"{required:g}", "now": f"{policy.required:g}"}
        yield tried.flip("required", required, _REQUIRED, **facts)


def _entry(tried: _Trial, sender: FlipSender) -> Iterator[Flip]:
    """An entry for the sender on the list that says the contrary."""
    pattern, met = sender.met_by()
    if not met:
        return
    spam = tried.verdict.decision is Decision.SPAM
    colour = Colour.WHITE if spam else Colour.BLACK
    scope = tried.policy.mailbox
    entries = [Match(0, scope, colour, Subject.SENDER, pattern, where) for where in met]
    findings = dict(tried.findings)
    for name, rule in tried.rules.items():
        if name in findings:
            findings[name] = rule.filter.with_entries(findings[name], entries)
    if tried.turns(tried.policy, findings):
        sentence = _ALLOWED if spam else _BLOCKED
        yield tried.flip(f"{LISTS}.{colour}", pattern, sentence, value=pattern)


def _switches(tried: _Trial) -> Iterator[Flip]:
    """A filter that had its say, switched off; a filter in shadow, switched on."""
    for opinion in tried.verdict.opinions:
        rule = tried.rules[opinion.filter]
        if opinion.effect in (None, Effect.TAG) or not rule.filter.switchable:
            continue
        shown = _shown(opinion.filter)
        key = f"filters.{opinion.filter}.state"
        if opinion.shadow and tried.turns_with(rule, state=State.ON):
            yield tried.flip(key, "on", _SWITCHED_ON, filter=shown)
        elif not opinion.shadow and tried.turns_without(rule):
            yield tried.flip(key, "off", _SWITCHED_OFF, filter=shown)


def _numbers(tried: _Trial) -> Iterator[Flip]:
    """A number of a filter that saw something, as near to what it is now as turns the verdict."""
    for opinion in tried.verdict.opinions:
        rule = tried.rules[opinion.filter]
        if opinion.status is not Status.HIT and tried.findings[opinion.filter].status is not Status.HIT:
            continue
        for name in type(rule.options).model_fields:
            value = _nearest(tried, rule, name)
            if value is not None:
                facts = {
                    "option": name.replace("_", " "),
                    "filter": _shown(opinion.filter),
                    "value": f"{value:g}",
                    "now": f"{getattr(rule.options, name):g}",
                }
                yield tried.flip(f"filters.{opinion.filter}.{name}", value, _NUMBER, **facts)


def _nearest(tried: _Trial, rule: FilterRule, name: str) -> float | None:
    """The value of an option that turns the verdict and is nearest to the present one, in steps of a tenth, or of one
    for whole numbers; None where none does, and where it is no number with both bounds."""
    now = getattr(rule.options, name)
    bounds = _bounds(rule.options, name)
    if isinstance(now, bool) or not isinstance(now, int | float) or bounds is None:
        return None
    grid = 1 if isinstance(now, int) else _GRID

    def turns(place: int) -> bool:
        value = place / grid if grid > 1 else place
        return _is_good(rule.options, name, value) and tried.turns_with(rule, **{name: value})

    found = [
        place
        for end in bounds
        if (place := _first_that_turns(round(now * grid), round(end * grid), turns)) is not None
    ]
    nearest = min(found, key=lambda place: abs(place - now * grid), default=None)
    return None if nearest is None else nearest / grid if grid > 1 else nearest


def _first_that_turns(near: int, far: int, turns: Callable[[int], bool]) -> int | None:
    """Between a place where the verdict stands and an end: the place next to the first at which it turns, if it does so
    at the end (or beside it, where that itself is excluded)."""
    inside = far + (1 if near > far else -1)
    far = next((one for one in (far, inside) if turns(one)), near)
    if far == near:
        return None
    for _ in range(_MOST_STEPS):
        if abs(far - near) <= 1:
            break
        middle = (near + far) // 2
        near, far = (near, middle) if turns(middle) else (middle, far)
    return far


def _bounds(options: FilterOptions, name: str) -> tuple[float, float] | None:
    limits = type(options).model_fields[name].metadata  # each with an attribute of its kind

    def limit(*kinds: str) -> float | None:
        told = (getattr(one, kind, None) for one in limits for kind in kinds)
        return next((float(one) for one in told if isinstance(one, int | float)), None)

    low, high = limit("ge", "gt"), limit("le", "lt")
    return None if low is None or high is None else (low, high)


def _is_good(options: FilterOptions, name: str, value: float) -> bool:
    try:
        type(options).model_validate(options.model_dump() | {name: value})
    except ValidationError:
        return False
    return True


def _shown(name: str) -> str:
    return name.replace("_", " ")

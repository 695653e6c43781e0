"""What would have been needed for another verdict: the smallest changes of policy or lists. Pure.

findings, policy -> candidates: limit, lists, numbers of filters, switches -> each tried by judging again -> Flip
                    where an entry of the lists, or no single change, is enough -> pairs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations, islice
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
from tamis.language.shown_mailbox import shown_mailbox
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
_BOTH = marked("{first}, and {second}")
_MOST_IN_PAIRS = 8
"""Filters that are tried in pairs (beyond: those that come first in the chain are)."""


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
    also: Flip | None = None
    """A second change, where only both together turn the verdict."""

    def text(self, translate: Callable[[str], str] = str) -> str:
        """The fragment, filled in, in the reader's language."""
        told = translate(self.sentence).format_map(self.facts)
        return (
            told
            if self.also is None
            else translate(_BOTH).format(first=told, second=self.also.text(translate))
        )

    @property
    def is_policy(self) -> bool:
        """Whether it is one key of the policy, which replay can try."""
        return self.also is None and not self.is_entry

    @property
    def is_entry(self) -> bool:
        """Whether it is an entry of the lists, alone or with another change."""
        return self.key.startswith(f"{LISTS}.")

    @property
    def setting(self) -> str:
        """The change as it is written in a settings file, or said of the lists."""
        return self._setting if self.also is None else f"{self._setting} and {self.also.setting}"

    @property
    def _setting(self) -> str:
        if self.is_entry:
            return f"{self.value} on the {self.key.removeprefix(f'{LISTS}.')} list"
        if self.key == "required":
            return f"required = {self.value:g} (it is {self.facts['now']})"
        return (
            f'{self.key} = "{self.value}"' if isinstance(self.value, str) else f"{self.key} = {self.value:g}"
        )

    def in_scope(self, scope: str) -> Flip:
        """The same change elsewhere."""
        return replace(self, scope=scope, also=self.also and self.also.in_scope(scope))

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        told = {"scope": self.scope, "key": self.key, "value": self.value, "sentence": self.text()}
        return told if self.also is None else told | {"also": self.also.to_dict()}


@dataclass(frozen=True, slots=True)
class FlipSender:
    """Whom an entry of the lists could be about: the address of the header From, or else the envelope sender."""

    envelope: str = ""
    header_from: str = ""
    own: frozenset[str] = frozenset()
    """Domains whose addresses a stranger only pretends to have: no entry is about them."""

    def met_by(self) -> tuple[str, tuple[MatchedField, ...]]:
        """The pattern of such an entry, and where a message meets it; "" where there is none."""
        shown = shown_mailbox(self.header_from)[1]
        pattern = listable_of((shown, self.envelope), self.own)
        found = ((self.envelope, MatchedField.ENVELOPE), (shown, MatchedField.HEADER))
        return pattern, tuple(
            where for address, where in found if pattern and address_key(address) == pattern
        )


_NOBODY = FlipSender()


def flips(
    verdict: Verdict, findings: Mapping[str, Finding], policy: Policy, sender: FlipSender = _NOBODY
) -> list[Flip]:
    """Changes that would each have turned spam into ham, or ham into spam: single ones; an entry for its `sender`
    together with a switch, where the entry alone is not enough; two switches, where nothing else is.

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
    if verdict.decision is Decision.SPAM:
        if not any(one.is_entry for one in found):
            found += islice(_entry_and_switch(tried, sender), MAX_CHANGES - len(found))
        if not found:
            found += islice(_two_switches(tried), MAX_CHANGES)
    return found


def with_entry(
    findings: Mapping[str, Finding], policy: Policy, sender: FlipSender, colour: Colour
) -> dict[str, Finding] | None:
    """The findings as they would be with an entry for a sender on a list of the mailbox; None where none can be made,
    or the message would not meet it."""
    pattern, met = sender.met_by()
    if not met:
        return None
    entries = [Match(0, policy.mailbox, colour, Subject.SENDER, pattern, where) for where in met]
    changed = dict(findings)
    for rule in policy.rules:
        name = rule.filter.name
        said = changed.get(name) or Finding(name, Status.CLEAR)  # it did not look: all was decided before
        with_it = rule.filter.with_entries(said, entries)
        if with_it is not said:
            changed[name] = with_it
    return changed


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

    def turns_without(self, *rules: FilterRule, findings: Mapping[str, Finding] | None = None) -> bool:
        """The same without some filters."""
        left = tuple(one for one in self.policy.rules if all(one is not rule for rule in rules))
        return self.turns(replace(self.policy, rules=left), findings)

    def speaking(self) -> list[FilterRule]:
        """The filters that can be switched off and had their say, in the order of the chain."""
        return [
            self.rules[one.filter]
            for one in self.verdict.opinions
            if one.effect not in (None, Effect.TAG)
            and not one.shadow
            and self.rules[one.filter].filter.switchable
        ]

    def switched_off(self, rule: FilterRule, also: Flip | None = None) -> Flip:
        """A filter switched off, as a change."""
        name = rule.filter.name
        flip = self.flip(f"filters.{name}.state", "off", _SWITCHED_OFF, filter=_shown(name))
        return replace(flip, also=also)

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
    spam = tried.verdict.decision is Decision.SPAM
    findings = with_entry(tried.findings, tried.policy, sender, Colour.WHITE if spam else Colour.BLACK)
    if findings is not None and tried.turns(tried.policy, findings):
        yield _listed(tried, sender)


def _listed(tried: _Trial, sender: FlipSender) -> Flip:
    spam = tried.verdict.decision is Decision.SPAM
    colour, pattern = (Colour.WHITE if spam else Colour.BLACK), sender.met_by()[0]
    return tried.flip(f"{LISTS}.{colour}", pattern, _ALLOWED if spam else _BLOCKED, value=pattern)


def _entry_and_switch(tried: _Trial, sender: FlipSender) -> Iterator[Flip]:
    """An entry for the sender together with a filter that it does not overrule, switched off."""
    findings = with_entry(tried.findings, tried.policy, sender, Colour.WHITE)
    if findings is None:
        return
    for rule in tried.speaking()[:_MOST_IN_PAIRS]:
        if tried.turns_without(rule, findings=findings) and not tried.turns_without(rule):
            yield replace(_listed(tried, sender), also=tried.switched_off(rule))


def _two_switches(tried: _Trial) -> Iterator[Flip]:
    """Two filters of which each was enough, switched off."""
    for one, other in combinations(tried.speaking()[:_MOST_IN_PAIRS], 2):
        if tried.turns_without(one, other):
            yield tried.switched_off(one, tried.switched_off(other))


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
            yield tried.switched_off(rule)


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

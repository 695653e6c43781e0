"""From layers of settings to terms and rules: what is set alike is compiled once, and is the same object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tamis.base.errors import ConfigError, nearest_name
from tamis.base.validation import config_error
from tamis.contract.filter import ALLOWED_EFFECTS, Effect, Filter, Stage, State
from tamis.judging.policy_layers import FIXED, LOCKED, Layered, effective
from tamis.judging.policy_terms import FilterRule, Terms
from tamis.message.address import PLATFORM
from tamis.settings import Layers

_TABLES = ("filters", "domains", "mailboxes")
"""What stands in the policy's tables beside the terms."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The filters' options under one policy, in chain order, switched-off ones left out."""

    rules: tuple[FilterRule, ...]
    active: frozenset[str]
    """The names of the filters in it."""
    early: tuple[FilterRule, ...]
    """Those that may answer 4xx to a single recipient, at RCPT TO, if they act so early."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What one combination of layers says."""

    terms: Terms
    rule_set: RuleSet


class Compiler:
    """Compiles layers for one set of filters, and remembers by content what it compiled. Raises ConfigError.

    Ten thousand domains of which each sets three things share all else: a policy costs what it sets.
    """

    def __init__(self, filters: Sequence[Filter[Any]]) -> None:
        self.filters = filters
        self._places = {one.name: place for place, one in enumerate(filters)}
        self._defaults: tuple[FilterRule, ...] | None = None
        self._terms: dict[str, Terms] = {}
        self._rules: dict[tuple[str, str], FilterRule] = {}
        self._sets: dict[tuple[tuple[str, str], ...], RuleSet] = {}

    @property
    def size(self) -> int:
        """How many different things are remembered."""
        return len(self._terms) + len(self._rules) + len(self._sets)

    def compile(self, layers: Layers, scopes: Sequence[str], source: str) -> Compiled:
        """What the layers of these scopes, nearest first, say together; `source` is where they come from."""
        together = effective(layers, scopes)
        where = scope_key(scopes[0]) if scopes else "policy"
        terms = self._compile_terms(together, where, source)
        self._check_names(layers, scopes, source)
        return Compiled(terms, self._compile_rules(together, where, source))

    def _compile_terms(self, layers: Layered, where: str, source: str) -> Terms:
        own = {k: v for _, layer in reversed(layers) for k, v in layer.items() if k != "filters"}
        known = self._terms.get(key := repr(own))
        if known is not None:
            return known
        try:
            terms = Terms.model_validate(own)
        except ValidationError as error:
            wrong = config_error(source, error, Terms, own, prefix=where)
            near = wrong.nearest or nearest_name(wrong.key.rpartition(".")[2], _TABLES)
            raise ConfigError(
                wrong.source, wrong.key, wrong.problem, value=wrong.value, nearest=near
            ) from None
        if terms.fixed:
            self._check_fixed(terms.fixed, where, source)
        self._terms[key] = terms
        return terms

    def _check_fixed(self, fixed: Sequence[str], where: str, source: str) -> None:
        """Raises ConfigError on what is no setting."""
        known: set[str] = Terms.model_fields.keys() - {
            FIXED,
            LOCKED,
        }  # a fixed lock would open what is locked below
        for one in self.filters:
            path = f"filters.{one.name}"
            known |= {path, *(f"{path}.{option}" for option in one.options.model_fields)}
        for name in fixed:
            if name not in known:
                near = nearest_name(name, known)
                raise ConfigError(source, f"{where}.{FIXED}", "no such setting", value=name, nearest=near)

    def _check_names(self, layers: Layers, scopes: Sequence[str], source: str) -> None:
        """Raises ConfigError on what is no filter."""
        for scope in scopes:
            named = layers[scope].get("filters", {})
            if not isinstance(named, Mapping):
                raise ConfigError(source, f"{scope_key(scope)}.filters", "must be a table", value=named)
            for name in named:
                if name not in self._places:
                    raise ConfigError(
                        source,
                        f"{scope_key(scope)}.filters.{name}",
                        "no such filter",
                        nearest=nearest_name(name, self._places.keys()) or _by_spec_id(name, self.filters),
                    )

    def _compile_rules(self, layers: Layered, where: str, source: str) -> RuleSet:
        if self._defaults is None:
            self._defaults = tuple(self._rule(one, {}, where, source) for one in self.filters)
        named: dict[str, dict[str, Any]] = {}
        for _, layer in reversed(layers):
            for name, options in layer.get("filters", {}).items():
                if not isinstance(options, Mapping):
                    raise ConfigError(source, f"{where}.filters.{name}", "must be a table", value=options)
                named[name] = named.get(name, {}) | dict(options)
        key = tuple((name, repr(named[name])) for name in sorted(named))
        known = self._sets.get(key)
        if known is None:
            rules = list(self._defaults)
            for name, options in named.items():
                place = self._places[name]
                rules[place] = self._rule(self.filters[place], options, where, source)
            known = self._sets[key] = _rule_set(rules)
        return known

    def rules_of(self, layers: Layered, source: str) -> Iterator[FilterRule]:
        """A rule for each filter under layers that were compiled, those that are switched off as well."""
        for one in self.filters:
            own: dict[str, Any] = {}
            for _, layer in reversed(layers):
                own |= layer.get("filters", {}).get(one.name, {})
            yield self._rule(one, own, "policy", source)

    def _rule(self, one: Filter[Any], own: Mapping[str, Any], where: str, source: str) -> FilterRule:
        known = self._rules.get(key := (one.name, repr(own)))
        if known is not None:
            return known
        where = f"{where}.filters.{one.name}"
        try:
            options = one.options.model_validate({"state": one.state, "effect": one.effect, **own})
        except ValidationError as error:
            raise config_error(source, error, one.options, own, prefix=where) from None
        if options.state is not State.ON and not one.switchable:
            raise ConfigError(
                source, f"{where}.state", "this filter can't be switched off", value=str(options.state)
            )
        if options.effect not in ALLOWED_EFFECTS[one.effect]:
            allowed = ", ".join(sorted(ALLOWED_EFFECTS[one.effect]))
            raise ConfigError(
                source, f"{where}.effect", f"must be one of {allowed}", value=str(options.effect)
            )
        self._rules[key] = made = FilterRule(one, options)
        return made


def _rule_set(rules: Sequence[FilterRule]) -> RuleSet:
    working = tuple(rule for rule in rules if rule.options.state is not State.OFF)
    early = tuple(
        rule
        for rule in working
        if rule.options.effect is Effect.DEFER
        and rule.options.state is State.ON
        and rule.filter.stage <= Stage.RCPT
    )
    return RuleSet(working, frozenset(rule.filter.name for rule in working), early)


def _by_spec_id(name: str, filters: Sequence[Filter[Any]]) -> str:
    return next((one.name for one in filters if one.spec_id.lower() == name.lower()), "")


def scope_key(scope: str) -> str:
    """The dotted key under which a scope's layer stands in the settings file."""
    if scope == PLATFORM:
        return "policy"
    return f'policy.{"mailboxes" if "@" in scope else "domains"}."{scope}"'

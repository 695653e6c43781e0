"""Policy: what a recipient wants, resolved platform -> domain -> mailbox, the nearer wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tamis.contract.filter import Filter
from tamis.judging.alias_targets import NO_ALIASES, Destination, Directory
from tamis.judging.policy_compiling import Compiled, Compiler
from tamis.judging.policy_layers import FIXED, effective, is_fixed, origin
from tamis.judging.policy_terms import FilterRule, Terms
from tamis.message.address import PLATFORM, address_key, mailbox_in, scopes_of
from tamis.people.rights import Locks
from tamis.settings import Layers


class Outcome(StrEnum):
    """Where a message goes for one recipient (spec 3), the best first."""

    INBOX = "inbox"
    TAG = "tag"
    JUNK = "junk"
    QUARANTINE = "quarantine"
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class Policy:
    """One recipient's policy. `scopes` nearest first; `rules` in chain order, switched-off ones left out; `forward`
    also by where aliases lead, so it stands beside the `terms`. `via` are the recipients of the envelope whose copy
    this is: the same one, or aliases that lead to several mailboxes (`PolicyBook.policies`)."""

    recipient: str
    scopes: tuple[str, ...]
    terms: Terms
    forward: bool
    rules: tuple[FilterRule, ...]
    via: tuple[str, ...] = ()

    @property
    def mailbox(self) -> str:
        """The mailbox whose mail this is, in its comparing form: an alias's, and without an extension."""
        return mailbox_in(self.scopes)

    @property
    def outcome(self) -> Outcome:
        """Where spam goes."""
        return Outcome(self.terms.outcome)

    @property
    def observes(self) -> bool:
        """Whether nothing is done with the mail but to record what would have been done."""
        return self.terms.mode == "observe"

    @property
    def required(self) -> float:
        """The total score from which a message is spam."""
        return self.terms.required

    def with_terms(self, **changes: Any) -> Policy:
        """The same policy with other terms, taken as they are."""
        return replace(self, terms=self.terms.model_copy(update=changes))


class PolicyBook:
    """Every recipient's policy; immutable, so that a reload is one assignment.

    Raises ConfigError when a layer holds an unknown key, an unknown filter or a value out of range.
    `directory` says where addresses lead: an alias of one mailbox obeys that mailbox's policy, after what is set for
    the alias itself.
    """

    def __init__(
        self,
        filters: Sequence[Filter[Any]],
        layers: Layers,
        *,
        source: str = "settings",
        directory: Directory = NO_ALIASES,
        delimiter: str = "+",
        compiler: Compiler | None = None,
    ) -> None:
        self._compiler = compiler or Compiler(filters)
        self._layers: Layers = {PLATFORM: {}, **layers}
        self._source = source
        self._directory = directory
        self._delimiter = delimiter
        # every layer must stand on its own, so that a mistake is found at start
        self._own = {scope: self._compile(_alone(scope)) for scope in self._layers}
        self._prepare()

    def _prepare(self) -> None:
        self._together: dict[tuple[str, ...], Compiled] = {}
        self._recent: dict[tuple[str, Destination], Policy] = {}
        sets = {id(one.rule_set): one.rule_set for one in self._own.values()}
        self._early = tuple(rule for one in sets.values() for rule in one.early)
        self.active = frozenset().union(*{one.active for one in sets.values()})
        """Names of the filters that some policy has on or in shadow: no other one starts work."""

    def with_layers(self, changed: Mapping[str, Mapping[str, Any] | None], source: str) -> PolicyBook:
        """A book with these layers in place of what it has for their scopes; None takes a scope's away. Costs what the
        changed layers cost, unless the platform's, on which all others stand, is among them. Raises ConfigError."""
        layers = dict(self._layers)
        for scope, layer in changed.items():
            layers.pop(scope, None)
            if layer is not None:
                layers[scope] = layer
        many = self._compiler.size > _REMEMBERED * len(layers) + _MAX_RECENT
        if PLATFORM in changed or many:
            return PolicyBook(
                self.filters,
                layers,
                source=source,
                directory=self._directory,
                delimiter=self._delimiter,
                compiler=None if many else self._compiler,
            )
        book = copy(self)
        book._layers, book._source = layers, source
        book._own = {**self._own}
        for scope in changed:
            book._own.pop(scope, None)
            if scope in layers:
                book._own[scope] = book._compile(_alone(scope))
        book._prepare()
        return book

    def for_mail(self, directory: Directory, delimiter: str) -> PolicyBook:
        """The same policies for addresses that lead where `directory` says."""
        book = copy(self)
        book._directory, book._delimiter = directory, delimiter
        book._prepare()
        return book

    @property
    def filters(self) -> Sequence[Filter[Any]]:
        """All filters, in chain order."""
        return self._compiler.filters

    def policy(self, recipient: str) -> Policy:
        """The policy of one recipient's address; those asked for lately are remembered."""
        destination = self._directory.destination(recipient)
        known = self._recent.get((recipient, destination))
        if known is None:
            if len(self._recent) >= _MAX_RECENT:
                self._recent.clear()
            scopes = self._scopes(recipient, destination)
            known = self._resolve(recipient, scopes, forward=bool(destination.outside))
            self._recent[recipient, destination] = known
        return known

    def mailboxes(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Whose mail each address gets (`Policy.mailbox`)."""
        self._directory.prepare(addresses)
        return {one: self.policy(one).mailbox for one in addresses}

    def policies(self, recipients: Sequence[str]) -> tuple[Policy, ...]:
        """A policy for each copy that recipients of one envelope get: one for each of the mailboxes that an alias leads
        to, under its own address; once for a mailbox that several of them lead to by name."""
        self._directory.prepare(recipients)
        found: dict[str, Policy] = {}
        for recipient in recipients:
            for one in self._copies(recipient):
                key = address_key(one.recipient)
                before = found.get(key, one)
                via = dict.fromkeys((*before.via, recipient))
                named = one if one.recipient == recipient else before  # by its own name it has its own policy
                found[key] = named if named.via == (*via,) else replace(named, via=(*via,))
        return tuple(found.values())

    def _copies(self, recipient: str) -> Iterator[Policy]:
        destination = self._directory.destination(recipient)
        if not destination.is_divided:
            yield replace(self.policy(recipient), via=(recipient,))
            return
        for mailbox in destination.mailboxes:
            yield replace(
                self._resolve(mailbox, self._scopes(recipient, Destination((mailbox,)))), via=(recipient,)
            )
        own = self._scopes(recipient, destination)
        for address in destination.outside:
            yield replace(self._resolve(address, own, forward=True), via=(recipient,))

    def _scopes(self, recipient: str, destination: Destination) -> tuple[str, ...]:
        """The scopes of an address; where it leads to one mailbox, what is set for that comes after its own."""
        own = scopes_of(recipient, self._delimiter)
        if len(destination.mailboxes) != 1 or destination.outside:
            return own
        nearest = tuple(scope for scope in own if "@" in scope)
        return (
            tuple(dict.fromkeys((*nearest, *scopes_of(destination.mailboxes[0], self._delimiter))))
            if nearest
            else own
        )

    def _resolve(self, recipient: str, scopes: tuple[str, ...], *, forward: bool = False) -> Policy:
        layered = tuple(s for s in scopes if s in self._layers)
        found = self._compiled(layered)
        rules = found.rule_set.rules if found.terms.enabled else ()
        return Policy(recipient, scopes, found.terms, found.terms.forward or forward, rules)

    def _compiled(self, layered: tuple[str, ...]) -> Compiled:
        if layered == _alone(layered[0] if layered else PLATFORM):
            return self._own[layered[0]]
        known = self._together.get(layered)
        if known is None:
            known = self._together[layered] = self._compile(layered)
        return known

    def _compile(self, layered: tuple[str, ...]) -> Compiled:
        return self._compiler.compile(self._layers, layered, self._source)

    def early_rules(self) -> Sequence[FilterRule]:
        """The rules of any policy that may defer a single recipient, if their filter acts so early."""
        return self._early

    def all_terms(self) -> Iterator[Terms]:
        """The terms of every layer on its own, each once."""
        yield from {id(one.terms): one.terms for one in tuple(self._own.values())}.values()

    def locks(self) -> Locks:
        """Which mailboxes are closed to everybody else (Q9)."""
        said = {}
        for scope, layer in self._layers.items():
            if "locked" in layer:
                said[scope] = self._own[scope].terms.locked
        return Locks(said)

    def show(self, recipient: str) -> dict[str, Any]:
        """The resolved policy as plain data: {key: [value, scope that sets it or "default"]}."""
        scopes = self._scopes(recipient, self._directory.destination(recipient))
        return self._shown(tuple(s for s in scopes if s in self._layers))

    def show_above(self, scope: str) -> dict[str, Any]:
        """As `show`, of what a scope would have if nothing were set for it."""
        above = scopes_of(scope, self._delimiter) if scope != PLATFORM else ()
        return self._shown(tuple(s for s in above if s != scope and s in self._layers))

    def _shown(self, layered: tuple[str, ...]) -> dict[str, Any]:
        terms = self._compiled(layered).terms
        layers = effective(self._layers, layered)
        shown: dict[str, Any] = {
            key: [value, origin(layers, key)] for key, value in terms.model_dump(mode="json").items()
        }
        for rule in self._compiler.rules_of(layers, self._source):
            for key, value in rule.options.model_dump(mode="json").items():
                path = f"filters.{rule.filter.name}.{key}"
                shown[path] = [value, origin(layers, path)]
        return shown

    def fixed_above(self, scope: str, key: str) -> str:
        """The scope above this one that fixes a setting, which therefore can't be set here; "" when none does."""
        above = scopes_of(scope, self._delimiter)[1:] if scope != PLATFORM else ()
        fixing = (one for one in reversed(above) if is_fixed(key, self._layers.get(one, {}).get(FIXED, ())))
        return next(fixing, "")


_MAX_RECENT = 4096
_REMEMBERED = 4  # things that are remembered of each layer, on average; beyond: a new memory is begun


def _alone(scope: str) -> tuple[str, ...]:
    """The layers of a scope of which nothing but the platform's is farther."""
    return (scope,) if scope == PLATFORM else (scope, PLATFORM)

"""Policy: what a recipient wants, resolved platform -> domain -> mailbox, the nearer wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tamis.base.errors import ConfigError, nearest_name
from tamis.base.validation import config_error
from tamis.contract.filter import ALLOWED_EFFECTS, Filter, FilterOptions, State
from tamis.judging.alias_targets import NO_ALIASES, Destination, Directory
from tamis.judging.policy_layers import FIXED, Layered, effective, is_fixed, origin
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


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        near = nearest_name(name, available_timezones())
        raise ValueError(f"no such time zone{f'; did you mean {near!r}?' if near else ''}")
    return name


class Terms(BaseModel):
    """What policy can set apart from the filters; every field has its default and its help here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(True, description="false switches all spam filtering off for these recipients")
    mode: Literal["enforce", "observe"] = Field(
        "enforce",
        description="observe: every verdict is recorded, and the mail is delivered untouched: no header, no tag, no "
        "quarantine, no notice, no deferral (docs/observe.md)",
    )
    outcome: Literal["inbox", "tag", "junk", "quarantine"] = Field(
        "quarantine",
        description="where spam goes: quarantine, junk (headers for the mail store's Junk folder), tag "
        "(inbox, tagged subject) or inbox (headers only)",
    )
    required: float = Field(
        7.5, gt=0, le=1000, description="total score from which a message is spam; lower is more aggressive"
    )
    tag: str = Field(
        "SPAM: ",
        min_length=1,
        max_length=40,
        pattern=r"^[\x20-\x7e]+$",
        description="put before the subject by outcome tag (printable ASCII)",
    )
    forward: bool = Field(
        False,
        description="the recipient is relayed outside the platform: spam is quarantined, never tagged or junked "
        "(noticed where Postfix's aliases lead outside platform.domains)",
    )
    retention_days: int = Field(30, ge=1, le=3650, description="days that quarantined mail is kept")
    examine_everything: bool = Field(
        False, description="run the expensive filters even when the verdict is already decided, for tuning"
    )
    challenge: Literal["off", "mail", "reply"] = Field(
        "mail",
        description="how the sender of quarantined mail is asked to confirm it (Q1): by a mail, by a link in the "
        "SMTP reply (if all recipients have this setting, else by mail), or not at all",
    )
    challenge_proof: Literal["work", "code", "work-only", "code-only"] = Field(
        "work",
        description="what the sender's page asks for first: work (the browser's, and one press; delivers that message) "
        "or code (an image or sound; also whitelists); the other is offered beside it, unless -only",
    )
    challenge_whitelist: bool = Field(
        True, description="a code puts the sender on the domain's automatic whitelist (Q2)"
    )
    challenge_own_domain: bool = Field(
        False, description="also ask senders whose address is in the recipient's own domain (Q3)"
    )
    language: Literal["en", "fr"] = Field(
        "en", description="language of mails and pages when the reader's own is not known"
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "UTC",
        max_length=64,
        description="time zone of mails and pages, and of the digest's times: Europe/Paris",
    )
    digest: tuple[Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")], ...] = Field(
        (),
        max_length=6,
        description='times of day (["17:00"]) of the mail that lists held messages; none: no mail',
    )
    self_service: tuple[Literal["outcome", "required", "digest", "language", "time_zone"], ...] = Field(
        ("digest", "language", "time_zone"),
        description="what recipients may set for their own mailbox on the pages",
    )
    locked: bool = Field(
        False, description="the mailbox's quarantine is closed to delegated administrators (Q9)"
    )
    fixed: tuple[str, ...] = Field(
        (),
        max_length=200,
        description='settings that nobody below can set: ["outcome", "filters.antivirus", "filters.dmarc.state"]. What '
        "is set there nevertheless has no effect",
    )
    junk_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="days after which `tamis mailbox clean` removes mail from Junk (O5); 0: never",
    )
    on_error: Literal["defer", "deliver"] = Field(
        "defer",
        description="when Tamis itself fails on a message: defer (451, the sender tries again) or deliver "
        "(untouched, and a header says so); defer wins among several recipients",
    )


@dataclass(frozen=True, slots=True)
class FilterRule:
    """One filter as one policy has it."""

    filter: Filter[Any]
    options: FilterOptions


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
    ) -> None:
        self._filters = filters
        self._layers: Layers = {PLATFORM: {}, **layers}
        self._source = source
        self._directory = directory
        self._delimiter = delimiter
        self._compiled: dict[tuple[str, ...], tuple[Terms, tuple[FilterRule, ...]]] = {}
        self._recent: dict[tuple[str, Destination], Policy] = {}
        for scope in self._layers:  # every layer must stand on its own, so that a mistake is found at start
            self._compile((scope,) if scope == PLATFORM else (scope, PLATFORM))
        self.active = frozenset(rule.filter.name for _, rules in self._compiled.values() for rule in rules)
        """Names of the filters that some policy has on or in shadow: no other one starts work."""

    @property
    def filters(self) -> Sequence[Filter[Any]]:
        """All filters, in chain order."""
        return self._filters

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
        if layered not in self._compiled:
            self._compile(layered)
        terms, rules = self._compiled[layered]
        return Policy(recipient, scopes, terms, terms.forward or forward, rules if terms.enabled else ())

    def all_rules(self) -> Iterator[FilterRule]:
        """The rules of every layer on its own: whether any policy has a filter in some way."""
        for _, rules in tuple(self._compiled.values()):
            yield from rules

    def all_terms(self) -> Iterator[Terms]:
        """The terms of every layer on its own."""
        for terms, _ in tuple(self._compiled.values()):
            yield terms

    def locks(self) -> Locks:
        """Which mailboxes are closed to everybody else (Q9)."""
        said = {}
        for scope, layer in self._layers.items():
            if "locked" in layer:
                terms, _ = self._compiled[(scope,) if scope == PLATFORM else (scope, PLATFORM)]
                said[scope] = terms.locked
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
        if layered not in self._compiled:
            self._compile(layered)
        terms, _ = self._compiled[layered]
        layers = effective(self._layers, layered)
        shown: dict[str, Any] = {
            key: [value, origin(layers, key)] for key, value in terms.model_dump(mode="json").items()
        }
        for one in self._filters:
            options = self._options(one, layers)
            for key, value in options.model_dump(mode="json").items():
                path = f"filters.{one.name}.{key}"
                shown[path] = [value, origin(layers, path)]
        return shown

    def fixed_above(self, scope: str, key: str) -> str:
        """The scope above this one that fixes a setting, which therefore can't be set here; "" when none does."""
        above = scopes_of(scope, self._delimiter)[1:] if scope != PLATFORM else ()
        fixing = (one for one in reversed(above) if is_fixed(key, self._layers.get(one, {}).get(FIXED, ())))
        return next(fixing, "")

    def _compile(self, layered: tuple[str, ...]) -> None:
        layers = effective(self._layers, layered)
        own = {k: v for _, layer in reversed(layers) for k, v in layer.items() if k != "filters"}
        where = _scope_key(layered[0]) if layered else "policy"
        try:
            terms = Terms.model_validate(own)
        except ValidationError as error:
            wrong = config_error(self._source, error, Terms, own, prefix=where)
            near = wrong.nearest or nearest_name(wrong.key.rpartition(".")[2], _TABLES)
            raise ConfigError(
                wrong.source, wrong.key, wrong.problem, value=wrong.value, nearest=near
            ) from None
        known = {one.name for one in self._filters}
        if terms.fixed:
            self._check_fixed(terms.fixed, where)
        for scope in layered:
            named = self._layers[scope].get("filters", {})
            if not isinstance(named, Mapping):
                raise ConfigError(
                    self._source, f"{_scope_key(scope)}.filters", "must be a table", value=named
                )
            for name in named:
                if name not in known:
                    raise ConfigError(
                        self._source,
                        f"{_scope_key(scope)}.filters.{name}",
                        "no such filter",
                        nearest=nearest_name(name, known) or _by_spec_id(name, self._filters),
                    )
        rules = [FilterRule(one, self._options(one, layers)) for one in self._filters]
        self._compiled[layered] = (terms, tuple(r for r in rules if r.options.state is not State.OFF))

    def _check_fixed(self, fixed: Sequence[str], where: str) -> None:
        """Raises ConfigError on what is no setting."""
        known: set[str] = Terms.model_fields.keys() - {FIXED}
        for one in self._filters:
            path = f"filters.{one.name}"
            known |= {path, *(f"{path}.{option}" for option in one.options.model_fields)}
        for name in fixed:
            if name not in known:
                near = nearest_name(name, known)
                raise ConfigError(
                    self._source, f"{where}.{FIXED}", "no such setting", value=name, nearest=near
                )

    def _options(self, one: Filter[Any], layers: Layered) -> FilterOptions:
        where = f"{_scope_key(layers[0][0]) if layers else 'policy'}.filters.{one.name}"
        own: dict[str, Any] = {}
        for _, table in reversed(layers):
            layer = table.get("filters", {}).get(one.name, {})
            if not isinstance(layer, Mapping):
                raise ConfigError(self._source, where, "must be a table", value=layer)
            own |= layer
        try:
            options = one.options.model_validate({"state": one.state, "effect": one.effect} | own)
        except ValidationError as error:
            raise config_error(self._source, error, one.options, own, prefix=where) from None
        if options.state is not State.ON and not one.switchable:
            raise ConfigError(
                self._source, f"{where}.state", "this filter can't be switched off", value=str(options.state)
            )
        if options.effect not in ALLOWED_EFFECTS[one.effect]:
            allowed = ", ".join(sorted(ALLOWED_EFFECTS[one.effect]))
            raise ConfigError(
                self._source, f"{where}.effect", f"must be one of {allowed}", value=str(options.effect)
            )
        return options


_TABLES = ("filters", "domains", "mailboxes")
"""What stands in the policy's tables beside the terms."""


_MAX_RECENT = 4096


def _by_spec_id(name: str, filters: Sequence[Filter[Any]]) -> str:
    return next((one.name for one in filters if one.spec_id.lower() == name.lower()), "")


def _scope_key(scope: str) -> str:
    """The dotted key under which a scope's layer stands in the settings file."""
    if scope == PLATFORM:
        return "policy"
    return f'policy.{"mailboxes" if "@" in scope else "domains"}."{scope}"'

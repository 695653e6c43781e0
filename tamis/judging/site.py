"""A site: everything that examining and judging needs, compiled once and never changed; reload makes another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from tamis.base.errors import ConfigError
from tamis.contract.filter import Effect, Filter, Stage, State
from tamis.contract.list_index import ListIndex
from tamis.contract.lists import Entry
from tamis.judging.alias_targets import NO_ALIASES, Directory
from tamis.judging.policy import PolicyBook
from tamis.judging.policy_terms import FilterRule
from tamis.knowledge import NO_BASE, KnowledgeBase, compile_base
from tamis.message.address import PLATFORM, address_key, domain_key
from tamis.rules import EMPTY, RuleBook
from tamis.rules.book import RuleSource
from tamis.rules.rule_file import compile_book
from tamis.settings import Layers, Platform, Settings, SettingsFile

KNOWLEDGE = "knowledge"
"""The filter that asks the base of knowledge: while no policy has it, none is compiled."""


@dataclass(frozen=True, slots=True)
class Override:
    """One setting of the durable store, on top of the file: `key` is dotted, `value` is JSON; None, which none has,
    takes it back where changes are named."""

    scope: str
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the durable store says of policy and lists at one revision. `mark` is that revision's own: no other change,
    in whatever store, has it; "" when it is not known."""

    revision: int = 0
    overrides: tuple[Override, ...] = ()
    entries: tuple[Entry, ...] = ()
    mark: str = ""


Overridden = Mapping[str, Mapping[str, Any]]
"""The store's settings by scope and key."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed in the durable store between two revisions: entries as they are at the second, ids of those that are
    gone, and all overrides, perhaps none, of each scope of which one changed."""

    since: int
    revision: int
    mark: str
    entries: tuple[Entry, ...] = ()
    gone: tuple[int, ...] = ()
    scopes: Overridden = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many entries and scopes are in it."""
        return len(self.entries) + len(self.gone) + len(self.scopes)


@dataclass(frozen=True, slots=True)
class Site:
    """Settings, policy, lists and chain of one moment; immutable and shared by a worker's threads."""

    settings: Settings
    filters: tuple[Filter[Any], ...]
    book: PolicyBook
    lists: ListIndex
    revision: int
    defers_recipients: bool
    """Whether some policy has a filter on that answers single recipients: only then is RCPT worth a reply."""
    rules: RuleBook = EMPTY
    knowledge: KnowledgeBase = NO_BASE
    parts: Parts | None = field(default=None, repr=False, compare=False)
    """What it was made of, for the next one."""

    def observes(self, recipients: Sequence[str]) -> bool:
        """Whether all of these are only observed; without recipients, whether everybody is."""
        if recipients:
            return all(one.observes for one in self.book.policies(recipients))
        return all(terms.mode == "observe" for terms in self.book.all_terms())

    @classmethod
    def build(
        cls,
        file: SettingsFile,
        filters: Sequence[Filter[Any]],
        snapshot: Snapshot,
        directory: Directory = NO_ALIASES,
    ) -> Site:
        """Compile a site. Raises ConfigError on anything wrong in the file or in the overrides."""
        lists = ListIndex(snapshot.entries, revision=snapshot.revision)
        return cls.compile(file, filters, by_scope(snapshot.overrides), lists, snapshot.revision, directory)

    @classmethod
    def compile(
        cls,
        file: SettingsFile,
        filters: Sequence[Filter[Any]],
        overrides: Overridden,
        lists: ListIndex,
        revision: int,
        directory: Directory = NO_ALIASES,
        before: Site | None = None,
    ) -> Site:
        """The same, with lists that are ready to be asked. What is as it was in the site `before`, made of the same
        `file`, is taken from that: so a change costs what it changes."""
        known = before.parts if before is not None else None
        if known is not None and known.file is not file:
            known = None
        platform = file.settings.platform
        scopes: Collection[str]
        if known is None or before is None:  # the file must be good by itself
            plain = PolicyBook(filters, file.layers, source=file.source)
            plain = plain.for_mail(directory, platform.recipient_delimiter)
            book, scopes, is_plain = plain, overrides.keys(), True
        else:
            plain, is_plain = known.plain, known.is_plain
            book, scopes = before.book, _changed_scopes(known.overrides, overrides)
        is_plain = is_plain and all(scope_key(scope) == scope for scope in scopes)
        if not is_plain:  # two spellings may be one scope
            book, scopes = plain, overrides.keys()
        book = _overridden_book(book, file, overrides, scopes)
        base = known.base if known is not None else NO_BASE
        if base is NO_BASE and (KNOWLEDGE in book.active or file.rules):
            base = compile_base(file.knowledge)
        if before is not None and known is not None and known.rules is file.rules and known.base is base:
            rules = before.rules
        else:
            rules = compile_book(file.rules, frozenset(one.name for one in filters), base.book.tables)
        return cls(
            file.settings,
            tuple(filters),
            book,
            lists,
            revision,
            any(rule.filter.acts_early(platform) for rule in book.early_rules()),
            rules,
            base if KNOWLEDGE in book.active else NO_BASE,
            Parts(file, plain, overrides, is_plain, file.rules, base),
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """What a site was made of: a part that is the same object need not be compiled again."""

    file: SettingsFile
    plain: PolicyBook
    """The policies of the file alone."""
    overrides: Overridden
    is_plain: bool
    """Whether each scope of the overrides is in its comparing form, so that no two are one."""
    rules: Sequence[RuleSource]
    base: KnowledgeBase


def _changed_scopes(before: Overridden, now: Overridden) -> Collection[str]:
    """The scopes whose overrides are not the same objects."""
    if before is now:
        return ()
    changed = [scope for scope, own in now.items() if before.get(scope) is not own]
    return [*changed, *(before.keys() - now.keys())]


def _overridden_book(
    book: PolicyBook, file: SettingsFile, overrides: Overridden, scopes: Collection[str]
) -> PolicyBook:
    """A book with what the overrides of these scopes make of the file's layers."""
    if not scopes:
        return book
    own: dict[str, list[Override]] = {}
    for scope in scopes:
        settings = sorted(overrides.get(scope, {}).items(), key=itemgetter(0))
        own.setdefault(scope_key(scope), []).extend(Override(scope, *setting) for setting in settings)
    layers = {
        key: with_overrides({key: file.layers[key]} if key in file.layers else {}, settings).get(key)
        for key, settings in own.items()
    }
    return book.with_layers(layers, f"{file.source} with the store's overrides")


def by_scope(overrides: Iterable[Override]) -> Overridden:
    """Overrides by scope and key."""
    found: dict[str, dict[str, Any]] = {}
    for one in overrides:
        found.setdefault(one.scope, {})[one.key] = one.value
    return found


def in_order(overrides: Overridden) -> tuple[Override, ...]:
    """The same, one after the other, by scope and key."""
    return tuple(
        Override(scope, key, value)
        for scope, own in sorted(overrides.items())
        for key, value in sorted(own.items(), key=itemgetter(0))
    )


def policy_book(
    file: SettingsFile,
    filters: Sequence[Filter[Any]],
    overrides: Sequence[Override],
    directory: Directory = NO_ALIASES,
) -> PolicyBook:
    """Policy alone, which is all that stored findings are judged by. Raises ConfigError."""
    return PolicyBook(
        filters,
        with_overrides(file.layers, overrides),
        source=f"{file.source} with the store's overrides" if overrides else file.source,
        directory=directory,
        delimiter=file.settings.platform.recipient_delimiter,
    )


def defers_early(rule: FilterRule, platform: Platform) -> bool:
    """Whether a rule may answer 4xx to a single recipient, at RCPT TO."""
    return (
        rule.options.effect is Effect.DEFER
        and rule.options.state is State.ON
        and rule.filter.stage <= Stage.RCPT
        and rule.filter.acts_early(platform)
    )


def with_changes(stored: Iterable[Override], changes: Sequence[Override]) -> list[Override]:
    """The overrides after some changes, of which a value None takes one back."""
    changed = {(one.scope, one.key) for one in changes}
    kept = [one for one in stored if (one.scope, one.key) not in changed]
    last = {(one.scope, one.key): one for one in changes}
    return [*kept, *(one for one in last.values() if one.value is not None)]


def with_overrides(layers: Layers, overrides: Sequence[Override]) -> Layers:
    """The file's layers with the store's settings on top. Raises ConfigError where a key has no place."""
    merged: dict[str, dict[str, Any]] = {scope: _deep(layer) for scope, layer in layers.items()}
    for override in overrides:
        node: dict[str, Any] = merged.setdefault(scope_key(override.scope), {})
        *path, last = override.key.split(".")
        for step in path:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise ConfigError("store", f"{override.scope} {override.key}", "no such setting")
        node[last] = override.value
    return merged


def scope_key(scope: str) -> str:
    """A scope in its comparing form: "platform", a domain, or a mailbox."""
    if scope == PLATFORM:
        return PLATFORM
    return address_key(scope) if "@" in scope else domain_key(scope)


def _deep(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _deep(v) if isinstance(v, Mapping) else v for k, v in layer.items()}

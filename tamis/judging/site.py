"""A site: everything that examining and judging needs, compiled once and never changed; reload makes another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from tamis.contract.filter import Effect, Filter, Stage, State
from tamis.contract.list_index import ListIndex
from tamis.judging.alias_targets import NO_ALIASES, Directory
from tamis.judging.policy import PolicyBook
from tamis.judging.policy_terms import FilterRule
from tamis.judging.stored_policy import (
    Overridden,
    Override,
    Snapshot,
    by_scope,
    scope_key,
    with_overrides,
)
from tamis.knowledge import NO_BASE, KnowledgeBase, compile_base
from tamis.rules import EMPTY, RuleBook
from tamis.rules.book import RuleSource
from tamis.rules.rule_file import compile_book
from tamis.settings import Platform, Settings, SettingsFile

KNOWLEDGE = "knowledge"
"""The filter that asks the base of knowledge: while no policy has it, none is compiled."""


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

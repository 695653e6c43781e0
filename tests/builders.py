"""Short ways to make what the tests of the middle, the filters and the milter's parts need."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import settings as hypothesis_settings

from tamis.chain.registry import BUILT_IN, in_order
from tamis.contract.filter import Filter, Message
from tamis.contract.finding import Finding, Status
from tamis.contract.list_index import ListIndex
from tamis.contract.lists import Colour, ListEntry, Subject, normalise_pattern
from tamis.judging.alias_targets import Destination
from tamis.judging.policy import Policy, PolicyBook
from tamis.judging.site import Site
from tamis.judging.stored_policy import Override, Snapshot
from tamis.judging.verdict import Decision, Verdict, judge
from tamis.message.address import PLATFORM, address_key
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.rules import RuleSource
from tamis.settings import Platform, SettingsFile, policy_layers

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MARIE = "marie@example.com"
PAUL = "paul@example.com"
STRANGER = "stranger@example.net"
STRANGER_IP = "192.0.2.7"
LETTER = (
    b"From: Stranger <stranger@example.net>\r\nTo: marie@example.com\r\nSubject: Hello\r\n"
    b"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nGood day.\r\n"
)

FILTERS = in_order(BUILT_IN)
"""The built-in filters, whatever else is installed here."""

PROPERTY = hypothesis_settings(derandomize=True, deadline=None, max_examples=150, database=None)
"""The same examples in every run."""


def envelope(*recipients: str, **more: Any) -> Envelope:
    """A stranger's transaction to these recipients (default: Marie)."""
    given: dict[str, Any] = {"client_ip": STRANGER_IP, "sender": STRANGER, "received_at": NOW} | more
    return Envelope(recipients=tuple(Recipient(r) for r in recipients or (MARIE,)), **given)


def entry(
    pattern: str,
    colour: str = "white",
    *,
    scope: str = PLATFORM,
    subject: str = "",
    number: int = 1,
    **more: Any,
) -> ListEntry:
    """A list entry; what it is about follows from its look unless told."""
    about = Subject(subject or ("ip" if pattern.replace(".", "").replace("/", "").isdecimal() else "sender"))
    given: dict[str, Any] = {"created": NOW} | more
    return ListEntry(
        id=number,
        scope=scope,
        colour=Colour(colour),
        subject=about,
        pattern=normalise_pattern(about, pattern),
        **given,
    )


def layers(policy: str) -> Mapping[str, Mapping[str, Any]]:
    """The [policy] table as TOML, without the word `policy` in its headings, as layers by scope."""
    return policy_layers(tomllib.loads(policy), "test.toml")


class Aliases:
    """A directory of aliases that are told; those outside are at example.net."""

    def __init__(self, aliases: Mapping[str, Sequence[str]]) -> None:
        self.aliases = aliases

    def destination(self, address: str) -> Destination:
        key = address_key(address)
        leads = self.aliases.get(key, (key,))
        outside = [one for one in leads if one != key and one.endswith("@example.net")]
        return Destination(tuple(one for one in leads if one not in outside), tuple(outside))

    def prepare(self, addresses: Collection[str]) -> None:
        pass


def book(policy: str = "", filters: Sequence[Filter[Any]] = FILTERS, **more: Any) -> PolicyBook:
    """A policy book from TOML."""
    return PolicyBook(filters, layers(policy), source="test.toml", **more)


def site(
    text: str = "",
    *,
    entries: Sequence[ListEntry] = (),
    overrides: Sequence[Override] = (),
    filters: Sequence[Filter[Any]] = FILTERS,
    rules: str = "",
) -> Site:
    """A site from a settings file's text, and a rule file's."""
    snapshot = Snapshot(overrides=tuple(overrides), entries=tuple(entries))
    file = SettingsFile(None, text)
    if rules:
        file.rules = (RuleSource("rules.toml", rules),)
    return Site.build(file, filters, snapshot)


def message(raw: bytes = LETTER, *recipients: str, lists: Sequence[ListEntry] = (), **more: Any) -> Message:
    """What a filter's `examine` is given."""
    told = envelope(*recipients, **more)
    scopes = frozenset(s for r in told.recipients for s in book().policy(r.address).scopes)
    return Message(envelope=told, mail=Mail(raw), platform=Platform(), lists=ListIndex(lists), scopes=scopes)


def finding(name: str, status: Status = Status.HIT, because: str = "seen", **facts: Any) -> Finding:
    """One filter's finding."""
    return Finding(name, status, because, facts)


def verdict_of(policy: Policy, *findings: Finding) -> Verdict:
    """What a policy makes of findings."""
    return judge({one.filter: one for one in findings}, policy)


def verdict(
    decision: str = "ham", recipient: str = MARIE, *, decided_by: str = "", because: str = ""
) -> Verdict:
    """A verdict as it came out, for what lies behind the judging."""
    return Verdict(recipient, Decision(decision), decided_by, because, 0.0, 7.5, ())

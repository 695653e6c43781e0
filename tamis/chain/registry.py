"""Which filters there are: the built-in ones and those that other packages bring by entry point."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from tamis.base.errors import PluginError
from tamis.contract.filter import ALLOWED_EFFECTS, Filter, FilterOptions, NoChallenge, Stage
from tamis.contract.service_protocols import NAMES as SERVICES
from tamis.filters.antivirus import FirstAntivirus, SecondAntivirus
from tamis.filters.arc import ARC
from tamis.filters.attachment_fingerprints import AttachmentFingerprints
from tamis.filters.attachment_types import AttachmentTypes
from tamis.filters.authenticated_automatic_whitelist import AuthenticatedAutomaticWhitelist
from tamis.filters.authenticated_whitelist import AuthenticatedWhitelist
from tamis.filters.automatic_whitelist import AutomaticWhitelist
from tamis.filters.credential_form import CredentialForm
from tamis.filters.cyrillic import Cyrillic
from tamis.filters.display_name import DisplayName
from tamis.filters.dkim import DKIM
from tamis.filters.dmarc import DMARC
from tamis.filters.dnsbl import DNSBL
from tamis.filters.empty import Empty
from tamis.filters.greylisting import Greylisting
from tamis.filters.helo import Helo
from tamis.filters.hidden_text import HiddenText
from tamis.filters.honeypot import Honeypot
from tamis.filters.image_text import ImageText
from tamis.filters.ip_blacklist import IPBlacklist
from tamis.filters.ip_complaints import IPComplaints
from tamis.filters.ip_whitelist import IPWhitelist
from tamis.filters.keyword_exceptions import KeywordExceptions
from tamis.filters.keywords import Keywords
from tamis.filters.knowledge import Knowledge
from tamis.filters.link_text import LinkText
from tamis.filters.lookalike_domain import LookalikeDomain
from tamis.filters.malformed import Malformed
from tamis.filters.marked_spam import MarkedSpam
from tamis.filters.message_checksum import MessageChecksum
from tamis.filters.message_likeness import MessageLikeness
from tamis.filters.missing_sender import MissingSender
from tamis.filters.newsletter import Newsletter
from tamis.filters.rate_limit import RateLimit
from tamis.filters.reply_to import ReplyTo
from tamis.filters.reverse_dns import ReverseDNS
from tamis.filters.rule_logic import RuleLogic
from tamis.filters.same_address import SameAddress
from tamis.filters.score_tags import ScoreTags
from tamis.filters.sender_blacklist import SenderBlacklist
from tamis.filters.sender_complaints import SenderComplaints
from tamis.filters.sender_mx import SenderMX
from tamis.filters.sender_whitelist import SenderWhitelist
from tamis.filters.sinograms import Sinograms
from tamis.filters.spamassassin import SpamAssassin
from tamis.filters.spf import SPF
from tamis.filters.statistics import Statistics
from tamis.filters.temporary_blacklist import TemporaryBlacklist
from tamis.filters.test_string import TestString
from tamis.filters.uribl import URIBL

GROUP = "tamis.filters"
"""The entry point group: `name = "package.module:FilterClass"`."""

BUILT_IN: tuple[type[Filter[Any]], ...] = (
    FirstAntivirus,
    TemporaryBlacklist,
    RateLimit,
    Greylisting,
    IPWhitelist,
    SPF,
    DKIM,
    ARC,
    DMARC,
    SenderWhitelist,
    AuthenticatedWhitelist,
    AutomaticWhitelist,
    AuthenticatedAutomaticWhitelist,
    IPBlacklist,
    MarkedSpam,
    SenderBlacklist,
    SenderComplaints,
    ReverseDNS,
    MissingSender,
    SameAddress,
    Honeypot,
    IPComplaints,
    SenderMX,
    DNSBL,
    Empty,
    ImageText,
    MessageChecksum,
    MessageLikeness,
    URIBL,
    SecondAntivirus,
    AttachmentFingerprints,
    AttachmentTypes,
    KeywordExceptions,
    Keywords,
    RuleLogic,
    Knowledge,
    Statistics,
    SpamAssassin,
    Cyrillic,
    Sinograms,
    Helo,
    DisplayName,
    LookalikeDomain,
    ReplyTo,
    LinkText,
    CredentialForm,
    HiddenText,
    TestString,
    Newsletter,
    ScoreTags,
    Malformed,
)

_OLD_WORDS = {
    "dear": "it is called 'expensive' now",
    "inline": "a plain examine that never blocks says 'blocks = False' now",
    "at_once": "examine as a generator returns early instead, before it asks",
    "begins_at_once": "every examine that asks begins at once now",
}
"""What plugins of earlier versions say, and what they say now: it must not be ignored quietly."""

_SPEC_ID = re.compile(r"S([0-9]{1,2})([a-z]?)")
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_MAX_DEADLINE = 250
_MAX_REASON = 200
_REASON = re.compile(rf"(?=\S)[^\x00-\x1f\x7f]{{2,{_MAX_REASON - 1}}}[^\s.]")


def load_filters() -> tuple[Filter[Any], ...]:
    """One instance of every filter, in the chain's order.

    Raises PluginError when a package's filter can't be loaded or breaks the contract: a filter that an
    administrator installed is never left out quietly.
    """
    classes: list[type[Filter[Any]]] = list(BUILT_IN)
    for entry in entry_points(group=GROUP):
        try:
            loaded = entry.load()  # foreign code: it may raise anything while it is imported
        except Exception as error:
            raise PluginError(f"filter {entry.name} ({entry.value}) can't be loaded: {error}") from error
        classes.append(loaded)
    return in_order(classes)


def in_order(classes: Iterable[type[Filter[Any]]]) -> tuple[Filter[Any], ...]:
    """Instances in the order of their spec ids. Raises PluginError where one breaks the contract."""
    filters: list[Filter[Any]] = []
    for one in classes:
        _check(one, {other.name for other in filters})
        try:
            filters.append(one())  # foreign code again
        except Exception as error:
            raise PluginError(f"{_where(one)} can't be made without arguments: {error}") from error
    return tuple(sorted(filters, key=chain_order))


def chain_order(one: Filter[Any]) -> tuple[int, str]:
    """S8a before S8b before S9; filters of one id keep the order in which they were found."""
    found = _SPEC_ID.fullmatch(one.spec_id)
    return (int(found[1]), found[2]) if found else (99, "")


def _where(one: object) -> str:
    return f"{getattr(one, '__module__', '?')}.{getattr(one, '__qualname__', repr(one))}"


def _check(one: object, taken: set[str]) -> None:
    where = _where(one)
    if not (isinstance(one, type) and issubclass(one, Filter)) or inspect.isabstract(one):
        raise PluginError(f"{where} is no concrete subclass of tamis.contract.filter.Filter")
    for attribute in ("name", "spec_id", "summary"):
        if not isinstance(getattr(one, attribute, None), str):
            raise PluginError(f"{where} lacks the text {attribute!r}")
    if not _NAME.fullmatch(one.name):
        raise PluginError(f"{where}: name {one.name!r} must be lower case letters, digits and _")
    if one.name in taken:
        raise PluginError(f"{where}: the name {one.name!r} is taken by another filter")
    if not _SPEC_ID.fullmatch(one.spec_id):
        raise PluginError(f"{where}: spec_id {one.spec_id!r} must be a place in the chain, like S20 or S20b")
    if not (one.__doc__ or "").strip():
        raise PluginError(f"{where} has no docstring, and so no manual page")
    options: object = one.options
    if not (isinstance(options, type) and issubclass(options, FilterOptions)):
        raise PluginError(f"{where}: options must derive from tamis.contract.filter.FilterOptions")
    unexplained = [key for key, field in one.options.model_fields.items() if not field.description]
    if unexplained:
        raise PluginError(f"{where}: options without description: {', '.join(unexplained)}")
    stage: object = one.stage
    if not isinstance(stage, Stage):
        raise PluginError(f"{where}: stage must be one of tamis.contract.filter.Stage")
    _check_words(one, where)
    deadline: object = one.deadline
    if not isinstance(deadline, (int, float)) or not 0 < deadline <= _MAX_DEADLINE:
        raise PluginError(f"{where}: deadline must be seconds, more than 0 and at most {_MAX_DEADLINE}")
    try:
        one.options.model_validate({"state": one.state, "effect": one.effect})
    except ValidationError as error:
        raise PluginError(f"{where}: its own defaults are refused: {error}") from error
    if one.effect not in ALLOWED_EFFECTS:
        raise PluginError(f"{where}: no such effect: {one.effect!r}")
    unknown = [name for name in one.asks if name not in SERVICES]
    if unknown:
        raise PluginError(f"{where}: asks a service that does not exist: {', '.join(map(repr, unknown))}")
    for word, instead in _OLD_WORDS.items():
        if hasattr(one, word):
            raise PluginError(f"{where}: {word!r} is no word of the contract any more: {instead}")
    blocks: object = one.blocks
    if blocks not in (None, True, False):
        raise PluginError(f"{where}: blocks must be True or False")


def _check_words(one: type[Filter[Any]], where: str) -> None:
    """What it says to people, and what it forbids."""
    reason: object = one.plain_reason
    if not isinstance(reason, str) or not (reason == "" or _REASON.fullmatch(reason)):
        raise PluginError(
            f"{where}: plain_reason must be one line of 3 to {_MAX_REASON} characters without a full stop at its end"
        )
    forbids: object = one.forbids_challenge
    if forbids is not None and not isinstance(forbids, NoChallenge):
        raise PluginError(
            f"{where}: forbids_challenge must be None or one of tamis.contract.filter.NoChallenge"
        )

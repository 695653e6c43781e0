"""Who may be asked to confirm a held message, and why somebody may not (Q3, Q4). Pure.

A challenge to the wrong address is spam of our own, so when in doubt, each rule suppresses the challenge. The
first rule that applies, in their order here, is the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

from tamis.base.derived import derived
from tamis.contract.filter import Filter, NoChallenge
from tamis.contract.finding import Finding
from tamis.judging.authentication import Standing, evidence
from tamis.judging.policy_terms import Terms
from tamis.judging.verdict import barred_by
from tamis.language.translation import marked
from tamis.message.address import domain_of
from tamis.message.mail.headers import Headers
from tamis.message.mail.programs import is_automatic, is_of_a_list
from tamis.settings import NoticeSettings

Transport = Literal["mail", "reply"]


class NotAsked(StrEnum):
    """Why a sender is not asked."""

    POLICY = "policy"
    PAGES = "pages"
    NULL_SENDER = "null-sender"
    ADDRESS = "address"
    OWN_DOMAIN = "own-domain"
    OWN_NOTICE = "own-notice"
    AUTOMATIC = "automatic"
    LIST = "list"
    VIRUS = "virus"
    ATTACHMENT = "attachment"
    LINKS = "links"
    NAME = "name"
    HONEYPOT = "honeypot"
    BLACKLIST = "blacklist"
    COMPLAINTS = "complaints"
    SPF = "spf"
    DMARC = "dmarc"
    TEST = "test"
    FILTER = "filter"
    UNKNOWN = "unknown"
    OLD = "old"
    UNREACHABLE = "unreachable"
    UNAUTHENTICATED = "unauthenticated"
    SENDER_BUDGET = "sender-budget"
    SENDER_DOMAIN_BUDGET = "sender-domain-budget"
    DOMAIN_BUDGET = "domain-budget"
    HOUR_BUDGET = "hour-budget"
    DAY_BUDGET = "day-budget"


SENTENCES: Mapping[NotAsked, str] = MappingProxyType(
    {
        NotAsked.POLICY: marked("policy asks no senders"),
        NotAsked.PAGES: marked("the page where its sender could confirm it has no public address yet"),
        NotAsked.NULL_SENDER: marked("it has no envelope sender, as bounces have none"),
        NotAsked.ADDRESS: marked("its envelope sender is not an address that can be answered"),
        NotAsked.OWN_DOMAIN: marked("its sender is in the recipient's own domain"),
        NotAsked.OWN_NOTICE: marked("it answers a notice of ours"),
        NotAsked.AUTOMATIC: marked("a program sent it"),
        NotAsked.LIST: marked("it came from a mailing list or in bulk"),
        NotAsked.VIRUS: marked("it carries a virus or a file known to be harmful"),
        NotAsked.ATTACHMENT: marked("it carries a file of a dangerous kind"),
        NotAsked.LINKS: marked("it links to addresses on block lists"),
        NotAsked.NAME: marked("it bears a name that is protected here"),
        NotAsked.HONEYPOT: marked("its sender also writes to addresses that nobody uses"),
        NotAsked.BLACKLIST: marked("its sender is on a black list"),
        NotAsked.COMPLAINTS: marked("there were complaints about its sender"),
        NotAsked.SPF: marked("according to SPF, its sender is forged"),
        NotAsked.DMARC: marked("according to DMARC, its sender is forged"),
        NotAsked.TEST: marked("it is a test message"),
        NotAsked.FILTER: marked("a filter says that nobody may be asked"),
        NotAsked.UNKNOWN: marked("the details of its examination are lost"),
        NotAsked.OLD: marked("it was held too long ago"),
        NotAsked.UNREACHABLE: marked("its sender's domain can't receive mail"),
        NotAsked.UNAUTHENTICATED: marked("nothing says that it really comes from its sender"),
        NotAsked.SENDER_BUDGET: marked("its sender has been asked often enough today"),
        NotAsked.SENDER_DOMAIN_BUDGET: marked("senders of its domain have been asked often enough today"),
        NotAsked.DOMAIN_BUDGET: marked("enough senders were asked for this domain today"),
        NotAsked.HOUR_BUDGET: marked("enough senders were asked in the past hour"),
        NotAsked.DAY_BUDGET: marked("enough senders were asked today"),
    }
)
"""Each reason for people: what stands behind "nobody was asked: "."""


@dataclass(frozen=True)
class Case:
    """One copy: what decides whether its sender may be asked.

    `findings` are those of the copy's recipient (by filter; none when they are lost), `filters` all that there are,
    `headers` the message's, `has_page` whether its sender could open our pages (`WebSettings.is_for_strangers`), `age`
    the hours since it was held.
    """

    sender: str
    recipient: str
    findings: Mapping[str, Finding]
    filters: Sequence[Filter[Any]]
    headers: Headers
    terms: Terms
    has_page: bool
    age: float = 0.0

    @derived
    def barred(self) -> frozenset[NoChallenge | None]:
        """What the filters say of their findings (`Filter.forbids_challenge`)."""
        found = [(one, self.findings[one.name]) for one in self.filters if one.name in self.findings]
        return frozenset(barred_by(one, finding) for one, finding in found)


def why_not(case: Case, settings: NoticeSettings, transport: Transport = "mail") -> NotAsked | None:
    """The reason why the sender of a held copy must not be asked, before budgets; None when it may be.

    By SMTP reply the answer goes to whoever is connected and no mail is made: so the sender need not be authenticated
    or reachable.
    """
    for reason, applies in _RULES if transport == "reply" else (*_RULES, *_MAIL_RULES):
        if applies(case, settings):
            return reason
    return None


def is_authenticated(findings: Mapping[str, Finding], sender: str) -> bool:
    """Whether the envelope sender's domain vouches for the message."""
    return evidence(findings, sender).standing is Standing.AUTHENTICATED


@dataclass(frozen=True, slots=True)
class Spent:
    """Notices that were mailed within the windows of NoticeSettings."""

    sender_day: int = 0
    sender_domain_day: int = 0
    domain_day: int = 0
    hour: int = 0
    day: int = 0


def over_budget(spent: Spent, settings: NoticeSettings) -> NotAsked | None:
    """The budget that one more notice would exceed; None when there is room (Q4)."""
    for reason, used, budget in (
        (NotAsked.SENDER_BUDGET, spent.sender_day, settings.per_sender_day),
        (NotAsked.SENDER_DOMAIN_BUDGET, spent.sender_domain_day, settings.per_sender_domain_day),
        (NotAsked.DOMAIN_BUDGET, spent.domain_day, settings.per_domain_day),
        (NotAsked.HOUR_BUDGET, spent.hour, settings.per_hour),
        (NotAsked.DAY_BUDGET, spent.day, settings.per_day),
    ):
        if used >= budget:
            return reason
    return None


NOTICE_ID = re.compile(r"<[0-9A-HJKMNP-TV-Z]{26}\.confirm@")
"""How the Message-ID of a notice begins (tamis/challenge/notices.py): so its answers and returns are known."""

_MOST_ADDRESS = 254  # RFC 5321 4.5.3.1.3, without brackets
# RFC 5321 4.1.2 dot-string: what needs quotes could be read in two ways, and internationalised local parts (RFC 6531)
# would need every server on the way to know them; % and ! are routes that Postfix follows (message.address.is_plain)
_ADDRESS = re.compile(
    r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*@[^\s@\[\]<>()\",:;\\\x00-\x20\x7f]+"
)
_HOST = re.compile(r"(?=.{3,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_REWRITTEN = ("srs0", "srs1")


def _asks_nobody(case: Case, settings: NoticeSettings) -> bool:
    return case.terms.challenge == "off"


def _no_page(case: Case, settings: NoticeSettings) -> bool:
    return not case.has_page


def _null_sender(case: Case, settings: NoticeSettings) -> bool:
    return not case.sender


def _no_address(case: Case, settings: NoticeSettings) -> bool:
    """Nor one that a forwarder rewrote (SRS): an answer would go on to a sender whom nobody looked at."""
    return (
        len(case.sender) > _MOST_ADDRESS
        or case.sender[:4].lower() in _REWRITTEN
        or not _ADDRESS.fullmatch(case.sender)
        or not _HOST.fullmatch(domain_of(case.sender))
    )


def _own_domain(case: Case, settings: NoticeSettings) -> bool:
    return not case.terms.challenge_own_domain and domain_of(case.sender) == domain_of(case.recipient)


def _own_notice(case: Case, settings: NoticeSettings) -> bool:
    named = (
        *case.headers.all("message-id"),
        *case.headers.all("in-reply-to"),
        *case.headers.all("references"),
    )
    return any(NOTICE_ID.search(value[:4000]) for value in named)


def _automatic(case: Case, settings: NoticeSettings) -> bool:
    return is_automatic(case.headers, case.sender)


def _of_a_list(case: Case, settings: NoticeSettings) -> bool:
    return is_of_a_list(case.headers)


def _barred(why: NoChallenge) -> Callable[[Case, NoticeSettings], bool]:
    return lambda case, settings: why in case.barred


def _lost(case: Case, settings: NoticeSettings) -> bool:
    return not case.findings


def _old(case: Case, settings: NoticeSettings) -> bool:
    return case.age > settings.within_hours


def _unauthenticated(case: Case, settings: NoticeSettings) -> bool:
    return settings.evidence == "authenticated" and not is_authenticated(case.findings, case.sender)


Suppression = tuple[NotAsked, Callable[[Case, NoticeSettings], bool]]

_RULES: tuple[Suppression, ...] = (
    (NotAsked.POLICY, _asks_nobody),
    (NotAsked.PAGES, _no_page),
    (NotAsked.NULL_SENDER, _null_sender),
    (NotAsked.ADDRESS, _no_address),
    (NotAsked.OWN_DOMAIN, _own_domain),
    (NotAsked.OWN_NOTICE, _own_notice),
    (NotAsked.AUTOMATIC, _automatic),
    (NotAsked.LIST, _of_a_list),
    *((NotAsked(why), _barred(why)) for why in NoChallenge if why is not NoChallenge.UNREACHABLE),
    (NotAsked.UNKNOWN, _lost),
)
_MAIL_RULES: tuple[Suppression, ...] = (
    (NotAsked.OLD, _old),
    (NotAsked.UNREACHABLE, _barred(NoChallenge.UNREACHABLE)),
    (NotAsked.UNAUTHENTICATED, _unauthenticated),
)

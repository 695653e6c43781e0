"""pyspf on our resolver: the check runs again whenever an answer that it lacked has come.

pyspf asks the DNS by a function that blocks. Ours answers from what this check has asked so far; where that is not
enough it leaves the check, the question is asked, and the check begins again. A check takes a tenth of a millisecond
and most need one to three answers, so this costs no more than a thread would, and nothing can hang.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from types import ModuleType
from typing import Any, NamedTuple

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask, ask_all, compute
from tamis.contract.filter import Message
from tamis.contract.memos import SPF
from tamis.contract.questions import Asks, Lookup
from tamis.contract.service_protocols import Answer
from tamis.filters.shared.clients import is_local, text_of
from tamis.message.address import domain_key, unbracket
from tamis.message.envelope import Envelope, IPAddress
from tamis.message.names import is_host_name

MAX_QUESTIONS = 120
"""Questions of one check: RFC 7208 4.6.4 allows 10 terms of up to 10 addresses each, and little more. Beyond:
permerror."""
MAX_RECORD = 4096
"""Octets of a TXT record that is read; RFC 7208 3.4 asks for less than 450. Beyond: there is no record."""

_PROBLEM_LENGTH = 200
_LONG = 4096  # characters of all records together
_MOST_HOSTS = 10
"""Hosts of one term that are asked for at once (RFC 7208 4.6.4). Beyond: one by one, or permerror."""
_Known = dict[tuple[str, str], Answer]
_Told = tuple[tuple[tuple[str, str], Answer], ...]
_known: ContextVar[_Known] = ContextVar("spf answers")


class _Lacking(BaseException):
    """The check needs this answer first; pyspf must not catch it by `except Exception`."""

    def __init__(self, name: str, rdtype: str) -> None:
        self.question = (name, rdtype)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom SPF speaks of: `name` is mailfrom, or helo where there is no MAIL FROM (RFC 7208 2.4)."""

    name: str
    local: str
    domain: str


def identity_of(envelope: Envelope) -> Identity:
    """A transaction's; the domain may be no host name, and then there is nothing to check (RFC 7208 4.3)."""
    local, at, domain = unbracket(envelope.sender).rpartition("@")
    if not at:
        return Identity("helo", "", _helo(envelope))
    return Identity("mailfrom", local, domain_key(domain))


def check_envelope(message: Message) -> Asks[tuple[str, str]]:
    """The result for a transaction's identity, and what is wrong where something is. The client must be known."""
    return message.once(SPF, partial(_check_envelope, message.envelope))


def _check_envelope(envelope: Envelope) -> Asks[tuple[str, str]]:
    assert envelope.ip is not None
    whom = identity_of(envelope)
    return check(envelope.ip, whom.local, whom.domain, _helo(envelope))


def check_mail_from(message: Message) -> Asks[tuple[str, str]]:
    """As `check_envelope`, of MAIL FROM alone: none without its domain, or a client of the public network."""
    envelope = message.envelope
    ip, whom = envelope.ip, identity_of(envelope)
    if ip is None or is_local(ip) or whom.name != "mailfrom" or not is_host_name(whom.domain):
        return "none", ""
    return (yield from check_envelope(message))


def _helo(envelope: Envelope) -> str:
    return domain_key(envelope.helo)[:255]


def check(ip: IPAddress, local: str, domain: str, helo: str) -> Asks[tuple[str, str]]:
    """check_host() of RFC 7208 4: the result, and what is wrong where something is. `domain` is a host name."""
    first = (domain, "TXT")
    known: _Known = {}
    try:
        known[first] = yield from ask(Lookup(*first))
        if not any(record[:6].lower() == "v=spf1" for record in known[first].records):
            return "none", ""
        while len(known) <= MAX_QUESTIONS:
            told = tuple(known.items())
            long = _size(known) > _LONG  # others' answers must not wait for it
            checking = _check.__wrapped__ if long else _check
            found = yield from compute("spf", partial(checking, told, ip, local, domain, helo), long=long)
            if found.lacking is None:
                return found.result, found.problem
            yield from _learn(known, found.lacking, "A" if ip.version == 4 else "AAAA")
    except ServiceError as error:
        return "temperror", str(error)[:_PROBLEM_LENGTH]
    return "permerror", "too many DNS look-ups"


def _size(known: _Known) -> int:
    return sum(len(one) for (_, rdtype), answer in known.items() if rdtype == "TXT" for one in answer.records)


def _learn(known: _Known, lacking: tuple[str, str], rdtype: str) -> Asks[None]:
    """Get an answer, and with the names of an MX or PTR their addresses, which the check will want next."""
    known[lacking] = yield from ask(Lookup(*lacking))
    if lacking[1] not in ("MX", "PTR"):
        return
    hosts = [record.rpartition(" ")[2] for record in known[lacking].records[:_MOST_HOSTS]]
    wanted = [(host, rdtype) for host in hosts if (host, rdtype) not in known]
    answers = yield from ask_all([Lookup(*question) for question in wanted])
    for question, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, Answer):  # one that failed is asked for again if the check gets that far
            known[question] = answer


class _Checked(NamedTuple):
    """What came of a check, or the question that it lacks the answer to."""

    result: str = ""
    problem: str = ""
    lacking: tuple[str, str] | None = None


@lru_cache(maxsize=32)  # DMARC asks the same as SPF; what is long is not kept
def _check(told: _Told, ip: IPAddress, local: str, domain: str, helo: str) -> _Checked:
    spf = _library()
    # pyspf splits at the first @, which a quoted local part may hold
    sender = f"{local.replace('@', '_') or 'postmaster'}@{domain}"
    token = _known.set(dict(told))
    try:
        query = _patient_query(spf)(i=text_of(ip), s=sender, h=helo, timeout=0, querytime=0)
        result, _, text = query.check()
    except _Lacking as lacking:
        return _Checked(lacking=lacking.question)
    except (ValueError, AttributeError, IndexError, TypeError, AssertionError) as error:
        # a record that pyspf chokes on
        return _Checked("permerror", f"{type(error).__name__}: {error}"[:_PROBLEM_LENGTH])
    finally:
        _known.reset(token)
    problem = str(getattr(query, "prob", text)) if result in ("permerror", "temperror") else ""
    if result not in _RESULTS:
        return _Checked("permerror", str(text)[:_PROBLEM_LENGTH])
    return _Checked(str(result), problem[:_PROBLEM_LENGTH])


_RESULTS = frozenset({"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"})


def _library() -> ModuleType:
    import spf  # noqa: PLC0415 - costs memory: only where it is used

    spf.DNSLookup = _answer
    return spf


@cache
def _patient_query(spf: ModuleType) -> Any:
    """pyspf's check, where a host without an address of the client's family is no void look-up if it has others.

    A check SHOULD stop at the third answer without records (RFC 7208 4.6.4). A client with IPv6 would meet them in the
    `a mx` of an honest domain whose hosts have IPv4 only. Before the check stops, hosts that gave none are asked for
    their other addresses, within the bound on all questions.
    """
    Base: Any = spf.query  # noqa: N806 - a class

    class PatientQuery(Base):  # type: ignore[misc] # known when the library is loaded
        def __init__(self, **told: Any) -> None:
            self.void: list[tuple[str, str]] = []
            super().__init__(**told)

        def dns(self, name: str, qtype: str, cnames: Any = None, *, ignore_void: bool = False) -> Any:
            self.void_lookups = 0
            found = super().dns(name, qtype, cnames, ignore_void)
            if self.void_lookups:
                self.void.append((name, qtype))
                if len(self.void) > spf.MAX_VOID_LOOKUPS:
                    self.void = [one for one in self.void if not _has_other_addresses(*one)]
                if len(self.void) > spf.MAX_VOID_LOOKUPS:
                    raise spf.PermError(f"Void lookup limit of {spf.MAX_VOID_LOOKUPS} exceeded")
            return found

    return PatientQuery


def _has_other_addresses(name: str, rdtype: str) -> bool:
    other = {"A": "AAAA", "AAAA": "A"}.get(rdtype)
    return other is not None and bool(_answer(name, other))


def _answer(name: str, rdtype: str, *_: object) -> list[tuple[tuple[str, str], Any]]:
    """spf.DNSLookup: records as pyspf has them. Raises _Lacking when the answer has to be awaited."""
    known = _known.get()
    name = name.lower().rstrip(".")
    if rdtype not in ("A", "AAAA", "MX", "PTR", "TXT"):
        return []
    answer = known.get((name, rdtype))
    if answer is None:
        raise _Lacking(name, rdtype)
    return [((name, rdtype), _value(one, rdtype)) for one in answer.records if len(one) <= MAX_RECORD]


def _value(record: str, rdtype: str) -> Any:
    if rdtype == "TXT":
        return [record.encode("latin-1")]
    if rdtype == "MX":
        preference, _, host = record.partition(" ")
        return int(preference), host
    return record

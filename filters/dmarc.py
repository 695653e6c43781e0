"""S5d: DMARC, what a domain's owner says of mail in its name (RFC 9989, before it 7489)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Field as Option

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask_all
from tamis.contract.filter import Filter, FilterOptions, Message, NoChallenge, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, Lookup
from tamis.contract.service_protocols import Answer
from tamis.filters.shared.clients import is_local, no_stranger
from tamis.filters.signing.arc_check import chain, has_chain
from tamis.filters.signing.dkim_check import signatures
from tamis.filters.signing.dmarc_record import DMARCPolicy, Walk, applied, read_record, targets, walk_of
from tamis.filters.signing.spf_check import check_envelope, identity_of
from tamis.language.translation import marked
from tamis.message.names import is_host_name
from tamis.settings import DomainName

_SENTENCES = {
    "pass": marked("pass: {by} speaks for {domain}"),
    "fail": marked("fail: neither SPF nor DKIM speaks for {domain}, whose policy is {policy}"),
    "none": marked("{domain} has no DMARC record"),
    "temperror": marked("no answer about {domain}: {problem}"),
}
_WORST = ("fail", "temperror", "pass", "none")
_STERNEST = (DMARCPolicy.REJECT, DMARCPolicy.QUARANTINE, DMARCPolicy.NONE)


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of one domain in From."""

    result: str
    domain: str
    policy: DMARCPolicy = DMARCPolicy.NONE
    by: str = ""
    problem: str = ""


class DMARCOptions(FilterOptions):
    """Which failures are hits, and whose word excuses them."""

    policies: tuple[Literal["reject", "quarantine", "none"], ...] = Option(
        ("reject", "quarantine"), description="published policies for which a failure is a hit"
    )
    trusted_arc: tuple[DomainName, ...] = Option(
        (), max_length=1000, description="domains whose ARC seals are trusted: forwarders and mailing lists"
    )


class DMARC(Filter[DMARCOptions]):
    """Takes a message for spam when it fails the policy of its From domain (DMARC, RFC 9989).

    The domain's owner publishes a policy, and the message passes when DKIM or SPF passes for a domain of the same
    owner. A failure is a hit if the policy is `reject` or `quarantine` (`policies`); while the owner is testing
    (t=y, or pct= below 100) the policy is taken one step milder. No record, no answer from the DNS, and a message
    examined only in part make no hit; neither do own networks and users. Every author that some mail program
    could show is checked ([who wrote it](authors.md)) and the worst result counts; otherwise a second one would
    be a way around. Of more than ten, the first, the last and eight others at random are checked; S33 adds points
    for that, and for a From that names nobody who can be checked.

    Mailing lists that change messages make DMARC fail. If they seal what they found (ARC), name them in
    `trusted_arc`: a failure is excused when the newest seals are theirs and report that the message had passed, or
    while the DNS gives no answer for their key. Others can be let through by their address (S4). White lists of
    senders (S6, S7) come later on purpose: a failure means that the sender is somebody else.
    """

    name = "dmarc"
    spec_id = "S5d"
    summary = "fails the DMARC policy of the From domain"
    plain_reason = marked("the owner of the sender's domain says that it is forged (DMARC)")
    forbids_challenge = NoChallenge.DMARC
    asks = ("dns",)
    options = DMARCOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """The result for the domain in From, and of a failure what the chain of seals says."""
        if message.is_own:
            return self.clear("own network or user")
        authors = author_domains(message)
        if not authors:
            return self.clear("From names nobody who can be checked", result="none")
        results: list[_Result] = []
        for author in authors:
            found = yield from _result_of(author, message)
            results.append(found)
        worst = min(results, key=lambda one: (_WORST.index(one.result), _STERNEST.index(one.policy)))
        facts: dict[str, Any] = {name: getattr(worst, name) for name in worst.__slots__} | {
            "policy": str(worst.policy) if worst.result != "none" else ""
        }
        sentence = _SENTENCES[worst.result]
        if worst.result == "temperror":
            return no_stranger(self, message) or self.unavailable(sentence, **facts)
        if worst.result == "fail":
            sealed = yield from chain(message)
            seals = [[link.sealer, link.vouches_for(worst.domain)] for link in sealed.links]
            return self.hit(sentence, seals=seals, unanswered_seal=sealed.unanswered, **facts)
        return self.clear(sentence, **facts)

    def judge(self, finding: Finding, options: DMARCOptions, scopes: Scopes) -> Opinion:
        """A failure is a hit under a policy that counts, unless a believed forwarder excuses it."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        excuse = _excuse(finding.facts, options.trusted_arc)
        hit = not excuse and finding.facts["policy"] in options.policies
        text = f"{finding.text()}; {excuse}" if excuse else ""
        opinion = self.opinion(finding, options, hit=hit, text=text)
        return opinion if hit else replace(opinion, status=Status.CLEAR)


def _excuse(facts: Mapping[str, Any], trusted: Collection[str]) -> str:
    """What a believed forwarder says for the message; whoever sealed later could have changed anything."""
    if facts["unanswered_seal"] in trusted:
        return f"excused, for the seal of {facts['unanswered_seal']} could not be looked at"
    for sealer, vouched in facts["seals"]:
        if sealer not in trusted:
            break
        if vouched:
            return f"excused by {sealer}, which saw it pass"
    return ""


def author_domains(message: Message) -> Sequence[str]:
    """The distinct domains of the header From, as the DNS has them."""
    domains = dict.fromkeys(one.domain for one in message.mail.some_authors)
    return [one for one in domains if is_host_name(one)]


def walk(domain: str) -> Asks[Walk]:
    """Ask for the records of a domain and of those above it."""
    names = targets(domain)
    answers = yield from ask_all([Lookup(f"_dmarc.{name}", "TXT") for name in names])
    found = [
        read_record(name, answer.records) if isinstance(answer, Answer) else None
        for name, answer in zip(names, answers, strict=True)
    ]
    return walk_of(domain, found, complete=all(isinstance(answer, Answer) for answer in answers))


def _result_of(author: str, message: Message) -> Asks[_Result]:
    """The result for one domain in From. What the DNS left open never makes a failure."""
    found = yield from walk(author)
    record = found.record
    if record is None and found.complete:
        return _Result("none", author)
    if record is None:
        return _Result("temperror", author, problem="its record is not known")
    published = applied(record, author)
    problem = "" if found.complete else "the records above it are not known"
    for asked, strict in ((_dkim_for, record.strict_dkim), (_spf_for, record.strict_spf)):
        try:
            if by := (yield from asked(found, message, strict=strict)):
                return _Result("pass", author, published, by)
        except ServiceError as error:
            problem = problem or str(error)
    if not message.mail.complete and has_chain(message.mail):
        problem = problem or "a part of the message was not examined"
    if problem:
        return _Result("temperror", author, published, problem=problem)
    exists = record.domain == author or record.missing is record.subdomains or (yield from _exists(author))
    return _Result("fail", author, applied(record, author, exists=exists))


def _dkim_for(author: Walk, message: Message, *, strict: bool) -> Asks[str]:
    """The aligned signature that holds, "" without one. Raises ServiceError when that is not known."""
    unsure = ""
    for one in (yield from signatures(message)):
        known = message.mail.complete and one.result != "temperror"
        if (one.result == "pass" or not known) and (
            yield from _is_aligned(one.domain, author, strict=strict)
        ):
            if known:
                return f"the DKIM signature of {one.domain}"
            unsure = one.reason
    if unsure:
        raise ServiceError(unsure)
    return ""


def _spf_for(author: Walk, message: Message, *, strict: bool) -> Asks[str]:
    """The aligned domain for which SPF passes, "" without one. Raises ServiceError when that is not known."""
    ip, whom = message.envelope.ip, identity_of(message.envelope)
    if ip is None or is_local(ip):
        raise ServiceError("no client of the public network to ask SPF about")
    if not is_host_name(whom.domain) or not (yield from _is_aligned(whom.domain, author, strict=strict)):
        return ""
    result, problem = yield from check_envelope(message)
    if result == "temperror":
        raise ServiceError(problem)
    return f"SPF of {whom.domain} ({whom.name})" if result == "pass" else ""


def _is_aligned(other: str, author: Walk, *, strict: bool) -> Asks[bool]:
    """Whether two domains are of one owner (RFC 9989 3.2.10). Raises ServiceError when that is not known."""
    if other == author.domain:
        return True
    above = author.organizational
    if strict or not (other == above or other.endswith("." + above)):
        return False
    found = yield from walk(other)
    if found.organizational != above and not found.complete:
        raise ServiceError(f"the records above {other} are not known")
    return found.organizational == above


def _exists(domain: str) -> Asks[bool]:
    """Whether a domain is in the DNS (RFC 9989 3.2.13); no answer is taken for yes."""
    answers = yield from ask_all([Lookup(domain, rdtype) for rdtype in ("A", "AAAA", "MX")])
    return any(not isinstance(answer, Answer) or answer.records for answer in answers)

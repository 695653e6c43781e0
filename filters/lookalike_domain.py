"""S31c: a domain that looks like ours, or like one we protect."""

from __future__ import annotations

from collections.abc import Iterator

from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.language.translation import marked
from tamis.message.address import domain_of
from tamis.message.domains import is_one_edit, label_of, registered_domain, skeleton
from tamis.message.mail.authors import some_of
from tamis.message.mail.sampling import sampled

_LEAST_FOR_EDIT = 6  # a shorter label is one edit away from many honest ones
_MAX_LINKS = 100
"""Hosts of URLs that are compared. Beyond: the first half and the last one, others by lot, `too_many_hosts`."""
_PROXIES = frozenset({"mcas.ms", "mcas-df.ms", "mcas-gov.ms", "mcas-gov.us"})
"""Who writes others' names before its own: Defender for Cloud Apps (learn.microsoft.com, session controls)."""
_FOLLOWED = frozenset({"link", "form", "page", "text", "code", "file"})
_MAX_PAIRS = 20  # pairs that are kept for the recipients' policies; beyond: left out: one is enough
_MAX_IMITATED = 1000
"""Domains that hosts are compared with. Beyond: not compared: they are the operator\'s, who has no more."""


class LookalikeDomain(Filter):
    """Adds points when a sender's, a link's or a QR code's domain looks like the recipient's own, or a protected one.

    Domains are compared by the label that was registered: with letters of other scripts and digits replaced by what
    they look like (exarnp1e.com, a Cyrillic letter in example.com) and, from 6 letters on, with one typing error
    (exampel.com). In links so is a whole domain that another host begins with (example.com.shop.example). The same
    label under another top-level domain does not count. Protected domains are those in `platform.protected_domains`
    and `platform.domains`, and the recipient's own.
    """

    name = "lookalike_domain"
    spec_id = "S31c"
    summary = "domain that looks like the recipient's or a protected one"
    plain_reason = marked("the sender's domain imitates another one")
    effect = Effect.SCORE
    looks_again = True

    def examine(self, message: Message) -> Finding:
        """Pairs of a domain and the one that it looks like."""
        shared = {registered_domain(d) for d in message.platform.protected_domains + message.platform.domains}
        own = {registered_domain(domain_of(r.address)) for r in message.envelope.recipients[:_MAX_IMITATED]}
        imitated = sorted((shared | own) - {""})[:_MAX_IMITATED]
        pairs = [
            [seen, like, where]
            for seen, where in dict(self._seen(message)).items()
            if (real := registered_domain(seen)) not in shared and real not in own
            for like in imitated
            if looks_like(real, like) or stands_before(like, seen)
        ][:_MAX_PAIRS]
        if not pairs:
            return self.clear("no domain looks like another")
        seen, like, where = pairs[0]
        return self.hit(
            "{seen} in {where} looks like {like}",
            seen=seen,
            like=like,
            where=where,
            pairs=pairs,
            shared=sorted(shared - {""})[:_MAX_IMITATED],
        )

    def judge(self, finding: Finding, options: FilterOptions, scopes: Scopes) -> Opinion:
        """A hit when what is imitated is this recipient's domain or a protected one."""
        shared = finding.facts.get("shared", ())
        mine = {registered_domain(scope) for scope in scopes if "@" not in scope}
        hit = any(like in shared or like in mine for _, like, _ in finding.facts.get("pairs", ()))
        return self.opinion(finding, options, hit=finding.status is Status.HIT and hit)

    @staticmethod
    def _seen(message: Message) -> Iterator[tuple[str, str]]:
        mail = message.mail
        found = {url.host: url.source for url in reversed(mail.urls) if url.source in _FOLLOWED}
        hosts = list(reversed(found.items()))
        for host, source in sampled(hosts, _MAX_LINKS, mail.chance("look-alikes"), sure=_MAX_LINKS // 2):
            yield host, "a QR code" if source == "code" else "a link"
        yield registered_domain(domain_of(message.envelope.sender)), "MAIL FROM"
        for one in some_of(mail.addresses("reply-to"), mail.chance("replies")):
            yield registered_domain(one.domain), "Reply-To"
        for one in mail.some_authors:
            yield registered_domain(one.domain), "From"


def stands_before(like: str, host: str) -> bool:
    """Whether a host begins with another's whole name, which is all that a narrow address bar shows of it."""
    real = registered_domain(host)
    before = f".{host.removesuffix(real)}"
    return f".{like}." in before and label_of(real) != label_of(like) and real not in _PROXIES


def looks_like(seen: str, like: str) -> bool:
    """Whether a reader may take one registered domain for the other."""
    if not seen or seen == like or seen.replace(".", "").isdecimal():
        return False
    one, other = label_of(seen), label_of(like)
    if one == other:
        return False  # the same name under another top-level domain is often the same people
    if skeleton(one) == skeleton(other):
        return True
    return min(len(one), len(other)) >= _LEAST_FOR_EDIT and is_one_edit(one, other)

"""S31d: replies that would go somewhere else."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field as Option

from tamis.contract.filter import Effect, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.filters.signing.list_headers import ListsExcused
from tamis.language.translation import marked
from tamis.message.address import domain_of
from tamis.message.domains import registered_domain

FREEMAIL = (
    "aol.com",
    "free.fr",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "hotmail.fr",
    "icloud.com",
    "laposte.net",
    "live.com",
    "mail.com",
    "mail.ru",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "outlook.fr",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "sfr.fr",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.fr",
    "yandex.com",
    "yandex.ru",
    "163.com",
)
"""Where anybody gets an address at once."""


class ReplyToOptions(FilterOptions):
    """Adds what counts as freemail, and the points of other mismatches."""

    score: float = Option(
        1.5, ge=-100, le=100, description="points when replies go to another freemail address"
    )
    other: float = Option(
        0.0,
        ge=-100,
        le=100,
        description="points when they go to another domain that is not freemail; common in legitimate mail",
    )
    freemail: tuple[str, ...] = Option(FREEMAIL, description="domains where anybody gets an address at once")


class ReplyTo(ListsExcused[ReplyToOptions]):
    """Adds points when Reply-To differs from From and is a freemail address in another domain.

    This is how an impostor gets the replies. A Reply-To in another domain that is not freemail adds nothing unless
    `other` is set. Mailing lists do it, too: List-Id or List-Post excuse it where a DKIM signature of the author or
    the list covers them, or SPF passes for a MAIL FROM of theirs. So do forms on web sites, which give the visitor's
    address: that is excused for mail from the recipient's own domain, if its DKIM or SPF passes.
    """

    name = "reply_to"
    spec_id = "S31d"
    summary = "Reply-To leads to another domain than From"
    plain_reason = marked("answers would go somewhere else than to the sender")
    effect = Effect.SCORE
    options = ReplyToOptions

    def look(self, message: Message) -> Finding:
        """From's and Reply-To's registered domains, if they differ."""
        mail = message.mail
        authors = {registered_domain(one.domain) for one in mail.from_addresses} - {""}
        replies = {registered_domain(one.domain) for one in mail.addresses("reply-to")} - {""}
        if not authors or not replies or authors & replies:
            return self.clear("replies go where it came from")
        return self.hit(
            "from {author}, replies to {reply}",
            author=min(authors),
            reply=min(replies),
            replies=sorted(replies),
        )

    def excuses(self, message: Message, hit: Finding) -> Sequence[str]:
        """What says that it came through a mailing list, or from a form of the recipients' own site."""
        own = {registered_domain(domain_of(one.address)) for one in message.envelope.recipients}
        authors = {registered_domain(one.domain) for one in message.mail.from_addresses}
        form = ["from"] if authors <= own else []
        return [name for name in ("list-id", "list-post") if name in message.mail.headers] + form

    def judge(self, finding: Finding, options: ReplyToOptions, scopes: Scopes) -> Opinion:
        """Freemail counts fully, another domain as `other` says."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        freemail = any(reply in options.freemail for reply in finding.facts["replies"])
        points = options.score if freemail else options.other
        return self.opinion(finding, options, hit=points != 0, points=points)

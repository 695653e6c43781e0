"""Which domain answers for a message: its owner let this client send it, or signed it."""

from __future__ import annotations

from tamis.base.errors import ServiceError
from tamis.contract.filter import Message
from tamis.contract.questions import Asks
from tamis.filters.signing.dkim_check import signatures
from tamis.filters.signing.spf_check import check_mail_from, identity_of
from tamis.message.domains import registered_domain


def responsible_domain(message: Message) -> Asks[str]:
    """The registered domain of a DKIM signature of the author's domain that holds, else of a MAIL FROM that passes SPF;
    "" where nobody answers for the message. Raises ServiceError where that can't be known."""
    unanswered = ""
    for one in (yield from signatures(message)):
        if one.of_author and one.result == "pass":
            return registered_domain(one.domain)
        if one.of_author and (one.result == "temperror" or not message.mail.complete):
            unanswered = one.reason or "the message is not complete"
    result, problem = yield from check_mail_from(message)
    if result == "pass":
        return registered_domain(identity_of(message.envelope).domain)
    if unanswered or result == "temperror":
        raise ServiceError(unanswered or problem)
    return ""

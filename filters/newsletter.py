"""S31g: newsletters that can be unsubscribed from."""

from __future__ import annotations

from tamis.contract.filter import Effect, Filter, Message
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks
from tamis.filters.signing.dkim_check import signatures
from tamis.filters.signing.list_headers import uris
from tamis.message.domains import registered_domain

_FIELD = "list-unsubscribe"


class Newsletter(Filter):
    """Notes a newsletter whose origin is authenticated: with a way to unsubscribe (List-Unsubscribe, RFC 2369; one
    click, RFC 8058) covered by a DKIM signature of the same owner as the header From.

    Without that signature anybody could have written the header, so the message does not count as a newsletter;
    while the DNS gives no answer for the key, that is unknown. It only annotates.
    """

    name = "newsletter"
    spec_id = "S31g"
    summary = "newsletter with List-Unsubscribe, signed by its sender"
    asks = ("dns",)
    effect = Effect.TAG

    def examine(self, message: Message) -> Asks[Finding]:
        """How to unsubscribe, whether that is in the sender's own domain, and who signed it."""
        headers = message.mail.headers
        ways = uris(headers, _FIELD)
        if not ways:
            return self.clear("not a newsletter")
        domains = {registered_domain(host) for _, host in ways} - {""}
        one_click = "list-unsubscribe=one-click" in (headers.first("list-unsubscribe-post") or "").lower()
        senders = {registered_domain(one.domain) for one in message.mail.from_addresses}
        facts = {
            "where": ", ".join(sorted(domains)) or "no domain",
            "one_click": one_click and any(scheme == "https" for scheme, _ in ways),
            "own_domain": bool(domains & senders),
        }
        checked = [one for one in (yield from signatures(message)) if one.of_author]
        held = [one for one in checked if one.result == "pass" and _FIELD in one.headers]
        if held:
            return self.hit(
                "newsletter signed by {signer}, unsubscribe at {where}", signer=held[0].domain, **facts
            )
        if any(one.result == "temperror" for one in checked) or (checked and not message.mail.complete):
            return self.unavailable("unsubscribe at {where}; its signature is not known yet", **facts)
        return self.clear("unsubscribe at {where}, which the sender did not sign", **facts)

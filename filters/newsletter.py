"""S31g: newsletters that can be unsubscribed from."""

from __future__ import annotations

import re

from tamis.filter import Effect, Filter, Message
from tamis.filters.domains import registered_domain
from tamis.finding import Finding
from tamis.mail.urls import host_of

_URI = re.compile(r"<\s{0,9}(?:(https?)://([^<>\s]{1,1000})|mailto:([^<>\s]{1,500}))\s{0,9}>", re.IGNORECASE)
_MAX_URIS = 5
_VALUE = 4000


class Newsletter(Filter):
    """Notes a newsletter with a way to unsubscribe (List-Unsubscribe, RFC 2369; one click, RFC 8058).

    It only annotates: what the header says is worth something together with a DKIM signature of the same domain.
    """

    name = "newsletter"
    spec_id = "S31g"
    summary = "newsletter with List-Unsubscribe"
    effect = Effect.TAG
    inline = True

    def examine(self, message: Message) -> Finding:
        """How to unsubscribe, and whether it is in the sender's own domain."""
        headers = message.mail.headers
        value = (headers.first("list-unsubscribe") or "")[:_VALUE]
        uris = list(_URI.finditer(value))[:_MAX_URIS]
        if not uris:
            return self.clear("no newsletter")
        domains = {
            registered_domain(
                host_of(uri[2]) if uri[2] else uri[3].partition("?")[0].rpartition("@")[2].lower()
            )
            for uri in uris
        } - {""}
        one_click = "list-unsubscribe=one-click" in (headers.first("list-unsubscribe-post") or "").lower()
        senders = {registered_domain(one.domain) for one in message.mail.from_addresses[:5]}
        return self.hit(
            "newsletter, unsubscribe at {where}",
            where=", ".join(sorted(domains)) or "no domain",
            one_click=one_click and any((uri[1] or "").lower() == "https" for uri in uris),
            own_domain=bool(domains & senders),
        )

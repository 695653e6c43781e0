"""S31e: a link that shows one domain and goes to another."""

from __future__ import annotations

import re

from tamis.filter import Effect, Filter, Message
from tamis.filters.domains import registered_domain
from tamis.finding import Finding
from tamis.mail.urls import host_of

# The whole text must be an address: in "see example.com for more" no domain is promised.
_SHOWN = re.compile(r"(?:https?://|(?=www\.))([^\s/?#]{4,253})(?:[/?#]\S*)?", re.IGNORECASE)
_BULK = ("list-unsubscribe", "list-id", "list-post")
_MAX_PAIRS = 10


class LinkText(Filter):
    """Adds points when a link's visible text is a web address in one registered domain and its target in another.

    Newsletters count clicks that way: a message with List-Unsubscribe, List-Id or Precedence: bulk or list is left
    alone, and so is a link into the domain of its own sender. Links in PDF documents are looked at, too.
    """

    name = "link_text"
    spec_id = "S31e"
    summary = "link text shows one domain, its target is in another"
    effect = Effect.SCORE
    inline = True
    looks_again = True

    def examine(self, message: Message) -> Finding:
        """Pairs of a shown domain and a real one."""
        mail = message.mail
        precedence = (mail.headers.first("precedence") or "").strip().lower()
        if precedence in {"bulk", "list"} or any(name in mail.headers for name in _BULK):
            return self.clear("bulk mail")
        senders = {registered_domain(one.domain) for one in mail.from_addresses[:5]}
        pairs: dict[str, str] = {}
        for url in mail.urls:
            if url.source != "link" or not (found := _SHOWN.fullmatch(url.text.strip())):
                continue
            shown, real = registered_domain(host_of(found[1])), registered_domain(url.host)
            if shown and real and shown != real and real not in senders and len(pairs) < _MAX_PAIRS:
                pairs.setdefault(shown, real)
        if not pairs:
            return self.clear("links go where they say")
        shown, real = next(iter(pairs.items()))
        return self.hit("shows {shown}, goes to {real}", shown=shown, real=real, pairs=pairs)

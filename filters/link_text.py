"""S31e: a link that shows one domain and goes to another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tamis.contract.filter import Effect, Message
from tamis.contract.finding import Finding
from tamis.filters.signing.list_headers import ListsExcused
from tamis.language.translation import marked
from tamis.message.domains import is_top_level, registered_domain
from tamis.message.mail.urls import Url, host_of, hosts_of
from tamis.message.mail.visible import canonical
from tamis.message.mail.wrappers import Unwrapped, unwrapped
from tamis.message.names import LIKE_DOTS

# The whole text must be an address: in "see example.com for more" no domain is promised. Signs around it are none of
# it, and what looks like ":" and "/" is read as such.
_SHOWN = re.compile(
    r"\W*(?:h(?:tt|xx)ps?\s?[:\u2236\ua789\u0589]\s?[/\\\u2044\u2215\u29f8]{1,3}\s?|(?=www\.))"
    r"([^\s/?#<>()\"]{4,253})(?:[/?#]\S*)?\W*",
    re.IGNORECASE,
)
_SHOWN_BARE = re.compile(r"((?:[\w-]{1,63}\.){1,5}([a-z]{2,18}))/\S*", re.IGNORECASE)
# A name alone in small letters; brands that are written like one have capitals or an ending that files have as well.
_SHOWN_NAME = re.compile(r"\W*((?:[a-z0-9-]{1,63}\.){1,4}([a-z]{2,18}))\W*")
_OF_FILES = frozenset({"ai", "app", "cc", "io", "js", "md", "mov", "ps", "py", "rs", "sh", "so", "zip"})
_NO_NAME = re.compile(r"[^\w.:-]")
_LIST = ("list-unsubscribe", "list-id", "list-post")
_MAX_PAIRS = 10  # pairs that are shown; beyond: left out: the first counts


class LinkText(ListsExcused):
    """Adds points when a link's visible text is a web address in one registered domain and its target in another.

    Newsletters count clicks that way: List-Unsubscribe, List-Id, List-Post or Precedence: bulk or list excuse it
    where they can be believed, which is where a DKIM signature of the sender or the list covers them, or SPF passes
    for a MAIL FROM of theirs. Links into the domain of the message's own sender are not checked. Links in PDF
    documents are checked too. A name alone (example.com) counts where it is written in small letters and its ending is
    not one that files have as well; where it is the author's own domain it does not, nor where links with other words
    lead to the same place, as where clicks are counted.

    Services that rewrite links (Safelinks, URL Defense and [others](links-and-files.md)) are undone first, in the text
    and in the target. Where only the service knows the target, a link that shows the author's own domain is excused as
    above. Mail gateways rewrite the links of mail that comes in, which people forward, quote and copy into other mail:
    where only the gateway knows the target, nobody can say that the link deceives, so it is not checked, unless the
    gateway's link itself names another domain than the one that is shown, and the mail is no answer (In-Reply-To or
    References).
    """

    name = "link_text"
    spec_id = "S31e"
    summary = "link text shows one domain, its target is in another"
    plain_reason = marked("a link in it leads somewhere else than it says")
    effect = Effect.SCORE
    looks_again = True

    def look(self, message: Message) -> Finding:
        """Pairs of a shown domain and a real one."""
        mail = message.mail
        senders = {registered_domain(one.domain) for one in mail.from_addresses[:5]}
        pairs: dict[str, str] = {}
        tracked = True
        is_answer = any(name in mail.headers for name in ("in-reply-to", "references"))
        texts = [(url, canonical(url.text).translate(LIKE_DOTS)) for url in mail.urls if url.source == "link"]
        links = [(url, text, _shown(text)) for url, text in texts]
        names = {text for _, text, shown in links if shown and _SHOWN_NAME.fullmatch(text)}
        counted = {_real(url, unwrapped(url.raw)) for url, _, shown in links if not shown} if names else set()
        for url, text, shown in links:
            if not shown:
                continue
            way = unwrapped(url.raw)
            real = _real(url, way)
            if not real or real in {shown, _domain(unwrapped(text).target)} | senders:
                continue
            if text in names and (shown in senders or real in counted):
                continue
            if way.guarded and (is_answer or shown in senders or _told(way.named) in {"", shown}):
                continue
            tracked &= way.opaque and shown in senders
            if len(pairs) < _MAX_PAIRS:
                pairs.setdefault(shown, real)
        if not pairs:
            return self.clear("links go where they say")
        shown, real = next(iter(pairs.items()))
        return self.hit("shows {shown}, goes to {real}", shown=shown, real=real, pairs=pairs, tracked=tracked)

    def excuses(self, message: Message, hit: Finding) -> Sequence[str]:
        """What says that it is bulk mail, or who lets a service count clicks."""
        headers = message.mail.headers
        bulk = (headers.first("precedence") or "").strip().lower() in {"bulk", "list"}
        told = [name for name in _LIST if name in headers]
        return [*told, *["precedence"] * bulk, *["from"] * hit.facts["tracked"]]


def _shown(text: str) -> str:
    """The registered domain of the web address that a link's text is; "" when it is none."""
    found = _SHOWN.fullmatch(text)
    if found is None:
        found = _SHOWN_BARE.fullmatch(text) or _SHOWN_NAME.fullmatch(text)
        if found is None or not is_top_level(found[2].lower()) or _is_file(found):
            return ""
    return next(filter(None, map(registered_domain, hosts_of(found[1]))), "")


def _is_file(found: re.Match[str]) -> bool:
    """Whether a name alone may as well be a file's or a brand's."""
    return found.re is _SHOWN_NAME and found[2] in _OF_FILES


def _real(url: Url, way: Unwrapped) -> str:
    """The registered domain that a link of the message leads to in the end; "" for none."""
    return _domain(way.target) or _named(url.host)


def _domain(link: str) -> str:
    """The registered domain that a link leads to; "" for none."""
    return _named(host_of(link.partition("://")[2]))


def _told(host: str) -> str:
    """The registered domain that a gateway's link names for show; "" for none."""
    return _named(host_of(host)) if host else ""


def _named(host: str) -> str:
    """What was registered of a host; "" where it has a character that no name has, for then a link leads nowhere."""
    found = registered_domain(host)
    return "" if _NO_NAME.search(found) else found

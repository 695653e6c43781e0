"""S24: DNS lists of what links lead to."""

from __future__ import annotations

from dataclasses import replace

from tamis.contract.filter import Message, NoChallenge
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks
from tamis.filters.shared.clients import is_local, reversed_labels
from tamis.filters.shared.link_hosts import subjects_of
from tamis.filters.shared.on_dns_lists import Asked, OnDNSLists
from tamis.language.translation import marked
from tamis.message.envelope import parse_ip
from tamis.settings.dns_lists import DNSList


class URIBL(OnDNSLists):
    """Takes a message for spam when a domain or an address that it links to is on enough DNS lists.

    It checks links in markup, hidden ones included, URLs in the text and in the subject, the targets of wrappers
    and redirects ([which ones](links-and-files.md)), the domains of From, Reply-To and Sender and of links for writing
    to somebody, the addresses in the names there and in List-Unsubscribe and the like, and, once
    `image_text` has read images and PDF documents, the URLs of QR codes and of links in documents. Registered
    domains are looked up, by the public suffix list; numbers that browsers take for addresses are addresses. At
    most 40 domains and addresses of a message are looked up: if there are more, those of QR codes and of the header
    and a choice of the others that nobody can predict, links first; the finding's `left_out` says how many were not.

    `platform.uribl` names the lists, with the return codes that count (docs/dns-lists.md). A hit is when at least
    `share` percent of the lists that answered for one domain have it; a list that fails, times out, or refuses this
    resolver does not count; when none has answered, the filter is unavailable.
    """

    name = "uribl"
    spec_id = "S24"
    summary = "links to domains on DNS lists"
    plain_reason = marked("it links to addresses on public block lists")
    forbids_challenge = NoChallenge.LINKS
    looks_again = True

    def examine(self, message: Message) -> Asks[Finding]:
        """Which of the lists have what the message links to."""
        if message.is_own:
            return self.clear("own network or user")
        lists = [DNSList.parse(text) for text in message.platform.uribl]
        questions: list[Asked] = []
        subjects = subjects_of(message.mail)
        for subject in subjects.names:
            ip = parse_ip(subject)
            if ip is None:
                questions += [Asked(subject, one, f"{subject}.{one.zone}") for one in lists]
            elif not is_local(ip):
                label = reversed_labels(ip)
                questions += [Asked(subject, one, f"{label}.{one.zone}") for one in lists if one.takes_ips]
        if not lists:
            return self.skipped("no lists are configured")
        if not questions:
            return self.clear("nothing to ask about")
        found = yield from self.ask(message, questions)
        if not subjects.left_out:
            return found
        return replace(found, facts={**found.facts, "left_out": subjects.left_out})

"""S17: DNS lists of clients and of sender domains."""

from __future__ import annotations

from tamis.contract.filter import Message, Stage
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks
from tamis.filters.shared.clients import no_stranger, registered_domain, reversed_labels, text_of
from tamis.filters.shared.on_dns_lists import Asked, OnDNSLists
from tamis.language.translation import marked
from tamis.message.address import domain_of
from tamis.settings.dns_lists import DNSList


class DNSBL(OnDNSLists):
    """Takes a message for spam when its client, or the domain of its MAIL FROM, is on enough DNS lists.

    `platform.dnsbl` and `platform.rhsbl` name the lists to query, with the return codes that count
    (docs/dns-lists.md). The client and the sender's registered domain are looked up on their own lists each: it is
    a hit when at least `share` percent of the lists that answered list it. A list that fails, times out, or refuses
    this resolver has not answered and does not count; when none has answered, the filter is unavailable.
    `leave_out` and `weights` set how much each list counts for a domain or mailbox.
    """

    name = "dnsbl"
    spec_id = "S17"
    summary = "client or sender domain on DNS lists"
    plain_reason = marked("the server it came from is on public block lists")
    stage = Stage.MAIL

    def examine(self, message: Message) -> Asks[Finding]:
        """Which of the lists have the client or the sender's domain."""
        told = no_stranger(self, message)
        if told is not None:
            return told
        ip = message.envelope.ip
        assert ip is not None
        label = reversed_labels(ip)
        lists = map(DNSList.parse, message.platform.dnsbl)
        questions = [Asked(text_of(ip), one, f"{label}.{one.zone}") for one in lists]
        domain = registered_domain(domain_of(message.envelope.sender))
        if domain:
            lists = map(DNSList.parse, message.platform.rhsbl)
            questions += [Asked(domain, one, f"{domain}.{one.zone}") for one in lists]
        if not questions:
            return self.skipped("no lists are configured")
        return (yield from self.ask(message, questions))

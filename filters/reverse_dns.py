"""S11: clients without a name in the reverse DNS."""

from __future__ import annotations

from tamis.contract.ask import ask
from tamis.contract.filter import Filter, Message, Stage
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks, Lookup
from tamis.filters.shared.clients import confirm_denial, no_stranger, reverse_name, text_of
from tamis.language.translation import marked


class ReverseDNS(Filter):
    """Takes a message for spam when its client's address has no name in the DNS (no PTR record).

    Mail servers have one; many infected home computers have none. If Postfix's own lookup found a name, that is
    trusted; if it found none, that may have been a failure, so the DNS is queried. No answer is never a hit. Own
    networks, own users and private addresses are not checked. S31 checks whether the name resolves back to the
    address.
    """

    name = "reverse_dns"
    spec_id = "S11"
    summary = "client address without a PTR record"
    plain_reason = marked("the server it came from has no name (PTR)")
    asks = ("dns",)
    stage = Stage.CONNECT

    def examine(self, message: Message) -> Asks[Finding]:
        """The client's PTR records."""
        told = no_stranger(self, message)
        if told is not None:
            return told
        ip = message.envelope.ip
        assert ip is not None
        known = message.envelope.client_name or message.envelope.client_ptr
        if known:
            return self.clear("{ip} is {name}", ip=text_of(ip), name=known[:255])
        answer = yield from ask(Lookup(reverse_name(ip), "PTR"))
        if answer.records:
            return self.clear("{ip} is {name}", ip=text_of(ip), name=answer.records[0])
        yield from confirm_denial()
        return self.hit("{ip} has no PTR record", ip=text_of(ip))

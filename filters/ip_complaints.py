"""S15: clients condemned after complaints."""

from __future__ import annotations

from tamis.contract.ask import ask
from tamis.contract.filter import Filter, Message, NoChallenge, Stage
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks, Get
from tamis.contract.state_keys import client_key
from tamis.language.translation import marked

CONDEMNED = "condemned:"
"""Clients that an operator condemned; the client's key stands behind it."""


class IPComplaints(Filter):
    """Takes a message for spam when its client was condemned after complaints.

    Abuse reports (ARF, RFC 5965) are counted against the clients they name. They come from `tamis complaints ingest
    FILE` and from the mailbox of `[abuse_mailbox]`, which is read over IMAP at intervals and by `tamis complaints
    fetch`. `tamis complaints show` lists the clients, and an operator decides: `tamis complaints condemn
    203.0.113.7`, and once the matter is settled, `tamis complaints settle 203.0.113.7`. A report alone condemns
    nobody, since anybody can write one. An IPv6 client is condemned with its /64.
    """

    name = "ip_complaints"
    spec_id = "S15"
    summary = "client condemned after complaints"
    plain_reason = marked("there were complaints about the server it came from")
    forbids_challenge = NoChallenge.COMPLAINTS
    asks = ("state",)
    stage = Stage.CONNECT

    def examine(self, message: Message) -> Asks[Finding]:
        """Whether the client is condemned."""
        ip = message.envelope.ip
        if ip is None or message.is_own:
            return self.clear("no client on a network, or one of our own")
        why = yield from ask(Get(CONDEMNED + client_key(ip)))
        if why is None:
            return self.clear("not condemned")
        return self.hit("client {client} was condemned: {why}", client=client_key(ip), why=why[:200])

"""S14: who writes to addresses that nobody knows."""

from __future__ import annotations

from pydantic import Field

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask
from tamis.contract.filter import Filter, FilterOptions, Message, NoChallenge, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, Count, Put
from tamis.contract.state_keys import BLOCKED, client_key
from tamis.filters.temporary_blacklist import entry
from tamis.language.translation import marked
from tamis.message.address import address_key


class HoneypotOptions(FilterOptions):
    """Adds for how many visits to the honeypot a client's other mail is taken for spam, too."""

    remember_from: int = Field(
        2,
        ge=0,
        le=10_000,
        description="messages to honeypots within platform.honeypot_window from which a client's other "
        "mail is spam; 0: never",
    )


class Honeypot(Filter[HoneypotOptions]):
    """Takes a message for spam when one of its recipients is a honeypot: an address that nobody uses or hands out.

    The addresses are set in `platform.honeypots`. Hide them where only address harvesters read; never use an
    address that somebody once had. A client that wrote to honeypots is remembered for `platform.honeypot_window`
    seconds: from `remember_from` such messages its other mail is spam, and from `platform.honeypot_block_from` it
    is put on the temporary blacklist (S2) for `platform.honeypot_block` seconds. Own clients and test
    messages are never counted.
    """

    name = "honeypot"
    spec_id = "S14"
    summary = "addressed to a honeypot"
    plain_reason = marked("it was also sent to an address that nobody uses")
    forbids_challenge = NoChallenge.HONEYPOT
    asks = ("state",)
    options = HoneypotOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """Whether this message goes to a honeypot, and how many of this client's did."""
        if not message.platform.honeypots or message.is_own:
            return self.clear("no honeypots, or one of our own clients")
        platform, ip = message.platform, message.envelope.ip
        traps = platform.honeypot_keys
        trapped = any(address_key(r.address) in traps for r in message.envelope.recipients)
        writes = int(trapped)
        if ip is not None:
            client = client_key(ip)
            try:
                window, counted = platform.honeypot_window, trapped and not message.asked
                writes = yield from ask(Count(f"honeypot:{client}", window, int(counted)))
                if counted and writes >= platform.honeypot_block_from:
                    why = f"wrote to honeypots, {writes} messages"
                    yield from ask(Put(BLOCKED + client, entry(why, self.name), platform.honeypot_block))
            except ServiceError:
                if not trapped:  # what the envelope says needs no memory
                    raise
        if trapped:
            return self.hit("written to a honeypot", trapped=True, writes=writes)
        if not writes:
            return self.clear("no honeypot")
        return self.hit("the client wrote {writes} messages to honeypots", trapped=False, writes=writes)

    def judge(self, finding: Finding, options: HoneypotOptions, scopes: Scopes) -> Opinion:
        """A hit for a message to a honeypot, and for those of a client that is known to write to them."""
        facts = finding.facts
        known = options.remember_from and facts.get("writes", 0) >= options.remember_from
        hit = finding.status is Status.HIT and bool(facts.get("trapped") or known)
        return self.opinion(finding, options, hit=hit)

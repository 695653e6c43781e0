"""S5c: the Authenticated Received Chain (RFC 8617)."""

from __future__ import annotations

from tamis.contract.filter import Effect, Filter, Message
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks
from tamis.filters.signing.arc_check import chain, has_chain


class ARC(Filter):
    """Notes a message with a valid chain of seals (ARC, RFC 8617), and who sealed it.

    Mailing lists and forwarders seal what they found when they received the message, before they changed it.
    Anybody can do that, so a seal is worth as much as its sealer: S5d trusts those that its option `trusted_arc`
    names. A broken chain is worth nothing, and counts against nobody.
    """

    name = "arc"
    spec_id = "S5c"
    summary = "sealed by forwarders"
    asks = ("dns",)
    effect = Effect.TAG

    def examine(self, message: Message) -> Asks[Finding]:
        """Whether the chain holds, and its sealers from the newest to the oldest."""
        if not has_chain(message.mail):
            return self.clear("not sealed", result="none")
        found = yield from chain(message)
        if found.result == "temperror":
            return self.unavailable("{reason}", result=found.result, reason=found.reason)
        if found.result != "pass":
            return self.clear("{result}: {reason}", result=found.result, reason=found.reason)
        sealers = [link.sealer for link in found.links]
        return self.hit("sealed by {shown}", result="pass", sealers=sealers, shown=", ".join(sealers[:5]))

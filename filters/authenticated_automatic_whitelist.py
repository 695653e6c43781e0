"""S7b: senders that earned their way in, when it is they."""

from __future__ import annotations

from tamis.contract.filter import Message, State
from tamis.contract.finding import Finding, Status
from tamis.contract.lists import MatchedField
from tamis.contract.questions import Asks
from tamis.filters.authenticated_whitelist import authenticated
from tamis.filters.automatic_whitelist import AutomaticWhitelist


class AuthenticatedAutomaticWhitelist(AutomaticWhitelist):
    """Lets a message through when its envelope sender has earned enough weight and is authenticated.

    The weights and options are those of S7, which believes any MAIL FROM. Here they count only when SPF passes for
    MAIL FROM or a DKIM signature of its domain is valid: whoever forges the address inherits nothing, also where its
    domain lets everybody try (`~all`). Like S7 it excuses suspicion, and no evidence.

    S7 stays in shadow beside it, for S7 is what learns from outgoing mail:

        [policy.filters]
        automatic_whitelist = { outgoing = true }
    """

    name = "authenticated_automatic_whitelist"
    spec_id = "S7b"
    summary = "sender on the automatic white list, if SPF or DKIM authenticates it"
    asks = ("dns", "state")
    state = State.ON
    outgoing = False

    def examine(self, message: Message) -> Asks[Finding]:
        """What the sender has earned, if it is the sender."""
        found = yield from super().examine(message)
        if found.status is not Status.HIT:
            return found
        known, unanswered = yield from authenticated(message)
        if MatchedField.ENVELOPE in known:
            return found
        if unanswered:
            return self.unavailable("{problem}", problem=unanswered)
        return self.clear("on the automatic list, but neither SPF nor DKIM authenticates the sender")

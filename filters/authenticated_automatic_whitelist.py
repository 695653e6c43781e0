"""S7b: senders that earned their way in, when it is they."""

from __future__ import annotations

from tamis.contract.filter import Message, Stage, State
from tamis.contract.finding import Finding, Status
from tamis.contract.lists import Field
from tamis.filters.authenticated_whitelist import authenticated
from tamis.filters.automatic_whitelist import AutomaticWhitelist


class AuthenticatedAutomaticWhitelist(AutomaticWhitelist):
    """Lets a message through when its envelope sender has earned it and is known to be the sender.

    What is earned, and the options, are those of S7, which believes whatever MAIL FROM says. Here it counts only when
    SPF passes for MAIL FROM or a DKIM signature of its domain holds. A solved challenge is counted only for senders
    whom one of them vouched for, but where their domain does not say who may send for it, later mail can be forged.
    Put S7 in shadow where this one is on; switched off, it would not learn from outgoing mail either.

        [policy.filters]
        automatic_whitelist = { state = "shadow", outgoing = true }
        authenticated_automatic_whitelist = { state = "on" }
    """

    name = "authenticated_automatic_whitelist"
    spec_id = "S7b"
    summary = "sender has earned it, if SPF or DKIM speaks for it"
    asks = ("dns", "state")
    stage = Stage.MESSAGE
    state = State.OFF
    outgoing = False

    async def examine(self, message: Message) -> Finding:
        """What the sender has earned, if it is the sender."""
        found = await super().examine(message)
        if found.status is not Status.HIT:
            return found
        known, unanswered = await authenticated(message)
        if Field.ENVELOPE in known:
            return found
        if unanswered:
            return self.unavailable("{problem}", problem=unanswered)
        return self.clear("has earned it, but neither SPF nor DKIM speaks for the sender")

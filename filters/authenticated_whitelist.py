"""S6b: senders that are let through when it is they."""

from __future__ import annotations

from tamis.contract.filter import Message, Stage, State
from tamis.contract.finding import Finding
from tamis.contract.lists import MatchedField
from tamis.contract.questions import Asks
from tamis.filters.sender_whitelist import SenderWhitelist
from tamis.filters.signing.dkim_check import signatures
from tamis.filters.signing.spf_check import check_mail_from, identity_of
from tamis.message.domains import registered_domain


class AuthenticatedWhitelist(SenderWhitelist):
    """Lets a message through when its sender is on a white list and is authenticated.

    The entries and options are those of S6, which believes any sender a message claims. Here an entry counts only
    when SPF passes or a DKIM signature is valid for the sender's domain: for MAIL FROM if that is listed, for the
    header From if that is. Switch S6 off when this filter is on. Own networks are trusted as in S6.

        [policy.filters]
        sender_whitelist = { state = "off" }
        authenticated_whitelist = { state = "on" }
    """

    name = "authenticated_whitelist"
    spec_id = "S6b"
    summary = "sender on a white list, if SPF or DKIM authenticates it"
    asks = ("dns",)
    stage = Stage.MESSAGE
    state = State.OFF

    def examine(self, message: Message) -> Asks[Finding]:
        """The entries that the message meets, without those of senders for whom nothing speaks."""
        matches = message.list_matches
        if not any(map(self.is_mine, matches)):
            return self.clear("not on the list")
        known, unanswered = yield from authenticated(message)
        kept = [one for one in matches if one.field in known or not self.is_mine(one)]
        if any(map(self.is_mine, kept)):
            return self.told(kept)
        if unanswered:
            return self.unavailable("{problem}", problem=unanswered)
        return self.clear("on the list, but neither SPF nor DKIM authenticates the sender")


def authenticated(message: Message) -> Asks[tuple[set[MatchedField], str]]:
    """Which of MAIL FROM and the header From are known to be true, and what got no answer where something did not."""
    if message.is_own:
        return {MatchedField.ENVELOPE, MatchedField.HEADER}, ""
    checked = yield from signatures(message)
    held = [one for one in checked if one.result == "pass"]
    known = {MatchedField.ENVELOPE for one in held if one.of_sender} | {
        MatchedField.HEADER for one in held if one.of_author
    }
    unanswered = next((one.reason for one in checked if one.result == "temperror"), "")
    result, problem = yield from check_mail_from(message)
    if result == "pass":
        known.add(MatchedField.ENVELOPE)
        if {registered_domain(one.domain) for one in message.mail.from_addresses} == {
            registered_domain(identity_of(message.envelope).domain)
        }:
            known.add(MatchedField.HEADER)
    return known, unanswered or (problem if result == "temperror" else "")

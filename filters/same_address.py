"""S13: a stranger writes in the recipient's own name."""

from __future__ import annotations

from tamis.contract.filter import Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.language.translation import marked


class SameAddress(Filter):
    """Takes a message for spam when MAIL FROM is the recipient's own address and the client is external.

    Sub-addresses and aliases are the mailbox's own: `marie+news@…` and `marie@…` are the same address here, and so is
    that of a recipient whose mail leads to `marie@…`.

    An external client is one that is neither authenticated nor in `platform.networks`. Recipients are compared one
    by one, so other recipients of the same message are not affected.
    """

    name = "same_address"
    spec_id = "S13"
    summary = "MAIL FROM equal to the recipient, from an external client"
    plain_reason = marked("it pretends to come from the recipient's own address")

    def examine(self, message: Message) -> Finding:
        """Which recipients the envelope sender equals."""
        if not message.envelope.sender or message.is_own:
            return self.clear("no sender, or one of our own clients")
        sender = message.platform.mailbox_of(message.envelope.sender)
        if sender in message.mailboxes:
            return self.hit("the sender gives the recipient's own address, {sender}", sender=sender)
        return self.clear("sender and recipient differ")

    def judge(self, finding: Finding, options: FilterOptions, scopes: Scopes) -> Opinion:
        """A hit for the recipient whose address the sender used."""
        hit = finding.status is Status.HIT and finding.facts["sender"] in scopes
        return self.opinion(finding, options, hit=hit)

"""S12: neither an envelope sender nor a From."""

from __future__ import annotations

from tamis.contract.filter import Filter, Message
from tamis.contract.finding import Finding
from tamis.language.translation import marked


class MissingSender(Filter):
    """Takes a message for spam when it names no sender at all: neither in MAIL FROM nor in the header From.

    A null MAIL FROM alone is how bounces and other notices arrive (RFC 5321 4.5.5), so it is no hit; nor is a
    genuine delivery status notification (RFC 3464) that lacks a From field.
    """

    name = "missing_sender"
    spec_id = "S12"
    summary = "neither MAIL FROM nor header From"
    plain_reason = marked("it does not say who sent it")

    def examine(self, message: Message) -> Finding:
        """Whether the message names a sender anywhere."""
        if message.envelope.sender:
            return self.clear("the envelope names a sender")
        if any(author.address for author in message.mail.addresses("from")):
            return self.clear("null MAIL FROM, but the header From names a sender")
        if message.mail.is_dsn:
            return self.clear("a delivery status notification")
        return self.hit("neither MAIL FROM nor the header From names a sender")

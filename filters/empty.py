"""S18: nothing in it."""

from __future__ import annotations

from tamis.contract.filter import Filter, Message
from tamis.contract.finding import Finding
from tamis.language.translation import marked


class Empty(Filter):
    """Takes a message for spam when it has no subject, no text and no attachment.

    Such messages are sent to find out which addresses exist. An HTML body with only an image is not empty.
    """

    name = "empty"
    spec_id = "S18"
    summary = "no subject, no text, no attachment"
    plain_reason = marked("it is empty")

    def examine(self, message: Message) -> Finding:
        """Whether anything is in the message."""
        if message.mail.is_empty:
            return self.hit("no subject, no text and no attachment")
        return self.clear("has content")

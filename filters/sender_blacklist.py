"""S9: senders whose mail is spam."""

from __future__ import annotations

from tamis.contract.lists import Colour, Field, Subject
from tamis.filters.shared.listed import Listed


class SenderBlacklist(Listed):
    """Takes a message for spam when its sender is on a black list.

    Entries are as in sender_whitelist. Both the envelope sender and the header From are looked up, because people
    who block an address mean the one they see. A white entry of the same or a nearer scope overrides them.
    """

    name = "sender_blacklist"
    spec_id = "S9"
    summary = "sender on a black list"
    colour = Colour.BLACK
    subject = Subject.SENDER
    reasons = {  # noqa: RUF012 - ClassVar declared in Listed
        Field.ENVELOPE: "Blacklisted EMail Address",
        Field.HEADER: "Blacklisted EMail Address From",
    }

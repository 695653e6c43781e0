"""S9: senders whose mail is spam."""

from __future__ import annotations

from tamis.contract.filter import NoChallenge
from tamis.contract.lists import Colour, MatchedField, Subject
from tamis.filters.shared.listed import Listed
from tamis.language.translation import marked


class SenderBlacklist(Listed):
    """Takes a message for spam when its sender is on a black list.

    Entries are as in sender_whitelist. Both the envelope sender and the header From are looked up, because people
    who block an address mean the one they see. A white entry of the same or a nearer scope overrides them.
    """

    name = "sender_blacklist"
    spec_id = "S9"
    summary = "sender on a black list"
    plain_reason = marked("the sender is on our black list")
    forbids_challenge = NoChallenge.BLACKLIST
    colour = Colour.BLACK
    subject = Subject.SENDER
    reasons = {  # noqa: RUF012 - ClassVar declared in Listed
        MatchedField.ENVELOPE: "Blacklisted EMail Address",
        MatchedField.HEADER: "Blacklisted EMail Address From",
    }

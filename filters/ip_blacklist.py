"""S8a: addresses and networks whose mail is spam."""

from __future__ import annotations

from tamis.contract.filter import NoChallenge, Stage
from tamis.contract.lists import Colour, MatchedField, Subject
from tamis.filters.shared.listed import Listed
from tamis.language.translation import marked


class IPBlacklist(Listed):
    """Takes a message for spam when its client's address is on a black list.

    Entries are addresses or networks (`tamis lists add black ip 203.0.113.7`), for the platform, a domain or a
    mailbox. A white entry of the same or a nearer scope overrides them.
    """

    name = "ip_blacklist"
    spec_id = "S8a"
    summary = "client address on a black list"
    plain_reason = marked("the server it came from is on our black list")
    forbids_challenge = NoChallenge.BLACKLIST
    stage = Stage.CONNECT
    colour = Colour.BLACK
    subject = Subject.IP
    reasons = {MatchedField.CLIENT: "Blacklisted Peer IP"}  # noqa: RUF012 - ClassVar declared in Listed

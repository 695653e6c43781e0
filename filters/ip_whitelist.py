"""S4: addresses and networks that are let through."""

from __future__ import annotations

from tamis.contract.filter import Effect, Stage
from tamis.contract.lists import Colour, MatchedField, Subject
from tamis.filters.shared.listed import Listed


class IPWhitelist(Listed):
    """Lets a message through when its client's address is on a white list.

    Entries are addresses or networks (`tamis lists add white ip 192.0.2.0/24`), for the platform, a domain or a
    mailbox. The nearest scope's entry counts; within one scope, white wins over black. The reason is in the
    Whitelist header, as "Whitelisted Peer IP".
    """

    name = "ip_whitelist"
    spec_id = "S4"
    summary = "client address on a white list"
    stage = Stage.CONNECT
    effect = Effect.ACCEPT
    colour = Colour.WHITE
    subject = Subject.IP
    reasons = {MatchedField.CLIENT: "Whitelisted Peer IP"}  # noqa: RUF012 - ClassVar declared in Listed

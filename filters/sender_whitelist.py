"""S6: senders that are let through."""

from __future__ import annotations

from pydantic import Field as Option

from tamis.contract.filter import Effect, FilterOptions, Stage
from tamis.contract.lists import Colour, Match, MatchedField, Subject
from tamis.filters.shared.listed import Listed


class SenderWhitelistOptions(FilterOptions):
    """Adds whether the header From may be listed too."""

    header_from: bool = Option(
        True, description="also look up the header From; the reason then says From (NRP)"
    )


class SenderWhitelist(Listed[SenderWhitelistOptions]):
    """Lets a message through when its sender is on a white list.

    Entries are addresses (`marie@example.com`), domains (`example.com`), sub-domains (`*.example.com`) or patterns with
    `*` and `?`. The envelope sender is looked up, and by default the header From too, since bulk mailers often use
    another MAIL FROM. The header From is easier to forge, so this is an option. The reason is in the Whitelist
    header, as "Whitelisted EMail Address", or "Whitelisted EMail Address From (NRP)" for the header From.
    """

    name = "sender_whitelist"
    spec_id = "S6"
    summary = "sender on a white list"
    stage = Stage.MAIL  # the header From comes later, and can only add to what the envelope says
    effect = Effect.ACCEPT
    options = SenderWhitelistOptions
    colour = Colour.WHITE
    subject = Subject.SENDER
    reasons = {  # noqa: RUF012 - ClassVar declared in Listed
        MatchedField.ENVELOPE: "Whitelisted EMail Address",
        MatchedField.HEADER: "Whitelisted EMail Address From (NRP)",
    }

    def counts(self, match: Match, options: SenderWhitelistOptions) -> bool:
        """A white entry met by the header From counts only when the option says so."""
        return options.header_from or super().counts(match, options)

"""S20: operator's patterns that tell spam."""

from __future__ import annotations

from tamis.filters.shared.ruled import Ruled
from tamis.language.translation import marked


class Keywords(Ruled):
    """Takes a message for spam, or adds points, when it matches one of the operator's rules of patterns.

    A rule with `action = "spam"` decides; those with `action = "score"` add their points together. The engine's time is
    linear in the text, so no pattern can hang the daemon. See [Rules](rules.md). Without files the filter is clear.
    """

    name = "keywords"
    spec_id = "S20"
    summary = "operator's patterns over parts of the message"
    plain_reason = marked("it contains words that are filtered here")
    actions = ("spam", "score")
    logic = (False,)

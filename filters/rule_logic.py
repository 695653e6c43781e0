"""S21: operator's logic over rules and other filters."""

from __future__ import annotations

from tamis.filters.shared.ruled import Ruled
from tamis.language.translation import marked


class RuleLogic(Ruled):
    """Takes a message for spam, or adds points, when one of the operator's expressions over rules and other filters
    holds, such as `casino and not (sender_whitelist or 2 of (malformed, cyrillic, empty))`.

    A filter's name is true when the filter has an effect on the message under the recipient's own policy; a filter
    that is off, in shadow or unavailable has none. See [Rules](rules.md). Without files the filter is
    clear.
    """

    name = "rule_logic"
    spec_id = "S21"
    summary = "operator's logic over rules and other filters"
    plain_reason = marked("it matches a rule that was set here")
    actions = ("spam", "score")
    logic = (True,)

"""S19: operator's rules that let a message through."""

from __future__ import annotations

from tamis.contract.filter import Effect
from tamis.filters.shared.ruled import Ruled


class KeywordExceptions(Ruled):
    """Lets a message through when it matches one of the operator's rules with `action = "accept"`.

    Rules are in the files that the setting `rules.files` names: patterns over parts of the message, or logic over
    rules and other filters. See [Rules](rules.md). Without files the filter is clear.
    """

    name = "keyword_exceptions"
    spec_id = "S19"
    summary = "operator's rules that accept"
    effect = Effect.ACCEPT
    actions = ("accept",)

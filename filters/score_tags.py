"""S32: the scores in headers."""

from __future__ import annotations

from tamis.contract.filter import Effect, Filter, Message
from tamis.contract.finding import Finding


class ScoreTags(Filter):
    """Writes the findings into the headers of delivered mail: Status, Score and the rest of the trace.

    Where it is off for a recipient, only the headers with a function (Flag, which Junk filing uses, and the
    whitelist reason) are written.
    """

    name = "score_tags"
    spec_id = "S32"
    summary = "trace headers with the scores"
    effect = Effect.TAG

    def examine(self, message: Message) -> Finding:
        """Always a hit: each message gets its headers."""
        return self.hit("headers with the scores")

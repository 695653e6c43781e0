"""S28: SpamAssassin's opinion."""

from __future__ import annotations

from pydantic import Field as Option

from tamis.contract.ask import ask
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes, State
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, SpamdScore
from tamis.language.translation import marked

_MAX_RULES = 60  # names of rules that are shown; beyond: left out: the score is whole


class SpamAssassinOptions(FilterOptions):
    """Adds what a point of SpamAssassin's is worth."""

    factor: float = Option(1.0, ge=0, le=10, description="our points per SpamAssassin point")
    most: float = Option(
        10.0, gt=0, le=100, description="maximum points, positive or negative, that SpamAssassin adds"
    )


class SpamAssassin(Filter[SpamAssassinOptions]):
    """Adds SpamAssassin's score to the total.

    Messages are sent to a spamd (`spamassassin.socket`) over the SPAMC protocol; its score and rules are recorded.
    Off by default: it costs about a hundred times as much as Tamis itself.
    """

    name = "spamassassin"
    spec_id = "S28"
    summary = "SpamAssassin's score"
    plain_reason = marked("SpamAssassin rates it as unwanted mail")
    asks = ("spamassassin",)
    effect = Effect.SCORE
    state = State.OFF
    expensive = True
    deadline = 60.0
    options = SpamAssassinOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """spamd's score and rules."""
        found = yield from ask(SpamdScore(message.mail.raw))
        if found is None:
            return self.skipped("no spamd is configured")
        rules = list(found.rules[:_MAX_RULES])
        facts = {"score": found.score, "required": found.required, "rules": rules}
        if not found.score:
            return self.clear("no points", **facts)
        return self.hit("{score} points: {named}", named=", ".join(rules[:10]) or "no rules", **facts)

    def judge(self, finding: Finding, options: SpamAssassinOptions, scopes: Scopes) -> Opinion:
        """The score times the factor, within `most`; with effect spam, SpamAssassin's own limit decides."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        score, required = finding.facts["score"], finding.facts["required"]
        points = max(-options.most, min(options.most, score * options.factor))
        hit = score >= required if options.effect is Effect.SPAM else points != 0
        return self.opinion(finding, options, hit=hit, points=round(points, 3))

"""S21b: what is known of unwanted mail before anything was learned."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field as Option

from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes, State
from tamis.contract.finding import Finding
from tamis.language.translation import marked


class KnowledgeOptions(FilterOptions):
    """Adds what a domain or mailbox can change about single rules."""

    leave_out: tuple[str, ...] = Option((), description="ids of rules that don't count")
    shadowed: tuple[str, ...] = Option((), description="ids of rules that are named but add nothing")
    points: dict[str, Annotated[float, Option(ge=-100, le=100)]] = Option(
        {}, description="points by id of rule, instead of those in the base"
    )


class Knowledge(Filter[KnowledgeOptions]):
    """Adds the points of the rules in Tamis's own base of knowledge that a message matches: words of fraud and offers,
    names of brands beside foreign addresses, links to where anybody can publish, forms that only mass mailers use.

    The base ships with Tamis. It is off by default: of newsletters and notices that were left out of the fit it would
    have lost about one in a hundred, and it costs about a third of what the other filters do. Set `state = "shadow"`,
    look at what it says for a week, then set `state = "on"`. No rule decides alone, and the sum is never below 0.
    The finding names each rule; [Knowledge](knowledge.md) lists them all. `tamis knowledge` shows and updates the base.
    """

    name = "knowledge"
    spec_id = "S21b"
    summary = "rules that ship with Tamis"
    effect = Effect.SCORE
    state = State.OFF
    plain_reason = marked("it looks like unwanted mail of a known kind")
    looks_again = True
    options = KnowledgeOptions

    def examine(self, message: Message) -> Finding:
        """Which rules match, with their points."""
        values = message.known_signs.values
        met: list[list[Any]] = [
            [rule.name, rule.points]
            for rule in message.knowledge.speaking
            if values.get(rule.name) is True and rule.points
        ]
        if not met:
            return self.clear("no rule matches")
        names = ", ".join(name for name, points in met if points > 0)
        facts = {"rules": met, "names": names, "base": message.knowledge.version}
        return self.hit("{names}", **facts) if names else self.clear("no rule matches", **facts)

    def judge(self, finding: Finding, options: KnowledgeOptions, scopes: Scopes) -> Opinion:
        """By the sum of the rules that count here."""
        counting = [one for one in finding.facts.get("rules", ()) if one[0] not in options.leave_out]
        weighed = [
            (name, options.points.get(name, points), name in options.shadowed) for name, points in counting
        ]
        total = max(0.0, sum(points for _, points, shadowed in weighed if not shadowed))
        text = ", ".join(
            f"{name} (shadow)" if shadowed else f"{name} {points:+.1f}" for name, points, shadowed in weighed
        )
        if options.effect is Effect.TAG:
            return self.opinion(finding, options, hit=bool(weighed), text=text)
        scoring = options.model_copy(update={"effect": Effect.SCORE})
        return self.opinion(finding, scoring, hit=total > 0, points=round(total, 3), text=text)

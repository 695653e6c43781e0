"""S21b: what is known of unwanted mail before anything was learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field as Option

from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.language.translation import marked

LEAST = 3.75
"""Points below which a sum says nothing, half of the usual `required`: legitimate mail of many kinds has some."""


class KnowledgeOptions(FilterOptions):
    """Adds what a domain or mailbox can change about single rules."""

    leave_out: tuple[str, ...] = Option((), description="ids of rules that don't count")
    shadowed: tuple[str, ...] = Option((), description="ids of rules that are named but add nothing")
    points: dict[str, Annotated[float, Option(ge=-100, le=100)]] = Option(
        {}, description="points by id of rule, instead of those that the base gives it alone and in pairs"
    )


class Knowledge(Filter[KnowledgeOptions]):
    """Adds the points of the rules in Tamis's own base of knowledge that a message matches: words of fraud and offers,
    names of brands beside foreign addresses, links to where anybody can publish, forms that only mass mailers use.

    The base ships with Tamis. Its points are fitted so that legitimate mail stays below `required`, whatever else is
    caught; most of them stand with pairs of rules, of which each says little by itself. No rule and no pair decides
    alone, and the sum is never below 0. A sum below 3.75 is no hit, for legitimate mail of many kinds has some;
    but rules whose points policy sets count by themselves. The finding names each rule, with its own points and half
    those of its pairs; [Knowledge](knowledge.md) lists them all. `tamis knowledge` shows and updates the base.
    """

    name = "knowledge"
    spec_id = "S21b"
    summary = "rules that ship with Tamis"
    effect = Effect.SCORE
    plain_reason = marked("it looks like unwanted mail of a known kind")
    looks_again = True
    options = KnowledgeOptions

    def examine(self, message: Message) -> Finding:
        """Which rules match, and which pairs of rules, with their points."""
        values, base = message.known_signs.values, message.knowledge
        rules_of = base.book.by_name
        met = {name: rules_of[name].points for name, value in values.items() if value is True}
        pairs_met = [*base.pairs_met(met)]
        pairs = [list(pair) for pair in pairs_met]
        in_pairs = {name for one, other, _ in pairs_met for name in (one, other)}
        rules = [(name, points) for name, points in met.items() if points or name in in_pairs]
        if not rules:
            return self.clear("no rule matches")
        names = ", ".join(name for name, points in rules if points > 0 or name in in_pairs)
        facts: dict[str, Any] = {"rules": [*map(list, rules)], "pairs": pairs, "names": names}
        facts["base"] = base.version
        if not names:
            return self.clear("no rule matches", **facts)
        own = sum(points for _, points in rules) + sum(points for *_, points in pairs_met)
        return self.hit("{names}", **facts) if own >= LEAST else self.clear("too little: {names}", **facts)

    def judge(self, finding: Finding, options: KnowledgeOptions, scopes: Scopes) -> Opinion:
        """By the sum of the rules that count here."""
        shares = _shares(finding.facts, options)
        shadowed = set(options.shadowed)
        total = max(0.0, sum(points for name, points in shares.items() if name not in shadowed))
        text = ", ".join(
            f"{name} (shadow)" if name in shadowed else f"{name} {points:+.1f}"
            for name, points in shares.items()
        )
        counts = finding.status is Status.HIT or not shares.keys().isdisjoint(options.points)
        if options.effect is Effect.TAG:
            return self.opinion(finding, options, hit=counts and bool(shares), text=text)
        scoring = options.model_copy(update={"effect": Effect.SCORE})
        return self.opinion(finding, scoring, hit=counts and total > 0, points=round(total, 3), text=text)


def _shares(facts: Mapping[str, Any], options: KnowledgeOptions) -> dict[str, float]:
    """What each rule that counts here adds: its own points, and half of those of its pairs. Points that policy sets
    stand for both, and a rule in shadow adds nothing to others."""
    shares = {
        name: options.points.get(name, points)
        for name, points in facts.get("rules", ())
        if name not in options.leave_out
    }
    alone = {*options.points, *options.shadowed}
    for one, other, points in facts.get("pairs", ()):
        if one in shares and other in shares and alone.isdisjoint((one, other)):
            shares[one] += points / 2
            shares[other] += points / 2
    return shares

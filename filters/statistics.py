"""S27: the statistical filter, which learns from the site's own mail."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tamis.contract.ask import ask
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, ModelReading
from tamis.judging.trace import total_for
from tamis.language.translation import marked
from tamis.models.scale import LEVELS, UNPROVEN

_SAYS = "number {number}, probability of spam {probability:.4f}"
_ALONE = "; it can't decide alone, too little legitimate mail of this kind was learned"


def _is_level(value: float) -> float:
    if value not in LEVELS:
        raise ValueError(f"must be one of {', '.join(f'{level:g}' for level in LEVELS)}")
    return value


class StatisticsOptions(FilterOptions):
    """Adds the level; the score is what a message on the level gets."""

    score: float = Field(
        7.5,
        ge=-100,
        le=100,
        description="points of a message whose number equals the level; a higher number gets proportionally more",
    )
    level: Annotated[float, AfterValidator(_is_level)] = Field(
        7.5,
        description="number from which it has all of its points: 3, 4.5, 6, 7.5, 9, 10.5 or 12; promises to affect at "
        "most 32, 10, 3.2, 1, 0.32, 0.1 or 0.03 of 1,000 ham; lower is more aggressive",
    )


def _share(relative: float, steepness: float | None) -> float:
    """The share of the score that a number gives which is `relative` to the level.

    None is the steepness of findings up to version 0.2, which had nothing below the level.
    """
    if relative >= 1:
        return relative
    return 0.0 if steepness is None else max(0.0, 1 - steepness * (1 - relative))


class Statistics(Filter[StatisticsOptions]):
    """Adds points to a message that resembles the spam, and not the ham, that this site has learned.

    The number says how rare such a score is among the site's own recent legitimate mail of this kind: at level 7.5 one
    ham in 1,000 has it, by the best estimate, and three points more mean a tenth of that. A message with little in its
    header and form that the model has met gets a lower number, for it knows less of it. Below the level the message
    gets fewer points, and soon none: they count only beside what other filters say. Until enough ham and spam have
    been learned (`learning.minimum` of each) the filter is in shadow: it shows how much it has learned and decides
    nothing. While hardly any legitimate mail of a kind was learned (receipts and newsletters, bulk mail, notifications,
    first letters), a number of that kind counts as just below the level: other filters have to agree.
    Text and links that `image_text` reads in images and PDF documents count like those of the body.
    In a domain whose readers taught something different the number is the domain's.
    `tamis learn` teaches it, `tamis model status` shows what each level does on the site's own mail.
    """

    name = "statistics"
    spec_id = "S27"
    summary = "statistics learned from the site's own mail"
    plain_reason = marked("its words and form resemble unwanted mail")
    asks = ("statistics",)
    effect = Effect.SCORE
    looks_again = True
    options = StatisticsOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """The model's score, as log-odds, as probability, and as the number that levels are held against."""
        reading = yield from ask(ModelReading(message.envelope, message.mail))
        if reading is None:
            return self.skipped("nothing learned yet")
        facts: dict[str, Any] = {
            "ham": reading.ham,
            "spam": reading.spam,
            "log_odds": round(reading.log_odds, 4),
        }
        if reading.number is None or reading.probability is None:
            if min(reading.ham, reading.spam) >= reading.needed:
                return self.skipped("learned, but not measured yet", **facts)
            return self.skipped(
                "{ham} ham and {spam} spam of {needed} each learned", needed=reading.needed, **facts
            )
        facts |= {"number": reading.number, "probability": round(reading.probability, 6)}
        if reading.steepness is not None:
            facts |= {"kind": reading.kind, "steepness": reading.steepness}
        if reading.familiar is not None:
            facts["familiar"] = round(reading.familiar, 3)
        if reading.unproven:
            facts["unproven"] = True
        if reading.corrected:
            facts["corrected"] = {d: [n, round(p, 6)] for d, (n, p) in reading.corrected.items()}
        because = _SAYS + _ALONE * reading.unproven
        highest = max([reading.number, *(number for number, _ in reading.corrected.values())])
        return (self.hit if highest >= LEVELS[0] else self.clear)(because, **facts)

    def judge(self, finding: Finding, options: StatisticsOptions, scopes: Scopes) -> Opinion:
        """A hit from the recipient's level on; below it points that only together with others can be enough."""
        number, probability = total_for(finding.facts, scopes[0] if "corrected" in finding.facts else "") or (
            0.0,
            0.0,
        )
        unproven = finding.facts.get("unproven") is True
        counting = min(number, options.level * UNPROVEN) if unproven else number
        share = _share(counting / options.level, finding.facts.get("steepness"))
        points = round(options.score * share, 2) if finding.status is Status.HIT else 0.0
        on_level = finding.status is Status.HIT and counting >= options.level
        hit = on_level or (options.effect is Effect.SCORE and points != 0)
        own = "corrected" in finding.facts
        text = (_SAYS + _ALONE * unproven).format(number=number, probability=probability) if own else ""
        return self.opinion(finding, options, hit=hit, points=points, text=text)

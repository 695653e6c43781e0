"""A filter for Tamis, whole in one file: subjects written in capitals."""

from __future__ import annotations

from pydantic import Field

from tamis.filter import Effect, Filter, FilterOptions, Finding, Message, Opinion, Scopes, Status


class ShoutingOptions(FilterOptions):
    """Adds when capitals become shouting."""

    share: float = Field(
        0.8, gt=0, le=1, description="share of the subject's letters that are capitals (0-1)"
    )
    least: int = Field(8, ge=1, le=1000, description="letters below which a subject is too short to shout")


class Shouting(Filter[ShoutingOptions]):
    """Adds points to a message whose subject is written in capitals.

    Short subjects ("RE: FYI") are left alone, and scripts without capitals never shout.
    """

    name = "shouting"
    spec_id = "S20"
    summary = "subject in capitals"
    plain_reason = "its subject is written in capitals"
    effect = Effect.SCORE
    blocks = False
    options = ShoutingOptions

    def examine(self, message: Message) -> Finding:
        """How many letters of the subject are capitals."""
        letters = [c for c in message.mail.subject or "" if c.isalpha()]
        capitals = sum(c.isupper() for c in letters)
        if not capitals:
            return self.clear("no capitals")
        return self.hit(
            "{capitals} of {letters} letters are capitals", capitals=capitals, letters=len(letters)
        )

    def judge(self, finding: Finding, options: ShoutingOptions, scopes: Scopes) -> Opinion:
        """A hit when there are enough letters, and enough of them are capitals."""
        capitals, letters = finding.facts.get("capitals", 0), finding.facts.get("letters", 0)
        enough = letters >= options.least and capitals >= options.share * letters
        return self.opinion(finding, options, hit=finding.status is Status.HIT and enough)

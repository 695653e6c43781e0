"""What the four list filters have in common (spec L1-L2): which entry counts for a recipient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tamis.contract.filter import Filter, Message, Opinion, OptionsT, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.lists import Colour, Match, MatchedField, Subject, nearest
from tamis.contract.questions import Asks
from tamis.contract.sentences import OVERRULED


class Listed(Filter[OptionsT]):
    """A filter that looks at one colour and subject of the lists.

    The finding carries every entry that the message meets, also those of the other colour and subject: a
    recipient's nearer entry overrules this one's, so `judge` must see them all.
    """

    colour: ClassVar[Colour]
    subject: ClassVar[Subject]
    reasons: ClassVar[dict[MatchedField, str]]
    """The header's words for a match, by the field that met the entry."""

    def examine(self, message: Message) -> Finding | Asks[Finding]:
        """Every entry that the message meets, if one of them is this filter's."""
        return self.told(message.list_matches)

    def told(self, matches: Sequence[Match]) -> Finding:
        """The finding that carries these entries."""
        if not any(self.is_mine(match) for match in matches):
            return self.clear("not on the list")
        return self.hit("on the list", matches=[match.to_fact() for match in matches])

    def judge(self, finding: Finding, options: OptionsT, scopes: Scopes) -> Opinion:
        """A hit when the nearest entry of any list is of this filter's colour, and this filter met one."""
        matches = [Match.from_fact(fact) for fact in finding.facts.get("matches", ())]
        matches = [match for match in matches if self.counts(match, options)]
        winner = nearest(matches, scopes)
        mine = nearest(filter(self.is_mine, matches), scopes)
        hit = (
            finding.status is Status.HIT
            and winner is not None
            and mine is not None
            and winner.colour is self.colour
        )
        text = "not on the list"  # of this recipient's: another's entry is not told
        if mine is not None:
            text = f"{self.reasons[mine.field]} ({mine.pattern})" if hit else OVERRULED()
        return self.opinion(finding, options, hit=hit, text=text)

    def with_entries(self, finding: Finding, entries: Sequence[Match]) -> Finding:
        """As if the lists had held these, too."""
        kept = [Match.from_fact(fact) for fact in finding.facts.get("matches", ())]
        return self.told([*kept, *entries])

    def counts(self, match: Match, options: OptionsT) -> bool:
        """Whether this recipient's options let a match count.

        A white entry met by the header From, which anybody can forge, speaks through S6 alone and as its options
        say: it overrules no black entry by itself.
        """
        return match.field is not MatchedField.HEADER or match.colour is Colour.BLACK

    def is_mine(self, match: Match) -> bool:
        """Whether it is of this filter's colour and subject."""
        return match.colour is self.colour and match.subject is self.subject

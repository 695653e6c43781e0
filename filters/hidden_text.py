"""S31h: more text hidden than shown."""

from __future__ import annotations

from pydantic import Field as Option

from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.language.translation import marked
from tamis.message.mail import Mail
from tamis.message.mail.visible import canonical

_LEAST = 50  # letters; below it no policy takes hidden text for much
_SHOWN = 100
_MAX_RUNS = 200
"""Runs of hidden text that are looked for in the visible one. Beyond: taken for one run: that is more."""


class HiddenTextOptions(FilterOptions):
    """Adds how much hidden text is much."""

    least: int = Option(
        200, ge=_LEAST, le=100_000, description="hidden letters and digits from which it is a hit"
    )
    share: float = Option(
        0.5, gt=0, le=100, description="hidden letters and digits for each visible one from which it is a hit"
    )


class HiddenText(Filter[HiddenTextOptions]):
    """Adds points when a message's HTML hides much text from its reader, beside little that is shown.

    Text that nobody sees is written for filters: honest words that outweigh the others. Hidden is what style makes
    invisible, too small to read, of the colour of the background, or puts off the page. Text that stands in the
    visible text as well doesn't count, nor do titles; so the preview line of a newsletter is no hit.
    """

    name = "hidden_text"
    spec_id = "S31h"
    summary = "much text that is hidden from the reader"
    plain_reason = marked("it hides text from you")
    effect = Effect.SCORE
    options = HiddenTextOptions

    def examine(self, message: Message) -> Finding:
        """How many letters and digits are hidden, and how many are shown."""
        hidden = _runs(message.mail)
        if _letters(" ".join(hidden)) < _LEAST:
            return self.clear("no text to speak of is hidden")
        shown = message.mail.visible[0]
        hidden = [one for one in hidden if one not in shown]
        letters, visible = _letters(" ".join(hidden)), _letters(shown)
        if letters < _LEAST:
            return self.clear("no text to speak of is hidden")
        return self.hit(
            "{hidden} letters are hidden beside {visible} that are shown",
            hidden=letters,
            visible=visible,
            text=" ".join(hidden)[:_SHOWN],
        )

    def judge(self, finding: Finding, options: HiddenTextOptions, scopes: Scopes) -> Opinion:
        """A hit from `least` letters on, if they are `share` of the visible ones."""
        hidden, visible = finding.facts.get("hidden", 0), finding.facts.get("visible", 0)
        much = hidden >= options.least and hidden >= options.share * visible
        return self.opinion(finding, options, hit=finding.status is Status.HIT and much)


def _runs(mail: Mail) -> list[str]:
    """The hidden text in its runs, in canonical form."""
    runs = [run for html in mail.html for run in html.hidden.split("\n") if run and not run.isspace()]
    if len(runs) > _MAX_RUNS:
        runs[_MAX_RUNS:] = [" ".join(runs[_MAX_RUNS:])]
    return [run for run in map(canonical, runs) if run]


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))

"""Whether "always allow" keeps what it promises: mail like a held one, judged again with its sender allowed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tamis.contract.filter import Filter
from tamis.contract.finding import Finding
from tamis.contract.lists import Colour
from tamis.judging.flip import FlipSender, with_entry
from tamis.judging.policy import Policy
from tamis.judging.reasons import plain_reason
from tamis.judging.verdict import Decision, judge
from tamis.language.translation import marked

NOT_ENOUGH = marked(
    "“Always allow” is not enough here: mail like this would still be held, because {reason}."
)
"""What people are told, with the fragment of `why_held_despite`."""
STILL_SPAM = marked(
    "“Always allow” is not enough here: mail like this would still be taken for spam, because {reason}."
)
"""The same of mail that was not held."""
LIMITS = marked(
    "An allowed sender comes after virus scanners, SPF and DMARC: what these hold, as forwarded mail without a valid "
    "signature, is held all the same."
)
"""What is said of every entry for a sender, before any of its mail is known."""


def held_despite(findings: Mapping[str, Finding], policy: Policy, sender: FlipSender) -> str:
    """What decides against mail like this under the policy in force though its sender is on the mailbox's white list:
    a filter's name, or `verdict.SCORE`; "" where nothing does. Filters that stand before the lists are not overruled
    by an entry, and an entry that wants the sender authenticated is not met by one who isn't."""
    allowed = with_entry(findings, policy, sender, Colour.WHITE)
    if allowed is None:
        return ""
    verdict = judge(allowed, policy)
    return "" if verdict.decision is Decision.HAM else verdict.decided_by


def why_held_despite(
    recorded: Sequence[Mapping[str, Any]], policy: Policy, sender: FlipSender, filters: Iterable[Filter[Any]]
) -> str:
    """As `held_despite`, of recorded findings: the English fragment for people, translated where it is shown; "" where
    the promise is kept."""
    decider = held_despite(findings_of(recorded), policy, sender)
    return plain_reason(decider, filters) if decider else ""


def findings_of(recorded: Sequence[Mapping[str, Any]]) -> dict[str, Finding]:
    """Recorded findings by filter, without those of another version of Tamis that can't be read."""
    found: dict[str, Finding] = {}
    for one in recorded:
        try:
            finding = Finding.from_dict(one)
        except (KeyError, ValueError, TypeError, AttributeError):
            continue
        found[finding.filter] = finding
    return found

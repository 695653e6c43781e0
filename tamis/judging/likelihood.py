"""How likely a held message is wanted after all: the order in which people should look. Pure.

What was seen in a message or written down by people (a virus, a listed link, a black list, a link that lies) and what
the statistical filter has learned is seldom wrong. What is only suspected, such as a server without a name, is wrong
more often.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from tamis.contract.filter import EVIDENCE, Filter, NoChallenge
from tamis.judging.verdict import SCORE

_PLAIN = EVIDENCE | {NoChallenge.HONEYPOT, NoChallenge.COMPLAINTS}
_SELDOM_WRONG = frozenset(
    {"statistics", "marked_spam", "dnsbl", "link_text", "lookalike_domain", "credential_form", "hidden_text"}
)
_NARROWLY = 1.5  # times the limit


class Likelihood(StrEnum):
    """Of a held message, in the order of a list."""

    PERHAPS = "perhaps"  # wanted: only suspicion speaks against it
    PROBABLY = "probably"  # unwanted


def likelihood(decided_by: str, score: float, required: float, filters: Iterable[Filter[Any]]) -> Likelihood:
    """Of a message that `decided_by` held with `score` points, where `required` are the limit."""
    if decided_by == SCORE:
        return Likelihood.PERHAPS if score < _NARROWLY * required else Likelihood.PROBABLY
    barring = next((one.forbids_challenge for one in filters if one.name == decided_by), None)
    if barring in _PLAIN or decided_by in _SELDOM_WRONG or score >= required > 0:
        return Likelihood.PROBABLY
    return Likelihood.PERHAPS

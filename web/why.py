"""Why a message was held, for people: the deciding filter's evidence, the other signs, what every filter said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tamis.challenge.challenge_records import Challenge, ChallengeState
from tamis.contract.finding import Finding, Status
from tamis.contract.sentences import retold
from tamis.judging.promise import NOT_ENOUGH, why_held_despite
from tamis.judging.reasons import plain_reason
from tamis.judging.suppression import SENTENCES, NotAsked
from tamis.judging.verdict import SCORE
from tamis.language.translation import marked
from tamis.quarantine.records import HeldRecord
from tamis.web.actions import shown_sender
from tamis.web.visit import Visit


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One filter's line of the trace."""

    name: str
    spec_id: str
    status: str
    effect: str
    points: float
    text: str
    decided: bool
    said: Status | None
    plain: str
    """What it means, for people who don't run mail servers."""
    is_code: bool
    """Whether `text` is names of kinds and rules alone, which mean something in the settings."""

    @property
    def is_sign(self) -> bool:
        """Whether it saw something that people who don't run mail servers may want to know."""
        return self.said is Status.HIT and not self.decided and (self.points != 0 or self.effect in _WEIGHING)


_CODE = re.compile(r"\{\w+\}")
_WEIGHING = ("spam", "score")

STATUS = {
    "hit": marked("hit"),
    "clear": marked("clear"),
    "unavailable": marked("no answer"),
    "skipped": marked("left out"),
}


def evidence(record: HeldRecord, visit: Visit, *, whole: bool = True) -> str:
    """What the deciding filter saw, in the reader's language where its sentence is known there; what weighed most where
    the total decided. Who reads not the `whole` of it gets no codes, and the reasons of filters for their findings."""
    steps = trace(record, visit)
    if record.summary.decided_by == SCORE:
        heaviest = sorted((step for step in steps if step.points > 0), key=lambda step: -step.points)
        return "; ".join(
            f"{step.text if whole else step.plain} ({visit.reader.number(step.points)})"
            for step in heaviest[:3]
        )
    decided = next((step for step in steps if step.decided), None)
    if decided is None:
        return retold(record.summary.because, visit.reader.gettext)
    return decided.text if whole or not decided.is_code else ""


def trace(record: HeldRecord, visit: Visit) -> list[TraceLine]:
    """What every filter said for this recipient, in chain order."""
    findings = {str(f.get("filter")): f for f in record.findings}
    steps = []
    for opinion in record.verdict.get("opinions", ()):
        name = str(opinion.get("filter", ""))
        steps.append(
            TraceLine(
                name,
                str(opinion.get("spec_id", "")),
                visit.reader.gettext(STATUS.get(str(opinion.get("status")), str(opinion.get("status")))),
                str(opinion.get("effect") or ""),
                float(opinion.get("points") or 0.0),
                _sentence(opinion, findings.get(name), visit),
                name == record.summary.decided_by,
                next((one for one in Status if one == opinion.get("status")), None),
                visit.reader.gettext(plain_reason(name, visit.site.filters)),
                _CODE.fullmatch(str(findings.get(name, {}).get("because", ""))) is not None,
            )
        )
    return steps


def _sentence(opinion: Mapping[str, Any], finding: Mapping[str, Any] | None, visit: Visit) -> str:
    """The finding's sentence, translated, where the opinion says what the finding says; else the opinion's."""
    said = str(opinion.get("text", ""))
    if finding is not None:
        try:
            seen = Finding.from_dict(finding)
            if seen.text() == said:
                return seen.text(visit.reader.gettext)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError):  # of another version of Tamis
            pass
    return retold(said, visit.reader.gettext)


@dataclass(frozen=True, slots=True)
class Others:
    """How many filters need no line of their own: they found nothing, or could not look."""

    clear: int
    blind: int


def others(steps: Sequence[TraceLine]) -> Others:
    """Of a trace."""
    blind = sum(step.said in (Status.UNAVAILABLE, Status.SKIPPED) for step in steps)
    return Others(len(steps) - blind - sum(step.is_sign or step.decided for step in steps), blind)


def not_enough(record: HeldRecord, visit: Visit) -> str:
    """Why "always allow" would not let mail like this in, in the reader's language; "" where it would."""
    one = record.summary
    policy = visit.site.book.policy(one.mailbox)
    why = why_held_despite(record.findings, policy, shown_sender(one, visit.site), visit.site.filters)
    return visit.reader.gettext(NOT_ENOUGH).format(reason=visit.reader.gettext(why)) if why else ""


def sender_was_told(challenge: Challenge | None, visit: Visit) -> str:
    """Whether the sender knows that the message is held, in the reader's language; "" while that is not decided."""
    _ = visit.reader.gettext
    if challenge is None or challenge.state is ChallengeState.PENDING:
        return ""
    if challenge.reason:
        reason = _(SENTENCES.get(_REASONS.get(challenge.reason, NotAsked.UNKNOWN), ""))
        return _(marked("Its sender was not asked to confirm it: %(reason)s.")) % {"reason": reason}
    if challenge.solved_at is not None:
        moment = visit.reader.moment(challenge.solved_at)
        return _(marked("Its sender confirmed it: %(moment)s.")) % {"moment": moment}
    if challenge.state is ChallengeState.ASKED or challenge.transport == "reply":
        moment = visit.reader.moment(challenge.sent_at or challenge.at)
        return _(marked("Its sender was told, and can confirm it: %(moment)s.")) % {"moment": moment}
    return _(marked("Its sender could not be reached."))


_REASONS = {str(one): one for one in NotAsked}

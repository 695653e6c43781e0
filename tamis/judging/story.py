"""What is remembered of a message: its envelope, findings and verdicts, never its content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tamis.contract.finding import Finding, Status
from tamis.judging.plan import Judged
from tamis.judging.policy import Outcome
from tamis.judging.trace import spoke
from tamis.judging.verdict import Verdict
from tamis.message.envelope import Envelope

_encode = json.JSONEncoder(separators=(",", ":")).encode

MAX_TEXT = 1000
"""Characters of any text of a sender's that are kept."""


def tame(text: str) -> str:
    """Text that every database can hold, bounded: no NUL, no lone surrogate."""
    shown = text[:MAX_TEXT].replace("\0", "\ufffd")
    return shown.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a message for one recipient, as it is remembered and compared.

    `spoke` names the filters that had something to say, with their points or effects.
    """

    decision: str
    outcome: str
    decided_by: str
    because: str
    score: float
    required: float
    spoke: str
    observed: bool = False
    """The message was delivered untouched (mode "observe"): the outcome is what would have been."""

    @classmethod
    def of(cls, verdict: Verdict, outcome: Outcome, *, observed: bool = False) -> Told:
        """From a verdict."""
        return cls(
            str(verdict.decision),
            str(outcome),
            verdict.decided_by,
            tame(verdict.because),
            verdict.score,
            verdict.required,
            tame(spoke(verdict)),
            observed,
        )

    def says_as_much_as(self, other: Told) -> bool:
        """Whether both are the same but for the limit: one that is not reached decides nothing."""
        return (
            self.score == other.score
            and self.because == other.because
            and self.decided_by == other.decided_by
            and self.spoke == other.spoke
            and self.outcome == other.outcome
            and self.decision == other.decision
        )


@dataclass(frozen=True, slots=True)
class Story:
    """One message's record."""

    at: datetime
    queue_id: str
    sender: str
    client_ip: str
    helo: str
    login: str
    message_id: str
    size: int
    findings: tuple[Finding, ...]
    recipients: tuple[tuple[str, Told], ...]
    transaction: str = ""
    """Our id of it; "" of what was recorded before there was one."""
    subject: str = ""
    header_from: str = ""
    host: str = ""
    other: str = ""
    """What another filter said (`OtherVerdict.to_text`), "" for nothing."""

    @property
    def side(self) -> str:
        """out for what an authenticated user sent, in for all else."""
        return "out" if self.login else "in"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of a message beside envelope, findings and verdicts; `size` in octets. `host` examined it.
    Without `history.subjects` subject and header From stay empty."""

    message_id: str = ""
    size: int = 0
    subject: str = ""
    header_from: str = ""
    host: str = ""
    other: str = ""


def to_line(
    envelope: Envelope,
    findings: Mapping[str, Finding],
    judged: Sequence[Judged],
    remembered: Remembered,
) -> bytes:
    """One message as a line of JSON. Raises ValueError or TypeError on facts that JSON can't hold."""
    data = [
        envelope.received_at.isoformat(),
        [tame(t) for t in (envelope.queue_id, envelope.sender, envelope.client_ip, envelope.helo)],
        [tame(envelope.login), tame(remembered.message_id), remembered.size],
        [[f.filter, f.status, f.because, dict(f.facts), round(f.seconds, 6)] for f in findings.values()],
        _told(judged),
        [
            tame(t)
            for t in (envelope.transaction, remembered.subject, remembered.header_from, remembered.host)
        ],
        remembered.other,
    ]
    try:
        return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)
    except (
        TypeError
    ):  # lone surrogates, numbers of more than 64 bits, keys that are no text: slower, and JSON as well
        return _encode(data).encode() + b"\n"


def _told(judged: Sequence[Judged]) -> list[list[Any]]:
    """What came of it for each recipient; those who share a verdict share the telling."""
    known: dict[tuple[int, float, Outcome, bool], list[Any]] = {}
    told: list[list[Any]] = []
    for one in judged:
        key = (id(one.verdict.opinions), one.verdict.required, one.outcome, one.observed)
        if (found := known.get(key)) is None:
            t = Told.of(one.verdict, one.outcome, observed=one.observed)
            found = [t.decision, t.outcome, t.decided_by, t.because, t.score, t.required, t.spoke, t.observed]
            known[key] = found
        told.append([one.verdict.recipient, *found])
    return told


def from_line(line: bytes) -> Story:
    """Read what `to_line` wrote. Raises ValueError on anything else, half a line included."""
    try:
        at, (queue_id, sender, ip, helo), (login, message_id, size), findings, recipients, *more = json.loads(
            line
        )
        transaction, subject, header_from, host = more[0] if more else ("", "", "", "")  # as 0.2 wrote it
        other = more[1] if len(more) > 1 else ""
        return Story(
            datetime.fromisoformat(at),
            queue_id,
            sender,
            ip,
            helo,
            login,
            message_id,
            size,
            tuple(Finding(f[0], Status(f[1]), f[2], f[3], f[4]) for f in findings),
            tuple((r[0], Told(*r[1:])) for r in recipients),
            transaction,
            subject,
            header_from,
            host,
            other,
        )
    except (TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"no record: {error}") from error


def finding_content(finding: Finding) -> bytes:
    """A finding without its time, always in the same octets: equal findings are kept once."""
    data: list[Any] = [finding.filter, finding.status, finding.because, dict(finding.facts)]
    return _encode(data).encode()


def finding_from(content: bytes, seconds: float = 0.0) -> Finding:
    """Read what `finding_content` wrote."""
    name, status, because, facts = _loaded(content)
    return Finding(name, Status(status), because, facts, seconds)


_DIGITS = bytes(ord("0") if chr(octet).isdigit() and octet < 128 else ord(" ") for octet in range(256))
_MANY_DIGITS = b"0" * 19


def _loaded(content: bytes) -> Any:
    """What JSON says; the quicker reader knows no NaN, no lone surrogates, and whole numbers of 64 bits."""
    if _MANY_DIGITS not in content.translate(_DIGITS):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    return json.loads(content.decode())

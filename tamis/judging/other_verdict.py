"""What another filter, which saw a message before us, wrote into its header: for comparing, never for deciding."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tamis.message.mail.headers import Headers
from tamis.settings.daemon import OtherFilter

_SHOWN = 400  # characters of the names of tests that are kept
_LOOKED_AT = 4  # fields of one name that are looked at
_STATUS = re.compile(r"\s*(yes|no)\b", re.IGNORECASE)
_SCORE = re.compile(r"\b(?:score|hits)=\s*(-?\d{1,6}(?:\.\d{1,6})?)", re.IGNORECASE)
_REQUIRED = re.compile(r"\brequired=\s*(-?\d{1,6}(?:\.\d{1,6})?)", re.IGNORECASE)
_TESTS = re.compile(r"\btests=\s*\[?([A-Za-z0-9_=.,\s-]{1,4000})")
_RESULT = re.compile(
    r"[^:]{1,40}:\s*(True|False)\s*\[\s*(-?\d{1,6}(?:\.\d{1,6})?)\s*/\s*(-?\d{1,6}(?:\.\d{1,6})?)\s*\]"
)
_SYMBOL = re.compile(r"([A-Z][A-Z0-9_]{2,60})\(")
_ACTIONS = {
    "no action": False,
    "greylist": False,
    "add header": True,
    "rewrite subject": True,
    "quarantine": True,
    "soft reject": True,
    "reject": True,
}
_LEVEL = re.compile(r"Spam detection results:\s*(\d{1,4})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OtherVerdict:
    """`spam` is None where its fields contradict each other; `score` and `required` where it says none."""

    by: str
    spam: bool | None
    score: float | None = None
    required: float | None = None
    tests: str = ""

    def told(self) -> str:
        """For people: "spam, 7.2 of 5.0 (A,B)"."""
        parts = [{True: "spam", False: "ham", None: "unclear"}[self.spam]]
        if self.score is not None:
            parts.append(
                f"{self.score:.1f}" + (f" of {self.required:.1f}" if self.required is not None else "")
            )
        return ", ".join(parts) + (f" ({self.tests})" if self.tests else "")

    def to_text(self) -> str:
        """A form that the history keeps."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> OtherVerdict | None:
        """Read what `to_text` wrote; None for anything else."""
        try:
            return cls(**json.loads(text)) if text else None
        except (ValueError, TypeError):
            return None


def read_other(headers: Headers, by: OtherFilter) -> OtherVerdict | None:
    """What the filter named says; None where it wrote nothing, or none is named.

    The fields are believed as they stand: that filter has to remove what senders forge.
    """
    if by == "spamassassin":
        return _spamassassin(headers)
    if by == "rspamd":
        return _rspamd(headers)
    return _pmg(headers) if by == "pmg" else None


def _values(headers: Headers, name: str) -> Iterator[str]:
    yield from list(headers.all(name))[:_LOOKED_AT]


def _agreed(verdicts: list[bool]) -> bool | None:
    """What all fields say, None where they differ."""
    return verdicts[0] if len(set(verdicts)) == 1 else None


def _number(found: re.Match[str] | None) -> float | None:
    return float(found[1]) if found else None


def _flags(headers: Headers) -> list[bool]:
    """X-Spam-Flag and rspamd's X-Spam say YES, or are not there."""
    values = [*_values(headers, "x-spam-flag"), *_values(headers, "x-spam")]
    return [value.strip().lower().startswith("yes") for value in values]


def _stars(headers: Headers) -> float | None:
    """The whole points that X-Spam-Level counts."""
    value = next(_values(headers, "x-spam-level"), "").strip()
    return float(len(value)) if value and not value.strip("*+x") else None


def _spamassassin(headers: Headers) -> OtherVerdict | None:
    told: list[bool] = []
    text = ""
    for value in _values(headers, "x-spam-status"):
        if found := _STATUS.match(value):
            told.append(found[1].lower() == "yes")
            text = text or value
    told += _flags(headers)
    if not told:
        return None
    score = _number(_SCORE.search(text))
    tests = _TESTS.search(text)
    names = re.sub(r"\s+", "", tests[1].partition(" autolearn")[0]) if tests else ""
    return OtherVerdict(
        "spamassassin",
        _agreed(told),
        _stars(headers) if score is None else score,
        _number(_REQUIRED.search(text)),
        names.partition("autolearn")[0].strip(",")[:_SHOWN],
    )


def _rspamd(headers: Headers) -> OtherVerdict | None:
    told: list[bool] = []
    score = required = None
    tests = ""
    actions = [value.strip().lower() for value in _values(headers, "x-rspamd-action")]
    told += [_ACTIONS[one] for one in actions if one in _ACTIONS]
    told += _flags(headers)
    for value in _values(headers, "x-spamd-result"):
        if found := _RESULT.match(value):
            if score is None:
                score, required = float(found[2]), float(found[3])
                tests = ",".join(_SYMBOL.findall(value[:8000]))
            if found[1] == "True":
                told.append(True)
            elif not told:
                told.append(False)
    for value in _values(headers, "x-spam-status"):
        if found := _STATUS.match(value):
            told.append(found[1].lower() == "yes")
            score = _number(_SCORE.search(value)) if score is None else score
    if not told:
        return None
    return OtherVerdict("rspamd", _agreed(told), score, required, tests[:_SHOWN])


def _pmg(headers: Headers) -> OtherVerdict | None:
    """PMG writes its level into every message, and marks what its rules take for spam."""
    found = next(
        (m for value in _values(headers, "x-spam-level") if (m := _LEVEL.match(value.strip()))), None
    )
    flags = _flags(headers)
    tests = ""
    for value in _values(headers, "x-spam-level"):
        tests = tests or ",".join(re.findall(r"\b([A-Z][A-Z0-9_]{2,60})\s", value[:8000]))
    level = _number(found)
    if level is None and not flags:
        return None
    marked = [level >= _PMG_SPAM] if level is not None else []
    return OtherVerdict("pmg", _agreed(flags or marked), level, _PMG_SPAM, tests[:_SHOWN])


_PMG_SPAM = 3.0
"""The level of the rule that quarantines by default."""

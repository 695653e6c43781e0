"""What the desk answers for a copy that it holds, as the text of its LMTP reply: Postfix logs it, the worker that asks
a sender reads it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_KIND = "held"
_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
"""A ULID, as messages and challenges are numbered."""


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """`message` is the id under which the copy is held, `challenge` the one by which its sender may be asked, or ""."""

    message: str
    challenge: str = ""

    def encode(self) -> str:
        """One line: the kind, then a name=value for each id that there is."""
        words = [f"message={self.message}"]
        if self.challenge:
            words.append(f"challenge={self.challenge}")
        return " ".join((_KIND, *words))

    @classmethod
    def decode(cls, text: str) -> Self | None:
        """What `encode` was called on; None for every text that `encode` does not make."""
        kind, *words = text.split(" ")
        values = dict(word.partition("=")[::2] for word in words)
        answer = cls(values.get("message", ""), values.get("challenge", ""))
        ids = (answer.message, answer.challenge) if "challenge" in values else (answer.message,)
        whole = kind == _KIND and answer.encode() == text and all(_ID.fullmatch(one) for one in ids)
        return answer if whole else None

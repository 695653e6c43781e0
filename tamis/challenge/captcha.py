"""Telling people from programs: proof of work (ALTCHA), or a code as image and as sound.

What was asked stands in the shared state and nowhere else: it is bound to one challenge, good for one answer, and over
after CODE_SECONDS. Wrong answers and questions are counted for the client's network, so that guessing costs a network
its access, and nobody else's.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from tamis.base.errors import TamisError
from tamis.challenge.code_media import drawn, new_code, spoken
from tamis.contract.service_protocols import SharedState
from tamis.message.envelope import parse_ip

CODE_SECONDS = 600.0
"""How long a question may be answered."""
WINDOW_SECONDS = 3600.0
"""The window in which questions and wrong answers are counted."""
MOST_WRONG = 30
"""Wrong answers in the window after which a network is locked out until they have left it."""
MOST_ASKED = 300
"""Questions in the window to one network."""
MOST_ASKED_OF_ONE = 60
"""Questions in the window about one challenge."""
MOST_SHOWN = 6
"""Images and sounds of one code: each is drawn anew, and many of them together would be easier to read."""
MOST_TRIES = 2
"""Answers to one code: whoever mistyped need not read another one."""
WRONG_BEFORE_PAUSE, PAUSE_SECONDS = 6, 900.0
"""Wrong codes about one challenge in that time. Beyond: none about it is taken until the time is over."""

_ALGORITHM, _COST, _LEAST = "PBKDF2/SHA-256", 2000, 500
# 500 to 1,000 derivations of 2,000 rounds: some 0.4 s of one core, in a browser shared by its workers
_MAX_PAYLOAD = 4096
_CODE_ID = re.compile(r"[A-Za-z0-9_-]{22}")


class CaptchaLimitError(TamisError):
    """A network, or everybody about one challenge, has asked for too much or answered wrong too often."""


class CaptchaPausedError(CaptchaLimitError):
    """Too many codes about one challenge were wrong within PAUSE_SECONDS."""


class CaptchaAnswer(StrEnum):
    """What came of an answer."""

    RIGHT = "right"
    WRONG = "wrong"
    AGAIN = "again"  # wrong, and the same code may be tried once more
    PAUSED = "paused"  # too many codes about this challenge were wrong: none is taken for a while, nothing was counted
    STALE = "stale"  # over, used before, or never asked: a new question is due, and nothing was counted
    LOCKED = "locked"  # this network may not answer for now


def network_of(client: str) -> str:
    """The network that limits count for: the /24 or /48 of an address, which one customer has at most, "unknown" where
    there is none."""
    ip = parse_ip(client)
    if ip is None:
        return "unknown"
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


class Captcha:
    """Asks and checks; one a process. `key` is the installation's signing key (tamis.installation.signing_key).

    `codes` makes the codes; tests that must know them give their own. Every method raises ServiceError when the shared
    state has no answer: without it nothing can be counted, so nothing is asked.
    """

    def __init__(
        self,
        key: bytes,
        state: SharedState,
        *,
        codes: Callable[[], str] = new_code,
    ) -> None:
        self._signing = hmac.digest(key, b"tamis captcha challenge", hashlib.sha256)
        self._key_signing = hmac.digest(key, b"tamis captcha key", hashlib.sha256)
        self._state = state
        self._codes = codes
        self._drawing = asyncio.Semaphore(2)

    async def work(self, challenge: str, network: str) -> dict[str, Any]:
        """A proof of work, as the ALTCHA widget wants it. Raises CaptchaLimitError."""
        await self._ask(challenge, network)
        import altcha  # noqa: PLC0415 - only where it is used

        made = altcha.create_challenge(
            _ALGORITHM,
            _COST,
            counter=_LEAST + secrets.randbelow(_LEAST),
            expires_at=datetime.now(UTC) + timedelta(seconds=CODE_SECONDS),
            data={"challenge": challenge},
            hmac_secret=self._signing,
            hmac_key_secret=self._key_signing,
        )
        return dict(made.to_dict())

    async def check_work(self, challenge: str, network: str, payload: str) -> CaptchaAnswer:
        """Hold the widget's answer (its base64 form) against what was asked about this challenge."""
        if await self._is_locked(network):
            return CaptchaAnswer.LOCKED
        answer, nonce = self._verified(challenge, payload)
        if answer is CaptchaAnswer.RIGHT:
            return await self._spend(nonce)
        return await self._counted(answer, network)

    def _verified(self, challenge: str, payload: str) -> tuple[CaptchaAnswer, str]:
        import altcha  # noqa: PLC0415 - see above

        if len(payload) > _MAX_PAYLOAD:
            return CaptchaAnswer.WRONG, ""
        try:
            given = altcha.Payload.from_base64(payload)
            result = altcha.verify_solution(given, self._signing, hmac_key_secret=self._key_signing)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # it is anybody's JSON
            return CaptchaAnswer.WRONG, ""
        if result.expired:
            return CaptchaAnswer.STALE, ""
        asked = given.challenge.parameters
        if not result.verified or asked.data != {"challenge": challenge}:
            return CaptchaAnswer.WRONG, ""
        return CaptchaAnswer.RIGHT, asked.nonce

    async def code(self, challenge: str, network: str) -> str:
        """A new code about a challenge: its id, for `image`, `audio` and `check_code`. Raises CaptchaLimitError."""
        if await self._is_paused(challenge):
            raise CaptchaPausedError("too many wrong codes; try again in a quarter of an hour")
        await self._ask(challenge, network)
        code = secrets.token_urlsafe(16)
        await self._state.put(_code_key(code), json.dumps([challenge, self._codes()]), CODE_SECONDS)
        return code

    async def image(self, code: str, challenge: str) -> bytes | None:
        """The code as a PNG image; None when there is no such code (any more), or it was shown too often."""
        digits = await self._shown(code, challenge)
        if digits is None:
            return None
        async with self._drawing:
            return await asyncio.to_thread(drawn, digits)

    async def audio(self, code: str, challenge: str, language: str) -> bytes | None:
        """The code as sound (WAV), its digits read in a language; None as with `image`. 0.3 s of CPU."""
        digits = await self._shown(code, challenge)
        if digits is None:
            return None
        async with self._drawing:
            return await asyncio.to_thread(spoken, digits, language)

    async def check_code(self, challenge: str, network: str, code: str, text: str) -> CaptchaAnswer:
        """Hold what somebody typed against a code, which is good for one right answer, or MOST_TRIES wrong ones."""
        if await self._is_locked(network):
            return CaptchaAnswer.LOCKED
        if await self._is_paused(challenge):
            return CaptchaAnswer.PAUSED
        digits = await self._digits(code, challenge)
        if digits is None:
            return CaptchaAnswer.STALE
        tries = await self._state.count(f"captcha:tries:{code}", 2 * CODE_SECONDS)
        if tries > MOST_TRIES:
            return CaptchaAnswer.STALE
        typed = "".join(text[:100].split())
        if hmac.compare_digest(typed.encode("utf-8", "replace"), digits.encode()):
            return await self._spend(code)
        await self._state.count(f"captcha:wrong-about:{challenge[:40]}", PAUSE_SECONDS)
        answer = await self._counted(CaptchaAnswer.WRONG, network)
        return CaptchaAnswer.AGAIN if tries < MOST_TRIES else answer

    async def _is_paused(self, challenge: str) -> bool:
        wrong = await self._state.count(f"captcha:wrong-about:{challenge[:40]}", PAUSE_SECONDS, 0)
        return wrong >= WRONG_BEFORE_PAUSE

    async def _ask(self, challenge: str, network: str) -> None:
        if (
            await self._is_locked(network)
            or await self._state.count(f"captcha:asked:{network}", WINDOW_SECONDS) > MOST_ASKED
            or await self._state.count(f"captcha:about:{challenge[:40]}", WINDOW_SECONDS) > MOST_ASKED_OF_ONE
        ):
            raise CaptchaLimitError("too many attempts; try again in an hour")

    async def _is_locked(self, network: str) -> bool:
        return await self._state.count(f"captcha:wrong:{network}", WINDOW_SECONDS, 0) >= MOST_WRONG

    async def _counted(self, answer: CaptchaAnswer, network: str) -> CaptchaAnswer:
        if answer is CaptchaAnswer.WRONG:
            await self._state.count(f"captcha:wrong:{network}", WINDOW_SECONDS)
        return answer

    async def _spend(self, name: str) -> CaptchaAnswer:
        """RIGHT the first time, STALE ever after: atomic among all processes."""
        first = await self._state.put_new(f"captcha:spent:{name}", "", 2 * CODE_SECONDS)
        return CaptchaAnswer.RIGHT if first else CaptchaAnswer.STALE

    async def _digits(self, code: str, challenge: str) -> str | None:
        if not _CODE_ID.fullmatch(code):
            return None
        kept = await self._state.get(_code_key(code))
        about, digits = json.loads(kept) if kept else ("", "")
        return digits if kept and about == challenge else None

    async def _shown(self, code: str, challenge: str) -> str | None:
        digits = await self._digits(code, challenge)
        if digits is None:
            return None
        shown = await self._state.count(f"captcha:shown:{code}", CODE_SECONDS)
        return digits if shown <= MOST_SHOWN else None


def _code_key(code: str) -> str:
    return f"captcha:code:{code}"

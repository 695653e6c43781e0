"""Proof of work and codes: bound to one challenge, good for one answer, and guessing costs a network its access."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import wave
from collections.abc import Coroutine
from typing import Any, TypeVar

import altcha
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tamis.base.errors import ServiceError
from tamis.challenge.captcha import (
    CODE_SECONDS,
    MOST_ASKED_OF_ONE,
    MOST_SHOWN,
    MOST_WRONG,
    PAUSE_SECONDS,
    WINDOW_SECONDS,
    WRONG_BEFORE_PAUSE,
    Captcha,
    CaptchaAnswer,
    CaptchaLimitError,
    CaptchaPausedError,
    network_of,
)
from tamis.challenge.code_media import CHARACTERS, LENGTH, SIZE
from tamis.contract.service_protocols import Services
from tests.memory_state import MemoryState

KEY = b"k" * 32
ONE, OTHER = "01JDCHALLENGE0000000000001", "01JDCHALLENGE0000000000002"
HERE, THERE = network_of("192.0.2.7"), network_of("198.51.100.7")

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Await on a loop of its own."""
    return asyncio.run(work)


def made(state: MemoryState | None = None) -> Captcha:
    """One whose codes are known."""
    return Captcha(KEY, state or MemoryState(), codes=lambda: "271828")


def solved(asked: dict[str, Any]) -> str:
    """What the widget would send."""
    challenge = altcha.Challenge.from_dict(asked)
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


def test_networks() -> None:
    assert network_of("192.0.2.7") == "192.0.2.0/24"
    assert network_of("::ffff:192.0.2.7") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2345::1") == "2001:db8:1::/48"
    assert network_of("nonsense") == network_of("") == "unknown"


def test_a_proof_of_work_counts_once_and_for_its_challenge() -> None:
    captcha = made()
    payload = solved(run(captcha.work(ONE, HERE)))
    assert run(captcha.check_work(OTHER, HERE, payload)) is CaptchaAnswer.WRONG
    assert run(captcha.check_work(ONE, HERE, payload)) is CaptchaAnswer.RIGHT
    assert run(captcha.check_work(ONE, HERE, payload)) is CaptchaAnswer.STALE


def test_a_proof_of_work_that_was_changed_or_signed_elsewhere_is_wrong() -> None:
    captcha = made()
    asked = run(captcha.work(ONE, HERE))
    whole = json.loads(base64.b64decode(solved(asked)))
    whole["challenge"]["parameters"]["data"] = {"challenge": OTHER}
    forged = base64.b64encode(json.dumps(whole).encode()).decode()
    assert run(captcha.check_work(OTHER, HERE, forged)) is CaptchaAnswer.WRONG
    elsewhere = Captcha(b"o" * 32, MemoryState())
    assert run(captcha.check_work(ONE, HERE, solved(run(elsewhere.work(ONE, HERE))))) is CaptchaAnswer.WRONG
    without = base64.b64encode(
        json.dumps({"challenge": asked, "solution": {"counter": 1, "derivedKey": "00"}}).encode()
    )
    assert run(captcha.check_work(ONE, HERE, without.decode())) is CaptchaAnswer.WRONG


def test_a_proof_of_work_ends() -> None:
    captcha = made()
    asked = altcha.create_challenge(
        "PBKDF2/SHA-256", 10, counter=1, expires_at=1, data={"challenge": ONE}, hmac_secret=captcha._signing
    )
    assert run(captcha.check_work(ONE, HERE, solved(asked.to_dict()))) is CaptchaAnswer.STALE


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_parameters = st.fixed_dictionaries(
    dict.fromkeys(("algorithm", "nonce", "salt", "cost"), _json),
    optional=dict.fromkeys(("keyLength", "keyPrefix", "keySignature", "expiresAt", "data"), _json),
)
_payload = st.fixed_dictionaries(
    {
        "challenge": st.fixed_dictionaries({"parameters": _parameters | _json, "signature": _json}) | _json,
        "solution": st.fixed_dictionaries({"counter": _json, "derivedKey": _json}) | _json,
    }
)


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=100)
    | (_payload | _json).map(lambda o: base64.b64encode(json.dumps(o).encode()).decode())
)
def test_anybodys_payload_is_wrong_and_nothing_more(payload: str) -> None:
    assert run(made().check_work(ONE, HERE, payload)) in (CaptchaAnswer.WRONG, CaptchaAnswer.STALE)


def test_a_long_payload_is_not_read() -> None:
    assert run(made().check_work(ONE, HERE, "A" * 10_000_000)) is CaptchaAnswer.WRONG


def test_a_code_counts_once_and_for_its_challenge() -> None:
    captcha = made()
    code = run(captcha.code(ONE, HERE))
    assert run(captcha.check_code(OTHER, HERE, code, "271828")) is CaptchaAnswer.STALE
    assert run(captcha.check_code(ONE, HERE, code, " 271 828\n")) is CaptchaAnswer.RIGHT
    assert run(captcha.check_code(ONE, HERE, code, "271828")) is CaptchaAnswer.STALE


def test_a_code_may_be_mistyped_once() -> None:
    captcha = made()
    code = run(captcha.code(ONE, HERE))
    assert run(captcha.check_code(ONE, HERE, code, "000000")) is CaptchaAnswer.AGAIN
    assert run(captcha.check_code(ONE, HERE, code, "271828")) is CaptchaAnswer.RIGHT
    assert run(captcha.check_code(ONE, HERE, code, "271828")) is CaptchaAnswer.STALE


def test_a_second_wrong_answer_uses_the_code_up() -> None:
    captcha = made()
    code = run(captcha.code(ONE, HERE))
    assert run(captcha.check_code(ONE, HERE, code, "000000")) is CaptchaAnswer.AGAIN
    assert run(captcha.check_code(ONE, HERE, code, "000000")) is CaptchaAnswer.WRONG
    assert run(captcha.check_code(ONE, HERE, code, "271828")) is CaptchaAnswer.STALE
    fresh = run(captcha.code(ONE, HERE))
    assert run(captcha.check_code(ONE, HERE, fresh, "271828")) is CaptchaAnswer.RIGHT


def test_many_wrong_answers_about_one_challenge_make_a_pause_wherever_they_come_from() -> None:
    state = MemoryState()
    captcha = made(state)

    async def guess(number: int) -> CaptchaAnswer:
        network = network_of(f"198.51.{number}.1")
        return await captcha.check_code(ONE, network, await captcha.code(ONE, network), "000000")

    for number in range(WRONG_BEFORE_PAUSE):
        assert run(guess(number)) is CaptchaAnswer.AGAIN
    with pytest.raises(CaptchaPausedError):
        run(captcha.code(ONE, HERE))
    assert run(captcha.check_code(ONE, HERE, "A" * 22, "271828")) is CaptchaAnswer.PAUSED
    code = run(captcha.code(OTHER, HERE))
    assert run(captcha.check_code(OTHER, HERE, code, "271828")) is CaptchaAnswer.RIGHT
    payload = solved(run(captcha.work(ONE, HERE)))
    assert run(captcha.check_work(ONE, HERE, payload)) is CaptchaAnswer.RIGHT, "work is no guessing"
    state.now += PAUSE_SECONDS + 1
    assert run(guess(200)) is CaptchaAnswer.AGAIN


def test_a_code_ends() -> None:
    state = MemoryState()
    captcha = made(state)
    code = run(captcha.code(ONE, HERE))
    state.now += CODE_SECONDS + 1
    assert run(captcha.check_code(ONE, HERE, code, "271828")) is CaptchaAnswer.STALE
    assert run(captcha.image(code, ONE)) is None


@pytest.mark.parametrize("code", ["", "x", "a" * 22, "../../etc/passwd", "\0" * 22, "é" * 22, "a" * 10_000])
def test_no_code_of_ours(code: str) -> None:
    captcha = made()
    assert run(captcha.check_code(ONE, HERE, code, "271828")) is CaptchaAnswer.STALE
    assert run(captcha.image(code, ONE)) is None


def test_codes_are_digits_of_their_own() -> None:
    state = MemoryState()
    captcha = Captcha(KEY, state)
    codes = {json.loads(v)[1] for v in _codes_of(captcha, state)}
    assert len(codes) > 15
    assert all(len(code) == LENGTH and set(code) <= set(CHARACTERS) for code in codes)
    assert not set(CHARACTERS) & set("13568"), "digits that look like others are not used"


def _codes_of(captcha: Captcha, state: MemoryState) -> list[str]:
    async def ask() -> list[str]:
        for _ in range(20):
            await captcha.code(ONE, HERE)
        return [one.value for one in await state.find("captcha:code:")]

    return run(ask())


@pytest.mark.parametrize("language", ["en", "fr", "xx"])
def test_image_and_sound(language: str) -> None:
    captcha = made()
    code = run(captcha.code(ONE, HERE))
    image, sound = run(captcha.image(code, ONE)), run(captcha.audio(code, ONE, language))
    assert image is not None
    assert sound is not None
    assert Image.open(io.BytesIO(image)).size == SIZE
    with wave.open(io.BytesIO(sound)) as heard:
        assert 5 < heard.getnframes() / heard.getframerate() < 40
    assert run(captcha.image(code, OTHER)) is None


def test_a_code_is_not_shown_for_ever() -> None:
    captcha = made()
    code = run(captcha.code(ONE, HERE))
    shown = [run(captcha.image(code, ONE)) for _ in range(MOST_SHOWN + 2)]
    assert all(shown[:MOST_SHOWN])
    assert shown[MOST_SHOWN:] == [None, None]
    assert len(set(shown)) > 2, "each is drawn anew"


def test_a_thousand_wrong_answers_lock_their_network_out_and_no_other() -> None:
    state = MemoryState()
    captcha = made(state)

    async def guess(network: str) -> tuple[CaptchaAnswer | str, CaptchaAnswer | str]:
        try:
            code = await captcha.code(f"{network} {state.now}", network)
        except CaptchaLimitError:
            code = "A" * 22
        by_code = await captcha.check_code(f"{network} {state.now}", network, code, "000000")
        return by_code, await captcha.check_work(ONE, network, "bm9uc2Vuc2U=")

    answers: list[CaptchaAnswer | str] = []
    for _ in range(500):
        state.now += 1
        answers += run(guess(HERE))
    wrong = {CaptchaAnswer.WRONG, CaptchaAnswer.AGAIN}
    assert sum(one in wrong for one in answers) == MOST_WRONG
    assert set(answers[MOST_WRONG:]) == {CaptchaAnswer.LOCKED}
    with pytest.raises(CaptchaLimitError):
        run(captcha.work(ONE, HERE))
    neighbour = network_of("192.0.3.7")
    for other in (THERE, neighbour):
        code = run(captcha.code(ONE, other))
        assert run(captcha.check_code(ONE, other, code, "271828")) is CaptchaAnswer.RIGHT
        assert (
            run(captcha.check_work(ONE, other, solved(run(captcha.work(ONE, other))))) is CaptchaAnswer.RIGHT
        )
    state.now += WINDOW_SECONDS + 1
    assert run(guess(HERE))[0] is CaptchaAnswer.AGAIN, "an hour later it may try again"


def test_new_codes_are_bounded_for_one_challenge() -> None:
    captcha = made()

    async def ask() -> int:
        for number in range(1000):
            try:
                await captcha.code(ONE, network_of(f"198.51.{number % 100}.1"))
            except CaptchaLimitError:
                return number
        return 1000

    assert run(ask()) == MOST_ASKED_OF_ONE
    assert run(captcha.code(OTHER, HERE))


def test_without_the_shared_state_nothing_is_asked() -> None:
    captcha = Captcha(KEY, Services().state)
    for work in (
        captcha.work(ONE, HERE),
        captcha.code(ONE, HERE),
        captcha.check_code(ONE, HERE, "a" * 22, "271828"),
        captcha.check_work(ONE, HERE, ""),
    ):
        with pytest.raises(ServiceError):
            run(work)

"""What proves who somebody is: what is taken, what is not, and that nobody costs as much as somebody."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import cache

import argon2
import pyotp
import pytest
import resvg_py
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tamis.base.errors import ServiceError
from tamis.people import proving
from tamis.people.proving import (
    STEP_SECONDS,
    FactorProof,
    Seal,
    StoredFactors,
    app_address,
    hash_password,
    is_good_password,
    new_recovery_codes,
    new_secret,
    picture,
    prove,
    prove_code,
    recovery_digest,
    step_of,
)

MARIE, JEAN = "marie@example.com", "jean@example.com"
PASSWORD = "a horse reads the news"
SEAL = Seal(b"k" * 32)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = datetime(2026, 11, 22, 14, 2, 10, tzinfo=UTC)
STEP = int(NOW.timestamp()) // STEP_SECONDS


@cache
def kept() -> StoredFactors:
    return StoredFactors(hash_password(PASSWORD), SEAL.close(MARIE, SECRET), 0, frozenset())


def code(now: datetime = NOW) -> str:
    return pyotp.TOTP(SECRET).at(now)


def test_password_and_code_together_prove_it() -> None:
    assert prove(kept(), SEAL, MARIE, PASSWORD, code(), NOW) == FactorProof(step=STEP)
    for password, typed in ((PASSWORD, "000000"), ("wrong", code()), ("", ""), (PASSWORD, "\ud800é")):
        assert prove(kept(), SEAL, MARIE, password, typed, NOW) is None
    assert prove(StoredFactors(), SEAL, MARIE, "", code(), NOW) is None


@pytest.mark.parametrize(
    ("seconds", "taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_clocks_may_differ_by_a_step(seconds: int, *, taken: bool) -> None:
    then = NOW + timedelta(seconds=seconds)
    assert (step_of(SECRET, code(then), NOW) > 0) is taken


def test_a_step_that_was_taken_is_taken_no_more() -> None:
    used = StoredFactors(totp=kept().totp, step=STEP)
    assert prove_code(used, SEAL, MARIE, code(), NOW) is None
    assert prove_code(used, SEAL, MARIE, code(NOW - timedelta(seconds=30)), NOW) is None
    later = NOW + timedelta(seconds=30)
    assert prove_code(used, SEAL, MARIE, code(later), NOW) == FactorProof(step=STEP + 1)


def test_recovery_codes_are_read_however_they_are_typed() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 8
    left = StoredFactors(recovery=frozenset(map(recovery_digest, codes[1:])))
    typed = codes[1].upper().replace("-", " ")
    assert prove_code(left, SEAL, MARIE, typed, NOW) == FactorProof(recovery=recovery_digest(codes[1]))
    assert prove_code(left, SEAL, MARIE, codes[0], NOW) is None
    assert prove_code(left, SEAL, MARIE, "", NOW) is None


def test_a_sealed_secret_is_of_one_address_and_one_installation() -> None:
    sealed = SEAL.close(MARIE, SECRET)
    assert SEAL.open(MARIE, sealed) == SECRET
    assert SECRET.encode() not in sealed
    assert SEAL.close(MARIE, SECRET) != sealed
    for seal, address, taken in (
        (SEAL, JEAN, sealed),
        (Seal(b"x" * 32), MARIE, sealed),
        (SEAL, MARIE, sealed[:-1]),
        (SEAL, MARIE, b""),
    ):
        assert seal.open(address, taken) == ""
    assert prove_code(StoredFactors(totp=sealed), SEAL, JEAN, code(), NOW) is None


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is worked out: hashes of passwords and codes."""
    done: list[str] = []
    verify, generate = argon2.PasswordHasher.verify, pyotp.TOTP.generate_otp

    def verified(self: argon2.PasswordHasher, *given: str | bytes) -> bool:
        done.append("argon2")
        return verify(self, *given)

    def generated(self: pyotp.TOTP, step: int) -> str:
        done.append("code")
        return generate(self, step)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verified)
    monkeypatch.setattr(pyotp.TOTP, "generate_otp", generated)
    return done


def test_nobody_costs_as_much_as_somebody(work: list[str]) -> None:
    kept()
    costs = []
    for one, password, typed in (
        (StoredFactors(), "wrong", "000000"),
        (StoredFactors(password=kept().password), PASSWORD, "000000"),
        (kept(), "wrong", "000000"),
        (kept(), PASSWORD, "000000"),
        (kept(), "wrong", code()),
        (kept(), "", ""),
        (kept(), "x" * 5000, "9" * 5000),
        (StoredFactors(totp=b"garbage"), "wrong", "000000"),
    ):
        work.clear()
        assert prove(one, SEAL, MARIE, password, typed, NOW) is None
        costs.append(list(work))
    assert costs == [["argon2", "code", "code", "code"]] * len(costs)


def test_too_many_at_once_wait_and_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "HASHING_SECONDS", 0.01)
    with proving._turn(), proving._turn(), pytest.raises(ServiceError):
        hash_password(PASSWORD)
    assert hash_password(PASSWORD).startswith("$argon2id$")


@pytest.mark.parametrize(
    ("password", "good"),
    [
        (PASSWORD, True),
        ("a" * 20, False),
        ("short", False),
        ("x y" * 100, False),
        (MARIE, False),
        ("pässwörter für alle", True),
    ],
)
def test_which_passwords_may_be_chosen(password: str, *, good: bool) -> None:
    assert is_good_password(password, MARIE) is good


@given(st.text(max_size=60))
def test_no_code_breaks_it(typed: str) -> None:
    assert prove_code(kept(), SEAL, MARIE, typed, NOW) in (None, FactorProof(step=STEP))


def test_apps_read_the_picture() -> None:
    secret = new_secret()
    svg = picture(app_address(secret, MARIE, "mail.example.com"))
    assert "style" not in svg
    drawn = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=400))))
    (found,) = zxingcpp.read_barcodes(drawn.convert("L"))
    assert f"secret={secret}" in found.text
    assert found.text.startswith("otpauth://totp/mail.example.com:marie%40example.com?")

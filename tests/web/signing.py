"""People who sign in with a password and the codes of an app, for tests of pages."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pyotp

from tamis.people.proving import STEP_SECONDS, hash_password
from tests.web.pages import Answer, Pages, Visitor

PASSWORD = "a horse reads the news"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@cache
def _hash() -> str:
    return hash_password(PASSWORD)


def enrolled(pages: Pages, address: str) -> None:
    """Somebody who has a password and an app; no code was used yet."""
    sealed = pages.house.seal.close(address, SECRET)
    pages.store.factors.enrol(address, password=_hash(), totp=sealed, step=0, recovery=(), by=address)


def code(*, later: int = 0, secret: str = SECRET) -> str:
    """What the app shows now, or some steps later; one step later is taken as well, whenever this one ends."""
    step = int(datetime.now(UTC).timestamp()) // STEP_SECONDS
    return pyotp.TOTP(secret).generate_otp(step + later)


def sign_in(visitor: Visitor, address: str, password: str = PASSWORD, typed: str | None = None) -> Answer:
    """Send the form with password and code."""
    shown = code() if typed is None else typed
    return visitor.submit("/admin/sign-in", address=address, password=password, code=shown)

"""Answers of the API to what was asked with an Idempotency-Key, so that asking again does nothing a second time.

token, key, request -> begin: FRESH | UNDER_WAY | OTHER | the kept answer
                    -> finish with the answer, or forget where nothing was done
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from sqlalchemy import delete, func, select, update

from tamis.database.connection import Database
from tamis.database.schema import ApiAnswerRow

KEPT = timedelta(hours=24)
"""How long an answer is kept: after that, the same key is a new one."""
GIVEN_UP = timedelta(minutes=5)
"""After this long, a request that has no answer yet is taken for crashed, and the key may be used again."""
MOST = 2000
"""Answers kept of one token."""
_UNDER_WAY = 0


class Begun(Enum):
    """What becomes of a request with a key."""

    FRESH = auto()  # nobody asked before: do it
    UNDER_WAY = auto()  # the same is being done at this moment
    OTHER = auto()  # the key was used for another request
    TOO_MANY = auto()  # the token has MOST answers


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given: HTTP status, media type, octets."""

    status: int
    kind: str
    body: bytes


class ApiAnswers:
    """The part of the store with kept answers. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, token: str, key: str, request: bytes, *, now: datetime | None = None
    ) -> KeptAnswer | Begun:
        """Look whether a token's key was used. FRESH makes it the caller's, who must `finish` or `forget` it."""
        now = now or datetime.now(UTC)
        number, asked = _number(token, key), hashlib.sha256(request).hexdigest()
        values = {
            "id": number,
            "token": token,
            "request": asked,
            "status": _UNDER_WAY,
            "kind": "",
            "body": b"",
            "began_at": now,
            "expires_at": now + KEPT,
        }
        over = (ApiAnswerRow.expires_at <= now) | (
            (ApiAnswerRow.status == _UNDER_WAY) & (ApiAnswerRow.began_at <= now - GIVEN_UP)
        )
        with self._database.write() as session:
            session.execute(delete(ApiAnswerRow).where(ApiAnswerRow.id == number, over))
            first = self._database.insert(ApiAnswerRow).values(values).on_conflict_do_nothing()
            if session.scalar(first.returning(ApiAnswerRow.id)) is None:
                row = session.get_one(ApiAnswerRow, number)
                if row.request != asked:
                    return Begun.OTHER
                if row.status == _UNDER_WAY:
                    return Begun.UNDER_WAY
                return KeptAnswer(row.status, row.kind, bytes(row.body))
            alive = (ApiAnswerRow.token == token, ApiAnswerRow.expires_at > now)
            if (session.scalar(select(func.count()).select_from(ApiAnswerRow).where(*alive)) or 0) > MOST:
                session.execute(delete(ApiAnswerRow).where(ApiAnswerRow.id == number))
                return Begun.TOO_MANY
        return Begun.FRESH

    def finish(self, token: str, key: str, answer: KeptAnswer) -> None:
        """Keep the answer."""
        values = {"status": answer.status, "kind": answer.kind, "body": answer.body}
        with self._database.write() as session:
            session.execute(update(ApiAnswerRow).where(ApiAnswerRow.id == _number(token, key)).values(values))

    def forget(self, token: str, key: str) -> None:
        """Nothing was done: the key may be used again."""
        with self._database.write() as session:
            session.execute(delete(ApiAnswerRow).where(ApiAnswerRow.id == _number(token, key)))


def _number(token: str, key: str) -> str:
    return hashlib.sha256(f"{token}\0{key}".encode("utf-8", "replace")).hexdigest()

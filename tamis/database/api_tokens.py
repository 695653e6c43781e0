"""Tokens of the API: who made them, for what, until when. The store knows only the hash of a secret, so that who reads
the store can't use one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update

from tamis.base.errors import ConfigError
from tamis.database.connection import Database, audit, clean, exact
from tamis.database.schema import ApiTokenRow
from tamis.database.scope import parse_scope
from tamis.message.address import address_key
from tamis.people.token_scopes import PREFIX, Token, TokenScope, longest

MOST = 100
"""Tokens of one maker that are alive."""
_NAME = 100
_USED_EVERY = timedelta(minutes=1)
_WRITTEN = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_([0-9a-f]{{64}})")


class ApiTokens:
    """The part of the store with tokens. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make(
        self,
        maker: str,
        scopes: Iterable[TokenScope],
        domains: Iterable[str],
        *,
        name: str,
        lasting: timedelta,
        by: str,
        now: datetime | None = None,
    ) -> tuple[Token, str]:
        """A new token and what its user must send, which nobody can find out later. Raises ConfigError on a scope that
        is none, on a time that is too long for such a token, and beyond MOST."""
        now = now or datetime.now(UTC)
        wanted = frozenset(scopes)
        within = tuple(sorted({parse_scope(one) for one in domains}))
        if not wanted or not within:
            raise ConfigError("token", "scopes", "a token needs a scope and a domain")
        if not timedelta(0) < lasting <= longest(wanted):
            raise ConfigError("token", "days", f"must be at most {longest(wanted).days}")
        secret, owner = secrets.token_hex(32), exact(address_key(maker))
        row = ApiTokenRow(
            id=secrets.token_hex(6),
            secret=_digest(secret),
            maker=owner,
            name=clean(name.strip(), _NAME),
            scopes=sorted(map(str, wanted)),
            domains=list(within),
            created_at=now,
            expires_at=now + lasting,
            used_at=None,
        )
        alive = (ApiTokenRow.maker == owner, ApiTokenRow.expires_at > now)
        with self._database.write() as session:
            count = session.scalar(select(func.count()).select_from(ApiTokenRow).where(*alive)) or 0
            if count >= MOST:
                raise ConfigError("token", "maker", f"has {MOST} tokens already")
            session.add(row)
            details = {"name": row.name, "scopes": row.scopes, "domains": row.domains}
            audit(session, now, by, "token make", row.id, {"maker": owner} | details, scope=owner)
            session.flush()
            made = _token(row)
        return made, f"{PREFIX}_{made.id}_{secret}"

    def find(self, written: str, *, now: datetime | None = None) -> Token | None:
        """The token that somebody sent; None when there is none, or its time is over."""
        now = now or datetime.now(UTC)
        parts = _WRITTEN.fullmatch(written)
        if parts is None:
            return None
        with self._database.read() as session:
            row = session.get(ApiTokenRow, parts[1])
            kept = row.secret if row is not None else ""
            same = hmac.compare_digest(kept, _digest(parts[2]))
            return _token(row) if row is not None and same and row.expires_at > now else None

    def used(self, token: Token, *, now: datetime | None = None) -> None:
        """Note that it was used; once a minute is enough."""
        now = now or datetime.now(UTC)
        if token.used_at is None or now - token.used_at >= _USED_EVERY:
            with self._database.write() as session:
                session.execute(update(ApiTokenRow).where(ApiTokenRow.id == token.id).values(used_at=now))

    def list(self, maker: str | None = None) -> tuple[Token, ...]:
        """The tokens of a maker, or all, the newest first."""
        query = select(ApiTokenRow).order_by(ApiTokenRow.created_at.desc(), ApiTokenRow.id)
        if maker is not None:
            query = query.where(ApiTokenRow.maker == exact(address_key(maker)))
        with self._database.read() as session:
            return tuple(map(_token, session.scalars(query)))

    def revoke(self, number: str, *, by: str, maker: str | None = None) -> bool:
        """End a token, of this maker where one is named; whether there was one."""
        which = [ApiTokenRow.id == clean(number)]
        if maker is not None:
            which.append(ApiTokenRow.maker == exact(address_key(maker)))
        with self._database.write() as session:
            gone = session.scalar(delete(ApiTokenRow).where(*which).returning(ApiTokenRow.maker))
            if gone is None:
                return False
            audit(session, datetime.now(UTC), by, "token revoke", number, {"maker": gone}, scope=gone)
        return True


def _token(row: ApiTokenRow) -> Token:
    known = set(TokenScope)
    return Token(
        id=row.id,
        maker=row.maker,
        name=row.name,
        scopes=frozenset(TokenScope(one) for one in row.scopes if one in known),  # another version's
        domains=tuple(row.domains),
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

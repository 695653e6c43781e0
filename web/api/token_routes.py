"""The token itself, and the tokens of the same person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from tamis.people.rights import Right
from tamis.people.token_scopes import Token, TokenScope
from tamis.web.api.caller import Caller, needs
from tamis.web.api.problems import not_there
from tamis.web.api.routes import CHANGES, router

ROUTES = router("tokens")

Anybody = Annotated[Caller, needs()]
Admin = Annotated[Caller, needs(TokenScope.PEOPLE_ADMIN)]


class KnownToken(BaseModel):
    """A token, without its secret."""

    id: str
    maker: str
    name: str
    scopes: list[TokenScope]
    domains: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    @classmethod
    def of(cls, one: Token) -> KnownToken:
        """As the API tells it."""
        return cls(
            **{name: getattr(one, name) for name in cls.model_fields if name != "scopes"},
            scopes=sorted(one.scopes),
        )


class MayDo(BaseModel):
    """What a token may do in a scope and in all below it, at this moment."""

    scope: str
    rights: list[Right]


class Me(BaseModel):
    """The token, and what it may do: the smallest of what its maker may, its scopes, and its domains."""

    token: KnownToken
    mailbox: str = Field(description="The maker's own one, where the token's domains have it.")
    own: list[Right] = Field(description="What it may do with that mailbox.")
    grants: list[MayDo]


@ROUTES.get("/me")
def show_me(caller: Anybody) -> Me:
    """What this token is, and what it may do."""
    holder = caller.holder
    return Me(
        token=KnownToken.of(caller.token),
        mailbox=holder.mailbox,
        own=sorted(holder.own) if holder.mailbox else [],
        grants=[MayDo(scope=one.scope, rights=sorted(one.rights)) for one in holder.grants],
    )


@ROUTES.get("/tokens")
def list_tokens(caller: Admin) -> list[KnownToken]:
    """The tokens of the person who made this one, the newest first."""
    return [KnownToken.of(one) for one in caller.store.api_tokens.list(caller.token.maker)]


@ROUTES.delete("/tokens/{number}", dependencies=CHANGES, status_code=204, response_class=Response)
def revoke_token(caller: Admin, number: Annotated[str, Path(max_length=40)]) -> Response:
    """End a token of the same person, at once."""
    if not caller.store.api_tokens.revoke(number, by=caller.by, maker=caller.token.maker):
        raise not_there()
    return Response(status_code=204)

"""Who asks: a token, and what it may do at this moment."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import anyio.from_thread
from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from tamis.base.errors import ConfigError
from tamis.database.scope import parse_scope
from tamis.judging.site import Site
from tamis.message.address import PLATFORM
from tamis.people.rights import Holder, Locks, Reach, may, visible
from tamis.people.token_scopes import RIGHT_OF, Token, TokenScope, narrowed
from tamis.store import Store
from tamis.web.api.problems import ProblemError, not_there
from tamis.web.person import Person
from tamis.web.visit import House

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's token, and the rights that it has within this request."""

    house: House
    token: Token
    site: Site
    holder: Holder
    locks: Locks

    @classmethod
    def of(cls, token: Token, house: House) -> Caller:
        """By what its maker may do now."""
        site = house.site()
        maker = _maker(token, house.store, site)
        return cls(house, token, site, narrowed(maker, token.scopes, token.domains), site.book.locks())

    @property
    def store(self) -> Store:
        """The durable store."""
        return self.house.store

    @property
    def by(self) -> str:
        """Who does it, for the audit trail, which names the token as well."""
        return self.token.maker

    def may(self, wanted: TokenScope, scope: str) -> bool:
        """Whether it may do that in the whole of a scope."""
        return wanted in self.token.scopes and may(self.holder, RIGHT_OF[wanted], scope, self.locks)

    def require(self, wanted: TokenScope, scope: str = PLATFORM) -> None:
        """Raises ProblemError, the same as for what is not there, where `may` says no."""
        if not self.may(wanted, scope):
            raise not_there()

    def visible(self, wanted: TokenScope, within: str = PLATFORM) -> Reach:
        """Where, inside a scope, it may do that: the condition of a list."""
        if wanted not in self.token.scopes:
            return Reach(frozenset())
        return visible(self.holder, RIGHT_OF[wanted], self.locks).within(within)

    def scope(self, text: str) -> str:
        """A scope as somebody wrote it, in its comparing form; an alias is its mailbox. Raises ProblemError."""
        try:
            scope = parse_scope(text)
        except ConfigError as error:
            raise ProblemError(422, f"in: {error.problem}") from None
        return self.site.book.policy(scope).mailbox if "@" in scope else scope

    def wait(self, call: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """The result of a coroutine, which runs on the process's loop while this thread waits."""
        return anyio.from_thread.run(call, *arguments)


def _maker(token: Token, store: Store, site: Site) -> Holder:
    """What the maker of a token may do at this moment: nothing, who is suspended."""
    known = store.people.find(token.maker)
    if known is not None and known.suspended:
        return Holder()
    return Person.of(token.maker, site, known.held() if known else ()).holder


_bearer = HTTPBearer(
    scheme_name="token",
    bearerFormat="tms_ID_SECRET",
    description="A token of `tamis token make` or of the page Me. Its scopes stand with each operation.",
    auto_error=False,
)


async def _caller(
    request: Request, wanted: SecurityScopes, _bearer: Annotated[object, Depends(_bearer)]
) -> Caller:
    """The caller, who must have the scopes that an operation names (RFC 6750 3.1)."""
    caller: Caller = request.state.caller
    missing = [one for one in wanted.scopes if one not in caller.token.scopes]
    if missing:
        needed = " ".join(missing)
        challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
        raise ProblemError(
            403, f"This token lacks the scope {needed}.", headers={"www-authenticate": challenge}
        )
    return caller


def needs(*scopes: TokenScope) -> Any:
    """The parameter of an operation by which it says which scopes it needs: `Annotated[Caller, needs(...)]`."""
    return Security(_caller, scopes=list(map(str, scopes)))

"""The console's page of the API: the tokens of who looks at it, and every operation with a command that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from types import MappingProxyType

from starlette.responses import Response

from tamis.base.errors import ConfigError
from tamis.language.translation import marked
from tamis.people.rights import Right
from tamis.people.token_scopes import RIGHT_OF, TokenScope
from tamis.web.api.assembly import PATH, schema
from tamis.web.api.described import Described, described
from tamis.web.console.console import Console
from tamis.web.rate_limits import CHANGES
from tamis.web.typed_numbers import typed_number
from tamis.web.visit import NOT_VALID, PageRefusedError

_HERE = "/api"
_MOST_DAYS = 999

SCOPE_WORDS: Mapping[TokenScope, str] = MappingProxyType(
    {
        TokenScope.STATISTICS_READ: marked("see numbers"),
        TokenScope.HISTORY_READ: marked("see what became of messages"),
        TokenScope.HELD_READ: marked("see what is held"),
        TokenScope.CONTENT_READ: marked("read held messages"),
        TokenScope.HELD_ACT: marked("deliver and delete held messages"),
        TokenScope.LISTS_READ: marked("see lists"),
        TokenScope.LISTS_WRITE: marked("change lists"),
        TokenScope.POLICY_READ: marked("see policy"),
        TokenScope.POLICY_WRITE: marked("change policy"),
        TokenScope.LEARN_WRITE: marked("teach the filter"),
        TokenScope.PLATFORM_READ: marked("see rules, clients and health of the platform"),
        TokenScope.PLATFORM_WRITE: marked("change rules and clients of the platform"),
        TokenScope.PEOPLE_ADMIN: marked("give rights, and see what was done (lasts a day)"),
    }
)
_WRONG = marked(
    "Please choose what the token is for, and between 1 and 365 days; one that gives rights lasts one."
)


def show(console: Console, *, secret: str = "", wrong: str = "", status: int = 200) -> Response:
    """The page. `secret` is a token that was just made, which is shown this once."""
    return console.render(
        "api.html",
        status=status,
        secret=secret,
        wrong=wrong,
        tokens=console.visit.store.api_tokens.list(console.holder.mailbox),
        offered=[(one, words) for one, words in SCOPE_WORDS.items() if _has(console, one)],
        scope_words=SCOPE_WORDS,
        operations=_operations(console.site.settings.web.url.rstrip("/") + PATH),
    )


def change(console: Console) -> Response:
    """Make a token, or end one: a code is asked for first."""
    visit, who = console.visit, console.holder.mailbox
    console.require_confirmed(_HERE)
    if visit.field("do") == "revoke":
        if not visit.store.api_tokens.revoke(visit.field("token"), by=who, maker=who):
            raise PageRefusedError(NOT_VALID)
        return console.redirect(_HERE)
    visit.spend(CHANGES, who)
    known = set(TokenScope)
    wanted = [TokenScope(one) for one in visit.fields("for") if one in known]
    days = typed_number(visit.field("days").strip(), most=_MOST_DAYS) or 0
    try:
        _, secret = visit.store.api_tokens.make(
            who,
            [one for one in wanted if _has(console, one)],
            [console.scope],
            name=visit.field("name"),
            lasting=timedelta(days=days),
            by=who,
        )
    except ConfigError:
        return show(console, wrong=_WRONG, status=422)
    return show(console, secret=secret)


def _has(console: Console, scope: TokenScope) -> bool:
    """Whether a token for the scope that is looked at would be of use."""
    right = RIGHT_OF[scope]
    return console.may(right) if right is Right.PLATFORM else bool(console.visible(right))


@cache
def _operations(url: str) -> tuple[Described, ...]:
    return tuple(described(schema(), url))

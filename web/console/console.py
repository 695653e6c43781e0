"""A visit to the console: who looks, at which scope, with which rights.

    request -> Visit (who is signed in) -> Holder (its grants) -> Console (scope of `?in=`, may, visible)
            -> a page's function        -> console/NAME.html in the console's frame

What is not there and what is not allowed are one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from tamis.base.errors import ConfigError
from tamis.database.scope import parse_scope
from tamis.judging.site import Site
from tamis.message.address import PLATFORM
from tamis.people.rights import Holder, Reach, Right, may, visible
from tamis.web.console.navigation import NAVIGATION, NavPage, belongs_to
from tamis.web.visit import NOT_HERE, NoAccessError, Page, StrengthError, Visit


@dataclass(frozen=True, slots=True)
class Needed:
    """For whom a page of the console is: who has a right somewhere, or for the whole platform; None: whoever was
    granted anything."""

    right: Right | None
    platform: bool = False


class Console:
    """One visit to the console."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.holder: Holder = visit.signed_in.holder
        if not self.holder.grants:
            weak = visit.session is not None and not visit.session.strong
            if weak and visit.at_full_strength(self.holder.mailbox).grants:
                raise StrengthError
            raise NoAccessError(NOT_HERE)
        self.locks = visit.site.book.locks()

    @property
    def site(self) -> Site:
        """Settings, policy and lists of this moment."""
        return self.visit.site

    @cached_property
    def scope(self) -> str:
        """What is looked at: `?in=` names the platform, a domain or a mailbox; without it, the widest that was
        granted. Raises NoAccessError on what is no scope, or not this person's."""
        wanted = self.visit.query("in")
        if not wanted:
            return self.holder.scopes[0]
        try:
            scope = parse_scope(wanted)
        except ConfigError:
            raise NoAccessError(NOT_HERE) from None
        if "@" in scope:
            scope = self.site.book.policy(scope).mailbox
        if scope != PLATFORM and not any(
            may(self.holder, right, scope, self.locks) for right in Right if right is not Right.PLATFORM
        ):
            raise NoAccessError(NOT_HERE)
        return scope

    def may(self, right: Right, scope: str = "") -> bool:
        """Whether this person may do that in the whole of a scope, of the one that is looked at by default."""
        return may(self.holder, right, scope or self.scope, self.locks)

    def require(self, right: Right, scope: str = "") -> None:
        """Raises NoAccessError, which tells nothing, where `may` says no."""
        if not self.may(right, scope):
            raise NoAccessError(NOT_HERE)

    def require_confirmed(self, back: str = "") -> None:
        """Before what is worth more than a cookie: a code must have been given within the last 15 minutes. Raises
        CodeError, which leads to the form for one and then to `back`, a path of the console ("" for the page that is
        asked for)."""
        here = urlencode({"in": self.scope}, safe="@")
        self.visit.require_code(f"/admin{back}?{here}" if back else self.visit.asked)

    def visible(self, right: Right) -> Reach:
        """Where in the scope that is looked at this person may do that: the condition of a list."""
        return visible(self.holder, right, self.locks).within(self.scope)

    def seen(self, places: Sequence[NavPage]) -> list[NavPage]:
        """The pages of the navigation that are for this person."""
        return [
            one
            for one in places
            if (
                may(self.holder, one.right, PLATFORM)
                if one.platform
                else visible(self.holder, one.right, self.locks).scopes
            )
        ]

    def path(self, path: str, **query: str) -> str:
        """A page of the console, in the scope that is looked at unless `in` says another."""
        return self.visit.path(f"/admin{path}", **({"in": self.scope} | query))

    def render(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page from console/TEMPLATE, to which `console` and `here` (a path of the console) are known."""
        known = {
            "console": self,
            "here": self.path,
            "navigation": NAVIGATION,
            "Right": Right,
            "belongs_to": belongs_to,
        }
        return self.visit.render(f"console/{template}", status=status, **(known | values))

    def redirect(self, path: str, **query: str) -> RedirectResponse:
        """To another page of the console, to be asked for by GET."""
        return self.visit.redirect(f"/admin{path}", **({"in": self.scope} | query))


def console_page(right: Right, answer: Callable[[Console], Response], *, platform: bool = False) -> Page:
    """A page of the console for who has a right somewhere in the scope that is looked at; with `platform`, for who
    has it for the whole platform."""

    def show(visit: Visit) -> Response:
        console = Console(visit)
        if platform:
            console.require(right, PLATFORM)
        elif not console.visible(right).scopes:  # the own mailbox alone is what /mail is for
            raise NoAccessError(NOT_HERE)
        return answer(console)

    show.__name__ = getattr(answer, "__name__", "console")
    show.__dict__["needed"] = Needed(right, platform)
    return show


def own_page(answer: Callable[[Console], Response]) -> Page:
    """A page of the console that is about who looks at it."""

    def show(visit: Visit) -> Response:
        return answer(Console(visit))

    show.__name__ = getattr(answer, "__name__", "console")
    show.__dict__["needed"] = Needed(None)
    return show

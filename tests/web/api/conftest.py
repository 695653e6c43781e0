"""An installation with its API, and tokens of people with different rights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tamis.message.address import PLATFORM
from tamis.people.token_scopes import TokenScope
from tamis.web.api.assembly import PATH
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, Answer, Pages, Visitor

OTHER_ADMIN = "chief@example.org"


@dataclass(frozen=True)
class Api:
    """A program that has a token."""

    pages: Pages
    token: str

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; what is no octets is sent as JSON."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        given = sent | dict(headers or {})
        return Visitor(self.pages).request(method, f"{PATH}{path}", octets, given)

    def get(self, path: str) -> Any:
        """What a path answers, which must be good."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.text
        return json.loads(answer.body)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """Send something."""
        return self.ask("POST", path, body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def token_of(pages: Pages, maker: str, *scopes: TokenScope, domain: str = PLATFORM) -> Api:
    """A program with a token of somebody's, for everything unless scopes are named."""
    wanted = scopes or tuple(TokenScope)
    _, written = pages.store.api_tokens.make(
        maker, wanted, [domain], name="test", lasting=timedelta(hours=1), by="test"
    )
    return Api(pages, written)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The pages of an installation, for all tests of a file."""
    people = {ADMIN: ["example.com"], PLATFORM_ADMIN: ["platform"], OTHER_ADMIN: ["example.org"]}
    with Pages(tmp_path_factory.mktemp("api"), {"web": {"administrators": people}}) as serving:
        yield serving


@pytest.fixture(scope="module")
def api(pages: Pages) -> Api:
    """The program of an owner of example.com."""
    return token_of(pages, ADMIN)


@pytest.fixture(scope="module")
def platform(pages: Pages) -> Api:
    """The program of an owner of the platform."""
    return token_of(pages, PLATFORM_ADMIN)

"""Each command on the page of the API does what it says, as it stands there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.docs.generate import DOCS
from tests.web.api.conftest import Api, token_of
from tests.web.pages import ADMIN, MARIE, Pages
from tests.web.samples import message

PAGE = (DOCS / "api.md").read_text()
HOST = "https://mail.example.com/api/v1"
HELD = "01JDX3A8Y0000000000000000A"


def commands() -> Iterator[str]:
    """The lines with curl in the page's examples."""
    for block in re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE):
        yield from (line for line in block.replace("\\\n", "").splitlines() if line.startswith("curl "))


def test_there_are_examples() -> None:
    assert len(list(commands())) >= 7


@pytest.mark.parametrize(
    "command", list(commands()), ids=lambda line: line.rpartition("/api/v1")[2].strip("'")
)
def test_an_example_works(pages: Pages, command: str) -> None:
    held = pages.hold(message(len(command), recipient=MARIE), b"Subject: x\r\n\r\nx\r\n")
    api = token_of(pages, ADMIN)
    words = shlex.split(command.replace("$TAMIS_TOKEN", api.token).replace(HELD, held))
    headers, method, body, (path,) = read(words[1:])
    assert headers.pop("Authorization") == f"Bearer {api.token}"
    answer = Api(pages, api.token).ask(method, path.removeprefix(HOST), body, headers=headers)
    assert answer.status in (200, 201, 202), answer.text
    assert answer.body if path.partition("?")[0].endswith(".toml") else json.loads(answer.body)


def read(words: list[str]) -> tuple[dict[str, str], str, bytes | None, list[str]]:
    """Headers, method, body and addresses of a curl command, of the options that the page uses."""
    headers: dict[str, str] = {}
    method, body = "", None
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "-H":
            name, _, value = next(waiting).partition(": ")
            headers[name] = value
        elif word == "-X":
            method = next(waiting)
        elif word == "--data":
            body = next(waiting).encode()
        elif word != "-i":
            rest.append(word)
    return headers, method or ("GET" if body is None else "POST"), body, rest

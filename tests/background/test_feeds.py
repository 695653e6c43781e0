"""The lists of complaints: read, kept when the next one is no good, published at once."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tamis.background import feeds
from tamis.background.feeds import Feeds, fetch, fetch_all, parse
from tamis.base.breaker import Breakers
from tamis.base.errors import FeedError
from tamis.filters.sender_complaints import GENERATION, entry_key
from tests.memory_state import MemoryState


def test_a_list_is_addresses_and_domains() -> None:
    content = (
        b"\xef\xbb\xbf# comment\n; other\n\nBad.Example.NET\n*.worse.example.net  # note\n"
        b"Someone@Example.org, 2026-01-01\nexample.com extra\nnot a domain?\n"
    )
    assert parse(content) == [
        "bad.example.net",
        "worse.example.net",
        "someone@example.org",
        "example.com",
    ]


def test_an_error_page_is_no_list() -> None:
    with pytest.raises(FeedError, match="not a list of addresses and domains"):
        parse(b"<html>\n<body>\n<h1>404</h1>\n</body></html>\n")


def published(state: MemoryState, pattern: str) -> str | None:
    async def look() -> str | None:
        generation = await state.get(GENERATION)
        return None if generation is None else await state.get(entry_key(generation, pattern))

    return asyncio.run(look())


def settle(lists: Feeds, source: str, state: MemoryState) -> None:
    """As many steps as a fetch takes."""
    until = time.monotonic() + 20
    asyncio.run(lists.step([source], 60, state))
    while lists._fetching is not None:
        assert time.monotonic() < until
        asyncio.run(lists.step([source], 60, state))


def test_the_last_good_list_stays(tmp_path: Path) -> None:
    source, state = tmp_path / "list.txt", MemoryState()
    lists = Feeds(tmp_path / "feeds")
    source.write_text("bad.example.net\n")
    settle(lists, str(source), state)
    assert published(state, "bad.example.net") == "list.txt"
    for content in ("", "<html>\n<p>\n"):
        source.write_text(content)
        lists._due = 0
        settle(lists, str(source), state)
        assert published(state, "bad.example.net") == "list.txt"
    source.unlink()
    lists._due = 0
    settle(lists, str(source), state)
    assert published(state, "bad.example.net") == "list.txt"
    source.write_text("other.example.net\n")
    lists._due = 0
    settle(lists, str(source), state)
    assert published(state, "bad.example.net") is None
    assert published(state, "other.example.net") == "list.txt"


def test_a_state_that_lost_them_is_filled_again(tmp_path: Path) -> None:
    source, state = tmp_path / "list.txt", MemoryState()
    source.write_text("bad.example.net\n")
    lists = Feeds(tmp_path / "feeds")
    settle(lists, str(source), state)
    asyncio.run(state.drop(GENERATION))
    settle(lists, str(source), state)
    assert published(state, "bad.example.net") == "list.txt"


def test_nothing_is_published_while_nothing_was_ever_read(tmp_path: Path) -> None:
    state, lists = MemoryState(), Feeds(tmp_path / "feeds")
    settle(lists, str(tmp_path / "nothing"), state)
    assert asyncio.run(state.get(GENERATION)) is None


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with a list, an error, or half of what it announced."""

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "1000" if self.path == "/broken" else "16")
        self.end_headers()
        self.wfile.write(b"bad.example.net\n")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of an HTTP server on the loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_list_from_a_url(server: str, tmp_path: Path) -> None:
    assert fetch(f"{server}/list") == b"bad.example.net\n"
    with pytest.raises(OSError, match="404"):
        fetch(f"{server}/missing")
    with pytest.raises(FeedError, match="broke off"):
        fetch(f"{server}/broken")
    fetch_all(tmp_path, [f"{server}/missing", f"{server}/list", "file:///etc/passwd"], Breakers())
    assert len(list(tmp_path.iterdir())) == 1


def test_a_list_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MAX_OCTETS", 10)
    path = tmp_path / "list"
    path.write_text("bad.example.net\n")
    with pytest.raises(FeedError, match="more than"):
        fetch(str(path))


_STEP = """
import asyncio, sys
from pathlib import Path
from tamis.background import feeds
from tests.memory_state import MemoryState
feeds._READ_SECONDS = 3600
asyncio.run(feeds.Feeds(Path(sys.argv[1])).step([sys.argv[2]], 60, MemoryState()))
input()
"""


def test_a_list_that_hangs_holds_up_no_end_of_the_process(tmp_path: Path) -> None:
    """It would hang for an hour; the process ends when it is told to, while the list is asked."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"http://127.0.0.1:{silent.getsockname()[1]}/list"
        command = [sys.executable, "-c", _STEP, str(tmp_path), source]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as running:
            asked, _ = silent.accept()
            with asked:
                assert asked.recv(100)
                running.communicate(b"end\n", timeout=60)
        assert running.returncode == 0


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Leads to what the path names behind /to/."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.path.partition("/to/")[2])
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def redirecting() -> Iterator[str]:
    """The address of a server that redirects."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/to/"
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:1/list",
        "http://[::1]:1/list",
        "http://[::ffff:127.0.0.1]:1/list",
        "http://[64:ff9b::7f00:1]:1/list",
        "http://2130706433:1/list",
        "http://0:1/list",
        "http://10.0.0.1/list",
        "ftp://203.0.113.1/list",
        "file:///etc/passwd",
        "gopher://203.0.113.1/",
        "",
    ],
)
def test_no_redirect_leads_inside_or_out_of_the_web(redirecting: str, target: str) -> None:
    with pytest.raises(FeedError, match=r"no public address|no web address"):
        fetch(redirecting + target)


def test_no_redirect_leads_to_another_server_of_ours(redirecting: str, server: str) -> None:
    """The operator wrote the first one's address, not this one's."""
    with pytest.raises(FeedError, match=r"127\.0\.0\.1, which is no public address"):
        fetch(f"{redirecting}{server}/list")


def test_redirects_end(redirecting: str) -> None:
    with pytest.raises(FeedError, match="more than 5 redirects"):
        fetch(f"{redirecting}/to/" * 20)


def test_a_name_that_leads_inside_is_not_followed(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the name of a list can point it anywhere."""
    port = int(server.rpartition(":")[2])

    def resolve(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(FeedError, match=r"lists\.example leads to 127\.0\.0\.1"):
        fetch(f"http://lists.example:{port}/list")


@pytest.mark.parametrize("source", ["ftp://203.0.113.1/list", "file:///etc/passwd", "HTTPS+x://a.example/"])
def test_other_schemes_are_not_tried(source: str) -> None:
    with pytest.raises(FeedError, match="only files, http and https"):
        fetch(source)


def test_entries_that_accuse_too_many_are_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "list.txt"
    broad = ["gmail.com", "co.uk", "*.uk", "com", "own.example.org", "example.org", "boss@own.example.org"]
    source.write_text("\n".join([*broad, "bad.example.net", "someone@gmail.com", "shop.example.co.uk"]))
    fetch_all(tmp_path / "kept", [str(source)], Breakers(), frozenset({"own.example.org"}))
    (kept,) = (tmp_path / "kept").iterdir()
    assert json.loads(kept.read_text()) == ["bad.example.net", "shop.example.co.uk", "someone@gmail.com"]
    assert "5 entries are left out" in caplog.text
    assert "gmail.com" in caplog.text

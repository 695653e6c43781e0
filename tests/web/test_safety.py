"""Who means harm: forged links and forms, floods, hostile words, and what errors tell."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.types import Receive, Scope, Send

from tamis.base.tokens import Purpose, Tokens
from tamis.challenge.captcha import network_of
from tamis.database.connection import Database
from tamis.database.schema import Base
from tamis.message.envelope import IPAddress
from tamis.quarantine.records import HeldState
from tamis.settings import WebSettings
from tamis.web.guard import MAX_BODY, MAX_FIELDS, LastHop
from tamis.web.rate_limits import PASSWORDS_OF_ADDRESS, WRONG_TOKENS
from tamis.web.rendering import HERE
from tests.web.pages import JEAN, MARIE, Answer, Pages, Visitor
from tests.web.samples import NOW, content, message

WANTED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
INSIDE = re.compile(
    r"Traceback|tamis\.(?!css|svg)|sqlalchemy|sqlite|/work/|\.py\b|Starlette|uvicorn", re.IGNORECASE
)


def tables(pages: Pages, *, but: tuple[str, ...] = ()) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the store."""
    with contextlib.closing(Database(pages.settings.store_url)) as database, database.read() as session:
        return {
            table.name: sorted(map(tuple, session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
            if table.name not in but
        }


def everything(pages: Pages) -> Iterator[tuple[str, str, Answer]]:
    """An answer of every kind: pages, files, redirects, errors, refusals."""
    number = pages.hold(message(), content(html="<p>x</p>"))
    token = pages.token(Purpose.ACTION, number)
    link = pages.token(Purpose.SIGN_IN, MARIE, "x")
    marie, guest = pages.visitor(MARIE), pages.visitor()
    for path in ("/mail", f"/mail/{number}", f"/mail/{number}/formatted", "/lists", "/settings", "/mail?q=x"):
        yield "GET", path, marie.get(path)
        yield "GET", path, guest.get(path)
        yield "PUT", path, marie.request("PUT", path)
        yield "POST", path, marie.post(path, {"verb": "deliver"})
    for path in (
        "/",
        "/sign-in",
        f"/a/{token}",
        f"/sign-in/{link}",
        "/a/x",
        "/sign-in/x",
        "/c/x",
        "/c/x/image",
    ):
        yield "GET", path, guest.get(path)
        yield "HEAD", path, guest.get(path, method="HEAD")
        yield "OPTIONS", path, guest.get(path, method="OPTIONS")
    for path in (
        "/static/tamis.css",
        "/static/keys.js",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/",
    ):
        yield "GET", path, guest.get(path)
    for path in (
        "/mail/" + "x" * 5000,
        "/%00",
        "/%ff",
        "/\\..\\",
        "//evil.example/",
        "/mail?box=%00&q=%ff&before=%00",
    ):
        yield "GET", path, marie.get(path)
    for path in (
        "/sign-in",
        "/undo",
        "/sign-out",
        "/lists",
        "/settings",
        "/c/x",
        "/c/x/work",
        f"/a/{token}x",
    ):
        yield "POST", path, guest.post(path)


def test_the_headers_go_on_every_answer_and_errors_tell_nothing(pages: Pages) -> None:
    seen = set()
    for method, path, answer in everything(pages):
        seen.add(answer.status)
        assert answer.status < 500, (method, path)
        for name, value in WANTED.items():
            assert answer.headers.get(name) == value, (method, path, name)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith(("default-src 'none'", "sandbox; default-src 'none'")), (method, path)
        assert "unsafe-inline" not in policy or path.endswith("/formatted")
        assert "unsafe-eval" not in policy
        wanted = (
            "public, max-age=3600" if path.startswith("/static/t") or path.endswith(".js") else "no-store"
        )
        assert answer.headers["cache-control"] == wanted, (method, path)
        assert "server" not in answer.headers
        if answer.status >= 400:
            assert not INSIDE.search(answer.text), (method, path, answer.text)
        assert "evil.example" not in answer.location
    assert {200, 303, 403, 404, 405, 414} <= seen


def test_a_failure_of_ours_tells_nothing(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    marie = pages.visitor(MARIE)
    with monkeypatch.context() as broken:
        broken.setattr(pages.store.quarantine, "list", lambda *_, **__: 1 / 0)
        answer = marie.get("/mail")
    assert (answer.status, "Something went wrong here" in answer.text) == (500, True)
    assert not INSIDE.search(answer.text)
    assert "ZeroDivision" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_lost_store_is_said_without_its_name(pages: Pages) -> None:
    marie = pages.visitor(MARIE)
    with contextlib.closing(Database(pages.settings.store_url)) as database, database.write() as session:
        session.execute(Base.metadata.tables["web_sessions"].delete())
        session.connection().exec_driver_sql("DROP TABLE web_sessions")
    answer = marie.get("/mail")
    assert (answer.status, "This can&#39;t be done now" in answer.text) == (503, True)
    assert not INSIDE.search(answer.text)
    assert "web_sessions" not in answer.text


def test_cookies_are_kept_from_scripts_and_other_sites(tmp_path: Path) -> None:
    with Pages(tmp_path, {"web": {"url": "https://mail.example.com/tamis"}}) as pages:
        guest = pages.visitor()
        form = guest.get("/sign-in")
        assert form.headers["strict-transport-security"] == "max-age=31536000"
        assert 'action="/tamis/sign-in"' in form.text
        token = pages.token(Purpose.SIGN_IN, MARIE, "x")
        signed_in = guest.post(f"/sign-in/{token}", csrf=form.field("csrf"))
        assert signed_in.location == "/tamis/mail"
        for cookie in (form.headers["set-cookie"], signed_in.headers["set-cookie"]):
            flags = {part.strip().lower() for part in cookie.split(";")}
            assert {"secure", "httponly", "samesite=lax", "path=/tamis"} <= flags


def test_forms_of_others_are_refused(pages: Pages) -> None:
    number = pages.hold(message(), content())
    marie, thief = pages.visitor(MARIE), pages.visitor("thief@example.com")
    own, stolen = marie.get("/mail").field("csrf"), thief.get("/mail").field("csrf")
    before = tables(pages)
    for path, fields in (
        (f"/mail/{number}", {"verb": "deliver"}),
        ("/lists", {"sender": "evil@example.net", "colour": "white"}),
        ("/settings", {"digest": "17:00"}),
        ("/sign-out", {}),
    ):
        for proof in ("", stolen, own[:-1], own.upper(), "\0"):
            assert marie.post(path, {**fields, "csrf": proof}).status == 403, (path, proof)
        cross = marie.request(
            "POST", path, f"csrf={own}&verb=deliver".encode(), {"Sec-Fetch-Site": "cross-site"}
        )
        assert cross.status == 403
    assert tables(pages) == before
    assert marie.post(f"/mail/{number}", {"csrf": own, "verb": "deliver"}).status == 303


def _tokens(pages: Pages, purpose: Purpose, *words: str) -> dict[str, str]:
    """Every kind of token that is no good for a purpose."""
    good = pages.token(purpose, *words)
    others = [one for one in Purpose if one is not purpose]
    return {
        "forged": Tokens(b"x" * 32).make(purpose, *words, expires=NOW + timedelta(days=1)),
        "truncated": good[:-4],
        "extended": good + "AAAA",
        "expired": pages.token(purpose, *words, lasting=timedelta(seconds=-1)),
        **{f"of {one}": pages.token(one, *words) for one in others},
        "other words": pages.token(purpose, *words).replace(good[:12], good[1:13]),
        "nothing": "x",
        "long": "x" * 900,
    }


@pytest.mark.parametrize("purpose", [Purpose.ACTION, Purpose.SIGN_IN, Purpose.CHALLENGE])
def test_wrong_tokens_are_refused_alike(pages: Pages, purpose: Purpose) -> None:
    number = pages.hold(message(), content())
    gone = pages.hold(message(2), content())
    where, words = {
        Purpose.ACTION: ("/a/", (MARIE, number, "deliver")),
        Purpose.SIGN_IN: ("/sign-in/", (MARIE, "nonce")),
        Purpose.CHALLENGE: ("/c/", ("01M8AJYGJ4XMYYWDKT89XS3ZSA",)),
    }[purpose]
    tokens = _tokens(pages, purpose, *words)
    if purpose is Purpose.ACTION:
        tokens["another's message"] = pages.token(purpose, JEAN, number, "deliver")
        tokens["unknown message"] = pages.token(purpose, MARIE, "01M8AJYGJ4XMYYWDKT89XS3ZSA", "deliver")
        tokens["unknown verb"] = pages.token(purpose, MARIE, gone, "explode")
        tokens["unknown message, short"] = pages.token(purpose, "01M8AJYGJ4XMYYWDKT89XS3ZSA")
    if purpose is Purpose.CHALLENGE:
        tokens["unknown challenge"] = pages.token(purpose, *words)
    before = tables(pages)
    guest = pages.visitor()
    proof = guest.get("/sign-in").field("csrf")
    answers = {}
    for kind, token in tokens.items():
        for method in ("GET", "POST"):
            form = f"csrf={proof}&verb=deliver&code=x".encode() if method == "POST" else b""
            answer = guest.request(method, where + token, form)
            answers[kind, method] = (answer.status, re.sub(r"\?lang=", "", answer.text))
    assert {status for status, _ in answers.values()} == {404}
    assert len({text for _, text in answers.values()}) == 1, answers
    assert tables(pages) == before
    assert pages.postbox.got == []
    if purpose is Purpose.ACTION:
        assert guest.get(f"/a/{pages.token(purpose, gone)}?do=explode").status == 404


def test_guessing_has_a_budget_and_others_are_not_affected(pages: Pages) -> None:
    number = pages.hold(message(), content())
    good = pages.token(Purpose.ACTION, number)
    guesser = pages.visitor(**{"X-Forwarded-For": "203.0.113.7"})
    statuses = [guesser.get(f"/a/{good[:-5]}{n:05}").status for n in range(WRONG_TOKENS.most + 20)]
    assert statuses == [404] * WRONG_TOKENS.most + [429] * 20
    neighbour = pages.visitor(**{"X-Forwarded-For": "203.0.113.99"})  # of the same /24
    assert neighbour.get("/a/x").status == 429
    other = pages.visitor(**{"X-Forwarded-For": "198.51.100.7"})
    assert other.get("/a/x").status == 404
    assert guesser.get(f"/a/{good}").status == 200  # who has a right still has it


def test_only_proxies_are_believed(tmp_path: Path) -> None:
    with Pages(tmp_path, {"web": {"trusted_proxies": ["192.0.2.0/24"], "requests": 20}}) as pages:
        statuses = [
            pages.visitor(**{"X-Forwarded-For": f"203.0.{n}.7"}).get("/sign-in").status for n in range(40)
        ]
        assert statuses == [200] * 20 + [429] * 20


def test_opening_links_changes_nothing(pages: Pages) -> None:
    """Programs that look at mail open every link, some of them often."""
    number = pages.hold(message(), content(html="<p>x</p>"))
    _, challenge = pages.store.challenges.hold_asked(message(2), content(), language="en", authenticated=True)
    links = [
        *(f"/a/{pages.token(Purpose.ACTION, number)}?do={v}" for v in ("deliver", "allow", "delete", "spam")),
        f"/sign-in/{pages.token(Purpose.SIGN_IN, MARIE, 'x')}",
        f"/c/{pages.token(Purpose.CHALLENGE, challenge)}",
    ]
    before = tables(pages)
    scanner = pages.visitor(**{"User-Agent": "scanner"})
    for link in links:
        for _ in range(50):
            assert scanner.get(link).status == 200
            assert scanner.get(link, method="HEAD").status == 200
    assert tables(pages) == before
    own = [
        "/",
        "/mail",
        f"/mail/{number}",
        f"/mail/{number}/formatted",
        "/lists",
        "/settings",
        "/sign-out",
        "/undo",
    ]
    marie = pages.visitor(MARIE)
    before = tables(pages, but=("audit",))
    for link in own * 5:
        marie.get(link)
    assert tables(pages, but=("audit",)) == before
    assert {d.action for d in pages.store.trail.about(number)} == {"preview"}
    assert pages.postbox.got == []


def test_requests_have_bounds(pages: Pages) -> None:
    marie = pages.visitor(MARIE)
    assert marie.request("POST", "/lists", b"x=" + b"a" * MAX_BODY).status == 413
    assert marie.request("POST", "/lists", b"a=b&" * (MAX_FIELDS + 1)).status == 400
    assert marie.request("POST", "/lists", b"\xff\xfe").status == 400
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    assert marie.request("POST", "/lists", b"--x", multipart).status == 415
    assert marie.get("/mail?q=" + "a" * 2000).status == 414
    with socket.create_connection(("127.0.0.1", pages.port)) as flood, contextlib.suppress(ConnectionError):
        flood.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 300_000)  # a header without end
        assert flood.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "said", [b"", b"GET /sign-in HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
def test_who_does_not_say_what_it_wants_keeps_no_place(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("tamis.web.serving.HEAD_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", pages.port), timeout=8) as silent:  # kept alive for 10 s
        silent.sendall(said)
        while silent.recv(10_000):
            pass


def test_a_form_that_does_not_arrive_is_given_up(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.web.guard.BODY_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", pages.port)) as slow:
        slow.sendall(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na")
        assert b" 408 " in slow.recv(1000)


def test_templates_take_only_what_stands_in_them_for_safe() -> None:
    """What `_(...)` says is not escaped: it may be a literal, never a variable."""
    for template in (HERE / "templates").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert re.findall(r"""\b_\((?!["'])""", text) == [], template.name
        assert re.findall(r"\|\s*safe", text) == (["|safe"] if template.name == "formatted.html" else [])
        assert re.findall(r"<script(?! src)|<style|\sstyle=|\son[a-z]+=", text) == (
            ["<style"] if template.name == "formatted.html" else []
        ), template.name


def test_a_late_undo_is_refused(pages: Pages) -> None:
    number = pages.hold(message(), content())
    late = pages.token(Purpose.UNDO, MARIE, "delete", number, "0", "", lasting=timedelta(seconds=-1))
    pages.store.quarantine.delete(number, MARIE)
    guest = pages.visitor()
    assert guest.post("/undo", deed=late).status == 404
    record = pages.store.quarantine.get(number)
    assert record is not None
    assert record.summary.state is HeldState.DELETED


def test_looking_takes_bounded_time(pages: Pages) -> None:
    """HTML that is made to keep a parser busy."""
    hostile = "<div>" * 200_000 + "<table><tr><td>" * 50_000
    number = pages.hold(message(), content(html=hostile))
    marie: Visitor = pages.visitor(MARIE)
    began = time.process_time()
    assert marie.get(f"/mail/{number}").status == 200
    assert marie.get(f"/mail/{number}/formatted").status == 200
    assert time.process_time() - began < 20  # it was 36 s for half of it without the bound


@pytest.mark.parametrize(
    ("said", "network"),
    [
        ([], "unknown"),
        (["192.0.2.7"], "192.0.2.0/24"),
        (["198.51.100.1, 192.0.2.7"], "192.0.2.0/24"),
        (["198.51.100.1", "192.0.2.7"], "192.0.2.0/24"),
        (["192.0.2.7, rubbish"], "unknown"),
    ],
)
def test_a_proxy_on_a_unix_socket_says_who_came_last(said: list[str], network: str) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(network_of(scope["client"][0]))

    headers = [(b"x-forwarded-for", one.encode()) for one in said]
    asyncio.run(LastHop(app)({"type": "http", "headers": headers, "client": None}, None, None))  # type: ignore[arg-type]
    assert seen == [network]


@pytest.mark.parametrize(
    ("url", "said", "told"),
    [
        ("https://mail.example.com", {}, 1),
        ("https://mail.example.com", {"X-Forwarded-For": "192.0.2.7"}, 0),
        ("http://127.0.0.1:8898", {}, 0),
    ],
)
def test_a_proxy_that_does_not_say_who_comes_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, url: str, said: dict[str, str], told: int
) -> None:
    """All visitors would share the limits of one: a stranger could shut everybody out."""
    with Pages(tmp_path, {"web": {"url": url}}) as pages:
        for _ in range(3):
            assert pages.visitor(**said).get("/sign-in").status == 200
    assert caplog.text.count("can't be told apart") == told


def test_passwords_at_the_same_moment_are_counted_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def accepts(settings: WebSettings, mailbox: str, password: str, client: IPAddress) -> bool:
        asked.append(password)
        time.sleep(0.2)  # as Dovecot does after a wrong one
        return password == "right"

    monkeypatch.setattr("tamis.web.signing_in.imap_accepts", accepts)
    with Pages(tmp_path, {"web": {"imap": "imaps://localhost"}}) as pages:
        guest = pages.visitor()
        csrf = guest.get("/sign-in").field("csrf")

        def attempt(password: str) -> int:
            form = {"csrf": csrf, "address": MARIE, "how": "password", "password": password}
            return guest.post("/sign-in", form).status

        for _ in range(PASSWORDS_OF_ADDRESS.most + 1):
            assert (
                pages.visitor().submit("/sign-in", address=MARIE, how="password", password="right").status
                == 303
            )
        asked.clear()
        with ThreadPoolExecutor(30) as many:
            answers = Counter(many.map(attempt, ["wrong"] * 30))
    assert len(asked) == answers[403] == PASSWORDS_OF_ADDRESS.most
    assert answers[429] == 30 - PASSWORDS_OF_ADDRESS.most

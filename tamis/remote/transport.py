"""Requests to the API of a Tamis: one way, with its bounds."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from tamis.base.errors import ConfigError, RemoteError, TamisError

PATH = "/api/v1"
MAX_ANSWER = 64 * 1024 * 1024
"""Octets of an answer; the longest is a message. Beyond: refused."""
_TIMES = urllib3.Timeout(connect=10, read=90)
_TRIES = 3
_TRY_AGAIN = (429, 502, 503, 504)
_LONGEST_WAIT = 30.0


class ApiTransport:
    """The API at a URL (the address of the pages), used with a token. Raises ConfigError on a URL that can't be used:
    without HTTPS a token goes to this machine alone."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("--url", "", "must be the address of the pages, as https://mail.example.com")
        if parts.scheme == "http" and not local:
            raise ConfigError("--url", "", "must be https: a token is not sent in the clear")
        self._root = url.rstrip("/") + PATH
        self._headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        self._pool = urllib3.PoolManager(timeout=_TIMES, retries=False)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The octets of an answer; a body of octets goes as it is, all others as JSON. What changes
        something has a key, so that asking again after a lost answer does nothing twice. Raises RemoteError."""
        asked = urlencode({name: value for name, value in (query or {}).items() if value not in (None, "")})
        sent = dict(self._headers) | dict(headers or {})
        octets = None
        if body is not None:
            octets = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        if method != "GET":
            sent["idempotency-key"] = uuid.uuid4().hex
        for tries_left in reversed(range(_TRIES)):
            try:
                return self._once(method, f"{self._root}{path}{'?' if asked else ''}{asked}", octets, sent)
            except _LaterError as error:
                if not tries_left:
                    raise RemoteError(error.status, str(error)) from error
                time.sleep(min(error.seconds, _LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    def get(self, path: str, **query: object) -> Any:
        """What a path answers. Raises RemoteError."""
        return self._read(self.ask("GET", path, query=query))

    def send(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """What comes of a change. Raises RemoteError."""
        return self._read(self.ask(method, path, body, headers=headers))

    def _once(self, method: str, url: str, octets: bytes | None, headers: Mapping[str, str]) -> bytes:
        try:
            with self._pool.request(
                method, url, octets, headers=headers, preload_content=False, redirect=False
            ) as answer:
                body = answer.read(MAX_ANSWER + 1)
                status, wait = answer.status, answer.headers.get("retry-after", "")
        except HTTPError as error:
            raise _LaterError(0, f"{self._root} does not answer: {error}", 1.0) from error
        if len(body) > MAX_ANSWER:
            raise RemoteError(status, f"the answer has more than {MAX_ANSWER} octets")
        if status < 300:
            return body
        detail = f"{self._root} says {status}: {_detail(body)}"
        if status in _TRY_AGAIN:
            raise _LaterError(status, detail, float(wait) if wait.isdecimal() else 1.0)
        raise RemoteError(status, detail)

    @staticmethod
    def _read(body: bytes) -> Any:
        try:
            return json.loads(body) if body else None
        except ValueError as error:
            raise RemoteError(200, "the answer is no JSON: is this the address of a Tamis?") from error


class _LaterError(TamisError):
    """Worth another try, in so many seconds."""

    def __init__(self, status: int, detail: str, seconds: float) -> None:
        super().__init__(detail)
        self.status, self.seconds = status, seconds


def step(text: str) -> str:
    """A part of a path, whatever stands in it."""
    return quote(text, safe="")


def _detail(body: bytes) -> str:
    """The sentence of a problem (RFC 9457), with what is wrong where."""
    try:
        told = json.loads(body)
        wrong = [f"{one['at']}: {one['problem']}" for one in told.get("errors", ())]
        return "; ".join([str(told["detail"]), *wrong])[:2000]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "no problem in words"

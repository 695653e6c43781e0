"""The pages served in this process, on a store of their own; Postfix is a listener that keeps what it is given."""

from __future__ import annotations

import asyncio
import http.client
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tamis.base.tokens import Purpose
from tamis.contract.filter import Filter
from tamis.database.overrides import checker
from tamis.installation.listener import listen
from tamis.judging.site import Site
from tamis.quarantine.records import HeldMessage
from tamis.settings import SettingsFile, SocketAddress
from tamis.store import Store
from tamis.web.serving import make_house, make_server
from tamis.web.visit import SESSION
from tests.builders import FILTERS
from tests.desk.smtp import Listener
from tests.fresh_store import lay_down
from tests.real.daemon import to_toml
from tests.real.support import LOOPBACK, free_port, wait_until

MARIE, JEAN, ADMIN = "marie@example.com", "jean@example.com", "admin@example.com"
CODE = "472904"


@dataclass(frozen=True)
class Answer:
    """What a page answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The page."""
        return self.body.decode("utf-8")

    @property
    def location(self) -> str:
        """Where it sends one."""
        return self.headers.get("location", "")

    def field(self, name: str) -> str:
        """The value of the first hidden field of a name."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name} in {self.text[:2000]}"
        return unescape(found[1])


@dataclass
class Visitor:
    """A browser without scripts: it keeps cookies, and follows nothing by itself."""

    pages: Pages
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, *, method: str = "GET") -> Answer:
        """Open a page."""
        return self.request(method, path)

    def post(self, path: str, form: Mapping[str, str | Sequence[str]] | None = None, **more: str) -> Answer:
        """Send a form."""
        body = urlencode({**(form or {}), **more}, doseq=True)
        return self.request("POST", path, body.encode())

    def submit(self, page: str, path: str = "", **fields: str) -> Answer:
        """Open a page, and send a form of its with its proof of where it comes from."""
        return self.send(page, fields, path)

    def send(self, page: str, form: Mapping[str, str | Sequence[str]], path: str = "") -> Answer:
        """As `submit`, of a form that may have several fields of a name."""
        return self.post(path or page, {"csrf": self.get(page).field("csrf"), **form})

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request."""
        path = path.removeprefix(self.pages.url)
        sent = dict(self.headers)
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(LOOPBACK, self.pages.port, timeout=30)
        try:
            connection.request(method, path, body or None, sent | dict(headers or {}))
            response = connection.getresponse()
            for line in response.msg.get_all("set-cookie", []):
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value.strip('"')
            got = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, got, response.read())
        finally:
            connection.close()


class Pages:
    """The pages of one installation. `settings` are merged over what the tests need."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any] | None = None,
        filters: Sequence[Filter[Any]] = FILTERS,
    ) -> None:
        self._filters = filters
        self.postbox = Listener()
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        given: dict[str, Any] = {
            "state_directory": str(folder),
            "run_directory": str(folder),
            "platform": {"domains": ["example.com", "example.org"]},
            "dns": {"servers": [f"{LOOPBACK}:9"]},  # where nobody is
            "desk": {"reinject": self.postbox.address},
            "web": {
                "listen": f"inet:{LOOPBACK}:{self.port}",
                "url": self.url,
                "requests": 100_000,
                "administrators": {ADMIN: ["example.com"]},
            },
            "policy": {"mailboxes": {JEAN: {"locked": True}}},
        }
        for name, table in (settings or {}).items():
            given[name] = {**given.get(name, {}), **table} if name != "policy" else table
        self.file = SettingsFile(None, to_toml(given))
        self.settings = self.file.settings
        if not self.settings.store.url:
            lay_down(folder / "tamis.sqlite")
        self.store = Store(self.settings.store_url)
        self.store.migrate()
        self._site: Site | None = None
        self.house = make_house(self.site, self.check, self.store, codes=lambda: CODE)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve)
        self._ready = threading.Event()
        self._stop: Callable[[], None] = lambda: None

    def site(self) -> Site:
        """The site as the store has it now: no wait for a snapshot."""
        if self._site is None or self.store.revision() != self._site.revision:
            self._site = Site.build(self.file, self._filters, self.store.snapshot())
        return self._site

    def check(self, scope: str, overrides: Any, new: Any) -> None:
        """As the web process checks overrides."""
        checker(self.file, self._filters)(scope, overrides, new)

    def __enter__(self) -> Self:
        self.postbox.__enter__()
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._thread.join()
        self.store.close()
        self.postbox.__exit__(kind, error, trace)

    def _serve(self) -> None:
        listening = listen(SocketAddress.parse(self.settings.web.listen))
        server = make_server(self.house, listening, self._ready.set)

        def stop() -> None:
            server.should_exit = True

        self._stop = stop
        self.loop.run_until_complete(server.serve([listening]))
        self.loop.run_until_complete(self.house.close())
        self.loop.close()

    # --- what stands in it ----------------------------------------------------------------------

    def hold(self, message: HeldMessage, content: bytes, *, now: datetime | None = None) -> str:
        """Hold a message; its id."""
        return self.store.quarantine.hold(message, content, now=now)

    def session(self, address: str, *, strong: bool = True) -> str:
        """The cookie of somebody who is signed in: with password and code, unless told otherwise."""
        how = "password" if strong else "link"
        return self.store.sessions.begin(address, timedelta(hours=1), how=how, strong=strong)

    def visitor(self, address: str = "", **headers: str) -> Visitor:
        """A visitor, signed in as an address with password and code unless that is empty."""
        return Visitor(self, {SESSION: self.session(address)} if address else {}, headers)

    def by_link(self, address: str) -> Visitor:
        """A visitor who is signed in by a mailed link alone."""
        return Visitor(self, {SESSION: self.session(address, strong=False)})

    def token(self, purpose: Purpose, *words: str, lasting: timedelta = timedelta(days=1)) -> str:
        """A token of this installation."""
        return self.house.tokens.make(purpose, *words, expires=datetime.now(UTC) + lasting)

    def wait_for_mail(self, number: int) -> None:
        """Wait until so many mails have left: those of sign-ins do so after the answer."""
        wait_until(lambda: len(self.postbox.got) >= number, timeout=60, what=f"{number} mails")

    def mailed_link(self) -> str:
        """The path of the link in the last mail that left."""
        mail = message_from_bytes(self.postbox.got[-1].content, policy=default)
        body = mail.get_body(("plain",))
        assert body is not None
        links = re.findall(r"http://[^\s]+/(?:sign-in|a|c|admin/invitation)/[^\s]+", body.get_content())
        found = urlsplit(links[-1])
        return f"{found.path}?{found.query}" if found.query else found.path

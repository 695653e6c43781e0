"""Signs in to the console of a running Tamis as its first person does, by the pages alone: a mailed link, a password,
an app for codes; then from nothing with password and code.

    python scripts/try_pages.py http://127.0.0.1:8898 ADDRESS MBOX
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from contextlib import closing
from email.message import Message
from html import unescape
from http.client import HTTPConnection
from mailbox import mbox
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pyotp

SENTENCE = "every morning a new loaf"
_LINK = re.compile(r"https?://\S+?(/sign-in/[^\s?]+)")
_WAIT = 30.0
"""Seconds for a mail to come."""


class Browser:
    """A browser without scripts: it keeps cookies, and follows nothing by itself. `url` is where Tamis listens,
    whatever address links have."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> tuple[int, str, str]:
        """Status, target of a redirection, and text of a page."""
        return self._request("GET", path)

    def submit(self, page: str, path: str = "", **fields: str) -> tuple[int, str, str]:
        """Send a form of a page with what is hidden in it."""
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.get(page)[2]))
        form = {name: unescape(value) for name, value in hidden.items()} | fields
        return self._request("POST", path or page, urlencode(form))

    def _request(self, method: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        connection = HTTPConnection(self._host, timeout=60)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for line in answer.msg.get_all("set-cookie", []):
                name, _, value = line.partition(";")[0].partition("=")
                self._cookies[name] = value.strip('"')
            return answer.status, answer.msg.get("location", ""), answer.read().decode()
        finally:
            connection.close()


def sign_in_first(url: str, address: str, mailed_link: Callable[[], str]) -> None:
    """All of it. Raises SystemExit with what is not as it should be."""
    browser = Browser(url)
    _wanted("the console asks who one is", browser.get("/admin")[:2], (303, "/sign-in?to=%2Fadmin"))
    _wanted("a link is mailed", browser.submit("/sign-in", address=address, how="link")[0], 200)
    _wanted("the link opens the mailbox", browser.submit(mailed_link())[:2], (303, "/mail"))
    _wanted("a link opens no console", browser.get("/admin")[:2], (303, "/admin/sign-in?to=%2Fadmin"))
    enrolment = browser.get("/admin/enrol")[2]
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", enrolment)
    app = re.search(r'name="app" value="([^"]+)"', enrolment)
    if secret is None or app is None:
        raise SystemExit(f"not as it should be: the page of the app has no secret: {enrolment[:500]}")
    codes = pyotp.TOTP(secret[1].replace(" ", ""))
    given = {"app": unescape(app[1]), "password": SENTENCE, "code": codes.now()}
    _wanted("a password is chosen", browser.submit("/admin/enrol", **given)[0], 200)
    _wanted("the console opens", browser.get("/admin")[0], 200)
    # A code works once; the next one is taken 30 seconds before its time as well.
    later = codes.at(int(time.time()), counter_offset=1)
    again = Browser(url)
    typed = {"address": address, "password": SENTENCE, "code": later}
    _wanted("password and code", again.submit("/admin/sign-in", **typed)[:2], (303, "/admin"))
    for path in ("/admin", "/admin/health", "/admin/people", "/admin/policy", "/admin/messages", "/mail"):
        _wanted(path, again.get(path)[0], 200)


def link_in(mailbox: Path) -> str:
    """The path of the newest mailed link in a file of mails, once it has come."""
    end = time.monotonic() + _WAIT
    while time.monotonic() < end:
        if mailbox.exists() and (links := _links(mailbox)):
            return links[-1]
        time.sleep(0.1)
    raise SystemExit(f"not as it should be: no mailed link within {_WAIT:g} s in {mailbox}")


def _links(mailbox: Path) -> list[str]:
    with closing(mbox(mailbox, create=False)) as mails:
        return [found[1] for mail in mails if (found := _LINK.search(_text(mail)))]


def _text(mail: Message) -> str:
    parts = [part.get_payload(decode=True) for part in mail.walk() if part.get_content_type() == "text/plain"]
    return "\n".join(octets.decode(errors="replace") for octets in parts if isinstance(octets, bytes))


def _wanted(what: str, got: object, right: object) -> None:
    if got != right:
        raise SystemExit(f"not as it should be: {what}: {got}, not {right}")
    sys.stdout.write(f"{what}: as it should be\n")


if __name__ == "__main__":
    _, where, who, mails = sys.argv
    sign_in_first(where, who, lambda: link_in(Path(mails)))

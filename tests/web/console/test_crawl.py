"""Everybody follows every link and sends every GET form of the console from its first page: nothing breaks, and nothing
of another domain appears."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest

from tamis.contract.lists import Colour, Subject
from tamis.database.effective_labels import LabelSource
from tamis.database.list_entries import NewEntry
from tamis.people.rights import BUNDLES
from tests.web.console.mail import arrive, story
from tests.web.console.numbers import fill, well
from tests.web.console.two_domains import HIDDEN, ROOT, SINGLE, ZOE, single, two_domains
from tests.web.pages import MARIE, Pages
from tests.web.samples import content, message

MOST = 150
"""Pages that one person looks at: more than there are kinds of them. Beyond: the rest is not followed, and the test
fails, because it would see less than it says."""
HOSTILE = "\"'><script>alert(1)</script>\u202e%00 ../ é ( OR 1=1 --"
PEOPLE = (*(f"{name}@example.com" for name in BUNDLES), *map(single, SINGLE), ROOT)


@dataclass
class GetForm:
    """A form that changes nothing."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    typed: set[str] = field(default_factory=set)
    """Those that one types into."""
    last: dict[str, str] = field(default_factory=dict)
    """Of those to choose from, the last choice."""


class Links(HTMLParser):
    """Where a page leads without changing anything."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.forms: list[GetForm] = []
        self._form: GetForm | None = None
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in told:
            self.hrefs.append(told["href"])
        elif tag == "form":
            is_get = told.get("method", "get").lower() == "get"
            self._form = GetForm(told.get("action", "")) if is_get else None
            if self._form is not None:
                self.forms.append(self._form)
        elif self._form is not None:
            self._in_form(self._form, tag, told)

    def _in_form(self, form: GetForm, tag: str, told: dict[str, str]) -> None:
        name, kind = told.get("name", ""), told.get("type", "text")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in told or self._select not in form.fields:
                form.fields[self._select] = told.get("value", "")
            form.last[self._select] = told.get("value", "")
        elif tag in ("input", "textarea") and name:
            if kind not in ("checkbox", "radio") or "checked" in told:
                form.fields[name] = told.get("value", "")
            if tag == "textarea" or kind in ("text", "search", "number", "date"):
                form.typed.add(name)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""

    def asked(self, here: str) -> Iterator[str]:
        """The addresses: links, each form as it stands, with its last choices, and with something hostile typed into
        each of its fields."""
        for one in self.hrefs:
            yield urljoin(here, one)
        for form in self.forms:
            place = urljoin(here, form.action or urlsplit(here).path)
            yield f"{place}?{urlencode(form.fields)}"
            yield f"{place}?{urlencode(form.fields | form.last)}"
            for name in sorted(form.typed):
                yield f"{place}?{urlencode(form.fields | {name: HOSTILE})}"


def kind_of(address: str) -> tuple[object, ...]:
    """What addresses have in common whose pages are made alike: their path without ids and names of filters, the
    parameters that say something, and whether something hostile stands in one."""
    parts = urlsplit(address)
    given = dict(parse_qsl(parts.query))
    if given.get("in") == HOSTILE:
        return ("no scope",)
    path = re.sub(r"/[^/]*(@|%40|[0-9])[^/]*", "/*", parts.path)
    if path.removeprefix("/admin/policy/") not in (path, "versions", "review", "export"):
        path = "/admin/policy/*"
    hostile = [name for name, value in given.items() if value == HOSTILE]
    return path, *(hostile or sorted(given.keys() - {"in", "lang"}))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Two domains, with something of everything in the first one."""
    with two_domains(tmp_path_factory.mktemp("crawl")) as serving:
        fill(serving.store, 40)
        arrive(serving, story(21), story(22, subject="<script>alert(1)</script>"))
        serving.store.labels.say("transaction21", MARIE, True, LabelSource.RELEASE, MARIE)
        serving.store.challenges.hold_asked(
            message(23, sender="a@example.net"), content(), language="en", authenticated=True
        )
        for scope, colour in ((MARIE, Colour.WHITE), ("example.com", Colour.BLACK)):
            serving.store.lists.add(
                [NewEntry(colour=colour, subject=Subject.SENDER, pattern="a@example.net", scope=scope)]
            )
        serving.store.overrides.set("example.com", "required", 7.0, by="root", check=serving.check)
        serving.store.jobs.ask("replay", "owner@example.com", "example.com", {"set": [], "days": 1})
        serving.store.complaints.report(["192.0.2.9"])
        serving.store.healths.tell("mx1:/var/lib/tamis", well())
        yield serving


@pytest.mark.parametrize("who", PEOPLE)
def test_no_link_and_no_form_breaks_or_shows_another_domain(pages: Pages, who: str) -> None:
    visitor = pages.visitor(who)
    start = pages.url + "/admin?in=platform" if who == ROOT else pages.url + "/admin?in=example.com"
    waiting, known, looked = deque([start, f"{pages.url}/admin/me"]), set[tuple[object, ...]](), 0
    while waiting:
        address = waiting.popleft()
        if not address.startswith(f"{pages.url}/admin") or kind_of(address) in known:
            continue
        known.add(kind_of(address))
        looked += 1
        assert looked <= MOST, sorted(map(str, known))
        answer = visitor.get(address.partition("#")[0])
        assert answer.status < 500, address
        shown = answer.body.decode("utf-8", "replace")
        if who != ROOT:
            assert HIDDEN not in shown, address
            assert ZOE not in shown, address
        if answer.location:
            waiting.append(urljoin(address, answer.location))
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert "<script>alert" not in shown, address
            waiting.extend(Links(shown).asked(address))
    assert looked > (40 if who == ROOT else 1)

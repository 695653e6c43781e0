"""Pages say what "always allow" can't promise: of mail that was held by what no list overrules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamis.base.tokens import Purpose
from tamis.contract.finding import Finding, Status
from tamis.quarantine.records import HeldMessage
from tests.services.dns.resolving import WrittenDNS
from tests.web.pages import MARIE, Pages
from tests.web.samples import content, message

NOT_ENOUGH = (
    "is not enough here: mail like this would still be held, because a virus scanner raised the alarm."
)


def infected(number: int) -> HeldMessage:
    finding = Finding("antivirus", Status.HIT, "{virus}", {"virus": "Eicar"})
    return replace(message(number, decided_by="antivirus"), findings=[finding.to_dict()])


@pytest.mark.parametrize("kind", ["list", "mail"])
def test_it_is_said_before_and_after(pages: Pages, kind: str) -> None:
    held = pages.hold(infected(1), content())
    visitor = pages.by_link(MARIE)
    page = f"/mail/{held}" if kind == "list" else f"/a/{pages.token(Purpose.ACTION, held)}"
    assert NOT_ENOUGH in visitor.get(page).text
    answer = visitor.submit(page, verb="allow") if kind == "list" else visitor.post(page, {"verb": "allow"})
    said = visitor.get(answer.location).text if kind == "list" else answer.text
    assert "Delivered, and contact@garage.example.net is among those you always allow." in said
    assert NOT_ENOUGH in said


def test_nothing_is_said_where_the_promise_is_kept(pages: Pages) -> None:
    held = pages.hold(message(1), content())
    visitor = pages.by_link(MARIE)
    assert "not enough" not in visitor.get(f"/mail/{held}").text
    answer = visitor.submit(f"/mail/{held}", verb="allow")
    assert "not enough" not in visitor.get(answer.location).text


@pytest.mark.parametrize("kind", ["list", "mail"])
@pytest.mark.parametrize(
    ("verb", "protected", "warned"), [("allow", False, True), ("allow", True, False), ("block", False, False)]
)
def test_in_whose_name_others_can_write_is_said_with_the_undo(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, kind: str, verb: str, protected: bool, warned: bool
) -> None:
    record = {"_dmarc.garage.example.net TXT": ["v=DMARC1; p=reject"]} if protected else {}
    monkeypatch.setattr(pages.house.dns, "queries", WrittenDNS(record).queries)
    held = pages.hold(message(1), content())
    visitor = pages.by_link(MARIE)
    page = f"/mail/{held}" if kind == "list" else f"/a/{pages.token(Purpose.ACTION, held)}"
    answer = visitor.submit(page, verb=verb) if kind == "list" else visitor.post(page, {"verb": verb})
    told = visitor.get(answer.location) if kind == "list" else answer
    assert ("But take care: its domain has no DMARC record" in told.text) is warned
    assert told.field("deed"), "there is something to press that takes it back"
    visitor.post("/undo", {"deed": told.field("deed")})

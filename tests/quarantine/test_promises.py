"""A white entry is tried on the mail that is held: on what it is about, by its envelope or its header From."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tamis.contract.finding import Finding, Status
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.quarantine.promises import MOST_TRIED, EntryTried, try_entry
from tamis.settings import SettingsFile
from tamis.store import Store
from tests.builders import FILTERS
from tests.web.samples import content, message

SITE = Site.build(SettingsFile(None, ""), FILTERS, Snapshot())
VIRUS = [Finding("antivirus", Status.HIT, "a virus").to_dict()]
NOBODYS = [Finding("empty", Status.HIT, "empty").to_dict()]


def hold(store: Store, number: int, *findings: dict[str, object], sender: str, header_from: str) -> str:
    one = message(number, sender=sender, header_from=header_from)
    return store.quarantine.hold(replace(one, findings=findings), content())


@pytest.mark.parametrize(
    "pattern", ["paul@garage.example.net", "garage.example.net", "*.example.net", "p*l@garage.example.net"]
)
@pytest.mark.parametrize("where", ["envelope", "header"])
def test_every_form_of_entry_is_tried(store: Store, pattern: str, where: str) -> None:
    paul, other = "paul@garage.example.net", "bounces@example.org"
    sender, shown = (paul, other) if where == "envelope" else (other, paul)
    held = hold(store, 1, *VIRUS, sender=sender, header_from=f"Paul <{shown}>")
    hold(store, 2, *VIRUS, sender=other, header_from=other)
    tried = try_entry(store.quarantine, SITE, pattern, "platform")
    assert (tried.tried, [one.id for one in tried.held]) == (1, [held])
    assert tried.reason == "a virus scanner raised the alarm"
    assert try_entry(store.quarantine, SITE, pattern, "example.org") == EntryTried()


def test_what_it_lets_in_is_not_held(store: Store) -> None:
    paul = "paul@garage.example.net"
    hold(store, 1, *NOBODYS, sender=paul, header_from=paul)
    assert try_entry(store.quarantine, SITE, paul, "platform") == EntryTried(1)


def test_the_newest_are_tried(store: Store) -> None:
    paul = "paul@garage.example.net"
    for number in range(MOST_TRIED + 1):
        hold(store, number, *VIRUS, sender=paul, header_from=paul)
    assert try_entry(store.quarantine, SITE, paul, "platform").tried == MOST_TRIED

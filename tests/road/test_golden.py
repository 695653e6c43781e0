"""The golden cases through Postfix, with real services, and with those services really gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tamis.database.history import KeptStory
from tests.filters.golden import TAGS, UNNAMED, Case, cases
from tests.real import wait_until
from tests.road.golden_road import GoldenRoad, Gone

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

_SAID = re.compile(r"([a-z_0-9]+)=([^,(]+)(\(shadow\))?")


class Told:
    """What came of all cases."""

    def __init__(self, road: GoldenRoad) -> None:
        self.gone: dict[str, Gone] = {str(case): road.send(case) for case in cases()}
        wanted = {gone.queue_id for gone in self.gone.values()} - {""}
        daemon, postfix = road.installation.daemon, road.installation.postfix
        with road.installation.store() as store:
            wait_until(
                lambda: all(store.history.show(one) for one in wanted),
                timeout=60,
                what="all stories",
                detail=daemon.failure_report,
            )
            self.stories = {one: store.history.show(one)[0] for one in wanted}
            self.held = [
                (one.recipient, store.quarantine.content(one.id) or b"")
                for one in store.quarantine.list(limit=10_000)
            ]
        self.log = daemon.log()
        self.delivered = {
            who: postfix.maildir(who) for case in cases() for who in case.expected.get("recipients", {})
        }

    def story(self, case: Case) -> KeptStory | None:
        """A case's own message in the history; None where every recipient was deferred before there was one."""
        queue_id = self.gone[str(case)].queue_id
        return self.stories[queue_id] if queue_id else None


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """All cases, sent one after the other."""
    with GoldenRoad() as road:
        yield Told(road)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_findings(told: Told, case: Case) -> None:
    """As in the chain: each filter that the case names, and no other, saw what it says."""
    kept = told.story(case)
    if kept is not None:
        refused = set(case.expected["recipients"]) - {who for who, _ in kept.story.recipients}
        statuses = {one.filter: str(one.status) for one in kept.story.findings}
        assert case.surprises(statuses, road=True, refused=refused) == []


@pytest.mark.parametrize("case", cases(), ids=str)
def test_verdicts(told: Told, case: Case) -> None:
    """As in the chain; a recipient who was deferred at RCPT is told so, and no more."""
    kept, sent = told.story(case), told.gone[str(case)].sent
    recorded = dict(kept.story.recipients) if kept is not None else {}
    for who, wanted in case.expects(road=True)["recipients"].items():
        if who not in recorded:
            assert wanted["verdict"] == "defer"
            assert sent.replies[who].code == 451
            assert wanted.get("because", "") in sent.replies[who].text
            continue
        one = recorded[who]
        found = {
            "verdict": one.decision,
            "outcome": one.outcome,
            "decided_by": one.decided_by,
            "because": one.because,
        }
        assert {key: found[key] for key in wanted} == wanted
        assert bool(one.decided_by) is ("decided_by" in wanted)
        assert sent.replies[who].accepted is (wanted["verdict"] != "defer")


@pytest.mark.parametrize("case", cases(), ids=str)
def test_effects(told: Told, case: Case) -> None:
    """What each filter did to whom, from the story."""
    kept = told.story(case)
    if kept is None:
        return
    named = case.effects(road=True)
    found: dict[str, dict[str, str | float]] = {}
    for who, one in kept.story.recipients:
        for name, effect, _ in _SAID.findall(one.spoke):
            if name not in UNNAMED or name in named:
                found.setdefault(name, {})[who] = effect if effect[:1].isalpha() else float(effect)
    there = {who for who, _ in kept.story.recipients}
    wanted = {
        name: {who: effect for who, effect in effects.items() if who in there}
        for name, effects in named.items()
        if name != TAGS
    }
    assert found == {name: effects for name, effects in wanted.items() if effects}


@pytest.mark.parametrize("case", cases(), ids=str)
def test_outcomes(told: Told, case: Case) -> None:
    """Every recipient has what the verdict says, where it says, once."""
    queue_id = told.gone[str(case)].queue_id
    for who, wanted in case.expects(road=True)["recipients"].items():
        mark = f"id {queue_id}".encode()
        copies = [copy for copy in told.delivered[who] if queue_id and mark in copy]
        held = [one for to, one in told.held if to == who and queue_id and mark in one]
        assert (len(copies), len(held)) == {"quarantine": (0, 1), "defer": (0, 0)}.get(
            wanted["outcome"], (1, 0)
        )
        for copy in copies:
            assert (b"\nX-Spam-Flag: YES" in copy) is (wanted["outcome"] == "junk")
            assert (b"\nSubject: SPAM: " in copy) is (wanted["outcome"] == "tag")


def test_nothing_failed(told: Told) -> None:
    """No filter raised, whatever was gone."""
    assert "Traceback" not in told.log

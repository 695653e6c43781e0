"""`tamis statistics`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tamis.database.effective_labels import LabelSource
from tamis.store import Store
from tests.cli.conftest import Run
from tests.database.test_statistics import HAM, HELD, HUGO, MARIE, story


def test_what_came_is_shown_and_counted_anew(run: Run, store: Store) -> None:
    assert run("statistics", "show").out.strip() == "no mail in these days"
    assert "the history is empty" in run("statistics", "rebuild").out
    now = datetime.now(UTC) - timedelta(days=1)
    store.history.add([("a:0", story((MARIE, HELD), (HUGO, HAM), at=now))])
    store.labels.say("", MARIE, True, LabelSource.OPERATOR, "anne@example.com")
    shown = run("statistics", "show", "--json").data
    assert [(one["outcome"], one["copies"]) for one in shown["days"]] == [("inbox", 1), ("quarantine", 1)]
    assert run("statistics", "show", "--in", "example.org", "--json").data["decided_by"] == [
        {"side": "in", "outcome": "inbox", "decided_by": "", "copies": 1}
    ]
    assert "spf" in run("statistics", "show").out
    before = run("statistics", "show", "--days", "60", "--json").data
    assert "counted anew" in run("statistics", "rebuild").out
    assert run("statistics", "show", "--days", "60", "--json").data == before
    assert "no mail" in run("statistics", "show", "--in", "nobody@example.com").out

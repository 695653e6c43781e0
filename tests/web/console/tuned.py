"""An installation whose administrator tunes: past mail, a version, entries that contradict each other, replays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tamis.background.job_process import Bench, work
from tamis.contract.lists import Colour, Subject
from tamis.database.effective_labels import LabelSource
from tamis.database.list_entries import NewEntry
from tamis.judging import fitted_scores
from tamis.judging.stored_policy import Override
from tests.builders import FILTERS, book
from tests.database.test_replaying import story
from tests.web.pages import ADMIN, MARIE, Pages

HERE = "?in=example.com"
NAMES = ("Votre devis", "Photos du week-end", "Facture 2041", "Résultats d'analyse")


def do_next(pages: Pages) -> None:
    """What the background process would do with the next job."""
    begun = pages.store.jobs.begin("here")
    assert begun is not None
    work(Bench(pages.file, FILTERS, pages.store), *begun)


def tune(pages: Pages) -> None:
    """Job 1 is a replay that is done, job 2 suggestions."""
    told = [story(n, book(""), *(["empty"] if n % 2 else []), recipients=(MARIE,)) for n in range(8)]
    now = datetime.now(UTC)
    mail = [
        replace(
            one,
            at=now - timedelta(hours=n + 1),
            subject=NAMES[n % 4],
            header_from="Garage Martin <a@example.net>",
        )
        for n, one in enumerate(told)
    ]
    pages.store.history.add([(f"b:{n}", one) for n, one in enumerate(mail)], {MARIE: MARIE})
    pages.store.labels.say("t1", MARIE, True, LabelSource.RELEASE, MARIE)
    pages.store.overrides.set("example.com", "tag", "[SPAM] ", by="anne@example.com", check=pages.check)
    pages.store.lists.add(
        NewEntry(
            colour=colour, subject=Subject.SENDER, pattern="mamie@example.net", scope=scope, author="anne"
        )
        for colour, scope in ((Colour.WHITE, MARIE), (Colour.BLACK, "example.com"))
    )
    visitor, (mistaken,) = pages.visitor(ADMIN), pages.store.history.show("t1")
    for page, form in (
        ("replay", {"days": "7", "key": "filters.empty.state", "value": "off"}),
        ("suggest", {"mistake": f"{mistaken.id} {MARIE}"}),
    ):
        assert visitor.send(f"/admin/{page}{HERE}", form, f"/admin/{page}{HERE}").status == 303
        do_next(pages)


@contextmanager
def fittable(pages: Pages) -> Iterator[None]:
    """Points that can be fitted: unwanted mail meets two filters that add too few together, wanted mail one of them;
    and as many words as these are enough."""
    overrides = [
        Override("example.com", f"filters.{name}.{key}", value)
        for name in ("empty", "missing_sender")
        for key, value in (("effect", "score"), ("score", 3.0))
    ]
    pages.store.overrides.change(overrides, by="test", check=lambda *_: None)
    policies = book("")
    fresh = []
    for n in range(40):
        met = ["empty", "missing_sender"] if n % 2 else ["empty"]
        one = story(100 + n, policies, *met, recipients=(MARIE,))
        fresh.append((f"f:{n}", replace(one, at=datetime.now(UTC), sender=f"s{n}@example.net")))
    pages.store.history.add(fresh, {MARIE: MARIE})
    for n in range(40):
        pages.store.labels.say(f"t{100 + n}", MARIE, n % 2 == 0, LabelSource.RELEASE, MARIE)
    with pytest.MonkeyPatch.context() as patched:
        for name in ("LEAST_LABELS", "LEAST_SENDERS", "LEAST_MET"):
            patched.setattr(fitted_scores, name, 10)
        yield
    taken_back = [replace(one, value=None) for one in overrides]
    pages.store.overrides.change(taken_back, by="test", check=lambda *_: None)

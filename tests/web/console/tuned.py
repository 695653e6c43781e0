"""An installation whose administrator tunes: past mail, a version, entries that contradict each other, replays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tamis.background.job_process import Bench, work
from tamis.contract.lists import Colour, Subject
from tamis.database.effective_labels import LabelSource
from tamis.database.list_entries import NewEntry
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
    visitor = pages.visitor(ADMIN)
    for page, form in (
        ("replay", {"days": "7", "key": "filters.empty.state", "value": "off"}),
        ("suggest", {"mistake": f"2 {MARIE}"}),
    ):
        assert visitor.send(f"/admin/{page}{HERE}", form, f"/admin/{page}{HERE}").status == 303
        do_next(pages)

"""Two domains, so that one can see whether anything crosses the border between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tamis.database.marks import Mark, MarkKind
from tamis.people.rights import BUNDLES, Right
from tests.web.console.mail import INBOX, story
from tests.web.pages import ADMIN, MARIE, Pages
from tests.web.samples import content, message

ZOE, ROOT, WEAK = "zoe@example.org", "root@example.org", "weak@example.com"
HIDDEN = "what-is-elsewhere"
"""What stands in everything of the other domain."""

SINGLE = [right for right in Right if right is not Right.PLATFORM]
"""The rights that mean something below the platform."""


def single(right: Right) -> str:
    return f"only.{right.replace('.', '-')}@example.com"


@contextmanager
def two_domains(folder: Path) -> Iterator[Pages]:
    """The pages; people with each bundle, and with each single right, in the first domain."""
    web = {"administrators": {ADMIN: ["example.com"], ROOT: ["platform"]}}
    with Pages(folder, {"web": web}) as serving:
        for name, rights in BUNDLES.items():
            serving.store.people.grant(f"{name}@example.com", "example.com", rights, by="root")
        for right in SINGLE:
            serving.store.people.grant(single(right), "example.com", [right], by="root")
        serving.store.people.grant(WEAK, "example.com", BUNDLES["owner"], by="root")
        serving.store.people.grant(ZOE, "example.org", BUNDLES["owner"], by=HIDDEN)
        serving.store.trail.note(HIDDEN, "preview", HIDDEN, scope="example.org")
        serving.store.overrides.set("example.org", "tag", HIDDEN, by=ZOE, check=serving.check)
        serving.store.jobs.ask("replay", ZOE, "example.org", {"days": 1})
        hers = story(7, (ZOE, INBOX), subject=HIDDEN, header_from=HIDDEN, helo=HIDDEN, host=HIDDEN)
        serving.store.history.add([("hers:1", hers)])
        serving.hold(message(1, recipient=ZOE, subject=HIDDEN), content())
        asked = message(3, recipient=ZOE, sender=f"{HIDDEN}@example.net", subject=HIDDEN)
        serving.store.challenges.hold_asked(asked, content(), language="en", authenticated=True)
        serving.store.complaints.condemn("192.0.2.66", HIDDEN, by="test")
        mark = Mark(MarkKind.MESSAGE, f"192.0.2.66 {HIDDEN}", "example.org", "m", ZOE, spam=True)
        serving.store.marks.note([mark], expires=datetime.now(UTC) + timedelta(days=1))
        serving.hold(message(2, recipient=MARIE), content())
        yield serving

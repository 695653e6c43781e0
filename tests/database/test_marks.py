"""Marks by hand (S8b, learned base), on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tamis.contract.lists import Subject
from tamis.database import marks as marks_module
from tamis.database.marks import Mark, MarkKind
from tamis.filters.marked_spam import marked_key
from tamis.handover.marking import LEARNED, Marking, publish, take_in, waiting
from tamis.handover.sender_events import fill
from tamis.message.mail import Mail
from tamis.message.mail.checksums import checksum, former_checksum
from tamis.models.reports import Report
from tamis.settings import LearningSettings, Platform, Settings
from tamis.store import Store
from tests.attachments import PDF, archive, letter
from tests.memory_state import MemoryState

CONTENT = "192.0.2.7 " + "ab" * 20
SOON = datetime.now(UTC) + timedelta(days=30)
RECEIVED = (
    b"Received: from mail.example.net (mail.example.net [203.0.113.9])\r\n\tby mx.example.com (Postfix)\r\n"
)


def mark(
    scope: str = "example.com",
    message: str = "m1",
    reporter: str = "marie@example.com",
    *,
    spam: bool | None = True,
    kind: MarkKind = MarkKind.MESSAGE,
    fingerprint: str = CONTENT,
) -> Mark:
    return Mark(kind, fingerprint, scope, message, reporter, spam)


def standing(store: Store) -> dict[str, int]:
    return {one.scope: one.marks for one in store.marks.find(MarkKind.MESSAGE)}


def test_a_word_counts_once_and_in_its_scope(store: Store) -> None:
    words = [mark(), mark(), mark(reporter="paul@example.com"), mark("platform", reporter="root")]
    assert store.marks.note(words, expires=SOON) == [(MarkKind.MESSAGE, CONTENT)]
    assert standing(store) == {"example.com": 2, "platform": 1}


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ("platform", {}),
        ("example.com", {"platform": 1, "example.org": 1, "x@example.org": 1}),
        ("example.org", {"platform": 1, "example.com": 1}),
        ("x@example.org", {"platform": 1, "example.com": 1, "example.org": 1}),
    ],
)
def test_not_spam_ends_the_marks_of_its_scope_and_within(
    store: Store, scope: str, left: dict[str, int]
) -> None:
    scopes = ("platform", "example.com", "example.org", "x@example.org")
    store.marks.note([mark(one) for one in scopes], expires=SOON)
    store.marks.note([mark(scope, message="another copy", spam=False)], expires=SOON)
    assert standing(store) == left


def test_a_word_taken_back_is_one_messages(store: Store) -> None:
    store.marks.note([mark(message="m1"), mark(message="m2")], expires=SOON)
    store.marks.note([mark(message="m1", spam=None)], expires=SOON)
    assert standing(store) == {"example.com": 1}


def test_marks_end_and_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    for day in range(1, 6):
        one = mark(fingerprint=f"192.0.2.{day} " + "cd" * 20)
        store.marks.note([one], expires=now + timedelta(days=day))
    assert len(store.marks.find(MarkKind.MESSAGE, now=now + timedelta(days=1.5))) == 4
    store.marks.expire(now=now + timedelta(days=1.5))
    monkeypatch.setattr(marks_module, "MOST", 2)
    store.marks.expire()
    left = [one.fingerprint.split()[0] for one in store.marks.find(MarkKind.MESSAGE)]
    assert left == ["192.0.2.4", "192.0.2.5"]


def test_what_is_marked_is_published_and_published_again(store: Store) -> None:
    state = MemoryState()
    about = store.marks.note([mark(), mark("platform", reporter="root")], expires=SOON)

    async def look() -> list[str | None]:
        await publish(about, store, state, 5)
        first = await state.get(marked_key(CONTENT))
        await state.drop(marked_key(CONTENT))
        await fill(state, store)
        second = await state.get(marked_key(CONTENT))
        await publish(store.marks.note([mark("platform", spam=False)], expires=SOON), store, state, 5)
        return [first, second, await state.get(marked_key(CONTENT))]

    first, second, third = asyncio.run(look())
    assert first == second
    assert json.loads(first or "") == {"example.com": 1, "platform": 1}
    assert third is None


def settings_in(folder: Path) -> Settings:
    return Settings(
        state_directory=folder,
        run_directory=folder,
        platform=Platform(domains=("example.com", "example.org")),
        learning=LearningSettings(learned_from=3),
    )


def reported(
    settings: Settings,
    raw: bytes,
    label: str,
    *,
    source: str = "dovecot",
    reporter: str = "marie@example.com",
) -> None:
    report = Report(label, source, reporter, raw, Path("none"))  # type: ignore[arg-type] # one of the three
    Marking(settings)(report, Mail(raw))


def taken_in(settings: Settings, store: Store, state: MemoryState) -> None:
    files = waiting(settings.state_directory / "marks")
    asyncio.run(take_in(files, store, state, settings))
    for path in files:
        path.unlink()


def learned(store: Store) -> Iterable[tuple[str, str]]:
    return [(one.scope, one.origin) for one in store.lists.find(subject=Subject.ATTACHMENT)]


def test_a_file_of_several_marked_messages_gets_onto_the_base_until_somebody_says_no(
    store: Store, tmp_path: Path
) -> None:
    settings, state = settings_in(tmp_path), MemoryState()
    mails = [RECEIVED + letter({"papers.zip": archive({"note.pdf": PDF})}, number=n) for n in range(4)]
    for raw in (mails[0], mails[0], mails[1]):
        reported(settings, raw, "spam")
    taken_in(settings, store, state)
    assert learned(store) == []
    assert {one.messages for one in store.marks.find(MarkKind.ATTACHMENT)} == {2}
    reported(settings, mails[2], "spam")
    taken_in(settings, store, state)
    assert learned(store) == [("example.com", LEARNED)] * 2  # the archive, and the file in it
    assert [one.fingerprint.split()[0] for one in store.marks.find(MarkKind.MESSAGE)] == ["203.0.113.9"]
    assert next(iter(store.marks.find(MarkKind.MESSAGE))).messages == 3  # all have the same content
    reported(settings, mails[3], "ham")
    taken_in(settings, store, state)
    assert learned(store) == []
    for raw in mails[:3]:
        reported(settings, raw, "spam", reporter="paul@example.com")
    taken_in(settings, store, state)
    assert learned(store) == []  # the word against it still stands


@pytest.mark.parametrize(
    ("source", "reporter", "scope"),
    [
        ("dovecot", "marie@example.org", "example.org"),
        ("quarantine", "root", "platform"),
        ("quarantine", "marie@example.com", "example.com"),
        ("dovecot", "marie", ""),
        ("web", "-", ""),
        ("learn", "-", ""),
        ("honeypot", "-", ""),
    ],
)
def test_whose_word_counts_where(
    store: Store, tmp_path: Path, source: str, reporter: str, scope: str
) -> None:
    settings = settings_in(tmp_path)
    reported(settings, RECEIVED + letter({}), "spam", source=source, reporter=reporter)
    taken_in(settings, store, MemoryState())
    assert set(standing(store)) == ({scope} if scope else set())


def test_what_0_2_marked_is_taken_back_by_its_own_sum(store: Store, tmp_path: Path) -> None:
    settings, state = settings_in(tmp_path), MemoryState()
    raw = RECEIVED + b"Subject: Offer\n\nx\n"
    former = f"203.0.113.9 {former_checksum(Mail(raw))}"
    store.marks.note(
        [Mark(MarkKind.MESSAGE, former, "example.com", "m", "paul@example.com", True)], expires=SOON
    )
    reported(settings, raw, "spam")
    taken_in(settings, store, state)
    assert {one.fingerprint for one in store.marks.find(MarkKind.MESSAGE)} == {
        former,
        f"203.0.113.9 {checksum(Mail(raw))}",
    }
    reported(settings, raw, "ham")
    taken_in(settings, store, state)
    assert store.marks.find(MarkKind.MESSAGE) == []

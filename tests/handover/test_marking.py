"""Reports on their way: what S22 read when the message came is known when it is marked and learned."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from tamis.contract.list_index import ListIndex
from tamis.contract.lists import Subject
from tamis.filters.image_text import documents_of, images_of, seen_in
from tamis.handover.marking import Marking, take_in, waiting
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail, Seen
from tamis.models.queue import Queue
from tamis.models.reports import Spool
from tamis.models.site_model import SiteModel
from tamis.models.teaching import Teacher
from tamis.services.files.images import fingerprint_of
from tamis.services.files.reader import FileReader
from tamis.services.state.opening import open_state
from tamis.settings import ImageSettings, LearningSettings, Settings
from tests.attachments import letter
from tests.documents import pdf, written
from tests.fresh_store import new_store
from tests.memory_state import MemoryState
from tests.services.files.test_images import picture, saved

RECEIVED = (
    b"Received: from mail.example.net (mail.example.net [203.0.113.9])\r\n\tby mx.example.com (Postfix)\r\n"
)


def settings_in(folder: Path) -> Settings:
    return Settings(
        state_directory=folder,
        run_directory=folder,
        images=ImageSettings(ocr=False),
        learning=LearningSettings(minimum=50, learned_from=2),
    )


def read_at_the_door(raw: bytes, settings: Settings) -> Seen:
    """What S22 does when a message comes; the shared state remembers it."""
    mail = Mail(raw)

    async def read() -> Seen:
        state = open_state(settings)
        try:
            return seen_in(
                await FileReader(settings.images).read([*images_of(mail), *documents_of(mail)], state), mail
            )
        finally:
            await state.close()

    return asyncio.run(read())


def report(settings: Settings, *messages: bytes, reporter: str = "marie@example.com") -> None:
    """Reports that are taken in as the background process does."""
    for raw in messages:
        Spool(settings.spool_directory).put("spam", "dovecot", reporter, raw)
    with Teacher(settings.model_directory, minimum=50) as teacher:
        queue = Queue(settings, teacher, attend=Marking(settings))
        while queue.take_in():
            pass


def test_a_documents_text_is_learned_with_its_message(tmp_path: Path) -> None:
    """And judged with it: the same letter with another document has another score."""
    settings = settings_in(tmp_path)
    raw = RECEIVED + letter({"a.pdf": pdf(written("wonderful lottery prize"))}, kind="application/pdf")
    seen = read_at_the_door(raw, settings)
    assert "lottery" in seen.text
    report(settings, raw)
    mail, model = Mail(raw), SiteModel(settings)
    bare, with_it, other = (
        model.read(Envelope(), one)
        for one in (mail, mail.with_seen(seen), mail.with_seen(Seen("minutes of Tuesday")))
    )
    assert bare is not None
    assert with_it is not None
    assert other is not None
    assert with_it.log_odds > bare.log_odds > other.log_odds


def test_images_of_marked_messages_get_onto_the_base(tmp_path: Path) -> None:
    """With the fingerprint that smaller copies have; what came with a message that nobody read is left."""
    settings, image = settings_in(tmp_path), saved(picture())
    mails = [RECEIVED + letter({"a.png": image}, kind="image/png", number=n) for n in range(3)]
    with new_store(settings.state_directory / "tamis.sqlite") as store:

        def base() -> tuple[object, ...]:
            state, files = MemoryState(), waiting(settings.state_directory / "marks")
            asyncio.run(take_in(files, store, state, settings))
            return store.lists.find(subject=Subject.IMAGE)

        report(settings, *mails[:2])
        assert base() == ()  # the cache did not have it
        read_at_the_door(mails[0], settings)
        report(settings, *mails[:2], reporter="paul@example.com")
        base()
        smaller = fingerprint_of(saved(picture().resize((200, 150))))
        index = ListIndex(store.lists.find())
        scopes, now = frozenset({"example.com"}), datetime.now(UTC)
        (near,) = index.alike(smaller, 8, scopes, now)
        assert [one.origin for one in store.lists.find() if one.id == near.id] == ["learned"]
        assert index.alike(smaller, 8, frozenset({"platform"}), now) == []

"""Images (S22): fingerprints, bombs, the cache and the queue."""

from __future__ import annotations

import asyncio
import io
import os
import random
import time
from typing import Any, cast

import pytest
from PIL import Image, ImageDraw

from tamis.base.errors import QueueFullError
from tamis.contract.finding import Finding, Status
from tamis.contract.service_protocols import FileFacts, Services
from tamis.filters.image_text import ImageText
from tamis.message.mail import Seen
from tamis.services.files import reader as file_reader
from tamis.services.files.helper import HelperPool
from tamis.services.files.images import fingerprint_of
from tamis.services.files.reader import FileReader
from tamis.services.files.reading import read_job
from tamis.settings import ImageSettings
from tests.answering import looked
from tests.attachments import blank_png, letter
from tests.builders import message
from tests.documents import qr_code
from tests.memory_state import MemoryState

NO_OCR = {"seconds": 60, "languages": [], "pages": 3}


def picture(seed: int = 1) -> Image.Image:
    """A picture of coloured boxes."""
    generator = random.Random(seed)
    image = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        x, y = generator.randrange(350), generator.randrange(250)
        draw.rectangle(
            (x, y, x + generator.randrange(20, 120), y + generator.randrange(20, 120)),
            generator.randrange(2**24),
        )
    return image


def saved(image: Image.Image, form: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **more)
    return file.getvalue()


def written(text: str) -> bytes:
    image = Image.new("RGB", (700, 200), "white")
    ImageDraw.Draw(image).text((20, 60), text, fill="black", font_size=48)
    return saved(image)


def distance(one: bytes, other: bytes) -> int:
    return (int(fingerprint_of(one), 16) ^ int(fingerprint_of(other), 16)).bit_count()


def examine(*images: bytes, state: MemoryState | None = None, ocr: bool = False) -> tuple[Finding, Seen]:
    """The filter's finding on a message with these images, and what it read."""
    told = message(
        letter({f"{number}.png": octets for number, octets in enumerate(images)}, kind="image/png")
    )
    reader = FileReader(ImageSettings(ocr=ocr, seconds=25))
    told.services = Services(reader=reader, state=state) if state else Services(reader=reader)
    look = looked(ImageText(), told)
    assert look.finding is not None
    return look.finding, look.seen


def test_copies_have_nearly_the_same_fingerprint_and_others_have_not() -> None:
    original = saved(picture())
    assert distance(original, saved(picture().resize((200, 150)))) <= 8
    assert distance(original, saved(picture(), "JPEG", quality=40)) <= 8
    assert min(distance(original, saved(picture(seed))) for seed in range(2, 12)) > 25
    assert fingerprint_of(saved(Image.new("RGB", (200, 200), "red"))) == ""  # like every other red one
    assert fingerprint_of(b"no image") == ""


def test_bombs_are_not_decoded() -> None:
    bomb = blank_png(20_000, 20_000)
    assert len(bomb) < 60_000
    begun = time.process_time()
    (found,) = read_job(NO_OCR, [bomb])["files"]
    assert found["problem"] == "too large"
    assert time.process_time() - begun < 1
    finding, _ = examine(bomb)
    assert finding.status is Status.CLEAR
    assert finding.text().endswith("not all: too large")


def test_broken_images_say_so() -> None:
    good = saved(picture())
    generator = random.Random(3)
    for _ in range(60):
        broken = bytearray(good[: generator.randrange(20, len(good))])
        for _ in range(10):
            broken[generator.randrange(len(broken))] = generator.randrange(256)
        read_job(NO_OCR, [bytes(broken)])


def test_qr_codes_are_handed_on() -> None:
    finding, seen = examine(saved(qr_code("https://login.example.net/")))
    assert [(url.host, url.source) for url in seen.urls] == [("login.example.net", "code")]
    assert finding.facts["hosts"] == ["login.example.net"]


def test_an_image_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state = MemoryState()
    first = examine(saved(picture()), state=state)
    assert len(asyncio.run(state.find(""))) == 1
    monkeypatch.setattr(file_reader, "_POOL", None)  # it would fail now
    second = examine(saved(picture()), state=state)
    assert (second[0].facts, second[1]) == (first[0].facts, first[1])


def test_a_wave_of_one_image_is_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that come while it is read wait for it and are not skipped; what ends the reading ends their waiting."""
    jobs: list[int] = []
    octets = saved(picture())

    async def slow(self: FileReader, files: list[bytes], seconds: float) -> list[FileFacts]:
        jobs.append(len(files))
        await asyncio.sleep(0.05)
        if len(jobs) > 1:
            raise asyncio.CancelledError
        return [FileFacts("", text="seen") for _ in files]

    monkeypatch.setattr(FileReader, "_read", slow)

    async def wave(state: MemoryState) -> list[object]:
        reader = FileReader(ImageSettings())
        reading = [reader.read([octets], state) for _ in range(10)]
        return list(await asyncio.gather(*reading, return_exceptions=True))

    assert {one[0].text for one in cast("Any", asyncio.run(wave(MemoryState())))} == {"seen"}
    assert jobs == [1]
    first, *waiting = asyncio.run(wave(MemoryState()))
    assert isinstance(first, asyncio.CancelledError)
    assert all(isinstance(one, QueueFullError) for one in waiting)
    assert jobs == [1, 1]


def test_a_full_queue_skips_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = HelperPool("reading", processes=1, waiting=0, memory=2**30)
    monkeypatch.setattr(file_reader, "_POOL", pool)
    assert pool._room.acquire(blocking=False)
    finding, _ = examine(saved(picture()))
    assert (finding.status, finding.text()) == (Status.SKIPPED, "the reading queue is full")


@pytest.mark.real
def test_text_is_read_in_two_languages() -> None:
    _, seen = examine(written("CHEAP PILLS"), written("Votre commande gratuite"), ocr=True)
    assert "CHEAP PILLS" in seen.text
    assert "Votre commande gratuite" in seen.text


@pytest.mark.real
def test_an_ocr_bomb_ends_in_time() -> None:
    """An image full of small letters keeps tesseract busy; the bound ends it, and the message goes on."""
    generator = random.Random(5)
    page = Image.new("L", (1600, 1600), "white")
    draw = ImageDraw.Draw(page)
    for y in range(0, 1600, 14):
        draw.text(
            (0, y), "".join(generator.choices("abcdefghijklmnop RSTUVW", k=260)), fill="black", font_size=12
        )
    begun = os.times()
    (found,) = read_job({"seconds": 1.5, "languages": ["eng"], "pages": 1}, [saved(page)])["files"]
    ended = os.times()
    assert sum(ended[:4]) - sum(begun[:4]) < 6  # seconds of processor time, of tesseract as well
    assert found["text"] == ""
    assert found["problem"].startswith("not read")

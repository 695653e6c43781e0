"""S22: images that are known, text in images, QR codes."""

from __future__ import annotations

from pydantic import Field as Option

from tamis.filter import Filter, FilterOptions, Message, Opinion, Scopes
from tamis.filters.helper import QueueFullError
from tamis.finding import Finding, Status
from tamis.lists import Field, ListEntry, Match, Subject, unwanted

_MAX_IMAGES = 4
_LEAST_OCTETS = 100
_MAX_OCTETS = 5 * 1024 * 1024
_TEXT_CHARACTERS = 2000
_MAX_CODES = 10
_DISTANCE = 8  # of 128 bits: a rescaled or recompressed copy differs in fewer, another image in about 64


class ImageTextOptions(FilterOptions):
    """Adds the words that are looked for."""

    words: tuple[str, ...] = Option(
        (),
        description="words or phrases that make a message spam when an image shows them; capitals don't matter",
    )


class ImageText(Filter[ImageTextOptions]):
    """Takes a message for spam when one of its images is known to be bad, or shows one of some words.

    `tamis fingerprint add image FILE` puts an image on the base: its exact fingerprint, and a perceptual one
    that copies in another size or quality have too. Text is read by OCR (tesseract, `images.languages`), at
    most four images of a message, the largest first, each distinct one once; it is held against `words`. QR
    codes are decoded. When the queue for reading is full, the message goes on without, and the trace says so.
    """

    name = "image_text"
    spec_id = "S22"
    summary = "known bad image, words in images, QR codes"
    dear = True
    deadline = 30.0
    options = ImageTextOptions

    async def examine(self, message: Message) -> Finding:
        """What is known of the images, what is written in them."""
        images = {part.payload: None for part in message.mail.images if not part.cut}
        wanted = sorted((octets for octets in images if _LEAST_OCTETS <= len(octets) <= _MAX_OCTETS), key=len)
        if not wanted:
            return self.clear("no image")
        wanted = wanted[: -_MAX_IMAGES - 1 : -1]
        try:
            read = await message.services.images.read(wanted, message.services.state)
        except QueueFullError as error:
            return self.skipped("{error}", error=str(error))
        entries: dict[int, ListEntry] = {}
        now = message.envelope.received_at
        for one in read:
            found = message.lists.fingerprints(Subject.IMAGE, one.sha256, message.scopes, now)
            if one.perceptual:
                found += message.lists.alike(one.perceptual, _DISTANCE, message.scopes, now)
            entries.update((entry.id, entry) for entry in found)
        text = " ".join(one.text for one in read if one.text)[:_TEXT_CHARACTERS]
        message.texts.append(text)
        codes = [code for one in read for code in one.codes][:_MAX_CODES]
        problems = sorted({one.problem for one in read if one.problem})
        facts = {"images": len(images), "text": text, "qr": codes, "problems": problems}
        if entries:
            matches = [Match.of(entry, Field.CONTENT).to_fact() for entry in entries.values()]
            return self.hit("known image", matches=matches, **facts)
        if text or codes:
            return self.hit(
                "{letters} letters and {codes} QR codes in images",
                letters=len(text),
                codes=len(codes),
                **facts,
            )
        if problems and len(problems) == len(read):
            return self.clear("images not read: {why}", why=", ".join(problems), **facts)
        return self.clear("nothing in {images} images", **facts)

    def judge(self, finding: Finding, options: ImageTextOptions, scopes: Scopes) -> Opinion:
        """A hit on a black fingerprint, or on a word."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        matches = [Match.from_fact(fact) for fact in finding.facts.get("matches", ())]
        known = unwanted(matches, scopes)
        if known is not None:
            return self.opinion(finding, options, hit=True, text=f"known image {known.pattern[:16]}")
        text = finding.facts["text"].casefold()
        word = next((word for word in options.words if word.casefold() in text), "")
        shown = f"an image says {word}" if word else ""
        return self.opinion(finding, options, hit=bool(word), text=shown)

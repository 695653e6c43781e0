"""S22: images that are known, and what stands in images and documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tamis.base.errors import QueueFullError
from tamis.contract.ask import ask
from tamis.contract.filter import Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Revealed, Status
from tamis.contract.lists import Entry, Match, MatchedField, Subject, unwanted
from tamis.contract.questions import Asks, ReadFiles
from tamis.contract.sentences import KNOWN_IMAGE
from tamis.contract.service_protocols import NOT_READ, FileFacts
from tamis.language.translation import marked
from tamis.message.mail import Mail, Seen, Url
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.destinations import urls_of
from tamis.message.mail.limits import LIMITS
from tamis.message.mail.references import Link
from tamis.message.mail.sampling import sampled
from tamis.message.mail.urls import text_urls

_MAX_IMAGES = 4  # images that are read; beyond: by lot; `too_many_images`, `left_out` in the finding
_LEAST_OCTETS = 100  # octets that an image has at least; beyond: smaller ones show nothing
_MAX_OCTETS = 5 * 1024 * 1024  # octets of an image that is read; beyond: not read, `too_many_images`
_MAX_DOCUMENTS = 3  # documents that are read; beyond: by lot; `too_many_images`, `left_out` in the finding
_MAX_DOCUMENT_OCTETS = (
    8 * 1024 * 1024
)  # octets of a document that is read; beyond: not read, `too_many_images`
_TEXT_CHARACTERS = 16_000  # characters of the text of all files; beyond: cut, `long_file`
_MAX_URLS = 80  # URLs of all files, those of QR codes first; beyond: by lot, `long_file`
_MAX_HOSTS = 10
_DISTANCE = 8  # of 128 bits: a rescaled or recompressed copy differs in fewer, another image in about 64

_ALL = marked("images: {images}, documents: {documents}; letters read: {letters}, QR codes: {codes}")
_NOT_ALL = marked(
    "images: {images}, documents: {documents}; letters read: {letters}, QR codes: {codes}; not all: {why}"
)


class ImageText(Filter):
    """Takes a message for spam when one of its images is known to be bad, and reads images and PDF documents.

    `tamis fingerprint add image FILE` lists an image: its exact fingerprint, and a perceptual one that copies in
    another size or quality share. Images that occur again and again in spam marked by hand are listed automatically
    ([Marked by hand](operations.md#marked-by-hand)).

    Text in images is read by OCR (tesseract, `images.languages`). From the first pages of a PDF document
    (`images.pages`) text, links and QR codes are taken; a scanned page is read by OCR. At most four images and three
    documents of a message are read, each distinct one once: the two largest images and the smallest, the first and
    the last document, and others by lot. What was read decides nothing here: the rules (S19-S21), the lists of links
    (S24), the statistics (S27) and the filters against deception look at the message again with it. Documents that
    need a password are reported by `attachment_types`; those in archives are not read. When the queue for reading is
    full, the message goes on without, and the trace says so.
    """

    name = "image_text"
    spec_id = "S22"
    summary = "known bad image; reads images, QR codes and PDF documents"
    plain_reason = marked("an image in it is known")
    asks = ("reader", "state")
    expensive = True
    deadline = 30.0

    def examine(self, message: Message) -> Asks[Finding | Revealed]:
        """What is known of the images, and what stands in images and documents."""
        images, documents = images_of(message.mail), documents_of(message.mail)
        drawn = [octets for octets in message.mail.drawings.found if octets not in images]
        if not images and not documents and not drawn:
            return self.clear("no image, no document")
        try:
            read = yield from ask(ReadFiles((*images, *drawn, *documents)))
        except QueueFullError as error:
            exact = [FileFacts(hashlib.sha256(octets).hexdigest()) for octets in images]
            if not _entries(message, exact):
                return self.skipped("{error}", error=str(error))
            read = exact
        seen = seen_in(read, message.mail)
        left_out = _left_out(message.mail)
        if left_out:
            seen = seen.joined((), [DefectKind.TOO_MANY_IMAGES])
        counts = {"images": len(images), "documents": len(documents), "drawings": len(drawn)}
        return Revealed(self._found(message, read, seen, counts, left_out), seen)

    def _found(
        self,
        message: Message,
        read: Sequence[FileFacts],
        seen: Seen,
        counts: Mapping[str, int],
        left_out: int,
    ) -> Finding:
        entries = _entries(message, read)
        hosts = list(dict.fromkeys(url.host for url in seen.urls))
        problems = sorted({one.problem for one in read if one.problem})
        if left_out:
            problems.append(f"{left_out} more than are read")
        facts = {
            **counts,
            "letters": len(seen.text),
            "codes": sum(len(one.codes) for one in read),
            "hosts": hosts[:_MAX_HOSTS],
            "problems": problems,
            "left_out": left_out,
        }
        if entries:
            matches = [Match.of(entry, MatchedField.CONTENT).to_fact() for entry in entries]
            return self.hit("known image", matches=matches, **facts)
        if problems:
            failed = any(problem.startswith(NOT_READ) for problem in problems)
            say = self.clear if facts["letters"] or facts["codes"] or not failed else self.unavailable
            return say(_NOT_ALL, why=", ".join(problems), **facts)
        return self.clear(_ALL, **facts)

    def judge(self, finding: Finding, options: FilterOptions, scopes: Scopes) -> Opinion:
        """A hit on a black fingerprint."""
        matches = [Match.from_fact(fact) for fact in finding.facts.get("matches", ())]
        known = unwanted(matches, scopes) if finding.status is Status.HIT else None
        if known is None:
            return self.opinion(finding, options, hit=False)
        return self.opinion(finding, options, hit=True, text=KNOWN_IMAGE(fingerprint=known.pattern[:16]))


def images_of(mail: Mail) -> list[bytes]:
    """The images of a message that are read: distinct, whole ones, the largest first; more by lot."""
    fit = _fit_images(mail)
    return sampled(fit, _MAX_IMAGES, mail.chance("images"), sure=_MAX_IMAGES // 2)


def documents_of(mail: Mail) -> list[bytes]:
    """The documents of a message that are read: distinct, whole ones, in their order; more by lot."""
    return sampled(_fit_documents(mail), _MAX_DOCUMENTS, mail.chance("documents"), sure=1)


def _fit_images(mail: Mail) -> list[bytes]:
    whole = {part.payload: None for part in mail.images if not part.cut}
    return sorted((one for one in whole if _LEAST_OCTETS <= len(one) <= _MAX_OCTETS), key=len, reverse=True)


def _fit_documents(mail: Mail) -> list[bytes]:
    whole = {part.payload: None for part in mail.documents if not part.cut}
    return [octets for octets in whole if len(octets) <= _MAX_DOCUMENT_OCTETS]


def _left_out(mail: Mail) -> int:
    """How many images and documents are not read: too many, or too large."""
    images = [part for part in mail.images if part.size > _LEAST_OCTETS]
    kept = len(images_of(mail)) + len(documents_of(mail))
    distinct = {part.payload for part in (*images, *mail.documents)}
    return max(0, sum(len(one) >= _LEAST_OCTETS for one in distinct) - kept)


def seen_in(read: Sequence[FileFacts], mail: Mail) -> Seen:
    """What stands in files that were read: their text, and every URL of codes, links and text, within bounds."""
    text = "\n".join(one.text for one in read if one.text)
    cuts = {DefectKind(kind) for one in read for kind in one.cuts}
    if len(text) > _TEXT_CHARACTERS:
        cuts.add(DefectKind.LONG_FILE)
        text = text[:_TEXT_CHARACTERS]
    report = DefectReport(1)
    urls = list(dict.fromkeys(_urls(read, text, report)))
    if report.defects or len(urls) > _MAX_URLS:
        cuts.add(DefectKind.LONG_FILE)
    codes = sum(url.source == "code" for url in urls)
    chosen = sampled(urls, _MAX_URLS, mail.chance("urls of files"), sure=min(codes, _MAX_URLS // 2))
    return Seen(text, tuple(chosen), frozenset(cuts))


def _urls(read: Iterable[FileFacts], text: str, report: DefectReport) -> Iterator[Url]:
    """Codes first: nobody sees where they lead."""
    for one in read:
        for code in one.codes:
            for url in (*urls_of(Link(code, "", "a"), None, LIMITS, report), *text_urls(code, LIMITS)):
                yield Url(url.raw, url.scheme, url.host, "code")
    for one in read:
        for target, shown in one.links:
            yield from urls_of(Link(target, shown, "a"), None, LIMITS, report)
    yield from text_urls(text, LIMITS)


def _entries(message: Message, read: Iterable[FileFacts]) -> list[Entry]:
    """The entries of the base that images meet, each once."""
    now = message.envelope.received_at
    found: dict[int, Entry] = {}
    for one in read:
        same = message.lists.fingerprints(Subject.IMAGE, one.sha256, message.scopes, now)
        if one.perceptual:
            same += message.lists.alike(one.perceptual, _DISTANCE, message.scopes, now)
        found.update((entry.id, entry) for entry in same)
    return list(found.values())

"""What a reader of content is tried with, and how."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tamis.message.abuse_report import reported_client
from tamis.message.address import domain_of, scopes_of
from tamis.message.chosen_files import chosen
from tamis.message.delivery_report import failed_recipients
from tamis.message.domains import registered_domain, skeleton
from tamis.message.file_names import name_risks
from tamis.message.mail import LIMITS
from tamis.message.mail.checksums import checksum, former_checksum
from tamis.message.mail.likeness import sketch_of
from tamis.message.mail.programs import is_answer, is_automatic, is_of_a_list
from tamis.message.mail.redirects import is_overfull, led_to
from tamis.message.mail.wrappers import unwrapped
from tamis.message.public_places import is_public_host
from tamis.message.shown_from import shown_from
from tamis.services.files.helper import HelperPool
from tests.message.mail import fuzz

POOL = HelperPool("test-readers", processes=1, waiting=0, memory=768 * 1024 * 1024)
KINDS = ("bomb", "loop", "many")
"""What costs much for its size; what leads back to itself; ten thousand of what it is made of."""
TEN_THOUSAND = 10_000


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of content: kinds of defects or of risks, and the processor seconds that it took."""

    kinds: frozenset[str]
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Hostile:
    """Hostile content, and of what kinds one at least must be told; none where all of it is read."""

    build: Callable[[], bytes]
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader: content that it reads well, hostile content by kind, and for kinds that can't be, why not."""

    name: str
    modules: tuple[str, ...]
    read: Callable[[bytes], Told]
    sample: Callable[[], bytes]
    hostile: Mapping[str, Hostile]
    impossible: Mapping[str, str] = field(default_factory=dict)


def file(name: str) -> Callable[[bytes], Told]:
    """How an attachment of this name is read, in a helper."""

    def read(octets: bytes) -> Told:
        answer = POOL.call("attachments", {"files": [[name, True]]}, [octets], seconds=60)
        risks = frozenset(risk for one in answer["objects"] for risk in one["risks"])
        return Told(risks, answer["cpu_seconds"])

    return read


def picture(octets: bytes) -> Told:
    """How an image or a document is read, in a helper, without OCR."""
    request = {"seconds": 20.0, "languages": (), "pages": 2}
    answer = POOL.call("reading", request, [octets], seconds=60)
    (seen,) = answer["files"]
    return Told(frozenset({*seen["cuts"], *filter(None, [seen["problem"]])}), answer["cpu_seconds"])


def body(kind: str, encoding: str = "8bit") -> Callable[[bytes], Told]:
    """How the body of a message of one part is read."""
    head = (
        "From: a@sender.example\r\nTo: b@example.com\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode()
    return lambda octets: whole(head + octets)


def value(name: str) -> Callable[[bytes], Told]:
    """How a field of the header is read."""
    return lambda octets: whole(name.encode() + b": " + octets + b"\r\n\r\nx\r\n")


def whole(raw: bytes) -> Told:
    """How a message is read: everything there is of it, and what filters ask of it beside."""
    begun = time.process_time()
    mail = fuzz.examine(raw)
    _ = (
        mail.drawings,
        mail.card_text,
        failed_recipients(mail),
        reported_client(mail),
        shown_from(mail.headers),
    )
    _ = (
        checksum(mail),
        former_checksum(mail),
        sketch_of(mail),
        is_of_a_list(mail.headers),
        is_answer(mail.headers),
    )
    for part in chosen(mail, LIMITS.files):
        name_risks(part.filename or "", part.content_type)
    for address in mail.some_authors:
        _ = is_automatic(mail.headers, address.address), scopes_of(address.address)
        _ = skeleton(registered_domain(domain_of(address.address)))
    for url in mail.urls[:100]:
        _ = led_to(url.raw), is_overfull(url.raw), unwrapped(url.raw), is_public_host(url.host)
    return Told(frozenset(str(one.kind) for one in mail.defects), time.process_time() - begun)

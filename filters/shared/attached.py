"""What is in a message's attachments, looked at once for every filter that asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tamis.contract.ask import ask
from tamis.contract.filter import Message
from tamis.contract.questions import Asks, LookInto
from tamis.message.chosen_files import chosen
from tamis.message.dangerous_names import named_by_type
from tamis.message.mail import LIMITS, Link, Mail, Part, Url
from tamis.message.mail.defects import DefectReport
from tamis.message.mail.destinations import urls_of

FoundFile = Mapping[str, Any]
"""One file: `path` (names from the attachment down), `kind` (MIME type by content), `size`, `sha256` ('' when it was
not read to its end), `risks`, `links` (the addresses in it, but those that `Mail.urls` has)."""


def files_of(mail: Mail) -> tuple[tuple[str, bool, bytes], ...]:
    """The attachments that are looked into: name, whether it is whole, octets."""
    parts = chosen(mail, mail.limits.files)
    return tuple((_name(part), not part.cut, part.payload) for part in parts)


def _name(part: Part) -> str:
    """A part's name; a page that is shown as the message's text is no file, whatever its name."""
    if part.content_type == "text/html" and part.disposition != "attachment":
        return ""
    return named_by_type(part.filename or "", part.content_type)


def inspected(message: Message) -> Asks[Sequence[FoundFile]]:
    """Every attachment and, within bounds, every member of an archive. Raises ServiceError."""
    return message.once("attachments", partial(_inspect, message.mail))


def _inspect(mail: Mail) -> Asks[Sequence[FoundFile]]:
    files = files_of(mail)
    return (yield from ask(LookInto(files))) if files else ()


def links_in(files: Sequence[FoundFile], report: DefectReport) -> Iterator[Url]:
    """The addresses that were found within files, as URLs of the source "file"."""
    for file in files:
        for link in file["links"]:
            for url in urls_of(Link(link, "", "a"), None, LIMITS, report):
                yield replace(url, source="file")


def shown_path(file: FoundFile) -> str:
    """A file's place for people: "letter.zip > invoice.pdf.exe"."""
    return " > ".join(str(name) or "(no name)" for name in file["path"])[:300]

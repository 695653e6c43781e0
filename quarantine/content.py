"""The bytes of a held message: compressed for keeping, marked for release. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

import zstandard

from tamis.envelope import Recipient
from tamis.errors import StoreError
from tamis.quarantine.records import Deliver, Record
from tamis.trace import header_value, own_names

_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")


class Send(Protocol):
    """How a message goes back to Postfix: `tamis.milter.reinject.Reinjector.send`."""

    def __call__(
        self,
        sender: str,
        sender_args: Sequence[str],
        recipients: Sequence[tuple[str, Sequence[str]]],
        content: bytes,
    ) -> None:
        """Send it, or raise ReinjectError."""


def digest_of(content: bytes) -> str:
    """The name under which a body is kept: SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def pack(content: bytes) -> bytes:
    """Content as it is kept (zstd)."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)


def unpack(packed: bytes, size: int) -> bytes:
    """What `pack` was given. Raises StoreError when it is damaged; never makes more than `size` octets."""
    try:
        content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(size, 1))
    except zstandard.ZstdError as error:
        raise StoreError(f"the stored content is damaged: {error}") from error
    if len(content) != size:
        raise StoreError(f"the stored content is damaged: {len(content)} octets instead of {size}")
    return content


def unpack_head(packed: bytes, octets: int) -> bytes:
    """The first octets of what `pack` was given. Raises StoreError when it is damaged."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            return reader.read(octets)
    except zstandard.ZstdError as error:
        raise StoreError(f"the stored content is damaged: {error}") from error


def released_copy(content: bytes, prefix: str, by: str) -> bytes:
    """The content as it goes to the inbox: without our trace headers, so that no filing rule sends it to
    Junk, and with one on top that says who released it. Everything else stays octet for octet."""
    own = own_names(prefix)
    status = header_value(f"No, released by {by}")
    kept = [f"{prefix}Status: {status}\r\n".encode("ascii")]
    position, dropping = 0, False
    while position < len(content):
        end = content.find(b"\n", position) + 1 or len(content)
        line = content[position:end]
        if line[:1] in b" \t" and line.strip():  # a folded line belongs to the field above
            if position == 0:  # there is none; without an empty line it would become part of our own
                kept.append(b"\r\n")
                break
            if not dropping:
                kept.append(line)
        else:
            field = _FIELD.match(line)
            if field is None:  # the header ends: an empty line, or none where one should be
                break
            dropping = field[1].decode("ascii").lower() in own
            if not dropping:
                kept.append(line)
        position = end
    kept.append(content[position:])
    return b"".join(kept)


def redelivery(send: Send, prefix: str) -> Deliver:
    """How a release reaches Postfix: marked, to exactly the one recipient, with the original's arguments."""

    def deliver(record: Record, content: bytes) -> None:
        send(
            record.envelope.sender,
            record.envelope.sender_args,
            [_addressed(record.exact)],
            released_copy(content, prefix, record.summary.released_by),
        )

    return deliver


def _addressed(recipient: Recipient) -> tuple[str, Sequence[str]]:
    return recipient.address, recipient.args

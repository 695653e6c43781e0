"""The bytes of a held message: compressed for keeping, marked for release. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

import zstandard

from tamis.base.errors import StoreError
from tamis.contract.finding import Finding
from tamis.judging import authentication
from tamis.judging.authentication import authentication_results
from tamis.judging.trace import OwnFields, header_value, own_fields, with_id
from tamis.message.header_editing import NewFields
from tamis.quarantine.records import Deliver, HeldRecord
from tamis.settings import Settings

_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")


class Send(Protocol):
    """How a message goes back to Postfix: `tamis.desk.reinjection.Reinjector.send`."""

    def __call__(
        self,
        sender: str,
        sender_args: Sequence[str],
        recipients: Sequence[tuple[str, Sequence[str]]],
        content: bytes,
    ) -> str:
        """Send it, or raise ReinjectError; its queue id, "" when that is not known."""


def digest_of(content: bytes) -> str:
    """The name under which a body is kept: SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def pack(content: bytes) -> bytes:
    """Content as it is kept (zstd)."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)


def unpack(packed: bytes, size: int | None = None, *, most: int = 0) -> bytes:
    """What `pack` was given, which had `size` octets or, where that is not known, at most so many. Raises StoreError
    when it is damaged; never makes more than that."""
    try:
        content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(size or most, 1))
    except zstandard.ZstdError as error:
        raise StoreError(f"the stored content is damaged: {error}") from error
    if size is not None and len(content) != size:
        raise StoreError(f"the stored content is damaged: {len(content)} octets instead of {size}")
    return content


_BLOCK = 128 * 1024
"""RFC 8878 3.1.1.2.4: the most octets that one block of a frame stands for, and about the most that it takes."""


def packed_head(octets: int) -> int:
    """How much of what `pack` made is surely enough for `unpack_head` of so many octets."""
    return (octets // _BLOCK + 1) * (_BLOCK + 1024)


def unpack_head(packed: bytes, octets: int) -> bytes:
    """The first octets of what `pack` was given, from the whole of it or its `packed_head`. Raises StoreError when it
    is damaged."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            return reader.read(octets)
    except zstandard.ZstdError as error:
        raise StoreError(f"the stored content is damaged: {error}") from error


def released_copy(content: bytes, own: OwnFields, by: str, results: str = "", transaction: str = "") -> bytes:
    """The content as it goes to the inbox: without the fields that only we may write, so that no filing rule sends it
    to Junk, and with those on top that say who released it and, if known, the `results` of authentication. Everything
    else stays octet for octet."""
    on_top: NewFields = ((authentication.FIELD, results),) if results else ()
    status = (own.prefix + "Status", header_value(f"No, released by {by}"))
    on_top = (*on_top, *with_id((status,), own.prefix, transaction))
    kept = [f"{name}: {value}\n".encode("ascii").replace(b"\n", b"\r\n") for name, value in on_top]
    position, begin = 0, 0
    while position < len(content):
        end = content.find(b"\n", position) + 1 or len(content)
        line = content[position:end]
        folded = line[:1] in b" \t" and bool(line.strip())  # belongs to the field above
        if folded and position == 0:  # there is none; without an empty line it would become part of our own
            kept.append(b"\r\n")
            break
        if not folded:
            kept += _unless(own, content[begin:position])
            begin = position
            if _FIELD.match(line) is None:  # the header ends: an empty line, or none where one should be
                break
        position = end
    else:
        kept += _unless(own, content[begin:])
        begin = len(content)
    kept.append(content[begin:])
    return b"".join(kept)


def _unless(own: OwnFields, field: bytes) -> list[bytes]:
    name, _, value = field.partition(b":")
    return [] if own.hold(name.strip().decode("ascii"), value) else [field]


def redelivery(send: Send, settings: Settings) -> Deliver:
    """How a release reaches Postfix: marked, to the recipients that were named, with their original arguments."""
    own = own_fields(settings)

    def deliver(record: HeldRecord, content: bytes) -> str:
        results = _results(record, own.authserv_id)
        transaction = record.summary.transaction.partition("/")[0]  # what follows tells it from a later copy
        return send(
            record.return_path,
            record.envelope.sender_args,
            [(one.address, one.args) for one in record.recipients],
            released_copy(content, own, record.summary.released_by, results, transaction),
        )

    return deliver


def _results(record: HeldRecord, authserv_id: str) -> str:
    """What was found of the sender when the message came, as far as the recipient's policy had it looked for."""
    try:
        judged = {opinion["filter"] for opinion in record.verdict["opinions"]}
        findings = [Finding.from_dict(one) for one in record.findings if one["filter"] in judged]
    except (KeyError, TypeError, ValueError):  # written by another version
        return ""
    return authentication_results({one.filter: one for one in findings}, record.envelope, authserv_id)

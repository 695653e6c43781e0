"""Real mail, with the standard library's parser for an oracle."""

from __future__ import annotations

import email
import email.message
import email.policy
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tamis.message.mail import Mail
from tests.message.mail.fuzz import examine

pytestmark = pytest.mark.corpus

CORPUS = Path(os.environ.get("TAMIS_CORPUS", Path(__file__).parents[3] / "corpus")) / "spamassassin"
# Of 6046 messages: 3 differ in their parts (the standard library takes a delivery status apart), 2 in a type
# and 11 of 6475 payloads (multiparts that are not closed, base64 that is none).
AGREEMENT = 0.998


def messages() -> Iterator[tuple[str, bytes]]:
    for file in sorted(CORPUS.glob("*/*.txt")):
        raw = file.read_bytes()
        yield str(file), raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw


@pytest.fixture(scope="module")
def corpus() -> list[tuple[str, bytes]]:
    found = list(messages())
    if not found:
        pytest.fail(f"no corpus in {CORPUS}: set TAMIS_CORPUS to the directory that has spamassassin/")
    return found


def squeezed(octets: bytes) -> bytes:
    return b" ".join(octets.split())


def leaves(raw: bytes) -> tuple[email.message.Message, list[email.message.Message]]:
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    return message, [part for part in message.walk() if not part.is_multipart()]


def test_nothing_raises(corpus: list[tuple[str, bytes]]) -> None:
    for _, raw in corpus:
        mail = examine(raw)
        assert mail.headers.first("received") is not None or "received" not in mail.headers


def test_headers_are_as_the_standard_library_has_them(corpus: list[tuple[str, bytes]]) -> None:
    agreed = 0
    for _, raw in corpus:
        message, _ = leaves(raw)
        expected = [
            (name.lower(), squeezed(str(value).encode("ascii", "surrogateescape")))
            for name, value in message.raw_items()
        ]
        agreed += expected == [(field.name, squeezed(field.raw_value)) for field in Mail(raw).headers]
    assert agreed / len(corpus) >= AGREEMENT


def test_parts_and_payloads_are_as_the_standard_library_has_them(corpus: list[tuple[str, bytes]]) -> None:
    structures = payloads = total = 0
    for _, raw in corpus:
        _, expected = leaves(raw)
        parts = Mail(raw).parts
        if [part.get_content_type() for part in expected] != [part.content_type for part in parts]:
            continue
        structures += 1
        total += len(parts)
        payloads += sum(
            theirs.get_payload(decode=True) == ours.payload
            for theirs, ours in zip(expected, parts, strict=True)
        )
    assert structures / len(corpus) >= AGREEMENT
    assert payloads / total >= AGREEMENT

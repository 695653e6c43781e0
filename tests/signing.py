"""Signed messages for tests: dkimpy signs, with keys of ours, what the filters then verify on their own."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.builders import NOW

_SEED = bytes(range(32))
_PEM = (Path(__file__).parent / "signing.pem").read_bytes()
_RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw
_SPKI = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


def _records() -> dict[str, str]:
    edwards = Ed25519PrivateKey.from_private_bytes(_SEED).public_key().public_bytes(*_RAW)
    rsa = serialization.load_pem_private_key(_PEM, None).public_key().public_bytes(*_SPKI)
    return {
        "ed": f"v=DKIM1; k=ed25519; p={base64.b64encode(edwards).decode()}",
        "rsa": f"v=DKIM1; k=rsa; p={base64.b64encode(rsa).decode()}",
    }


RECORDS = _records()
"""The keys' TXT records by selector: `ed` (Ed25519) and `rsa` (2048 bits)."""

SIGNED_FIELDS = ("from", "to", "subject", "date", "message-id", "from")


def signed(
    raw: bytes,
    *,
    domain: str = "example.net",
    selector: str = "ed",
    canonical: str = "relaxed/relaxed",
    fields: Sequence[str] = SIGNED_FIELDS,
    at: datetime = NOW,
    length: bool = False,
    algorithm: str = "",
) -> bytes:
    """The message with a DKIM-Signature on top."""
    edwards = selector == "ed"
    with _clock(at):
        field = dkim.DKIM(raw).sign(
            selector.encode(),
            domain.encode(),
            base64.b64encode(_SEED) if edwards else _PEM,
            signature_algorithm=(algorithm or ("ed25519-sha256" if edwards else "rsa-sha256")).encode(),
            canonicalize=tuple(part.encode() for part in canonical.split("/")),
            include_headers=[name.encode() for name in fields],
            length=length,
        )
    return bytes(field) + raw


def sealed(raw: bytes, *, domain: str, results: str, at: datetime = NOW) -> bytes:
    """The message with an ARC set of this domain on top, which reports `results` (`dmarc=pass header.from=...`)."""
    field = f"Authentication-Results: {domain}; {results}\r\n".encode()
    fields = dkim.ARC(field + raw, logger=None).sign(
        b"rsa",
        domain.encode(),
        _PEM,
        domain.encode(),
        include_headers=[name.encode() for name in SIGNED_FIELDS],
        timestamp=str(int(at.timestamp())),
    )
    assert fields, "dkimpy found nothing to seal"
    return b"".join(fields) + raw


@contextmanager
def _clock(at: datetime) -> Iterator[None]:
    with patch.object(dkim, "time", SimpleNamespace(time=at.timestamp)):
        yield

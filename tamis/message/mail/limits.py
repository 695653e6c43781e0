"""The bounds within which a message is examined: mail is written by attackers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of the examination of one message; each is a positive integer.

    What lies beyond a bound is not examined, and a defect that is attributed to the bound, not to the
    sender, says so. No bound makes anything raise.
    """

    headers: int = 2000
    """Fields in one header block."""
    header_octets: int = 65_536
    """Octets of one field's value that are examined."""
    header_block_octets: int = 1_048_576
    """Octets of one header block that are examined, folding included."""
    addresses: int = 1000
    """Addresses taken from one field."""
    parts: int = 500
    """Leaf parts and containers of one message."""
    depth: int = 30
    """Nested containers; the message itself is at depth 0."""
    boundary_octets: int = 1000
    """Octets of a multipart boundary (RFC 2046 5.1.1 allows 70)."""
    scan_octets: int = 268_435_456
    """Octets searched for boundaries, summed over nested multiparts."""
    near_boundaries: int = 20_000
    """Lines that begin with a boundary's text and are no delimiter, in one multipart."""
    decoded_octets: int = 8_388_608
    """Octets of transfer-encoded content examined, of all parts together: decoded ones are fewer."""
    html_characters: int = 1_048_576
    """Characters of HTML source parsed, in all parts together."""
    html_tags: int = 10_000
    """HTML tags parsed as tags, in all parts together; later ones are only stripped."""
    links: int = 5000
    """Links taken from one HTML part."""
    text_characters: int = 1_048_576
    """Characters of visible text."""
    urls: int = 2000
    """Distinct URLs of one message."""
    url_characters: int = 8192
    """Characters of one URL that are kept."""
    defects: int = 200
    """Defects kept for one message."""


LIMITS = Limits()
"""The bounds in use unless the caller names others."""

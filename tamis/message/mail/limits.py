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
    """Fields in one header block. Beyond: `too_many_headers`."""
    header_octets: int = 65_536
    """Octets of one field's value that are examined. Beyond: `header_too_long`."""
    header_block_octets: int = 1_048_576
    """Octets of one header block that are examined, folding included. Beyond: `too_many_headers`."""
    addresses: int = 1000
    """Addresses taken from one field. Beyond: `too_many_addresses`."""
    parts: int = 500
    """Leaf parts and containers of one message. Beyond: `too_many_parts`."""
    depth: int = 30
    """Nested containers; the message itself is at depth 0. Beyond: `too_deep`."""
    boundary_octets: int = 1000
    """Octets of a multipart boundary (RFC 2046 5.1.1 allows 70). Beyond: `invalid_boundary`."""
    scan_octets: int = 268_435_456
    """Octets searched for boundaries, summed over nested multiparts. Beyond: `too_many_parts`."""
    near_boundaries: int = 20_000
    """Lines that begin with a boundary's text and are no delimiter, in one multipart. Beyond:
    `too_many_parts`."""
    decoded_octets: int = 8_388_608
    """Octets of transfer-encoded content examined, of all parts together: decoded ones are fewer. Beyond:
    `decoded_too_large`."""
    html_characters: int = 1_048_576
    """Characters of HTML source parsed, in all parts together. Beyond: `html_truncated`."""
    html_tags: int = 10_000
    """HTML tags parsed as tags, in all parts together. Beyond: only stripped; `html_truncated`."""
    links: int = 5000
    """Links taken from one HTML part. Beyond: `html_truncated`."""
    text_characters: int = 1_048_576
    """Characters of visible text. Beyond: `text_truncated`."""
    urls: int = 2000
    """Distinct URLs of one message. Beyond: `url_limit`."""
    url_characters: int = 8192
    """Characters of one URL that are kept. Beyond: `url_limit`."""
    opened: int = 300
    """URLs of one message whose inside is looked at. Beyond: the first half and the last one, others by lot;
    `url_limit`."""
    files: int = 100
    """Attachments that are looked into. Beyond: dangerous names first, others by lot; `too_many_files`."""
    hosts: int = 40
    """Domains and addresses behind links that lists are asked about. Beyond: by lot; `too_many_hosts`, and
    `left_out` in the finding of `uribl`."""
    searched_octets: int = 131_072
    """Octets of one place that rules search: together with a linear engine this bounds the time. Beyond: its
    beginning, its end and a piece by lot; `long_text`, `long_header`."""
    readings: int = 50
    """Further ways in which readers take parts of one message. Beyond: `too_many_readings`."""
    reading_octets: int = 2_097_152
    """Octets of them, decoded, in all. Beyond: `too_many_readings`."""
    style_characters: int = 65_536
    """Characters of style sheets that are parsed, in all HTML parts together. Beyond: `style_truncated`."""
    style_rules: int = 300
    """Selectors of style sheets that are matched, in one HTML part. Beyond: `style_truncated`."""
    defects: int = 200
    """Defects kept for one message, beside the first of each kind. Beyond: left out: of each kind one is
    there."""


LIMITS = Limits()
"""The bounds in use unless the caller names others."""

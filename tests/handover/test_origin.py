"""Where stored messages came from."""

from __future__ import annotations

import pytest

from tamis.handover.origin import origin_of
from tamis.message.mail import Mail
from tamis.message.mail.checksums import checksum
from tamis.settings import Platform, Settings

SETTINGS = Settings(platform=Platform(networks=("127.0.0.0/8", "198.51.100.0/24")))
OURS = "Received: from relay ([198.51.100.3]) by mail.example.com with LMTP\n"
THEIRS = "Received: from mail.example.net (mail.example.net [192.0.2.7])\n\tby mx.example.com (Postfix)\n"
FORGED = "Received: from bank (bank [203.0.113.5]) by elsewhere.example\n"


@pytest.mark.parametrize(
    ("header", "ip"),
    [
        (OURS + THEIRS + FORGED, "192.0.2.7"),
        ("X-Spam-Client-IP: 192.0.2.9\n" + THEIRS, "192.0.2.9"),
        ("X-Spam-Client-IP: nonsense\n" + THEIRS, None),
        ("Received: from x (x [IPv6:2001:db8::1]) by mx.example.com\n", "2001:db8::1"),
        ("Received: from [203.0.113.5] (unknown [192.0.2.7]) by mx.example.com\n", "192.0.2.7"),
        ("Received: by mx.example.com with local id [203.0.113.5]\n", None),
        (OURS * 11 + FORGED, None),
        ("", None),
    ],
)
def test_the_topmost_hand_over_from_outside(header: str, ip: str | None) -> None:
    found = origin_of(Mail(f"{header}Subject: x\n\ny\n".encode()), SETTINGS)
    assert (found and str(found)) == ip


def test_our_tag_is_no_part_of_the_content() -> None:
    plain, tagged = Mail(b"Subject: Offer\n\nx\n"), Mail(b"Subject: SPAM: Offer\n\nx\n")
    assert checksum(plain, tag="SPAM: ") == checksum(tagged, tag="SPAM: ")
    assert checksum(plain) != checksum(tagged)

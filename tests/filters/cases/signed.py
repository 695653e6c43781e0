"""The golden cases' signed messages (see tricky.py)."""

from __future__ import annotations

from tests.builders import LETTER
from tests.signing import sealed, signed

_NEWSLETTER = LETTER.replace(
    b"\r\n\r\n",
    b"\r\nList-Unsubscribe: <https://example.net/u?x=1>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n",
    1,
)
_COVERED = ("from", "subject", "list-unsubscribe", "list-unsubscribe-post")
_PASSED = "dmarc=pass header.from=example.net"
_LISTED = LETTER.replace(b"Subject: Hello", b"Subject: [list] Hello")
_TWO = LETTER.replace(b"From: ", b"From: Somebody <somebody@example.org>, ")

SIGNED: dict[str, bytes] = {
    "501-dkim-pass": signed(LETTER),
    "502-dkim-body-changed": signed(LETTER).replace(b"Good day", b"Bad day"),
    "503-dkim-key-unanswered": signed(LETTER),
    "504-dkim-part-of-the-body": signed(LETTER, length=True) + b"Buy now!\r\n",
    "505-dkim-one-of-two-holds": signed(
        signed(LETTER).replace(b"bh=", b"bh=A"),
        domain="example.org",
        selector="rsa",
        canonical="simple/simple",
    ),
    "506-dkim-rsa-sha1": signed(LETTER, selector="rsa", algorithm="rsa-sha1"),
    "511-arc-sealed": sealed(_LISTED, domain="lists.example.org", results=_PASSED),
    "512-arc-broken": sealed(_LISTED, domain="lists.example.org", results=_PASSED).replace(b"Good", b"Bad"),
    "513-arc-key-unanswered": sealed(_LISTED, domain="lists.example.org", results=_PASSED),
    "522-dmarc-by-dkim": signed(LETTER, domain="mail.example.net"),
    "524-dmarc-strict": signed(LETTER, domain="mail.example.net"),
    "528-dmarc-two-authors": signed(_TWO),
    "529-dmarc-trusted-list": sealed(_LISTED, domain="lists.example.org", results=_PASSED),
    "530-dmarc-list-that-nobody-trusts": sealed(_LISTED, domain="lists.example.org", results=_PASSED),
    "531-dmarc-trusted-list-saw-it-fail": sealed(
        _LISTED, domain="lists.example.org", results="dmarc=fail header.from=example.net"
    ),
    "228-link-text-newsletter": signed(
        _NEWSLETTER.partition(b"\r\n\r\n")[0]
        + b"\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        b'<p>Read on at <a href="http://click.example.org/x">https://www.example.com/news</a></p>\r\n',
        fields=_COVERED,
    ),
    "554-authenticated-whitelist-header-from": signed(LETTER),
    "538-dmarc-trusted-list-unanswered": sealed(_LISTED, domain="lists.example.org", results=_PASSED),
    "541-newsletter-not-signed": _NEWSLETTER,
    "542-newsletter-header-not-covered": signed(_NEWSLETTER),
    "543-newsletter-key-unanswered": signed(_NEWSLETTER, fields=_COVERED),
}

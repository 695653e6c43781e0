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


def _with(fields: bytes, raw: bytes = LETTER) -> bytes:
    return raw.replace(b"\r\n\r\n", b"\r\n" + fields + b"\r\n\r\n", 1)


def _tracked(raw: bytes) -> bytes:
    """With a link whose text is another's address, as newsletters count clicks."""
    return (
        raw.partition(b"\r\n\r\n")[0]
        + b"\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        b'<p>Read on at <a href="http://click.example.org/x">https://www.example.com/news</a></p>\r\n'
    )


_OWN_LIST = _with(b"List-Id: News <news.example.com>")
_ANSWERED = _with(b"Reply-To: me@example.org\r\nList-Id: Talk <talk.lists.example.com>")
_NAMED = _with(b"List-Id: <list.example.net>").replace(b"Stranger <", b'"paul@example.org" <')
_VIA = LETTER.replace(b"Stranger <stranger@", b'"paul@example.org via list" <list@')

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
    "221-display-name-via-list": signed(_VIA),
    "228-link-text-newsletter": signed(_tracked(_NEWSLETTER), fields=_COVERED),
    "323-checksum-own-list": signed(_OWN_LIST, domain="example.com", fields=("from", "list-id")),
    "554-authenticated-whitelist-header-from": signed(LETTER),
    "538-dmarc-trusted-list-unanswered": sealed(_LISTED, domain="lists.example.org", results=_PASSED),
    "541-newsletter-not-signed": _NEWSLETTER,
    "542-newsletter-header-not-covered": signed(_NEWSLETTER),
    "543-newsletter-key-unanswered": signed(_NEWSLETTER, fields=_COVERED),
    "581-link-text-forged-newsletter": _tracked(_NEWSLETTER),
    "582-link-text-newsletter-by-spf": _tracked(_with(b"Precedence: bulk")),
    "583-link-text-newsletter-unanswered": signed(_tracked(_NEWSLETTER), fields=_COVERED),
    "584-reply-to-forged-list": _ANSWERED,
    "585-reply-to-list": signed(_ANSWERED, domain="example.com", fields=("from", "list-id")),
    "586-reply-to-list-unanswered": signed(_ANSWERED, domain="example.com", fields=("from", "list-id")),
    "587-reply-to-list-not-covered": signed(_ANSWERED, domain="example.com"),
    "591-display-name-forged-list": _NAMED,
    "592-display-name-list": signed(_NAMED, fields=("from", "list-id")),
    "593-display-name-list-unanswered": _NAMED,
    "594-display-name-forged-via": _VIA,
    "595-checksum-forged-list": _OWN_LIST,
    "596-checksum-list-signed-by-another": signed(_OWN_LIST, fields=("from", "list-id")),
    "597-checksum-list-unanswered": signed(_OWN_LIST, domain="example.com", fields=("from", "list-id")),
}

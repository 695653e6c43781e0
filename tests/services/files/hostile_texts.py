"""The readers of what stands in a message itself: header, structure, texts, pages, links."""

from __future__ import annotations

from collections.abc import Callable

from tests.message.mail.hostile_cases import CASES
from tests.services.files.hostile_readers import TEN_THOUSAND, Hostile, Reader, Told, body, value, whole

_MAIL = "tamis.message.mail."
_FLAT = "its parts follow one another and name no other"
_HEAD = b"From: a@sender.example\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
_page = body("text/html; charset=utf-8")
_plain = body("text/plain; charset=utf-8")
_calendar = body("text/calendar; charset=utf-8")


def _known(name: str) -> Hostile:
    """A message of the hostile corpus, with what it must tell."""
    case = next(case for case in CASES if case.name.partition("-")[2] == name)
    return Hostile(case.build, tuple(map(str, case.expected)))


def _signed(string: bytes) -> bytes:
    """A signed S/MIME content in BER of indefinite length."""
    inner = b"0\x80\x06\x01*\xa0\x80" + string + b"\0\0\0\0"
    signed = b"0\x80\2\1\x01" + b"1\0" + inner + b"\0\0"
    return b"0\x80\x06\x09*\x86H\x86\xf7\r\x01\x07\x02\xa0\x80" + signed + b"\0" * 4


def _reader(
    name: str,
    modules: str,
    read: Callable[[bytes], Told],
    sample: bytes,
    bomb: Hostile,
    many: Hostile,
    loop: Hostile | None = None,
) -> Reader:
    hostile = {"bomb": bomb, "many": many} | ({"loop": loop} if loop else {})
    paths = tuple(one if "." in one else _MAIL + one for one in modules.split())
    return Reader(name, paths, read, lambda: sample, hostile, {} if loop else {"loop": _FLAT})


READERS = (
    _reader(
        "header",
        "headers limits mail defects",
        whole,
        _HEAD + b"Subject: x\r\n folded\r\n\r\nx\r\n",
        _known("huge-header"),
        Hostile(lambda: b"X: y\r\n" * TEN_THOUSAND + _HEAD + b"\r\nx", ("too_many_headers",)),
    ),
    _reader(
        "encoded words",
        "words hints",
        value("Subject"),
        b"=?utf-8?q?=41=e2=82=ac?= =?iso-8859-1?b?QUE=?=",
        _known("header-words-mb"),
        Hostile(lambda: b"=?utf-8?q?=41?= " * TEN_THOUSAND, ("header_too_long",)),
    ),
    _reader(
        "parameters",
        "words part tamis.message.file_names tamis.message.dangerous_names",
        value("Content-Type"),
        b"text/plain; name*0*=utf-8''a%41; name*1=b.exe; charset=utf-8",
        Hostile(lambda: b'text/plain; name="' + b"a." * 30_000 + b'exe"'),
        Hostile(
            lambda: b"text/plain" + b"".join(b"; a%d=b" % n for n in range(TEN_THOUSAND)),
            ("too_many_parameters", "header_too_long"),
        ),
        Hostile(
            lambda: b"text/plain" + b"; name*0=a" * TEN_THOUSAND, ("too_many_parameters", "header_too_long")
        ),
    ),
    _reader(
        "addresses",
        "mailboxes authors tamis.message.address tamis.message.names tamis.message.domains",
        value("From"),
        b'"A, B" <a@b.example>, G: c@d.example;, (x) e@xn--f-5fa.example',
        Hostile(lambda: b"(" * 60_000 + b"a@b.example"),
        Hostile(lambda: b"a@b.example, " * TEN_THOUSAND, ("too_many_addresses", "header_too_long")),
    ),
    _reader(
        "structure",
        "mime transfer alternatives readings programs tamis.message.chosen_files",
        whole,
        _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n"
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+eA==\r\n--b--\r\n",
        _known("nested-scans-10mb"),
        Hostile(
            lambda: (
                _HEAD
                + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                + b"--b\r\n\r\nx\r\n" * TEN_THOUSAND
            ),
            ("too_many_parts",),
        ),
        _known("types-within-types"),
    ),
    _reader(
        "forwarded messages",
        "mime",
        whole,
        _HEAD
        + b"Content-Type: message/rfc822\r\n\r\nFrom: c@d.example\r\nSubject: y\r\n\r\nhttp://a.example/",
        Hostile(lambda: _HEAD + b"Content-Type: message/rfc822\r\n\r\n" * TEN_THOUSAND, ("too_deep",)),
        Hostile(
            lambda: (
                _HEAD
                + b"Content-Type: multipart/digest; boundary=b\r\n\r\n"
                + b"--b\r\n\r\nFrom: c@d.example\r\n\r\nx\r\n" * TEN_THOUSAND
            ),
            ("too_many_parts",),
        ),
    ),
    _reader(
        "reports",
        "tamis.message.abuse_report tamis.message.delivery_report",
        whole,
        _HEAD + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: message/delivery-status\r\n\r\nx: y\r\n\r\nAction: failed\r\n"
        b"Final-Recipient: rfc822; a@b.example\r\n--b--\r\n",
        Hostile(
            lambda: (
                _HEAD
                + b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n"
                b"Content-Type: message/feedback-report\r\n\r\n" + b"Source-IP: 192.0.2.1\r\n " * 300_000
            )
        ),
        Hostile(
            lambda: (
                _HEAD
                + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
                b"Content-Type: message/delivery-status\r\n\r\n"
                + b"Action: failed\r\nFinal-Recipient: rfc822; a@b.example\r\n\r\n"
                * TEN_THOUSAND
            )
        ),
    ),
    _reader(
        "S/MIME",
        "opaque",
        body("application/pkcs7-mime", "binary"),
        _signed(b"\4\5hello"),
        Hostile(lambda: _signed(b"$\x80" * 2_000_000), ("mislabelled_content",)),
        Hostile(lambda: _signed(b"$\x80" + b"\4\0" * 200 * TEN_THOUSAND), ("mislabelled_content",)),
    ),
    _reader(
        "charsets and text",
        "text scripts visible tamis.message.unseen checksums likeness seen sampling",
        _plain,
        "caf\u00e9 \u200b\u0430 e\u0301 \u202ex".encode(),
        _known("text-20mb"),
        Hostile(lambda: "\ufdfa\u0301".encode() * 10 * TEN_THOUSAND, ("long_text",)),
    ),
    _reader(
        "enriched text",
        "enriched",
        body("text/enriched"),
        b"<bold>x</bold><color><param>red</param>y</color><<z",
        Hostile(lambda: b"<bold>" * 300_000, ("html_truncated",)),
        Hostile(lambda: b"<param>x</param><nl>" * 2 * TEN_THOUSAND, ("html_truncated",)),
    ),
    _reader(
        "RTF text",
        "rtf",
        body("text/rtf"),
        b"{\\rtf1\\ansi caf\\'e9 \\u8364 ?{\\v hidden}\\par x}",
        Hostile(lambda: b"{\\rtf1" + b"{" * 1_500_000, ("long_file",)),
        Hostile(lambda: b"{\\rtf1" + b"\\u65 A" * 20 * TEN_THOUSAND, ("long_file",)),
    ),
    _reader(
        "invitation",
        "cards",
        _calendar,
        b'BEGIN:VCALENDAR\r\nSUMMARY:x\\ny\r\nDESCRIPTION;ALTREP="data:text/html,<b>z":w\r\n'
        b"ATTACH;ENCODING=BASE64;VALUE=BINARY;FILENAME=a.exe:TVqQAAMA\r\nEND:VCALENDAR\r\n",
        Hostile(lambda: b"BEGIN:VCALENDAR\r\nSUMMARY" + b";a=b" * 500_000 + b":x", ("long_file",)),
        Hostile(
            lambda: b"BEGIN:VCALENDAR\r\n" + b"ATTACH;ENCODING=BASE64;VALUE=BINARY:QUFB\r\n" * TEN_THOUSAND,
            ("too_many_readings",),
        ),
        Hostile(
            lambda: (
                b'BEGIN:VCALENDAR\r\nSUMMARY;ALTREP="data:text/html,' + b"data:text/html," * 90_000 + b'":x'
            ),
            ("long_file",),
        ),
    ),
    _reader(
        "card",
        "cards",
        body("text/vcard; charset=utf-8"),
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;QUOTED-PRINTABLE:a=\r\n=41;b\r\nPHOTO;PNG;BASE64:iVBORw0KGgo=\r\nEND:VCARD\r\n",
        Hostile(lambda: b"BEGIN:VCARD\r\nN;QUOTED-PRINTABLE:" + b"= " * 1_000_000, ("long_file",)),
        Hostile(
            lambda: b"BEGIN:VCARD\r\n" + b"NOTE;QUOTED-PRINTABLE:a=\r\n" * 10 * TEN_THOUSAND, ("long_file",)
        ),
    ),
    _reader(
        "files in text (uuencode, yEnc)",
        "embedded",
        _plain,
        b"begin 644 a.exe\r\n#86)C\r\n`\r\nend\r\n=ybegin line=1 name=a\r\nx\r\n=yend\r\n",
        _known("uuencode-open"),
        _known("uuencode-many"),
    ),
    _reader(
        "page",
        "html markup references destinations drawings",
        _page,
        b"<a href=http://a.example/ style='color:red'>b</a><img src='data:image/png,x'><!-- <a href=//c.example> -->",
        _known("html-font-p"),
        Hostile(
            lambda: b"".join(b"<a href=//h%d.example/>" % n for n in range(TEN_THOUSAND)), ("url_limit",)
        ),
        Hostile(lambda: b"<iframe srcdoc='" * 30 + b"x", ()),
    ),
    _reader(
        "drawing in a page (SVG)",
        "drawings references",
        _page,
        b"<svg><a xlink:href=http://a.example/><rect width=9 /></a><use href=#x /></svg>",
        Hostile(lambda: b"<svg><g>" * 20_000, ("html_truncated",)),
        Hostile(lambda: b"<svg><rect width=9 /></svg>" * TEN_THOUSAND, ("html_truncated", "too_many_images")),
        Hostile(lambda: b"<svg><g id=a><use href=#a /></g></svg>" * 9),
    ),
    _reader(
        "style (CSS)",
        "css styles selectors blocks hiding",
        _page,
        b"<style>@media screen{.a>b:not(.c){display:none}}</style><p class=a style='font:0/0 x'><b>y</b>",
        _known("style-sheet-large"),
        Hostile(
            lambda: (
                b"<style>"
                + b"".join(b".a%d{opacity:0}" % n for n in range(TEN_THOUSAND))
                + b"</style><p class=a1>x"
            ),
            ("style_truncated",),
        ),
        Hostile(lambda: b"<style>:root{--a:var(--b);--b:var(--a)}p{color:var(--a)}</style><p>x"),
    ),
    _reader(
        "text that style moves or puts in",
        "arranged turned retold",
        _page,
        b"<style>a::before{content:'x' attr(title)}p{display:flex;flex-direction:row-reverse}</style>"
        b"<p><a title=y href=//a.example>b.<i style='display:none'>z</i>example</a><bdo dir=rtl>c</bdo></p>",
        Hostile(lambda: b"<div style='display:flex;flex-direction:row-reverse'>" * 5000 + b"x"),
        Hostile(
            lambda: b"<style>b::before{content:'x'}</style>" + b"<b>y</b>" * TEN_THOUSAND, ("html_truncated",)
        ),
        Hostile(lambda: b"<style>p{counter-reset:a counter(a);content:counter(a)}</style>" + b"<p>" * 50),
    ),
    _reader(
        "code of pages",
        "code_links",
        _page,
        b"<script>location=atob('aHR0cDovL2EuZXhhbXBsZS8=')</script>",
        Hostile(lambda: b"<script>'" + b"aHR0" * 200_000 + b"'</script>", ("script_truncated",)),
        Hostile(lambda: b"<script>" + b"x='aHR0cDovL2EuZXhhbXBsZS8=';" * TEN_THOUSAND, ("script_truncated",)),
    ),
    _reader(
        "addresses in text",
        "urls written_links tamis.message.public_places",
        _plain,
        b"see http://a.example/b?c=d, www.e.example (f.example/g) hxxp://h[.]example \\\\i.example\\j",
        Hostile(lambda: b"http://" + b"a-." * 300_000 + b"com"),
        Hostile(lambda: b"".join(b"http://h%d.example/ " % n for n in range(TEN_THOUSAND)), ("url_limit",)),
    ),
    _reader(
        "links that lead on",
        "redirects wrappers",
        _plain,
        b"https://www.google.com/url?q=http%3A%2F%2Fa.example%2F&x=1",
        Hostile(
            lambda: b"http://a.example/?u=" + b"http://a.example/?u=" * 50_000,
            ("too_many_targets", "url_limit"),
        ),
        Hostile(
            lambda: b"".join(
                b"https://www.google.com/url?q=http://h%d.example/ " % n for n in range(TEN_THOUSAND)
            ),
            ("url_limit",),
        ),
        Hostile(
            lambda: b"https://www.google.com/url?q=" * 40 + b"http://a.example/",
            ("too_many_targets", "url_limit"),
        ),
    ),
    _reader(
        "From as it is shown",
        "tamis.message.shown_from tamis.language.shown_mailbox",
        value("From"),
        b"=?utf-8?q?=22a=40b.example=22_=3Cc=40d.example=3E?= <e@f.example>",
        Hostile(lambda: b'("' * 30_000 + b"<a@b.example>"),
        Hostile(lambda: b"<a@b.example> " * TEN_THOUSAND, ("header_too_long", "too_many_addresses")),
    ),
)
"""Each by the whole examination of a message, as it comes to it."""

NO_READERS = {
    "tamis.message": "a folder",
    "tamis.message.mail": "a folder",
    "tamis.services.files": "a folder",
    "tamis.message.envelope": "what the SMTP dialogue said; tests/chain/test_hostile_chain.py",
    "tamis.message.subject": "writes a subject; tests/message/test_subject.py",
    "tamis.message.header_editing": "writes a header; tests/message/test_header_editing.py",
    "tamis.message.test_strings": "looks for fixed lines",
    "tamis.services.files.attachments": "calls the helper",
    "tamis.services.files.helper": "calls the helper",
    "tamis.services.files.helper_main": "calls the readers",
    "tamis.services.files.reader": "calls the helper",
}
"""Modules of the readers' rooms that read no content, and why each is none."""

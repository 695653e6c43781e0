"""Honest mail of many kinds, written for the tests: the forms that programs and people really use, made-up content."""

from __future__ import annotations

import base64
import gzip
import random
from collections.abc import Mapping

from tamis.chain.road import Examined, Road
from tamis.contract.service_protocols import Services
from tamis.message.mail import Mail
from tamis.services.files.attachments import AttachmentLooker
from tamis.services.runner import Runner
from tests.attachments import PDF
from tests.builders import STRANGER_IP, envelope, site
from tests.services.dns.resolving import CLIENT_NAME, WrittenDNS
from tests.signing import RECORDS, sealed, signed

DATE = "Sun, 1 Mar 2026 12:00:00 +0000"
_ANNA = "Anna Berger <anna@example.net>"
_PLAIN = "Content-Type: text/plain; charset=utf-8"
_HTML = "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8"


def _mail(
    header: str, body: str, *, author: str = _ANNA, subject: str = "Your order", date: str = DATE
) -> bytes:
    told = f"From: {author}\nTo: marie@example.com\nSubject: {subject}\nDate: {date}\nMessage-ID: <m1@example.net>\n"
    return f"{told}{header}\n\n{body}\n".replace("\n", "\r\n").encode()


def _multipart(kind: str, *parts: str, header: str = "", **more: str) -> bytes:
    body = "".join(f"--=_b\n{part}\n" for part in parts) + "--=_b--"
    extra = f"{header}\n" if header else ""
    return _mail(f'{extra}MIME-Version: 1.0\nContent-Type: {kind}; boundary="=_b"', body, **more)


def _file(
    name: str, octets: bytes, kind: str = "application/octet-stream", disposition: str = "attachment"
) -> str:
    text = base64.encodebytes(octets).decode()
    return (
        f'Content-Type: {kind}; name="{name}"\nContent-Disposition: {disposition}; filename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n\n{text}"
    )


def _link(href: str, shown: str) -> bytes:
    return _mail(_HTML, f'<p>Hello Marie,</p><p>see <a href="{href}">{shown}</a></p><p>Anna</p>')


_TEXT = f"{_PLAIN}\n\nHello Marie,\nas promised.\nAnna\n"
_ORIGINAL = (
    "Content-Type: message/rfc822\n\nFrom: marie@example.com\nTo: bob@example.net\nSubject: hello\n"
    f"Date: {DATE}\nMessage-ID: <o1@example.com>\n\nhi bob\n"
)
_STATUS = (
    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.net\n\n"
    "Final-Recipient: rfc822; bob@example.net\nAction: failed\nStatus: 5.1.1\n"
)
_EVENT = (
    "BEGIN:VCALENDAR\nMETHOD:REQUEST\nVERSION:2.0\nBEGIN:VEVENT\nUID:1@example.net\nDTSTART:20260303T090000Z\n"
    "SUMMARY:Meeting\nURL:https://meet.example.net/room\nORGANIZER:mailto:anna@example.net\n"
    "ATTENDEE:mailto:marie@example.com\nEND:VEVENT\nEND:VCALENDAR\n"
)
_LIST = "List-Id: Talk <talk.lists.example.org>\nList-Post: <mailto:talk@lists.example.org>\nPrecedence: list"
_DAEMON = "MAILER-DAEMON@mail.example.net (Mail Delivery System)"
_NEWS = (
    "List-Unsubscribe: <https://example.net/u?x=1>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
    + _HTML
)
_NEWS_FIELDS = ("from", "subject", "list-unsubscribe", "list-unsubscribe-post")
_RANDOM = random.Random(7)
_SAFE = "https://eur01.safelinks.protection.outlook.com/?url="

FIRST_OCTETS = (0xE9, 0xEB, 0xE8, 0xB8, 0x8C, 0xFC, 0xFA)
"""By which libmagic takes data for a program of DOS."""

KINDS: Mapping[str, bytes] = {
    "letter": _mail(_PLAIN, "Hello Marie,\nsee you on Monday.\nAnna"),
    "letter with a signature's link": _mail(
        _PLAIN, "Hello,\nfine.\n-- \nAnna Berger, Firm\nhttps://www.firm.example"
    ),
    "letter in HTML with a link": _link("https://www.firm.example/page", "our new page"),
    "login code": _mail(_PLAIN, "Your login code is 123456.", author="Service <no-reply@example.net>"),
    "an at sign in the author's name": _mail(_PLAIN, "See you.", author="Anna @ Work <anna@example.net>"),
    "comment in the date": _mail(
        _PLAIN, "hi", date="Sun, 1 Mar 2026 12:00:00 +0000 (Coordinated Universal Time (UTC))"
    ),
    "comments all over the date": _mail(
        _PLAIN, "hi", date="Sun (Sunday), 1 (first) Mar 2026 12:00 (noon) +0000"
    ),
    "date without a weekday": _mail(_PLAIN, "hi", date="1 Mar 2026 12:00:00 -0000"),
    "date with an obsolete zone": _mail(_PLAIN, "hi", date="Sun, 1 Mar 26 12:00:00 GMT"),
    "Safelinks in a reply": _link(
        f"{_SAFE}https%3A%2F%2Fwww.firm.example%2Fpage&amp;data=05%7C02&amp;reserved=0",
        "https://www.firm.example/page",
    ),
    "Safelinks shown as they are": _link(
        f"{_SAFE}https%3A%2F%2Fwww.firm.example%2Fp&amp;reserved=0",
        f"{_SAFE}https%3A%2F%2Fwww.firm.example%2Fp&amp;reserved=0",
    ),
    "a text that was shortened by hand": _link(
        f"{_SAFE}https%3A%2F%2Fshop.firm.example%2Fp&amp;reserved=0", "www.firm.example"
    ),
    "URL Defense 2": _link(
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__www.firm.example_page&amp;d=DwMF",
        "https://www.firm.example",
    ),
    "URL Defense 3": _link(
        "https://urldefense.com/v3/__https://www.firm.example/page__;!!abc!def$",
        "https://www.firm.example/page",
    ),
    "a document's link through a search engine": _link(
        "https://www.google.com/url?q=https://www.firm.example/page&amp;sa=D", "www.firm.example/page"
    ),
    "two wrappers": _link(
        f"{_SAFE}https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2F%2Fwww.firm.example%2Fp__%3B%21%21a%21b%24&amp;reserved=0",
        "https://www.firm.example/p",
    ),
    "clicks counted by a service": signed(
        _link("https://u1.ct.sendgrid.net/ls/click?upn=u001.abc", "https://www.example.net/order/7")
    ),
    "newsletter": signed(
        _mail(
            _NEWS,
            '<p>News: <a href="https://click.example.org/x">https://www.firm.example/news</a></p><img src="https://t.example.org/o">',
        ),
        fields=_NEWS_FIELDS,
    ),
    "contact form of one's own site": signed(
        _mail(
            f"Reply-To: Visitor <visitor@gmail.com>\n{_PLAIN}",
            "Name: A visitor\nMessage: When are you open?",
            author="Web site <www@example.com>",
        ),
        domain="example.com",
    ),
    "contact form of another's site": _mail(
        f"Reply-To: Visitor <visitor@firm.example>\n{_PLAIN}",
        "Message: When are you open?",
        author="Form <form@example.net>",
    ),
    "mailing list": sealed(
        signed(
            _mail(
                f"Reply-To: Talk <talk@lists.example.org>\n{_LIST}\n{_PLAIN}",
                "hello list\n_______\nTalk mailing list",
            ),
            domain="lists.example.org",
            fields=("from", "list-id", "list-post", "reply-to"),
        ),
        domain="lists.example.org",
        results="dkim=pass header.d=example.net",
    ),
    "mailing list in the author's stead": signed(
        _mail(
            f"Reply-To: Bob <bob@firm.example>\n{_LIST}\n{_PLAIN}",
            "hi",
            author="Bob via Talk <talk@lists.example.org>",
        ),
        domain="lists.example.org",
        fields=("from", "list-id", "list-post", "reply-to"),
    ),
    "forwarded message as an attachment": _multipart(
        "multipart/mixed", _TEXT, _ORIGINAL, subject="Fwd: hello"
    ),
    "bounce": _multipart(
        "multipart/report; report-type=delivery-status",
        f"{_PLAIN}\n\nI'm sorry to have to inform you that your message could not be delivered.\n",
        _STATUS,
        _ORIGINAL,
        header="Auto-Submitted: auto-replied",
        author=_DAEMON,
        subject="Undelivered Mail Returned to Sender",
    ),
    "plain bounce": _mail(
        "Auto-Submitted: auto-replied",
        "Hi. This is the mail program at mail.example.net.\n<bob@example.net>:\nSorry, no mailbox here by that name.",
        author="MAILER-DAEMON@mail.example.net",
        subject="failure notice",
        date="1 Mar 2026 12:00:00 -0000",
    ),
    "vacation": _mail(
        f"Auto-Submitted: auto-replied\nPrecedence: bulk\n{_PLAIN}", "I am away until Monday.", subject="Out"
    ),
    "read receipt": _multipart(
        "multipart/report; report-type=disposition-notification",
        f"{_PLAIN}\n\nYour message was displayed.\n",
        "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;anna@example.net\n"
        "Disposition: manual-action/MDN-sent-manually; displayed\n",
        subject="Read: hello",
    ),
    "abuse report": _multipart(
        "multipart/report; report-type=feedback-report",
        f"{_PLAIN}\n\nThis is an abuse report.\n",
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x/1\nVersion: 1\n",
        _ORIGINAL,
        author="fbl@example.net",
        subject="FW: hello",
    ),
    "DMARC report": _multipart(
        "multipart/mixed",
        _TEXT,
        _file(
            "example.net!example.com!1!2.xml.gz",
            gzip.compress(b"<feedback/>", mtime=0),
            "application/gzip",
        ),
        subject="Report Domain: example.com Submitter: example.net Report-ID: 1",
    ),
    "invitation": _multipart(
        "multipart/mixed",
        f"{_PLAIN}\n\nAnna invites you.\n",
        f"Content-Type: text/calendar; charset=utf-8; method=REQUEST\n\n{_EVENT}",
        _file("invite.ics", _EVENT.encode(), "application/ics"),
        subject="Invitation: Meeting",
    ),
    "business card": _multipart(
        "multipart/mixed",
        _TEXT,
        _file(
            "anna.vcf",
            b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna\r\nURL:https://firm.example\r\nEND:VCARD\r\n",
            "text/vcard",
        ),
    ),
    "scanner to mail": _multipart(
        "multipart/mixed", f"{_PLAIN}\n\n", _file("scan.pdf", PDF, "application/pdf"), subject=""
    ),
    "photographs": _multipart(
        "multipart/mixed",
        _TEXT,
        *(
            _file(f"IMG_{n:04}.jpg", b"\xff\xd8\xff\xe0" + _RANDOM.randbytes(300), "image/jpeg")
            for n in range(12)
        ),
    ),
    "encrypted data by a name of one's own": _multipart(
        "multipart/mixed",
        _TEXT,
        *(
            _file(f"data{n}.pdf", bytes([first]) + _RANDOM.randbytes(600))
            for n, first in enumerate(FIRST_OCTETS)
        ),
    ),
    "PGP/MIME, signed": _multipart(
        'multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"',
        _TEXT,
        'Content-Type: application/pgp-signature; name="signature.asc"\n\n'
        "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n",
    ),
    "PGP/MIME, encrypted": _multipart(
        'multipart/encrypted; protocol="application/pgp-encrypted"',
        "Content-Type: application/pgp-encrypted\n\nVersion: 1\n",
        'Content-Type: application/octet-stream; name="encrypted.asc"\n\n'
        "-----BEGIN PGP MESSAGE-----\n\nhQ==\n-----END PGP MESSAGE-----\n",
        subject="...",
    ),
    "S/MIME, signed": _multipart(
        'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256',
        _TEXT,
        _file(
            "smime.p7s",
            b"0\x82\x01\x0a\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x02" + _RANDOM.randbytes(200),
            "application/pkcs7-signature",
        ),
    ),
    "S/MIME, encrypted": _mail(
        'MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\n'
        'Content-Disposition: attachment; filename="smime.p7m"\nContent-Transfer-Encoding: base64',
        base64.encodebytes(
            b"0\x82\x01\x0a\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x03" + _RANDOM.randbytes(300)
        ).decode(),
    ),
    "names with commas, an empty group": _mail(
        f'Cc: "Doe, John" <john@firm.example>, undisclosed-recipients:;\n{_PLAIN}',
        "hello",
        author='"Firm, Inc." <office@example.net>',
    ),
    "umlauts in two encodings": _mail(
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=cp-850\nContent-Transfer-Encoding: quoted-printable",
        "caf=82",
        subject="=?iso-8859-1?Q?R=E9union?= =?utf-8?B?w6k=?=",
    ),
    "French typography": _mail(
        f"MIME-Version: 1.0\n{_PLAIN}\nContent-Transfer-Encoding: 8bit",
        "Bonjour\u00a0!\nVoil\u00e0 l\u2019offre\u202f: 12\u202f000\u00a0\u20ac.",
    ),
    "emoji": _mail(
        f"MIME-Version: 1.0\n{_PLAIN}\nContent-Transfer-Encoding: 8bit",
        "Family \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    ),
    "Persian with non-joiners": _mail(
        f"MIME-Version: 1.0\n{_PLAIN}\nContent-Transfer-Encoding: 8bit",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 " * 20,
    ),
    "soft hyphens in long words": _mail(
        f"{_HTML}\nContent-Transfer-Encoding: 8bit", "<p>Donau\u00addampf\u00adschiff\u00adfahrt</p>"
    ),
    "preheader": signed(
        _mail(
            _NEWS,
            '<div style="display:none;max-height:0">Our offers this week'
            + "&#847;&zwnj;&nbsp;" * 60
            + "</div><p>Dear Marie, here is what is new in our shop this week: shoes, coats, hats.</p>",
        ),
        fields=_NEWS_FIELDS,
    ),
    "logs of a night": _mail(
        f"Auto-Submitted: auto-generated\n{_PLAIN}",
        "Mar  1 03:00:01 host cron[7]: done\n" * 5000,
        author="root <root@example.net>",
        subject="Cron",
    ),
    "archive of documents": _multipart(
        "multipart/mixed",
        _TEXT,
        _file(
            "papers.zip",
            base64.b64decode(
                "UEsDBAoAAAAAAAAAIQCGphA2BQAAAAUAAAAFAAAAYS50eHRoZWxsb1BLAQIKAAoAAAAAAAAAIQCGphA2BQAAAAUAAAAFAAAAAAAAAAAAAAAAAAAAAABhLnR4dFBLBQYAAAAAAQABADMAAAAoAAAAAAA="
            ),
            "application/zip",
        ),
    ),
    "many recipients": _mail(
        "Cc: " + ",\n ".join(f"colleague{n} <c{n}@firm.example>" for n in range(120)) + f"\n{_PLAIN}",
        "Minutes of the meeting.",
    ),
}
"""Kind -> message to marie@example.com."""

NULL_SENDER = frozenset({"bounce", "plain bounce", "vacation", "read receipt"})
"""Kinds that come with an empty MAIL FROM."""

SENDERS = ("example.net", CLIENT_NAME, "example.com", "lists.example.org")
DNS = {
    **{f"{domain} TXT": ["v=spf1 ip4:192.0.2.7 -all"] for domain in SENDERS},
    **{f"_dmarc.{domain} TXT": ["v=DMARC1; p=reject"] for domain in SENDERS},
    **{
        f"{selector}._domainkey.{domain} TXT": [record]
        for domain in SENDERS
        for selector, record in RECORDS.items()
    },
}


_RUNNER = Runner()


def examined(raw: bytes, sender: str) -> Examined:
    """What the road makes of a message to Marie."""
    road = Road(
        site(), _RUNNER, Services(dns=WrittenDNS(DNS, client=STRANGER_IP), attachments=AttachmentLooker())
    )
    return road.end_of_message(envelope(sender=sender, helo=CLIENT_NAME), Mail(raw))

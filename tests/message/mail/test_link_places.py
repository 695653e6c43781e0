"""Links in every place from which a client can be led somewhere: none is overlooked, whatever the address."""

from __future__ import annotations

import base64
import codecs
import html
import quopri
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import Mail

_HEADER = "From: a@sender.example\r\nMIME-Version: 1.0\r\n"


def _body(markup: str) -> bytes:
    return f"{_HEADER}Content-Type: text/html; charset=utf-8\r\n\r\n<p>hi</p>{markup}".encode()


def _plain(text: str) -> bytes:
    return f"{_HEADER}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()


def _file(
    content: str | bytes, name: str, kind: str = "application/octet-stream", disposition: str = "attachment"
) -> bytes:
    octets = content.encode() if isinstance(content, str) else content
    named = f'; filename="{name}"' if name else ""
    return (
        f"{_HEADER}Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\nhi\r\n--B\r\nContent-Type: {kind}\r\n"
        f"Content-Disposition: {disposition}{named}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.encodebytes(octets).decode()}\r\n--B--\r\n"
    ).encode()


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _page(url: str) -> str:
    return f'<html><body><a href="{url}">look</a></body></html>'


def _bare(url: str) -> str:
    return url.partition("://")[2]


_PAD = "<p>" + "<b>x</b> " * 30_000


def _around(element: str) -> Callable[[str], bytes]:
    return lambda url: _body(element.replace("URL", url))


PLACES: dict[str, Callable[[str], bytes]] = {
    # markup
    **{
        element: _around(element)
        for element in (
            '<a href="URL">x</a>',
            "<A HREF='URL'>x</A>",
            "<a href=URL>x</a>",
            '<area href="URL">',
            '<a href="#" data-href="URL">x</a>',
            '<a href="#" originalsrc="URL">x</a>',
            '<a href="blob:URL">x</a>',
            '<base href="URL"><a href="/x">x</a>',
            '<form action="URL"><input></form>',
            '<button formaction="URL">x</button>',
            '<input type=image src="URL">',
            '<img src="URL">',
            '<img srcset="cid:a 1x, URL 2x">',
            '<source srcset="URL 100w">',
            '<video poster="URL"></video>',
            '<body background="URL">',
            '<table><tr><td background="URL">x</table>',
            '<iframe src="URL"></iframe>',
            '<object data="URL"></object>',
            '<embed src="URL">',
            '<object><param name="movie" value="URL"></object>',
            '<meta http-equiv="refresh" content="0;url=URL">',
            "<meta http-equiv=Refresh content=\"3; URL='URL'\">",
            '<meta content="0 URL" http-equiv=refresh>',
            '<link rel="stylesheet" href="URL">',
            '<script src="URL"></script>',
            '<svg><a xlink:href="URL"><text>x</text></a></svg>',
            '<svg><a href="URL"><text>x</text></a></svg>',
            '<svg><image xlink:href="URL"/></svg>',
            '<math><mtext href="URL">x</mtext></math>',
            '<v:roundrect href="URL"></v:roundrect>',
            '<v:fill src="URL"/>',
            '<!--[if mso]><v:rect href="URL"></v:rect><![endif]-->',
            '<!--[if gte mso 9]><a href="URL">x</a><![endif]-->',
            '<!--[if !mso]><!--><a href="URL">x</a><!--<![endif]-->',
            '<p style="background:url(URL)">',
            "<p style=\"background:url('URL')\">",
            '<style>p{background:url("URL")}</style>',
            '<style>@import "URL";</style>',
            '<a href="#" onclick="location=\'URL\'">x</a>',
            '<noscript><a href="URL">x</a></noscript>',
            '<a ping="URL" href="#">x</a>',
        )
    },
    "drawing's attribute": lambda u: _body(f'<svg><rect fill="url({u})"/><g filter=url({u})></g></svg>'),
    **{
        f"within <{name}>": _around(f'<{name}><a href="URL">x</a></{name}>')
        for name in ("title", "noembed", "noframes", "template", "iframe", "textarea", "xmp")
    },
    "tag that is never closed": lambda u: _body(f'<p>hi</p><a href="{u}'),
    "backquotes": lambda u: _body(f"<a href=`{u}`>x</a>"),
    "another reader's user name": lambda u: _body(f'<a href="http://shop.example{chr(92)}@{_bare(u)}">x</a>'),
    "behind a fragment": lambda u: _body(f'<a href="http://shop.example#@{_bare(u)}">x</a>'),
    "frameset": lambda u: _body("").replace(b"<p>hi</p>", f"<frameset><frame src={u}></frameset>".encode()),
    "blanks and control characters around": lambda u: _body(f'<a href=" \x01\x1f\n{u}\t \x0b">x</a>'),
    "line breaks within": lambda u: _body(f'<a href="{u[:4]}\n\t{u[4:9]}\r\n{u[9:]}">x</a>'),
    "backslashes": lambda u: _body(f'<a href="{u.replace("/", chr(92))}">x</a>'),
    "one slash": lambda u: _body(f'<a href="{u.replace("://", ":/")}">x</a>'),
    "no slash": lambda u: _body(f'<a href="{u.replace("://", ":")}">x</a>'),
    "many slashes": lambda u: _body(f'<a href="{u.replace("://", ":////")}">x</a>'),
    "no scheme": lambda u: _body(f'<a href="//{_bare(u)}">x</a>'),
    "nothing but the host": lambda u: _body(f'<a href="{_bare(u)}">x</a>'),
    "host and port": lambda u: _body(f'<a href="{_bare(u).replace("/", ":8443/", 1)}">x</a>'),
    "userinfo and port": lambda u: _body(
        f'<a href="{u.replace("://", "://www.bank.example:x@").replace("/", "/", 1)}">x</a>'
    ),
    "entities": lambda u: _body(f'<a href="{"".join(f"&#{ord(c)};" for c in u)}">x</a>'),
    "javascript:": lambda u: _body(f"<a href=\"javascript:window.open('{u}')\">x</a>"),
    "javascript:, percent-coded": lambda u: _body(f'<a href="javascript:{quote(f"location=`{u}`")}">x</a>'),
    "data:": lambda u: _body(f'<a href="data:text/html,{quote(_page(u))}">x</a>'),
    "data:, base64": lambda u: _body(f'<iframe src="data:text/html;base64,{_b64(_page(u))}"></iframe>'),
    "data:, svg": lambda u: _body(
        f'<img src="data:image/svg+xml;base64,{_b64(f"<svg><a href={u!r}>x</a></svg>")}">'
    ),
    "data: in data:": lambda u: _body(
        f'<a href="data:text/html;base64,{_b64(f"<a href=data:text/html;base64,{_b64(_page(u))}>x</a>")}">x</a>'
    ),
    "srcdoc": lambda u: _body(f'<iframe srcdoc="{html.escape(_page(u))}"></iframe>'),
    "ms-word:": lambda u: _body(f'<a href="ms-word:ofe|u|{u}x.docx">x</a>'),
    "ms-excel:, coded": lambda u: _body(f'<a href="ms-excel:ofv%7Cu%7C{quote(u, safe="")}">x</a>'),
    "ms-appinstaller:": lambda u: _body(f'<a href="ms-appinstaller:?source={u}a.msix">x</a>'),
    "search-ms:": lambda u: _body(
        f'<a href="search-ms:query=x&crumb=location:{chr(92) * 2}{_bare(u).partition("/")[0]}{chr(92)}s&a=x">x</a>'
    ),
    "view-source:": lambda u: _body(f'<a href="view-source:{u}">x</a>'),
    "file:": lambda u: _body(f'<a href="file://{_bare(u).partition("/")[0]}/share/x.lnk">x</a>'),
    "UNC, WebDAV": lambda u: _body(
        f'<a href="{chr(92) * 2}{_bare(u).partition("/")[0]}@80{chr(92)}share">x</a>'
    ),
    "UNC, WebDAV by TLS": lambda u: _body(
        f'<a href="file://{_bare(u).partition("/")[0]}@SSL@8443/share">x</a>'
    ),
    "UNC": lambda u: _body(f'<a href="{chr(92) * 2}{_bare(u).partition("/")[0]}{chr(92)}share">x</a>'),
    "rdp:": lambda u: _body(
        f'<a href="rdp://full%20address=s:{_bare(u).partition("/")[0]}:3389&audiomode=i:2">x</a>'
    ),
    "webcal:": lambda u: _body(f'<a href="webcal://{_bare(u)}">x</a>'),
    "CSS escapes": lambda u: _body(
        f'<p style="background:url({"".join(f"{chr(92)}{ord(c):x} " for c in u)})">x</p>'
    ),
    "behind much markup": lambda u: _body(f'{_PAD}<a alt="" href="{u}">x</a>'),
    "iframe behind much markup": lambda u: _body(f'{_PAD}<iframe src="{u}"></iframe>'),
    "after many attributes": lambda u: _body(f'{_PAD}<a {"alt=x " * 40} href="{u}">x</a>'),
    "script": lambda u: _body(f"<script>location.href='{u}'</script>"),
    # text
    "text": lambda u: _plain(f"see {u} now"),
    "text, www": lambda u: _plain(f"see www.{_bare(u)} now"),
    "text, host and path": lambda u: _plain(f"see {_bare(u)}x now"),
    "text, port": lambda u: _plain(f"see {_bare(u).replace('/', ':8080/x', 1)} now"),
    "text, UNC": lambda u: _plain(f"see {chr(92) * 2}{_bare(u).partition('/')[0]}{chr(92)}share now"),
    "text, UNC, WebDAV": lambda u: _plain(f"{chr(92) * 2}{_bare(u).partition('/')[0]}@SSL@443{chr(92)}share"),
    "text, file:": lambda u: _plain(f"see file:////{_bare(u)}a now"),
    "text, smb:": lambda u: _plain(f"see <smb://{_bare(u)}a>"),
    "text, webcal:": lambda u: _plain(f"see webcal://{_bare(u)}a.ics now"),
    # files
    "HTML attachment": lambda u: _file(_page(u), "invoice.html", "text/html"),
    "HTML, octet-stream": lambda u: _file(_page(u), "invoice.html"),
    "HTML, inline, unnamed": lambda u: _file(_page(u), "", "application/octet-stream", "inline"),
    "HTML called text": lambda u: _file(_page(u), "a.txt", "text/plain"),
    ".shtml": lambda u: _file(_page(u), "invoice.shtml"),
    ".xhtml": lambda u: _file(f'<?xml version="1.0"?>{_page(u)}', "invoice.xhtml", "application/xhtml+xml"),
    ".htm, UTF-16": lambda u: _file(_page(u).encode("utf-16"), "invoice.htm"),
    ".html behind octets": lambda u: _file(b"\0\x01\x02\x03" * 40 + _page(u).encode(), "invoice.html"),
    ".html, location": lambda u: _file(f"<script>window.location = '//{_bare(u)}'</script>", "a.html"),
    ".html, atob": lambda u: _file(f"<script>location.href=atob('{_b64(u)}')</script>", "a.html"),
    ".html, page in base64": lambda u: _file(
        f"<script>document.write(atob('{_b64(_page(u) + ' ' * 30)}'))</script>", "a.html"
    ),
    ".html, unescape": lambda u: _file(
        f"<script>document.write(unescape('{''.join(f'%{ord(c):02x}' for c in _page(u))}'))</script>",
        "a.html",
    ),
    ".html, escapes": lambda u: _file(
        f"<script>location='{''.join(f'{chr(92)}x{ord(c):02x}' for c in u)}'</script>", "a.html"
    ),
    ".html, character codes": lambda u: _file(
        f"<script>location=String.fromCharCode({','.join(str(ord(c)) for c in u)})</script>", "a.html"
    ),
    ".html, concatenation": lambda u: _file(
        f"<script>location='{u[:6]}' + \"{u[6:11]}\"+'{u[11:]}'</script>", "a.html"
    ),
    ".html, list joined": lambda u: _file(
        f"<script>location=['{u.partition('//')[0]}/','{_bare(u).partition('/')[0]}'].join('/')</script>",
        "a.html",
    ),
    ".html, host in a variable": lambda u: _file(
        f"<script>h='{_bare(u).partition('/')[0]}';location='http://'+h</script>", "a.html"
    ),
    ".html, wide escapes": lambda u: _file(
        f"<script>location=unescape('{''.join(f'%u{ord(c):04x}' for c in u)}')</script>", "a.html"
    ),
    ".html, a sign taken out": lambda u: _file(
        f"<script>location='{'~'.join(u)}'.replace(/~/g,'')</script>", "a.html"
    ),
    ".html, ROT13": lambda u: _file(f"<script>location=r('{codecs.encode(u, 'rot13')}')</script>", "a.html"),
    ".csv, formula": lambda u: _file(f'=HYPERLINK("{u[:9]}"&"{u[9:]}";"x")\r\n', "list.csv", "text/csv"),
    ".rtf, in pieces": lambda u: _file("{\\rtf1 see " + u[:9] + "{\\b " + u[9:] + "}\\par}", "a.rtf"),
    ".html, reversed": lambda u: _file(
        f"<script>location='{u[::-1]}'.split('').reverse().join('')</script>", "a.html"
    ),
    ".html, attribute for a script": lambda u: _file(f'<html><p data-go="{u}">x</p></html>', "a.html"),
    ".svg": lambda u: _file(
        f'<svg xmlns="http://www.w3.org/2000/svg"><a xlink:href="{u}"/></svg>', "a.svg", "image/svg+xml"
    ),
    ".svg, script": lambda u: _file(
        f'<svg xmlns="http://www.w3.org/2000/svg"><script><![CDATA[location="{u}"]]></script></svg>',
        "a.svg",
        "image/svg+xml",
    ),
    ".ics": lambda u: _file(
        f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDESCRIPTION:go to {u}\r\nEND:VEVENT\r\n",
        "i.ics",
        "text/calendar",
    ),
    ".ics, folded": lambda u: _file(
        f"BEGIN:VCALENDAR\r\nLOCATION:{u[:5]}\r\n {u[5:9]}\r\n\t{u[9:]}\r\nEND:VCALENDAR\r\n",
        "i.ics",
        "text/calendar",
    ),
    ".ics, escaped": lambda u: _file(f"BEGIN:VCALENDAR\r\nDESCRIPTION:x\\n{u}\\nx\r\n", "i.ics"),
    ".ics, alternative": lambda u: (
        f"{_HEADER}Content-Type: multipart/alternative; boundary=B\r\n\r\n--B\r\n\r\nhi\r\n--B\r\n"
        f"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nURL:{u}\r\n\r\n--B--\r\n"
    ).encode(),
    ".ics, X-ALT-DESC": lambda u: _file(
        f'BEGIN:VCALENDAR\r\nX-ALT-DESC;FMTTYPE=text/html:<html><a href="//{_bare(u)}">x</a>\r\n', "i.ics"
    ),
    ".vcf": lambda u: _file(f"BEGIN:VCARD\r\nVERSION:3.0\r\nURL:{u}\r\nEND:VCARD\r\n", "a.vcf", "text/vcard"),
    ".vcf, quoted-printable": lambda u: _file(
        "BEGIN:VCARD\r\nVERSION:2.1\r\nURL;ENCODING=QUOTED-PRINTABLE:"
        + quopri.encodestring(f"{u}é".encode()).decode().replace(".", "=2E")
        + "\r\nEND:VCARD\r\n",
        "a.vcf",
    ),
    ".txt": lambda u: _file(f"see {u}\r\n", "readme.txt", "text/plain"),
    ".csv": lambda u: _file(f'1,"{u}",2\r\n', "list.csv", "text/csv"),
    ".json": lambda u: _file(f'{{"go": "{u}"}}', "a.json", "application/json"),
    ".url": lambda u: _file(f"[InternetShortcut]\r\nURL={u}\r\n", "a.url"),
    ".url, file:": lambda u: _file(
        f"[InternetShortcut]\r\nURL=file://{_bare(u).partition('/')[0]}/x/a.exe\r\n", "a.url"
    ),
    ".webloc": lambda u: _file(f"<plist><dict><key>URL</key><string>{u}</string></dict></plist>", "a.webloc"),
    ".desktop": lambda u: _file(f"[Desktop Entry]\nType=Link\nURL={_bare(u)}\n", "a.desktop"),
    ".library-ms": lambda u: _file(
        f"<libraryDescription><url>{chr(92) * 2}{_bare(u).partition('/')[0]}{chr(92)}s</url>", "a.library-ms"
    ),
    ".rdp": lambda u: _file(f"full address:s:{_bare(u).partition('/')[0]}:3389\r\n", "a.rdp"),
    ".iqy": lambda u: _file(f"WEB\r\n1\r\n{u}\r\n", "a.iqy"),
    ".rtf": lambda u: _file('{\\rtf1{\\field{\\*\\fldinst HYPERLINK "' + u + '"}}}', "a.rtf", "text/rtf"),
    ".rtf, octets": lambda u: _file(
        '{\\rtf1{\\field{\\*\\fldinst{HYPERLINK "' + "".join(f"\\'{ord(c):02x}" for c in u) + '"}}}}', "a.doc"
    ),
    ".rtf, template": lambda u: _file("{\\rtf1{\\*\\template " + u + "}}", "a.rtf"),
}

_addresses = st.builds(
    lambda scheme, host, path: f"{scheme}://{host}.example/{path}",
    st.sampled_from(["http", "https"]),
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=12),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789", max_size=8),
)


def _hosts(message: bytes) -> set[str]:
    return {url.host for url in Mail(message).urls}


@pytest.mark.parametrize("place", sorted(PLACES))
def test_each_place(place: str) -> None:
    found = _hosts(PLACES[place]("http://listed.example/"))
    assert {"listed.example", "www.listed.example"} & found, found


@given(_addresses, st.sampled_from(sorted(PLACES)))
def test_no_address_is_overlooked_in_any_place(address: str, place: str) -> None:
    """An ordinary run tries a hundred, and 2,000 with `pytest --hypothesis-profile=many`."""
    host = address.partition("://")[2].partition("/")[0]
    assert {host, f"www.{host}"} & _hosts(PLACES[place](address)), place


@pytest.mark.parametrize(
    "markup",
    [
        '<a href="page.html">x</a>',
        '<a href="#top">x</a>',
        '<a href="mailto:marie@example.com">x</a>',
        '<a href="tel:+33123456789">x</a>',
        '<img src="cid:logo.png@example.com">',
        '<img src="image001.png">',
        '<a href="file:///C:/Users/marie/report.docx">x</a>',
        '<a href="outlook:calendar">x</a>',
        '<img src="data:image/png;base64,iVBORw0KGgo=">',
        '<html xmlns="http://www.w3.org/1999/xhtml">',
        "<!-- template by http://www.designer.example/ -->",
    ],
)
def test_what_leads_nowhere(markup: str) -> None:
    assert _hosts(_body(markup)) == set()

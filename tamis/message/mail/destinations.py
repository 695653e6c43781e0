"""What a reference in markup leads to: by every scheme that a client follows, in markup within attributes too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from tamis.message.mail.code_links import code_urls
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.html import Html
from tamis.message.mail.limits import Limits
from tamis.message.mail.references import EDGES, Link
from tamis.message.mail.urls import Url, URLSource, host_of, hosts_of
from tamis.message.mail.written_links import as_link

_SOURCES: dict[str, URLSource] = {
    "a": "link",
    "form": "form",
    "page": "page",
    "script": "script",
    "html": "page",
}
_WEB = frozenset({"http", "https", "ftp"})
# They name a person, a part of the message or nothing at all; RFC 6068, 2392, 3966, 6694. ("blob:" names the page
# that made it: File API 8.3.2.)
_NOWHERE = frozenset({"cid", "mid", "tel", "callto", "about", "sip", "sips", "xmpp", "urn", "tag"})
_CODE = frozenset({"javascript", "vbscript", "livescript", "mocha"})
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30}):", re.IGNORECASE)
_PORT = re.compile(r"\d{1,5}(?:[/?#]|$)")
_IGNORED = re.compile(r"[\t\r\n]+")
_DAV = re.compile(r"(?<=[\w\]])@(?:ssl(?:@\d{1,5})?|\d{1,5})(?=[/\\]|\Z)", re.IGNORECASE)
"""A share's port or TLS, as Windows asks for it by WebDAV: no user name stands before it."""
# The last is Remote Desktop's: "rdp://full%20address=s:HOST:PORT&...".
_INNER = re.compile(
    r"(?:https?|ftp|file):[/\\]*(?=[^/\\\s|&])|\\\\(?=[\w.\[])|(?:full address|gatewayhostname)=s:(?=[\w\[])",
    re.IGNORECASE,
)
_INNER_END = re.compile(r"[\s|\"'<>]|&(?=\w+=)")
_MOST_INNER = 5  # URLs within one reference; beyond: left out, `too_many_targets`


def html_urls(html: Html, limits: Limits, report: DefectReport) -> Iterator[Url]:
    """The URLs of markup that name a host; relative ones with a <base> alone (HTML Standard 4.2.3)."""
    base: Url | None = None
    for link in html.links:
        if link.tag == "base":
            base = next(urls_of(link, None, limits, report), None)
            break
    for link in html.links:
        if link.tag != "base":
            yield from urls_of(link, base, limits, report)


def urls_of(link: Link, base: Url | None, limits: Limits, report: DefectReport) -> Iterator[Url]:
    """What one reference leads to, read as browsers and mail programs read it.

    Control characters and blanks around it and line breaks within are left out, backslashes are slashes, in any number.
    """
    source = _SOURCES.get(link.tag, "image")
    if link.tag == "script":
        yield from code_urls(link.href, limits, report)
        return
    raw = _IGNORED.sub("", link.href.strip(EDGES))
    scheme = _SCHEME.match(raw)
    name = scheme[1].lower() if scheme else ""
    rest = raw[scheme.end() :] if scheme else raw
    if scheme is not None and "." in name and _PORT.match(rest):
        scheme, name, rest = None, "", raw  # shop.example:8080/a
    raw_kept = raw[: limits.url_characters]
    if scheme is None:
        yield from _relative(raw_kept, base, source, link.text)
    elif name in _WEB:
        for host in hosts_of(rest[: limits.url_characters].lstrip("/\\")):
            yield Url(raw_kept, name, host, source, link.text)
    elif name in _CODE:
        yield from code_urls(unquote(rest), limits, report)
    elif name not in _NOWHERE and name != "data":
        yield from _of_program(raw_kept, name, rest[: limits.url_characters], source, link.text, report)


def _relative(raw: str, base: Url | None, source: URLSource, text: str) -> Iterator[Url]:
    """Without a scheme: another host's behind two slashes, the base's, or a host's whose scheme was left out."""
    if raw[:2] in {"//", "\\\\", "/\\", "\\/"}:
        for host in hosts_of(_DAV.sub("", raw[2:].lstrip("/\\"), 1)):
            yield Url(raw, base.scheme if base else "http", host, source, text)
        return
    if base is not None and raw and not raw.startswith("#"):
        yield Url(raw, base.scheme, base.host, source, text)
    # mail programs add the scheme, and a base may be one that they ignore
    if source in {"link", "form", "page"} and (address := as_link(raw)):
        yield Url(raw, "http", host_of(address.partition("://")[2]), source, text)


def _of_program(
    raw: str, name: str, rest: str, source: URLSource, text: str, report: DefectReport
) -> Iterator[Url]:
    """Other schemes start a program: with the host behind "//", and with whatever addresses stand in the rest."""
    if rest[:2] in {"//", "\\\\", "/\\", "\\/"}:
        host = host_of(_DAV.sub("", rest.lstrip("/\\"), 1))
        if (
            "." in host or ":" in host
        ):  # else it names a drive, a resource of the program, or a machine nearby
            yield Url(raw, name, host, source, text)
    told = unquote(unquote(rest))
    for number, found in enumerate(_INNER.finditer(told)):
        if number >= _MOST_INNER:
            report.add(DefectKind.TOO_MANY_TARGETS, _MOST_INNER)
            return
        end = _INNER_END.search(told, found.end())
        stop = end.start() if end else len(told)
        inner = told[found.start() : stop]
        for host in hosts_of(told[found.end() : stop].lstrip("/\\")):
            yield Url(inner, name, host, source, text)

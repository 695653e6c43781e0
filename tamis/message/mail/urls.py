"""URLs in text and in markup (RFC 3986), as readers' programs make them out."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from tamis.message.domains import is_top_level
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.limits import Limits
from tamis.message.mail.sampling import MessageChance, sampled
from tamis.message.names import HostName, host_name, is_host_name, u_label

URLSource = Literal["text", "link", "image", "form", "page", "script", "file", "code"]
"""Where a URL stood: "page" is loaded by itself, "file" is in an attached file, "code" is a QR code."""

_SCHEMES = (
    *("https", "http", "ftp", "file", "smb", "afp", "nfs", "ssh", "telnet", "rdp", "vnc", "ldap"),
    *("gopher", "news", "nntp", "irc", "webcal", "feed"),
)
"""Those before "://" that programs make a link of in plain text; the end of a longer one counts as well."""
_LONGEST = max(map(len, _SCHEMES))
_URL_END = r"\s<>\"\x00-\x1f\u201c\u201d\u300c\u300d\uff08\uff09"
_AFTER_SCHEME = re.compile(rf"[^{_URL_END}]+")
_NAMED = re.compile(rf"(?:www|ftp)\.[^{_URL_END}]+")
# A share of Windows (MS-DTYP 2.2.57), which Outlook makes a link of; with a port or TLS by WebDAV.
_SHARE = re.compile(
    r"(?<![\\\w:])\\\\((?:[\w-]{1,63}\.){1,10}[\w-]{1,63}|\[[0-9a-f:.]{2,45}\])(?:@(?:ssl|[0-9]{1,5})){0,2}"
    rf"(?=[\\/])[^{_URL_END}]*",
    re.IGNORECASE,
)
# A bare name is a link under a top-level domain that is neither a word nor a file suffix, or under any with a path.
# Sinograms, kana and the like, which are written without blanks, may begin and end right at it.
_LETTER = r"[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_BARE_END = re.compile(
    rf"\.(?:(?:com|net|org|info|biz|edu|gov|xyz|icu|ru|de|uk|fr|cn|jp|nl|eu|pl|br|au)(?!{_LETTER}|-|\.\w|@)|"
    r"([a-z]{2,18})(?=(?::\d{1,5})?/[\w?#%~.-]))"
)
_BARE_START = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,10}[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
)
_BARE_REST = re.compile(rf"(?::\d{{1,5}})?(?:/[^{_URL_END}]*)?")
_NO_WORDS = (
    "http",
    "https",
    "ftp",
    "file",
    "mailto",
    "cid",
    "mid",
    "tel",
    "sip",
    "sips",
    "xmpp",
    "urn",
    "schemas",
)
"""Before ":" they are schemes: what follows is part of their address."""
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.-"
_NAME_WINDOW = 64
_TRAILING = ".,;:!?'\"*_|>"
_AUTHORITY_END = re.compile(r"[/\\?#]")
_HOST_CHARACTERS = 253  # characters of a host (RFC 1035 2.3.4); beyond: no host: no program finds one there
_REPETITIONS = 10  # times the bound on URLs: so many are looked at to find distinct ones; beyond: `url_limit`


@dataclass(frozen=True, slots=True)
class Url:
    """A URL that names a host.

    ``host`` is lower-case, with A-labels (RFC 5890) for labels beyond ASCII; ``raw`` is as written, at most
    ``Limits.url_characters``; ``text`` is the link's visible text, '' elsewhere.
    """

    raw: str
    scheme: str
    host: str
    source: URLSource
    text: str = ""

    @property
    def unicode_host(self) -> str:
        """The host with its A-labels shown as the letters that they stand for."""
        return ".".join(map(u_label, self.host.split(".")))


def host_of(after_scheme: str) -> str:
    """The host in what follows '//': without user, password and port, in its comparing form; '' if none."""
    return _host_name_of(after_scheme).key


def _host_name_of(after_scheme: str) -> HostName:
    """The host as browsers read it (URL Standard 3.5): percent-coding undone, then IDNA."""
    end = _AUTHORITY_END.search(after_scheme)
    authority = after_scheme[: end.start()] if end else after_scheme
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return HostName(host.partition("]")[0][1 : _HOST_CHARACTERS + 1].lower())
    host = host.partition(":")[0][: _HOST_CHARACTERS * 3]
    if "%" in host:
        host = unquote(host, errors="replace")
    found = host_name(host)
    return HostName(found.key.strip(". ")[:_HOST_CHARACTERS], found.problem)


_PLAIN_HOST = re.compile(r"[\w.-]+(?::\d{0,5})?(?:/|\Z|[?#][^/@]*(?:/|\Z))", re.ASCII)
_NO_NAME = re.compile(r"[^\w.-]+")
_DOTTED_QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_SIGNS = re.compile(
    "[\u00ab\u00bb\u2010-\u201f\u2026\u2039\u203a\u3001\u3003-\u301f\uff01\uff0c\uff1a\uff1b\uff1f]"
)
"""Signs of the sentence behind an address: of many programs they end it."""
_UNSEEN = re.compile(r"[\x00-\x20\x7f\u00a0]+")
_MOST_HOSTS = 4  # hosts that readers may find in one URL; beyond: left out: the first are those of browsers


def hosts_of(after_scheme: str) -> tuple[str, ...]:
    """Every host that some reader finds in what follows '//', the browsers' first; () if none.

    Some take what is before "@" up to the first slash for a user's name, whatever else is in it; and a host with a
    character that no name has leads nobody anywhere, or to what is before or behind it, or around it.
    """
    host = host_of(after_scheme)
    if _PLAIN_HOST.match(after_scheme):
        return (host,) if host else ()
    found = [host]
    before_slash = after_scheme.partition("/")[0]
    if "@" in before_slash:
        found.append(host_of(before_slash.rpartition("@")[2]))
    if "[" not in before_slash and _NO_NAME.search(host):
        found += (_UNSEEN.sub("", host), *_NO_NAME.split(host))
    elif not after_scheme.isascii() and (signs := _SIGNS.search(before_slash)):
        found.append(host_of(before_slash[: signs.start()]))
    others = (one for one in found[1:] if "." in one and (is_host_name(one) or _DOTTED_QUAD.fullmatch(one)))
    return tuple(dict.fromkeys(filter(None, (host, *others))))[:_MOST_HOSTS]


# What addresses are written with that no program is to follow, and people read all the same.
_DEFUSED_MARK = re.compile(
    r"[\[({]\s?(?:\.|dot)\s?[\])}]|(?<=[a-z0-9])[\u3002\uff0e\uff61](?=[a-z0-9])|h(?:xx|\*\*|__|--)ps?\W|\[:"
    r"|://\s|://[\w.-]{1,80}\s\.|www(?:\s?\.\s|\s\.|\sdot\s)"
)
_DEFUSED_SIGNS = ("hxx", "h**", "h__p", "h--p", "[.", "(.", "{.", "dot", "[:", ":// ", " .", "www. ")
_DEFUSED_WIDE_SIGNS = ("\u3002", "\uff0e", "\uff61")
"""One of them is in every such address; to look for them is quick."""
_DEFUSED_BEFORE, _DEFUSED_BEHIND = 80, 300
_MOST_DEFUSED = 200  # marks of such addresses that are looked at; beyond: by lot, `url_limit`
_DEFUSED = re.compile(
    r"(?:h(?:tt|xx|\*\*|__|--)ps?\s?[\[(]?:[\])]?\s?/{1,2}[\])]?\s?|www(?=[\s.\[({]))?"
    r"(?:[a-z0-9_-]{0,63}(?:\s{0,2}[\[({]\s?(?:\.|dot)\s?[\])}]\s{0,2}|\s?[.\u3002\uff0e\uff61]\s?|\sdot\s)){1,8}"
    r"([a-z]{2,18})(?![\w@-])(?::[0-9]{1,5})?(?:/[^\s<>\"]{0,2000})?",
)
_DEFUSED_SCHEME = re.compile(r"h(?:xx|\*\*|__|--)p(?=s?[\s\[(]{0,2}:)")
_DEFUSED_DOT = re.compile(r"\s{0,2}[\[({]\s?(?:\.|dot)\s?[\])}]\s{0,2}|\s?[.\u3002\uff0e\uff61]\s?|\sdot\s")
_SCHEME = re.compile(r"https?://")
_WIDE_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
_DEFUSED_REST = re.compile(r"[\[\](){}<>\s]+")
_DEFUSED_SURELY = re.compile(r"^(?:h|www)|[\[({]\s?(?:\.|dot)|[\u3002\uff0e\uff61]")

_TIGHT = re.compile(r"\w[\[({]")
"""A bracket without a blank before it. With blanks it may be prose ("do I [dot] it?"): read as any bare name."""


def _defused(low: str) -> Iterator[str]:
    """Addresses written so that no program follows them, as people read them: "hxxp://", "[.]", blanks around dots."""
    marks = [found.start() for found in _DEFUSED_MARK.finditer(low)]
    if len(marks) > _MOST_DEFUSED:
        marks = sampled(
            marks, _MOST_DEFUSED, MessageChance(low[:65_536].encode("utf-8", "replace"), "defused")
        )
    done = 0
    for at in marks:
        if at < done:
            continue
        begin, done = max(done, at - _DEFUSED_BEFORE), at + _DEFUSED_BEHIND
        for found in _DEFUSED.finditer(low, begin, done):
            written = found[0]
            if is_top_level(found[1]) and _DEFUSED_SURELY.search(written):
                read = _DEFUSED_REST.sub("", _DEFUSED_DOT.sub(".", _DEFUSED_SCHEME.sub("http", written)))
                # a URL whose dots are full-width is one that programs follow: it is found as such
                if read != written and not (_SCHEME.match(written) and read == written.translate(_WIDE_DOTS)):
                    is_whole = "://" in read or read.startswith("www.") or not _TIGHT.search(written)
                    yield read if is_whole else f"http://{read}"


_SPACED = re.compile(r"(?<![^\W_])h ?t ?t ?p( ?s)? ?: ?/ ?/ ?(?=[^\s/])")
_SPACED_SIGNS = ("t t p", "p :", "s :", ": /", "/ /", ":// ")
_LETTERS_APART = re.compile(r"(?:[^\s<>\"] ){3,200}[^\s<>\"](?!\S)")
_TO_BLANK = re.compile(r"[^\s<>\"]{1,300}")
_AROUND_POINT = re.compile(r" ?\. ?")


def _spaced(low: str) -> Iterator[str]:
    """Addresses with blanks within the scheme, or between all letters ("h t t p : / / a . b")."""
    for found in _SPACED.finditer(low):
        scheme = found[0].replace(" ", "")
        if scheme == found[0]:
            continue
        rest = low[found.end() : found.end() + _DEFUSED_BEHIND]
        if apart := _LETTERS_APART.match(rest):
            yield scheme + apart[0].replace(" ", "")
        elif word := _TO_BLANK.match(_AROUND_POINT.sub(".", rest)):
            yield scheme + word[0]


_ANGLED = re.compile(r"<(?:url:)?\s{0,9}((?:https?|ftp)://[^<>\"]{3,2000})>", re.IGNORECASE)
_WHITE = re.compile(r"\s+")


def _angled(text: str) -> Iterator[str]:
    """Addresses in angle brackets that lines or blanks break: white space in them is none of theirs (RFC 3986 C)."""
    for found in _ANGLED.finditer(text):
        if (whole := _WHITE.sub("", found[1])) != found[1]:
            yield whole


def has_too_many_defused(text: str) -> bool:
    """Whether a text has more such addresses than are looked at."""
    low = text.lower()
    if sum(map(low.count, (*_DEFUSED_SIGNS, *_DEFUSED_WIDE_SIGNS))) <= _MOST_DEFUSED:
        return False
    return sum(1 for _ in _DEFUSED_MARK.finditer(low)) > _MOST_DEFUSED


def text_urls(text: str, limits: Limits) -> Iterator[Url]:
    """The URLs in plain text, by position within each way of writing: with a scheme, www., bare names, defused ones."""
    # U+0130 alone is two characters in lower case: offsets would not agree.
    text = text.replace(":\\\\", "://")  # as some programs read it, Outlook among them
    low = text.replace("\u0130", "i").lower()
    yield from _written_urls(text, low, limits)
    signs = _DEFUSED_SIGNS if low.isascii() else (*_DEFUSED_SIGNS, *_DEFUSED_WIDE_SIGNS)
    if any(sign in low for sign in signs):
        read = "\n".join(_defused(low))
        yield from _written_urls(read, read, limits)
    if any(sign in low for sign in _SPACED_SIGNS) and (read := "\n".join(_spaced(low))):
        yield from _written_urls(read, read, limits)
    if "<" in low and "://" in low and (read := "\n".join(_angled(text))):
        yield from _written_urls(read, read.lower(), limits)


def _written_urls(text: str, low: str, limits: Limits) -> Iterator[Url]:
    if "." not in low and "://" not in low and "\\\\" not in low:  # as most names and subjects
        return
    cut = limits.url_characters
    starts: list[int] = []
    ends: list[int] = []
    at = low.find("://")
    while at >= 0:
        scheme = next((name for name in _SCHEMES if low.endswith(name, max(0, at - _LONGEST), at)), None)
        found = _AFTER_SCHEME.match(text, at + 3, at + 3 + cut) if scheme else None
        if scheme and found:
            rest = _trimmed(found[0])
            hosts = hosts_of(rest) or (_hosts_behind_slashes(rest) if scheme == "file" else ())
            if hosts:
                starts.append(at)
                ends.append(found.end())
            for host in hosts:
                yield Url(text[at - len(scheme) : at + 3] + rest, scheme, host, "text")
        at = low.find("://", found.end() if found else at + 3)
    for name in ("www.", "ftp."):
        at = low.find(name)
        while at >= 0:
            end = at + 4
            alone = at == 0 or not (low[at - 1].isalnum() or low[at - 1] in "/.@-_=%")
            found = _NAMED.match(low, at, at + cut) if alone else None
            if found:
                raw = _trimmed(text[at : found.end()])
                host = host_of(raw)
                end = found.end()
                if host.count(".") > 1:
                    yield Url(raw, "http" if name == "www." else "ftp", host, "text")
            at = low.find(name, end)
    if "\\\\" in text:
        for found in _SHARE.finditer(text):
            yield Url(_trimmed(found[0])[:cut], "file", host_of(found[1]), "text")
    covered = 0
    for top in _BARE_END.finditer(low):
        if top.start() < covered or (top[1] and not is_top_level(top[1])):
            continue
        before = bisect_right(starts, top.start()) - 1
        if before >= 0 and top.start() < ends[before]:
            continue
        window = low[max(covered, top.start() - _NAME_WINDOW) : top.start()]
        begin = top.start() - len(window) + len(window.rstrip(_NAME_CHARACTERS))
        before_it = low[begin - 1] if begin else ""
        if (before_it and before_it in "@/=%_~&?#\\+") or low.startswith(("www.", "ftp."), begin):
            continue
        if before_it == ":" and low.endswith(_NO_WORDS, max(0, begin - 10), begin - 1):
            continue
        if not _BARE_START.match(low, begin, top.start()):
            continue
        tail = _BARE_REST.match(text, top.end(), top.end() + cut)
        covered = tail.end() if tail else top.end()
        raw = _trimmed(text[begin:covered])
        yield Url(raw, "http", low[begin : top.end()], "text")


def _hosts_behind_slashes(rest: str) -> tuple[str, ...]:
    """As Windows reads "file:////host/share"; else what follows is a drive or a folder."""
    return tuple(host for host in hosts_of(rest.lstrip("/\\")) if "." in host)


def _trimmed(raw: str) -> str:
    """A URL without the punctuation of the sentence around it."""
    end = len(raw)
    if raw[-1:].isalnum() or raw.endswith("/"):
        return raw
    excess = {close: raw.count(close) - raw.count(opening) for opening, close in ("()", "[]", "{}")}
    while end:
        last = raw[end - 1]
        if last not in _TRAILING:
            if excess.get(last, 0) <= 0:
                break
            excess[last] -= 1
        end -= 1
    return raw[:end]


def collect(found: Iterable[Url], limits: Limits, report: DefectReport) -> tuple[Url, ...]:
    """Distinct URLs in the order in which they are found, at most ``Limits.urls``."""
    seen: dict[tuple[str, str, URLSource, str], Url] = {}
    for number, url in enumerate(found):
        key = (url.raw, url.host, url.source, url.text)
        if key in seen and number < limits.urls * _REPETITIONS:
            continue
        if len(seen) >= limits.urls or number >= limits.urls * _REPETITIONS:
            report.add(DefectKind.URL_LIMIT, limits.urls)
            break
        seen[key] = url
        if len(url.raw) >= limits.url_characters:
            report.add(DefectKind.URL_LIMIT, len(url.raw))
        if not url.raw.isascii() or "%" in url.raw or "xn--" in url.raw.lower():
            _check_host(url, report)
    return tuple(seen.values())


def _check_host(url: Url, report: DefectReport) -> None:
    """Report a host that is no name: readers' programs differ in what they make of it."""
    found = _host_name_of(url.raw.partition("//")[2] or url.raw)
    if found.problem and found.key == url.host:
        report.add(DefectKind.INVALID_HOST, f"{found.key}: {found.problem}")

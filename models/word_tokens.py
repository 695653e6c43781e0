"""What Python makes words of, one by one: origins, shapes, URLs, markup and MIME structure; and the header's text.

Each list is a `Listing`, so that the forms of all texts of a message are found at once.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from functools import lru_cache

from tamis.message.mail import Mail, Url
from tamis.models.header_tokens import SeenField
from tamis.models.text_views import LISTED, NOT_SPACE, Text, forms_of

MAX_TEXT = 12_000
"""Characters of visible text that words are taken from."""
MAX_MARKUP = 20_000
"""Characters of HTML source that tags are taken from."""
MAX_URLS = 60
"""URLs that words are taken from."""
MAX_PARTS = 40
"""MIME parts, and as many containers, that words are taken from."""
MAX_LISTED = 400
"""Words of a list."""

Listing = Generator[Sequence[str], Sequence[str], None]
"""A list in the making: it yields texts, is sent their forms, and yields the words."""


def listed(listings: Sequence[Listing], whole: str) -> tuple[list[Text], Text]:
    """The lists, the first MAX_LISTED words of each, and the form of a `whole` text."""
    asked = [next(listing) for listing in listings]
    forms, form = forms_of([text for texts in asked for text in texts], whole)
    found: list[Text] = []
    start = 0
    for listing, texts in zip(listings, asked, strict=True):
        words = listing.send(forms[start : start + len(texts)])
        start += len(texts)
        found.append(Text.of("\0".join(words[:MAX_LISTED]), LISTED))
    return found, Text(form, NOT_SPACE)


def header_lines(fields: Sequence[SeenField]) -> str:
    """Every field in a line, its name first."""
    return "\n".join([f"{field.name} {field.value}" for field in fields])[:MAX_TEXT]


# The look behind comes after the first digit: a pattern that begins with a digit is searched twice as fast.
_IP = re.compile(r"(\d(?<![\d.]\d)\d{0,2})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_HOST_OCTETS = b"abcdefghijklmnopqrstuvwxyz0123456789._-"
_HOSTS = bytes(octet if octet in _HOST_OCTETS else 32 for octet in range(256))
"""Makes a space of what is in no host name, for `bytes.translate`."""
_QUOTE = "\n>"
_LOCAL_BACKWARDS = re.compile(r"[^\s<>\"',;:()\[\]]*")
_MAX_LOCAL = 64
_TOP_LEVEL = 18
_WIDER = 3
_DOMAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,18}")
_SHAPED_NAMES = """
    from sender reply-to return-path subject date message-id content-type mime-version x-mailer user-agent
    to cc content-transfer-encoding x-priority references in-reply-to x-mimeole list-unsubscribe received
"""
_SHAPED = frozenset(_SHAPED_NAMES.split())
_HOSTED = frozenset({"received", "message-id", "list-id"})


def addresses_in(text: str, limit: int) -> list[tuple[str, str]]:
    """Local part and domain of the first addresses in lower-case text."""
    found: list[tuple[str, str]] = []
    at = text.find("@")
    while at >= 0 and limit:
        domain = _DOMAIN.match(text, at + 1)
        if domain:
            before = text[max(0, at - _MAX_LOCAL) : at].removesuffix("\n")
            local = _LOCAL_BACKWARDS.match(before[::-1])
            if local and local[0]:
                found.append((local[0][::-1], domain[0]))
        limit -= 1
        at = text.find("@", at + 1)
    return found


def origins(fields: Sequence[SeenField]) -> Listing:
    """Where the message says it comes from: address domains, host names and networks, by field."""
    words: list[str] = []
    owners: list[str] = []
    locals_: list[str] = []
    for name, _, written in fields:
        if "." not in written or len(words) >= MAX_LISTED:
            continue
        value = written.lower()
        for local, domain in addresses_in(value, 5):
            words += _within(f"{name}:@", domain)
            owners.append(name)
            locals_.append(local)
        if name == "received" or "ip" in name:
            for a, b, c, d in _IP.findall(value)[:4]:
                words += (f"{name}:{a}.{b}.{c}.{d}", f"{name}:{a}.{b}.{c}", f"{name}:{a}.{b}", f"{name}:{a}")
        if name in _HOSTED:
            for host in _hosts_in(value)[:6]:
                if _is_top_level(host.rpartition(".")[2]):
                    words += _within(f"{name}:", host)
    forms = yield locals_
    yield words + [f"{name}:{form}@" for name, form in zip(owners, forms, strict=True)]


def _hosts_in(value: str) -> list[str]:
    """What is written like a host name in lower-case text."""
    pieces = value.encode("ascii", "replace").translate(_HOSTS).decode("ascii").split()
    return [piece for piece in pieces if "." in piece]


def _is_top_level(label: str) -> bool:
    return 2 <= len(label) <= _TOP_LEVEL and label.isalpha()


@lru_cache(1024)
def _within(prefix: str, host: str) -> tuple[str, ...]:
    """A host and the domains that it is in, the widest last, with a prefix."""
    words: list[str] = []
    at = host.rfind(".")
    while at >= 0 and len(words) < _WIDER:
        words.append(prefix + host[at + 1 :])
        at = host.rfind(".", 0, at)
    return prefix + host, *reversed(words)


def shapes(fields: Sequence[SeenField]) -> Listing:
    """The form of the header: shapes of values, the names' spelling and their order."""
    words: list[str] = []
    before = "^"
    for name, raw_name, _ in fields:
        words += (raw_name, f"{before}>{name}")
        before = name
    shaped = [(name, value) for name, _, value in fields if name in _SHAPED]
    forms = yield [value for _, value in shaped]
    for (name, value), form in zip(shaped, forms, strict=True):
        words += (f"{name}={form}", f"{name}={form[:8]}", f"{name}#{min(len(value) // 10, 20)}")
    yield words


MAX_FORM = 6000
"""Characters of the visible text whose form is looked at."""
_CAPITALS = bytes(range(65, 91))
_BEYOND_ASCII = bytes(range(128, 256))


def body_shapes(text: str) -> Listing:
    """The form of the visible text: capitals, quotes, lengths and addresses."""
    head = text[:MAX_FORM]
    octets = head.encode("utf-8", "replace")
    lines = text.count("\n") + 1
    words: list[str] = []
    for local, domain in addresses_in(head.lower(), 8) if "@" in head else ():
        words += (f"mail:@{domain}", f"mail:{local}@")
    first, last = yield text.partition("\n")[0][:60], text.rpartition("\n")[2][-60:]
    capitals = len(octets) - len(octets.translate(None, _CAPITALS))
    foreign = 0 if head.isascii() else len(octets) - len(octets.translate(None, _BEYOND_ASCII))
    words += (
        f"quoted:{(text.count(_QUOTE) + text.startswith('>')).bit_length()}",
        f"lines:{lines.bit_length()}",
        f"width:{len(text) // lines // 8}",
        f"first:{first[:20]}",
        f"last:{last[:20]}",
        f"capitals:{10 * capitals // max(1, len(octets))}",
        f"exclamations:{head.count('!').bit_length()}",
        f"foreign:{foreign.bit_length()}",
        f"length:{len(text).bit_length()}",
    )
    yield words


# What a reader sees or loads; the model learned without files and code, which other filters look at.
_LEARNED = frozenset({"text", "link", "image", "form", "code"})


def _urls(mail: Mail) -> list[Url]:
    return [url for url in mail.urls if url.source in _LEARNED]


_MAX_PATH = 200
_PATH_WORD = re.compile(r"[a-z0-9]{1,30}")


def url_words(mail: Mail) -> Listing:
    """Hosts, their domains, shapes and the words of paths."""
    words: list[str] = []
    texts: list[str] = []
    for url in _urls(mail)[:MAX_URLS]:
        host = url.host
        words += _within("host:", host)
        words.append(f"scheme:{url.scheme}/{url.source}")
        path = url.raw.partition("://")[2].partition("/")[2][:_MAX_PATH]
        texts += (host, path)
        words += [f"path:{word}" for word in _PATH_WORD.findall(path.lower())[:12]]
    forms = yield texts
    for host, path in zip(forms[::2], forms[1::2], strict=True):
        words += (f"hostshape:{host}", f"pathshape:{path[:20]}")
    yield words


_TAG = re.compile(r"<\s*(/?[a-z!][a-z0-9]{0,15})([^<>]{0,300})", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z-]{1,20})\s*=\s*[\"']?([^\s\"'>]{0,24})", re.IGNORECASE)


def markup_words(mail: Mail) -> Listing:
    """HTML tags and their attributes, as written."""
    words: list[str] = []
    known: dict[tuple[str, str], list[str]] = {}
    for html in mail.html[:4]:
        for found in _TAG.finditer(html.source, 0, MAX_MARKUP):
            if len(words) >= MAX_LISTED:
                break
            tag = found[1], found[2]
            if tag not in known:
                known[tag] = _tag_words(*tag)
            words += known[tag]
    yield ()
    yield words


def _tag_words(tag: str, attributes: str) -> list[str]:
    words = [f"<{tag}"]
    for name, value in _ATTRIBUTE.findall(attributes)[:6]:
        words += (f"<{tag.lower()} {name}", f"{name.lower()}={value.lower()}")
    return words


def structure_words(mail: Mail) -> Listing:
    """MIME structure: types in their order, charsets, encodings, boundaries, attachment names and sizes."""
    words: list[str] = []
    texts: list[str] = []
    for container in mail.containers[:MAX_PARTS]:
        words.append(f"container:{container.depth}:{container.content_type}")
        texts.append(f"boundary:{container.boundary}")
    before = "^"
    for part in mail.parts[:MAX_PARTS]:
        kind = part.content_type
        words += (f"part:{part.depth}:{kind}", f"order:{before}>{kind}", f"charset:{part.charset}")
        words += (f"encoding:{part.encoding}:{kind}", f"size:{kind}:{part.size.bit_length()}")
        before = kind
        name = part.filename
        if name:
            words += (f"file:{name.lower()[:60]}", f"suffix:{name.lower().rpartition('.')[2][:10]}")
            texts.append(f"file:{name}")
        if part.disposition:
            words.append(f"disposition:{part.disposition}:{kind}")
    forms = yield texts
    words += [f"shape:{form}" for form in forms]
    words.append(f"parts:{min(len(mail.parts), MAX_PARTS)}")
    words.append(f"html:{len(mail.html)}")
    words.append(f"urls:{len(_urls(mail)).bit_length()}")
    yield words


def subject_of(fields: Sequence[SeenField]) -> str:
    """The subject as the learner sees it, "" when there is none."""
    return next((field.value for field in fields if field.name == "subject"), "")

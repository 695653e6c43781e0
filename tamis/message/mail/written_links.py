"""Links as they are written where one is expected: in parameters, attributes, base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

from tamis.message.mail.urls import host_of
from tamis.message.names import LIKE_DOTS

CHARACTERS = 8192
"""Characters of one link that are looked at. Beyond: cut, `url_limit`."""

_PARAMETERS = 1000
"""Parameters of one link's query, of which most are short. Beyond: left out; `too_many_targets`."""
_LEAST_BASE64 = 8
_WHITE = str.maketrans("\t\r\n\f\v\u2028\u2029", "       ")


def parameters_of(text: str) -> Iterator[tuple[str, str]]:
    """Parameters as written, names in lower case; ";" and "&amp;" separate as well."""
    pieces = re.split(r"&amp;|[&;]", text, maxsplit=_PARAMETERS)
    for piece in pieces[:_PARAMETERS]:
        name, equals, value = piece.partition("=")
        if equals:
            yield unquote(name).lower().strip(), value


def parts_of(link: str) -> tuple[str, str, str]:
    """A link's host, its path, and its query with the fragment."""
    rest = re.sub(r"^[a-z][a-z0-9+.-]{0,30}:[/\\]*|^[/\\]{2,}", "", link.strip(), flags=re.IGNORECASE)
    found = re.search(r"[/\\?#]", rest)
    if found is None:
        return host_of(rest), "", ""
    tail = rest[found.start() :]
    at, _, query = tail.partition("?") if "?" in tail else tail.partition("#")
    return host_of(rest[: found.start()]), at.replace("\\", "/"), query


_SCHEME = re.compile(r"(https?|ftp):[/\\]*", re.IGNORECASE)
_BARE = re.compile(
    r"(?:[^\s/@?#%=&]{1,100}@)?((?:[a-z0-9_\u0080-\U0010ffff-]{1,63}\.){1,10}([a-z\u0080-\U0010ffff]"
    r"[a-z0-9\u0080-\U0010ffff-]{1,62}))\.?(?::[0-9]{1,5})?(?=[/?#\\]|$)",
    re.IGNORECASE,
)
_NUMERIC = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?(?=[/?#\\]|$)")
_FILES = frozenset(
    """
    asp aspx avi bmp cfm cgi css csv doc docx gif htm html ico ics jpeg jpg js json jsp mp3 mp4 pdf php png ppt pptx
    rtf svg txt webp woff woff2 xhtml xls xlsx xml yaml
    """.split()  # noqa: SIM905 # so that a line of them can be read
)


def as_link(value: str) -> str:
    """What is written where an address is expected, as a link with a scheme; '' when it is none.

    One slash or none behind the scheme will do, as in browsers, and so does no scheme: "shop.example/a".
    """
    value = value.strip(" \t\r\n\x00\"'<>")[:CHARACTERS]
    found = _SCHEME.match(value)
    if found is not None:
        rest = value[found.end() :]
        return f"{found[1].lower()}://{rest}" if "." in host_of(rest) or "[" in rest[:1] else ""
    if value[:2] in {"//", "\\\\", "/\\", "\\/"}:
        rest = value.lstrip("/\\")
        return f"https://{rest}" if "." in host_of(rest) else ""
    named = _BARE.match(value.translate(LIKE_DOTS))
    if (named is not None and named[2].lower() not in _FILES) or _NUMERIC.match(value):
        return f"https://{value}"
    return ""


def plain(value: str, *, lines: bool = False) -> str:
    """Text in base64 of either alphabet, with or without padding, of one line unless `lines`; '' when it is none."""
    text = octets_of(value).decode("utf-8", "replace") if len(value) >= _LEAST_BASE64 else ""
    if "\ufffd" in text or not (text.translate(_WHITE) if lines else text).isprintable():
        return ""
    return text


def octets_of(value: str) -> bytes:
    """What base64 of either alphabet stands for; b"" when it is none."""
    letters = value.strip().rstrip("=").replace("-", "+").replace("_", "/").replace(" ", "+")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""

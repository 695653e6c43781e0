"""Where a link may lead on to: what any page may make of the addresses that stand in a link to it.

Nobody but the page knows whether it follows them, so this is for asking lists, and never an excuse (see `wrappers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar
from urllib.parse import unquote

from tamis.message.mail.sampling import MessageChance
from tamis.message.mail.wrappers import unwrapped
from tamis.message.mail.written_links import CHARACTERS, as_link, parameters_of, plain

T = TypeVar("T")
MOST_TARGETS = 12
"""Addresses within one link that are looked at. Beyond: by lot; `too_many_targets`."""

_SHORT = 300
"""Characters up to which what a link leads to is remembered."""
_PIECES = 24  # parameters, addresses and coded values of one link; beyond: by lot, `too_many_targets`
_LONG_PIECE = 12
"""Characters of a coded value from which on an address may stand in it."""
_LONG = 150
"""Characters of a link from which on so much may stand in it."""

_REDIRECTS = frozenset(
    """
    a adurl back backurl callback clickurl cont continue d dest destination dl domain exit external forward fw go goto
    goback href image_url l link location loc next out page q redir redirect redirect_to redirect_uri redirect_url
    redirecturi redirecturl referer ret retour return return_to return_url returnto returnurl rurl site sp_url src
    success target to u uddg uri url urls view website where z
    """.split()  # noqa: SIM905
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}:[/\\]*", re.IGNORECASE)
_ROOM = re.compile(r"[.:%?#=]|[A-Za-z0-9+_-]{11}")
"""Without one of these nothing of what is looked for can stand in a path."""
_TAIL = re.compile(r"[/\\?#]")
_END = re.compile(r"[\s\"'<>]")
_INNER = re.compile(r"(?:https?|ftp):[/\\]+(?=[^/\\\s])", re.IGNORECASE)
_BASE64_HTTP = re.compile(r"aHR0c[A-Za-z0-9+/_-]{6,2000}={0,2}")  # "http", wherever it begins
_HEX_HTTP = re.compile(r"(?:68747470|48545450)(?:[0-9a-fA-F]{2}){3,1000}")  # "http" in hexadecimal
_BASE64 = re.compile(r"[A-Za-z0-9+_-]{11,2000}={0,2}")
_BARE_IN_PATH = re.compile(
    r"/{1,2}(?:amp/|c/|v/|https?/|track/click(?:\.php)?/\d+/)?(?:s/)?((?:[a-z0-9-]{1,63}\.){1,6}[a-z]{2,24}(?=/|\?|$)[^\s]*)",
    re.IGNORECASE,
)


def led_to(link: str) -> tuple[str, ...]:
    """Every address that a link may lead on to, the known services' first, each once, at most ``MOST_TARGETS``.

    Parameters with an address, also without a scheme, percent-coded up to three times or in base64, addresses in the
    path or behind "#", and the same within what was found.
    """
    return _remembered(link) if len(link) <= _SHORT else tuple(_led_to(link))


@lru_cache(maxsize=1024)
def _remembered(link: str) -> tuple[str, ...]:
    """The same for a short link: those of signatures and footers come again and again."""
    return tuple(_led_to(link))


def _led_to(link: str) -> Iterator[str]:
    seen = {link}
    known = unwrapped(link)
    waiting = [link[:CHARACTERS], *known.chain]
    given = 0
    for address in known.chain:
        if address not in seen:
            seen.add(address)
            given += 1
            yield address
    while waiting:
        for address in _within(waiting.pop(0)):
            if address in seen:
                continue
            if given >= MOST_TARGETS:
                return
            seen.add(address)
            given += 1
            waiting.append(address)
            yield address


def _within(link: str) -> Iterator[str]:
    """What looks like an address in a link's path, query and fragment."""
    begin = _SCHEME.match(link)
    found = _TAIL.search(link, begin.end() if begin else 0)
    if found is None:
        return
    tail = link[found.start() :]
    if not _ROOM.search(tail):  # as in most links
        return
    for name, written in _some(link, parameters_of(re.sub(r"^[^?#]*[?#]", "", tail).replace("#", "&"))):
        value = _thrice(written)
        if (name in _REDIRECTS or "/" in value) and (address := as_link(value)):
            yield address
        if decoded := _from_base64(value):
            if address := as_link(decoded):
                yield address
            else:
                yield from _inner(decoded)
    text = _thrice(tail)
    yield from _inner(text)
    for digits in _some(link, _HEX_HTTP.finditer(text)):
        yield from _inner(bytes.fromhex(digits[0]).decode("utf-8", "replace"))
    for pattern in (_BASE64_HTTP, _BASE64):
        for piece in _some(link, pattern.finditer(text)):
            for written in (piece[0], piece[0].partition("/")[0]):
                if decoded := plain(written):
                    yield from _inner(decoded)
                    break
    for behind in (text.partition("?")[2], text.partition("#")[2]):
        if behind and "=" not in behind[:64] and (address := as_link(behind)):
            yield address
    if (in_path := _BARE_IN_PATH.match(text)) and (address := as_link(in_path[1])):
        yield address


def _from_base64(value: str) -> str:
    """Text in base64, also twice, also with the letters before it that one service writes; '' when it is none."""
    decoded = plain(value.removeprefix("a1")) or plain(value)
    return plain(decoded) or decoded


def _inner(text: str) -> Iterator[str]:
    """Addresses with a scheme anywhere in a text; each ends where the next parameter begins."""
    for found in _some(text, _INNER.finditer(text)):
        end = _END.search(text, found.end())
        whole = text[found.start() : end.start() if end else len(text)]
        if address := as_link(whole):
            yield address


def _some(link: str, items: Iterable[T]) -> Sequence[T]:
    """All of a few, in their order; of many some, in an order that nobody foresees."""
    found = list(items)
    if len(found) <= MOST_TARGETS:
        return found
    lots = MessageChance(link.encode("utf-8", "replace"), "within a link")
    return lots.sample(found, min(_PIECES, len(found)))


_ADDRESSES = re.compile(r"https?:/|=(?:www\.|[a-z0-9-]{1,63}\.[a-z]{2,24}(?=[/&;]|$))", re.IGNORECASE)


def is_overfull(link: str) -> bool:
    """Whether more addresses stand in a link than are looked at."""
    if len(link) <= _LONG:
        return False
    text = _thrice(link[:CHARACTERS])
    if len(_ADDRESSES.findall(text)) > MOST_TARGETS or unwrapped(link).cut:
        return True
    coded = (
        sum(1 for piece in _BASE64.finditer(text) if plain(piece[0]))
        if len(text) > _PIECES * _LONG_PIECE
        else 0
    )
    return coded > MOST_TARGETS


def _thrice(text: str) -> str:
    """Percent-decoded until nothing changes, three times at most."""
    for _ in range(3):
        if "%" not in text:
            break
        text = unquote(text)
    return text

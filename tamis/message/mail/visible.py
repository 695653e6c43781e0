"""Text as a reader sees it: one spelling for what looks alike, nothing that can't be seen, single blanks.

Linear in the text: it is normalised by words of bounded length, since a run of combining marks costs the square of
its length to put in order (Unicode Annex 15, 13).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Literal

from tamis.message.unseen import BLANK, INVISIBLE

_SEPARATORS = "\x1c\x1d\x1e\x1f"
"""Controls that Python takes for white space, and nobody else does."""
_UNSEEN = re.compile(f"[{INVISIBLE}]+")
_BLANKS = re.compile(f"[{BLANK}]+")
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
# Marks that no letter has taken in: they strike it through or surround it, and it is still read.
_LOOSE_MARKS = re.compile(rf"(?<=[\x20-\x7e])[{_MARKS}]+")
# The lunate sigma looks like "c"; NFKC makes another sigma of it, which does not.
_LUNATE = (("\u03f2", "c"), ("\u03f9", "C"))
# NFKC makes "(a)" of a letter in brackets, of which words can be made.
_BRACKETED = re.compile("[\u249c-\u24b5\U0001f110-\U0001f129]")
_REVERSED = re.compile("\u202e([^\u202c\n]*+)\u202c?")
_QUOTED = re.compile(r"\n[ \t]*>[> \t]*+")
_WORD = re.compile(r"\w+")
_LONG_WORD = 200
_FEW = 30
_LETTERS = re.compile(r"[A-Za-z]")


def canonical(text: str, shorten: Callable[[str], str] = str) -> str:
    """Text as it looks: Unicode's compatible forms (NFKC), no invisible characters, one blank for white space.

    Line breaks are white space: a reader's program wraps lines as it likes, and takes "> " for a bar at the side.
    ``shorten`` cuts what is too long, once what can't be seen is out.
    """
    if "\n>" in text or "\n >" in text:
        text = _QUOTED.sub("\n", text)
    for separator in _SEPARATORS:
        if separator in text:
            text = text.replace(separator, "")
    if text.isascii():
        text = " ".join(text.split())
        return shorten(text if text.isprintable() else " ".join(_UNSEEN.sub("", text).split()))
    text = as_turned(text)
    for sigma, letter in _LUNATE:
        text = text.replace(sigma, letter)
    text = _BRACKETED.sub(_unbracketed, text)
    text = shorten(" ".join(_seen(text).split()))
    normal = _normal(text.split(" "))
    # what NFKC makes of some characters is white space or can't be seen
    return shorten(" ".join((text if normal == text else _seen(normal)).split()))


def as_turned(text: str) -> str:
    """A text in which what a control turns round stands as it is shown, from right to left (Unicode Annex 9, RLO)."""
    return _REVERSED.sub(lambda found: found[1][::-1], text) if "\u202e" in text else text


def _unbracketed(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found[0])[1:-1]


def _seen(text: str) -> str:
    """A text without what can't be seen; it is looked for among the few dozen characters that the text is made of."""
    unseen = _UNSEEN.findall("".join(set(text)))
    if len(unseen) > _FEW:
        return _UNSEEN.sub("", text)
    for character in "".join(unseen):
        text = text.replace(character, "")
    return text


def canonical_lines(text: str) -> str:
    """As `canonical`, each line by itself: for people to read."""
    return "\n".join(map(canonical, text.splitlines()))


def _replaced(text: str, table: Mapping[int, str]) -> str:
    """As ``str.translate``, which is slow beyond ASCII, and most texts have few of the characters."""
    found = [character for character in set(text) if ord(character) in table]
    if len(found) > _FEW:
        return text.translate(table)
    for character in found:
        text = text.replace(character, table[ord(character)])
    return text


def _normal(words: list[str]) -> str:
    if max(map(len, words)) <= _LONG_WORD:
        return unicodedata.normalize("NFKC", " ".join(words))
    return " ".join("".join(_pieces("NFKC", word)) for word in words)


def _pieces(form: Literal["NFKC", "NFKD"], word: str) -> Iterator[str]:
    for at in range(0, len(word), _LONG_WORD):
        yield unicodedata.normalize(form, word[at : at + _LONG_WORD])


def looks(text: str, shorten: Callable[[str], str] = str) -> tuple[str, ...]:
    """The distinct ways in which a reader may see text, `canonical` first.

    Characters that some fonts show as a blank and some not at all are taken both ways; letters of other scripts within
    Latin words, or in a text that is Latin for the most part, also for what they look like.
    """
    blanks = ("", " ") if any(blank in text for blank in BLANK) else ("",)
    plain = [canonical(_BLANKS.sub(blank, text) if len(blanks) > 1 else text, shorten) for blank in blanks]
    return tuple(dict.fromkeys([*plain, *map(folded, plain)]))


def folded(text: str) -> str:
    """`canonical` text in which look-alikes stand for the Latin letters that a reader takes them for.

    Accents stay: "pâté" is no "pate".
    """
    if text.isascii() or _telling().isdisjoint(text):
        return text
    text = _replaced(_replaced(_replaced(text, _styled()), _rare()), _HYPHENS)
    alike = _LOOSE_MARKS.sub("", _replaced(text, _latin()))
    latin = len(_LETTERS.findall(text))
    if 2 * latin > sum(map(str.isalpha, text)):
        return alike
    text = _LOOSE_MARKS.sub("", text)
    return _WORD.sub(lambda word: word[0].translate(_latin()) if _LETTERS.search(word[0]) else word[0], text)


@lru_cache(maxsize=1)
def _telling() -> frozenset[str]:
    """All characters that `folded` makes others of: a text without any stays as it is."""
    first, last = 0x300, 0xFE2F
    marks = re.findall(f"[{_MARKS}]", "".join(map(chr, range(first, last + 1))))
    return frozenset({*map(chr, _styled()), *map(chr, _latin()), *map(chr, _HYPHENS), *marks})


def skeleton(text: str) -> str:
    """`canonical` text without accents, every look-alike as the Latin letter or digit that it looks like (after
    Unicode Technical Standard 39)."""
    if text.isascii():
        return text
    words = [word if word.isascii() else _flat(word) for word in text.split(" ")]
    text = " ".join(words)
    for table in (_styled(), _latin(), _struck(), _HYPHENS, _DASHES):
        text = _replaced(text, table)
    return text


_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2212\ufe63\uff0d"), "-")
"""Signs that nobody tells from a hyphen."""
_DASHES = dict.fromkeys(map(ord, "\u02d7\u2013\u2014\u2015\u2043\u2796\ufe58"), "-")
"""Signs that stand for one between words."""
# Letters drawn with several signs, where a letter stands beside.
_DRAWN = {
    "|\\/|": "m",
    "\\/\\/": "w",
    "|\\|": "n",
    "|-|": "h",
    "|_|": "u",
    "\\/": "v",
    "/\\": "a",
    "|<": "k",
    "|)": "d",
    "|2": "r",
}
_DRAWN_SIGNS = "|".join(map(re.escape, _DRAWN))
_DRAWN_LETTER = re.compile(rf"(?<=[A-Za-z0-9])(?:{_DRAWN_SIGNS})|(?:{_DRAWN_SIGNS})(?=[A-Za-z0-9])")
_WRITTEN = {
    "o": "0",
    "i": "1!\u00a1",
    "l": "|\u00a6",
    "e": "3\u20ac\u00a3",
    "a": "4@",
    "s": "5$\u00a7",
    "t": "7",
    "b": "8",
}
_WRITTEN |= {"c": "\u00a2\u00a9", "r": "\u00ae", "y": "\u00a5", "u": "\u00b5\u03bc"}
"""Digits and signs that are written for letters."""
_FOR_L = "1!\u00a1\u00a3"
"""Those that are written for an "l" as well."""
_MASKS = re.escape("".join(_WRITTEN.values()))
_SIGN = rf"(?:[^\W_]|[{_MASKS}])"
_APART = re.compile(rf"(?<![^\W_]){_SIGN}([ .\-_*\u00b7/+~,])(?:{_SIGN}\1){{2,40}}{_SIGN}(?![^\W_])")
_SPELLED = re.compile(rf"(?<![^\W_]){_SIGN}(?:[ \u00a0]{_SIGN}){{2,40}}(?![^\W_])")
_MASKED = re.compile(rf"[A-Za-z0-9{_MASKS}]{{3,40}}")
_TALL_I = re.compile(rf"(?<=[a-z{_MASKS}])I(?![A-Z])")
_MASK = re.compile(rf"[{_MASKS}]|{_TALL_I.pattern}")
_MEANT = {ord(sign): letter for letter, signs in _WRITTEN.items() for sign in signs}
_MEANT_OTHERWISE = _MEANT | dict.fromkeys(map(ord, _FOR_L), "l")


def skeletons(text: str) -> tuple[str, ...]:
    """`skeleton`, and what it says where letters are written apart ("v.i.a g r a") or as digits and signs ("v1@gra",
    "miracIe"), each once."""
    plain = skeleton(text)
    joined = _APART.sub(lambda run: run[0].replace(run[1], ""), _DRAWN_LETTER.sub(_undrawn, plain))
    ways = [_MASKED.sub(partial(_unmasked, table), joined) for table in (_MEANT, _MEANT_OTHERWISE)]
    return tuple(dict.fromkeys((plain, joined, *ways)))


def spelled(text: str) -> str:
    """A text in which words stand whole whose letters are a blank apart, and the words farther ("o n e  t w o");
    '' if there are none."""
    whole = _SPELLED.sub(lambda run: run[0][::2], text)
    return "" if whole == text else whole


def _undrawn(found: re.Match[str]) -> str:
    return _DRAWN[found[0]]


def _unmasked(table: Mapping[int, str], found: re.Match[str]) -> str:
    """A word of letters, a third at least, in which others stand for some; signs at its end are punctuation."""
    word = found[0]
    core = word.rstrip("!|\u00ae\u00a9")
    if 3 * len(_LETTERS.findall(core)) < len(core) or not _MASK.search(core):
        return word
    return _TALL_I.sub("l", core).translate(table) + word[len(core) :]


def _flat(word: str) -> str:
    return "".join(c for piece in _pieces("NFKD", word) for c in piece if not unicodedata.combining(c))


_WITH = re.compile(r"LATIN (?:SMALL|CAPITAL) LETTER ([A-Z]) WITH .+")


@lru_cache(maxsize=1)
def _struck() -> dict[int, str]:
    """Latin letters with a stroke, hook or tail, which Unicode takes for letters of their own, not for accents."""
    named = (
        (code, found[1])
        for first, last in (
            (0xC0, 0x250),
            (0x250, 0x2B0),
            (0x1D60, 0x1E00),
            (0x2C60, 0x2C80),
            (0xA720, 0xA800),
        )
        for code in range(first, last)
        if (found := _WITH.fullmatch(unicodedata.name(chr(code), "")))
    )
    return {code: letter if chr(code).isupper() else letter.lower() for code, letter in named}


_RARE = re.compile(
    "CHEROKEE|LISU|DESERET|OSAGE|WARANG|CANADIAN|VAI|BAMUM|COPTIC|TIFINAGH|CARIAN|LYCIAN|OLD ITALIC|GOTHIC|RUNIC|OGHAM"
)
"""Scripts in which nearly nobody writes, so that their letters stand for those that they look like in any word."""
_NAMED = re.compile(
    r"(?:LATIN LETTER SMALL CAPITAL|NEGATIVE CIRCLED LATIN CAPITAL LETTER|NEGATIVE SQUARED LATIN CAPITAL LETTER|"
    r"REGIONAL INDICATOR SYMBOL LETTER|LATIN SMALL LETTER SCRIPT) ([A-Z])"
)
_NAMED_RANGES = ((0x250, 0x2B0), (0x1D00, 0x1D30), (0xA730, 0xA732), (0xA7AE, 0xA7AF), (0x1F150, 0x1F200))


@lru_cache(maxsize=1)
def _styled() -> dict[int, str]:
    """Latin letters drawn otherwise that have no compatible form: small capitals, letters in boxes."""
    named = (
        (code, found[1])
        for first, last in _NAMED_RANGES
        for code in range(first, last)
        if (found := _NAMED.fullmatch(unicodedata.name(chr(code), "")))
    )
    return {code: letter if code > 0xFFFF else letter.lower() for code, letter in named}


@lru_cache(maxsize=1)
def _latin() -> dict[int, str]:
    """Characters beyond ASCII, and the ASCII letters or digits that they look like."""
    # slow to load, and most mail has no use for it
    from confusable_homoglyphs import confusables  # noqa: PLC0415

    table: dict[int, str] = {}
    alike: dict[str, list[str]] = {
        character: [one["c"] for one in found]
        for character, found in confusables.confusables_data.items()
        if len(character) == 1 and not character.isascii() and unicodedata.category(character)[0] in "LNS"
    }
    for character, others in alike.items():
        known = [c for c in others if len(c) == 1 and c.isascii() and c.isalnum()]
        if known:
            table[ord(character)] = _likest(character, known)
    small = _styled()
    for character, others in alike.items():  # by way of a small capital: Cyrillic ve, em, en, te
        known = [small[ord(c)] for c in others if len(c) == 1 and ord(c) in small]
        if known:
            table.setdefault(ord(character), known[0])
    return table


@lru_cache(maxsize=1)
def _rare() -> dict[int, str]:
    """Those of `_latin` that belong to scripts in which nearly nobody writes."""
    return {code: letter for code, letter in _latin().items() if _RARE.match(unicodedata.name(chr(code), ""))}


def _likest(character: str, known: list[str]) -> str:
    """Of what a character looks like, a letter of its own case first, a letter before a digit."""
    if character.isupper() and set(known) <= {"l", "1"}:
        return "I"
    return min(known, key=lambda c: (not c.isalpha(), c.isupper() is not character.isupper()))

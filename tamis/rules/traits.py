"""What a message has that a rule can look for: phrases of its text, domains that its links lead to, header forms.

A trait is text, `kind:value`; `pattern_of` makes the pattern of it that finds it again in any message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tamis.message.domains import registered_domain
from tamis.message.mail import Mail
from tamis.message.mail.visible import canonical, skeleton

PHRASE, HOST, FORM = "phrase", "host", "form"

_WORDS = 4
"""Words of a phrase."""
_LETTERS = 16  # letters of a phrase at least: four short words are in any text
_LONG = 40  # letters of a word; beyond: in no phrase: no rule is proposed of it
_MOST_CHARACTERS = 8_000
"""Characters of text that phrases are taken from. Beyond: no phrases: no rule is proposed of them."""
_MOST_HOSTS = 20  # domains of a message; beyond: left out: no rule is proposed of them
_MOST_VALUE = 120  # characters of a header field; beyond: no form: no rule is proposed of it
_TOKEN = re.compile(r"[^\W_]+")
_BETWEEN = r"[ -/:-@\[-`{-~\x{2013}\x{2014}\x{2018}\x{2019}\x{201c}\x{201d}\x{2026}\x{ab}\x{bb}]"
"""What may stand before, between and behind the words of a phrase: ASCII's marks, quotation marks and dashes (RE2); all
that is no letter would make a pattern of a thousand ranges."""
_GAP = re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda code: chr(int(code[1], 16)), _BETWEEN) + "{1,4}")
_CHARACTERS = {"a": "[a-z]", "A": "[A-Z]", "0": "[0-9]"}
_ADDRESS = re.compile(r"[^ ]*(?:://|@)[^ ]*")
"""Addresses of pages and people, which are no words of a phrase."""
_MAILERS = ("x-mailer", "user-agent")


@dataclass(frozen=True, slots=True)
class TraitPattern:
    """The pattern of a trait, where rules have to look for it, and whether case counts."""

    where: tuple[str, ...]
    pattern: str
    ignore_case: bool


def traits_of(mail: Mail) -> frozenset[str]:
    """Every trait of a message; at most some 2,000."""
    found = {f"{PHRASE}:{one}" for text in (mail.subject or "", mail.displayed) for one in _phrases(text)}
    found.update(f"{HOST}:{one}" for one in _hosts(mail))
    found.update(f"{FORM}:{one}" for one in _forms(mail))
    return frozenset(found)


def hashed(trait: str) -> str:
    """A trait of which only equality can be seen: what is kept of honest mail."""
    return hashlib.blake2b(trait.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _phrases(text: str) -> Iterator[str]:
    """Runs of words of letters alone, in lower case."""
    seen = f" {_ADDRESS.sub('0', canonical(text[:_MOST_CHARACTERS]))} "
    if len(text) > _MOST_CHARACTERS:
        seen = seen.rstrip().rpartition(" ")[0]
    run: list[str] = []
    end = 0
    for found in _TOKEN.finditer(seen):
        word = found[0].lower()
        follows = _GAP.fullmatch(seen[end : found.start()]) is not None
        if not word.isalpha() or not len(found[0]) == len(word) <= _LONG:
            run = []
        elif run and follows:
            run = [*run[-_WORDS + 1 :], word]
        else:
            run = [word] if _GAP.fullmatch(seen[found.start() - 1 : found.start()]) else []
        end = found.end()
        closed = _GAP.fullmatch(seen[end : end + 1]) is not None
        if closed and len(run) == _WORDS and sum(map(len, run)) >= _LETTERS:
            yield " ".join(run)


def _hosts(mail: Mail) -> Iterator[str]:
    domains = dict.fromkeys(registered_domain(url.host) for url in mail.urls if "." in url.host)
    yield from (one for one in list(domains)[:_MOST_HOSTS] if re.fullmatch(r"[a-z0-9.-]{4,253}", one))


def _forms(mail: Mail) -> Iterator[str]:
    for name in _MAILERS:
        value = mail.headers.first(name)
        if value and len(value) <= _MOST_VALUE and value.isascii() and value.isprintable():
            yield f"{name} {re.sub('[0-9]+', '0', value.strip())}"
    left = (mail.headers.first("message-id") or "").strip().partition("@")[0]
    if 8 <= len(left) <= _MOST_VALUE and left.isascii() and left.isprintable():
        yield f"message-id {_shape(left)}"


def _shape(text: str) -> str:
    """Its letters as "a" or "A" and its digits as "0"."""
    return re.sub("[0-9]", "0", re.sub("[a-z]", "a", re.sub("[A-Z]", "A", text)))


def pattern_of(trait: str) -> TraitPattern:
    """What finds the trait (RE2)."""
    kind, _, value = trait.partition(":")
    if kind == PHRASE:
        inner = f"{_BETWEEN}{{1,4}}".join(value.split(" "))
        return TraitPattern(("subject", "text"), f"(?:^|{_BETWEEN}){inner}(?:{_BETWEEN}|$)", ignore_case=True)
    if kind == HOST:
        host = re.escape(value)
        return TraitPattern(
            ("urls",), rf"(?m)^[^/]*//(?:[^/@]*@)?(?:[^/@]*\.)?{host}\.?(?:[:/?#]|$)", ignore_case=True
        )
    name, _, form = value.partition(" ")
    if name in _MAILERS:
        escaped = re.escape(form).replace("0", "[0-9]+")
        return TraitPattern((f"header:{name}",), f"(?m)^{escaped}$", ignore_case=False)
    runs = "".join(_run(found[0]) for found in re.finditer(r"a+|A+|0+|[^aA0]+", form))
    return TraitPattern(("header:message-id",), f"(?m)^{runs}@", ignore_case=False)


def _run(text: str) -> str:
    characters = _CHARACTERS.get(text[0])
    return f"{characters}{{{len(text)}}}" if characters else re.escape(text)


def name_of(trait: str) -> str:
    """A name for the trait's rule, which says what it looks for as far as names can."""
    kind, _, value = trait.partition(":")
    words = re.sub("[^a-z0-9]+", "_", skeleton(value).casefold()).strip("_")
    return f"seen_{words or kind}"[:31].rstrip("_") + f"_{hashed(trait)[:6]}"

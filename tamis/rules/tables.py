"""Tables that rules look things up in: sets of domains, and brands with the domains they really send from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from tamis.base.derived import derived
from tamis.message.address import domain_of
from tamis.message.domains import label_of, registered_domain, skeleton
from tamis.rules.message_measures import CLICKED

if TYPE_CHECKING:
    from tamis.message.mail import Mail

MOST_HOSTS = 2000  # hosts of a message that are looked up in a table; beyond: not looked up, `url_limit`
_MOST_WORDS = 120
"""Words in which brands are looked for. Beyond: not looked at: a letter says at its top who writes."""
_FEWEST_LETTERS = 4
_LEAD_CHARACTERS = 600
"""Of the text in which brands are looked for. Beyond: not looked at: a letter says at its top who writes."""
_WORD = re.compile(r"[^\W_]+")
_FIRST_IDEOGRAPHIC = "\u2e80"
_COUNTRY = 2  # letters of a country's top-level domain


@dataclass(frozen=True, slots=True)
class Brand:
    """An organisation that others pretend to be. `alone`: the name is also a word or a person's, so that it counts only
    where it stands by itself or before words like "support"."""

    name: str
    names: tuple[str, ...]
    domains: frozenset[str]
    alone: bool = False

    def owns(self, domain: str) -> bool:
        """Whether a registered domain is the brand's: one of its own, or its label under a country's."""
        if domain in self.domains:
            return True
        label, _, top = domain.partition(".")
        country = len(top.rpartition(".")[2]) == _COUNTRY
        return country and any(label == label_of(own) for own in self.domains)


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """All tables by name, and the brands by their names as readers see them."""

    domains: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    brands: tuple[Brand, ...] = ()
    by_words: Mapping[str, tuple[tuple[tuple[str, ...], Brand], ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Names of words by their first one."""
    by_letters: Mapping[str, tuple[Brand, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Names in scripts that put no blanks between words."""

    @classmethod
    def of(cls, domains: Mapping[str, frozenset[str]], brands: tuple[Brand, ...]) -> Tables:
        """Tables ready for look-ups."""
        words: dict[str, tuple[tuple[tuple[str, ...], Brand], ...]] = {}
        letters: dict[str, tuple[Brand, ...]] = {}
        for brand in brands:
            for name in brand.names:
                if max(name) < _FIRST_IDEOGRAPHIC:
                    first, *rest = seen_words(name)
                    words[first] = (*words.get(first, ()), ((first, *rest), brand))
                else:
                    letters[name] = (*letters.get(name, ()), brand)
        return cls(domains, brands, words, letters)


NO_TABLES = Tables()


def seen_words(text: str) -> list[str]:
    """The words as a reader sees them; single letters in a row are one word ("P a y p a l", "P*A*Y*P*A*L")."""
    words = _WORD.findall(text)[:_MOST_WORDS]
    singles = [place for place, word in enumerate(words) if len(word) == 1]
    if any(other - one == 1 for one, other in pairwise(singles)):
        words = _joined(words)
    return [*map(_seen, words)]


def _joined(words: list[str]) -> list[str]:
    """Words with single letters in a row put together."""
    found: list[str] = []
    pieces = ""
    for word in words:
        if len(word) == 1 and word.isalpha():
            pieces += word
            continue
        if pieces:
            found.append(pieces)
            pieces = ""
        found.append(word)
    if pieces:
        found.append(pieces)
    return found


@lru_cache(maxsize=16_384)
def _seen(word: str) -> str:
    """A word as it looks. Short ones look like too many others ("LCL", "id") and are taken as they are written."""
    return word.lower() if len(word) < _FEWEST_LETTERS and word.isascii() else skeleton(word)


_ROLE_WORDS = (
    "account accounts alert alerts assistance bank banque billing care client clients clientele compte "
    "contact customer customers de du equipe express help helpdesk info mail member notification "
    "notifications notice online payment payments post rewards security securite service services "
    "serviceclient shop store support team the update your votre "
)
_ROLES = frozenset(map(_seen, _ROLE_WORDS.split()))
"""Words beside which a name that is also a word is an organisation's."""


def brands_in(text: str, tables: Tables, *, lead: bool = False) -> set[Brand]:
    """The brands that a text names. Of `lead`, a running text, ambiguous names don't count."""
    found: set[Brand] = set()
    words = seen_words(text)
    for start, word in enumerate(words if not tables.by_words.keys().isdisjoint(words) else ()):
        for name, brand in tables.by_words.get(word, ()):
            end = start + len(name)
            if tuple(words[start:end]) != name:
                continue
            if not brand.alone or (not lead and _ROLES.issuperset(words[:start] + words[end:])):
                found.add(brand)
    if not text.isascii():
        for letters, brands in tables.by_letters.items():
            if letters in text:
                found.update(brands)
    return found


def _lead(mail: Mail) -> str:
    return mail.text[:_LEAD_CHARACTERS]


BRAND_PLACES: Mapping[str, Callable[[Mail], str]] = MappingProxyType(
    {
        "display": lambda mail: " ".join(one.display[:200] for one in mail.from_addresses[:3]),
        "subject": lambda mail: (mail.subject or "")[:300],
        "lead": _lead,
        "links": lambda mail: " ".join(url.text[:80] for url in mail.urls[:40] if url.text)[:2000],
    }
)
"""Where a brand's name may stand; `links` is the text of links and the alternative text of images."""


class Pretence:
    """Whose names a message uses without right."""

    def __init__(self, mail: Mail, tables: Tables) -> None:
        self._mail = mail
        self._tables = tables
        self._at: dict[str, set[Brand]] = {}

    def at(self, place: str) -> set[Brand]:
        """The brands named at a place of which the sender is none."""
        found = self._at.get(place)
        if found is None:
            named = brands_in(BRAND_PLACES[place](self._mail), self._tables, lead=place in ("lead", "links"))
            found = {one for one in named if not any(map(one.owns, self._senders))}
            self._at[place] = found
        return found

    def leads_elsewhere(self, brand: Brand) -> bool:
        """Whether a reader can click on something that is not the brand's."""
        return any(not brand.owns(link) for link in self._links)

    @derived
    def _senders(self) -> set[str]:
        return {registered_domain(one.domain) for one in self._mail.from_addresses[:5]} - {""}

    @property
    def leads_anywhere(self) -> bool:
        """Whether there is anything that a reader can click on."""
        return bool(self._links)

    @derived
    def _links(self) -> frozenset[str]:
        clicked = {url.host for url in self._mail.urls if url.source in CLICKED}
        return frozenset(registered_domain(host) or host for host in clicked)


def _addresses(name: str) -> Callable[[Mail], Iterator[str]]:
    def hosts(mail: Mail) -> Iterator[str]:
        return (one.domain for one in mail.addresses(name)[:20] if one.domain)

    return hosts


def _links(mail: Mail) -> Iterator[str]:
    return (url.host for url in mail.urls if url.source in CLICKED)


def _images(mail: Mail) -> Iterator[str]:
    return (url.host for url in mail.urls if url.source == "image")


def _return_path(mail: Mail) -> Iterator[str]:
    yield domain_of((mail.headers.first("return-path") or "").strip("<> \t"))


HOSTS: Mapping[str, Callable[[Mail], Iterator[str]]] = MappingProxyType(
    {
        "from": _addresses("from"),
        "images": _images,
        "links": _links,
        "reply_to": _addresses("reply-to"),
        "return_path": _return_path,
    }
)
"""Of what hosts a table can be asked."""


def hosts_of(mail: Mail, of: str) -> set[str]:
    """The hosts, and the domains above them: what is looked up in a table."""
    found: set[str] = set()
    for host in islice(HOSTS[of](mail), MOST_HOSTS):
        while host and host not in found:
            found.add(host)
            host = host.partition(".")[2]  # noqa: PLW2901 - the domain above
    return found

"""Rights as people read them: bundles by name, single rights in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from tamis.database.granted_people import StoredGrant
from tamis.language.translation import marked
from tamis.people.rights import BUNDLES, Grant, Right
from tamis.web.person import Person

BUNDLE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "observer": marked("Observer"),
        "helper": marked("Helper"),
        "manager": marked("Manager"),
        "owner": marked("Owner"),
    }
)
BUNDLE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "observer": marked("sees numbers and what became of messages"),
        "helper": marked("sees what is held as well and delivers or deletes it, without reading texts"),
        "manager": marked("reads texts as well, and changes lists and policy"),
        "owner": marked("gives rights to others as well"),
    }
)
RIGHT_WORDS: Mapping[Right, str] = MappingProxyType(
    {
        Right.STATISTICS: marked("see numbers"),
        Right.HISTORY: marked("see who wrote to whom, and what came of it"),
        Right.HELD: marked("see what is held"),
        Right.CONTENT: marked("read held messages"),
        Right.RELEASE: marked("deliver and delete what is held"),
        Right.LISTS_READ: marked("see lists"),
        Right.LISTS: marked("change lists"),
        Right.POLICY_READ: marked("see policy"),
        Right.POLICY: marked("change policy"),
        Right.LEARN: marked("teach the filter"),
        Right.PEOPLE: marked("give rights, and see what was done"),
        Right.PLATFORM: marked("look after rules, clients and health of the platform"),
    }
)


@dataclass(frozen=True, slots=True)
class ShownGrant:
    """A grant on a page. `bundle` is the name of the one that it is, "" for single rights (`words`); `by` is "" where
    the settings file gives it; `id` is 0 then, or where it is not this person's to take back."""

    scope: str
    bundle: str
    words: tuple[str, ...]
    by: str = ""
    expires: datetime | None = None
    id: int = 0
    is_over: bool = False


def in_words(grant: Grant, *, by: str = "", expires: datetime | None = None, number: int = 0) -> ShownGrant:
    """A grant as a page shows it."""
    bundle = next((name for name, rights in BUNDLES.items() if rights == grant.rights), "")
    words = () if bundle else tuple(RIGHT_WORDS[one] for one in Right if one in grant.rights)
    is_over = expires is not None and expires <= datetime.now(UTC)
    return ShownGrant(grant.scope, BUNDLE_NAMES.get(bundle, ""), words, by, expires, number, is_over)


def stored_in_words(one: StoredGrant, *, revocable: bool = False) -> ShownGrant:
    """A grant of the store."""
    return in_words(one.grant, by=one.by, expires=one.expires, number=one.id if revocable else 0)


def fixed_in_words(person: Person) -> Iterable[ShownGrant]:
    """What the settings file gives to somebody (`Person.of` without what the store grants)."""
    return map(in_words, person.grants)

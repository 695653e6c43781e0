"""The console's navigation: which page stands where, under which heading, and for whom."""

from __future__ import annotations

from dataclasses import dataclass

from tamis.language.translation import marked
from tamis.people.rights import Right


@dataclass(frozen=True, slots=True)
class NavPage:
    """A page of the navigation: its path below /admin, its name, and the right that it wants (`platform`: for the
    whole platform)."""

    path: str
    name: str
    right: Right
    platform: bool = False


NAVIGATION: tuple[tuple[str, tuple[NavPage, ...]], ...] = (
    (
        "",
        (
            NavPage("", marked("Overview"), Right.STATISTICS),
            NavPage("/messages", marked("Messages"), Right.HISTORY),
            NavPage("/held", marked("Held"), Right.HELD),
        ),
    ),
    (
        marked("Tuning"),
        (
            NavPage("/replay", marked("Replay"), Right.HISTORY),
            NavPage("/policy", marked("Policy"), Right.POLICY_READ),
            NavPage("/lists", marked("Lists"), Right.LISTS_READ),
            NavPage("/rules", marked("Rules"), Right.PLATFORM, platform=True),
            NavPage("/knowledge", marked("Knowledge"), Right.POLICY_READ),
            NavPage("/learning", marked("Learning"), Right.STATISTICS),
        ),
    ),
    (
        marked("Senders"),
        (
            NavPage("/challenges", marked("Challenges"), Right.HISTORY),
            NavPage("/clients", marked("Clients"), Right.PLATFORM, platform=True),
            NavPage("/fingerprints", marked("Fingerprints"), Right.PLATFORM, platform=True),
        ),
    ),
    ("", (NavPage("/mailboxes", marked("Mailboxes"), Right.STATISTICS),)),
    (
        marked("People"),
        (
            NavPage("/people", marked("People"), Right.PEOPLE),
            NavPage("/audit", marked("Audit"), Right.PEOPLE),
        ),
    ),
    (
        marked("System"),
        (
            NavPage("/health", marked("Health"), Right.PLATFORM, platform=True),
            NavPage("/jobs", marked("Jobs"), Right.POLICY_READ),
            NavPage("/api", marked("API"), Right.STATISTICS),
        ),
    ),
)
"""The headings ("" for none) in their order, each with its pages."""

_BELONGS = {"/suggest": "/replay"}
"""Pages beside the navigation's own, each with the one of it that they belong to."""


def belongs_to(path: str) -> str:
    """The page of the navigation that a path below /admin belongs to; "" is the overview, to which nothing belongs but
    itself."""
    first = "/" + path.strip("/").partition("/")[0] if path.strip("/") else ""
    return _BELONGS.get(first, first)

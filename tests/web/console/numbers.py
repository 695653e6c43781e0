"""Mail of a month in the history, so that the console has numbers to show."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from tamis.contract.finding import Finding, Status
from tamis.database.effective_labels import LabelSource
from tamis.database.host_health import HostCheck, HostState, LeftOut
from tamis.judging.story import Story, Told
from tamis.store import Store
from tests.web.pages import JEAN, MARIE

NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = (MARIE, JEAN, *(f"{name}@example.com" for name in ("anne", "paul", "lea", "hugo", "zoe", "noe")))
PARTNERS = (
    "garage.example.net",
    "voyage.example.org",
    "offers.example.net",
    "ecole.example.org",
    "news.example",
)
_LOOKS = ("spf", "reverse_dns", "dnsbl", "uribl", "antivirus", "statistics")


def fill(store: Store, messages: int = 400, days: int = 30) -> None:
    """Messages of so many days, the same in every run but for the moment at which they end; some are labelled."""
    chance = random.Random(7)
    made = [(f"n:{n}", _story(n, chance, days)) for n in range(messages)]
    store.history.add(made, {one: one for one in PEOPLE})
    for n in range(0, messages, 23):
        ((who, _), *_) = made[n][1].recipients
        store.labels.say(f"n{n}", who, n % 2 == 0, LabelSource.RELEASE, who, now=NOW)


def _story(n: int, chance: random.Random, days: int) -> Story:
    at = NOW - timedelta(minutes=chance.randint(1, days * 1440 - 1))
    told = chance.choices(
        [
            Told("ham", "inbox", "", "", chance.uniform(-2, 6), 7.5, "dnsbl=1"),
            Told("spam", "quarantine", "reverse_dns", "", 0.0, 7.5, "reverse_dns=spam"),
            Told("spam", "quarantine", "spf", "", 0.0, 7.5, "spf=spam"),
            Told("spam", "quarantine", "score", "", chance.uniform(7.5, 14), 7.5, "statistics=8"),
            Told("spam", "junk", "uribl", "", 0.0, 7.5, "uribl=spam"),
            Told("ham", "tag", "", "", 5.0, 7.5, "dnsbl=5"),
        ],
        [60, 14, 8, 8, 6, 4],
    )[0]
    looks = tuple(
        Finding(
            name,
            Status.UNAVAILABLE if name == "uribl" and chance.random() < 0.03 else Status.CLEAR,
            seconds=chance.expovariate(30 if name != "dnsbl" else 2),
        )
        for name in _LOOKS
    )
    if chance.random() < 0.15:
        recipients: tuple[tuple[str, Told], ...] = ((f"a@{chance.choice(PARTNERS)}", told),)
        return Story(at, f"N{n}", MARIE, "192.0.2.7", "mx", "marie", "", 5000, looks, recipients, f"n{n}")
    sender = f"a@{chance.choice(PARTNERS)}"
    recipients = ((chance.choice(PEOPLE), told),)
    return Story(at, f"N{n}", sender, "192.0.2.7", "mx", "", "", 5000, looks, recipients, f"n{n}")


def well(**changes: object) -> HostState:
    """A host that is well."""
    return HostState(
        version="1.0",
        processes={"supervisor": 1, "workers": 2, "desk": 1, "background": 1, "web": 1},
        parts=12,
        journal_limit=256 * 1024**2,
        route_proven=NOW.timestamp() - 60,
        postfix_changed=NOW.timestamp() - 86400,
        disk_free=40 * 1024**3,
        disk_total=100 * 1024**3,
        checks=(HostCheck("ok", "settings", "/etc/tamis/tamis.toml"),),
        checked=NOW.timestamp() - 600,
        **changes,  # type: ignore[arg-type]
    )


LOST = LeftOut("clamd", 2, NOW.timestamp() + 30, "connection refused")

"""The time that a page of the console looks at: `?span=` in the address, and the time before it to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tamis.database.counts import Days
from tamis.language.time_zone import zone_of
from tamis.language.translation import marked
from tamis.web.console.console import Console

SPANS = {
    "24h": (marked("24 hours"), 2, marked("the 24 hours before")),
    "7d": (marked("7 days"), 7, marked("the 7 days before")),
    "30d": (marked("30 days"), 30, marked("the 30 days before")),
    "365d": (marked("a year"), 365, marked("the year before")),
}
"""By name: how people call it, how many days it touches, and how people call the one before it."""
USUAL = "7d"


@dataclass(frozen=True, slots=True)
class Span:
    """A time until now, in days of the statistics; hours are looked at where it `is_hours`."""

    name: str
    now: datetime
    days: Days

    @classmethod
    def of(cls, console: Console, usual: str = USUAL) -> Span:
        """The one in the address; another word means the usual one."""
        asked = console.visit.query("span")
        name = asked if asked in SPANS else usual
        now = console.visit.reader.now.astimezone(zone_of(console.site.book.policy("").terms.time_zone))
        return cls(name, now, Days.until(now.date(), SPANS[name][1]))

    @property
    def is_hours(self) -> bool:
        """Whether it is that of the last 24 hours."""
        return self.name == "24h"

    @property
    def before(self) -> str:
        """What people call the time that it is compared with."""
        return SPANS[self.name][2]

    @property
    def search_days(self) -> str:
        """The days that the search of messages calls so; all that is kept for a year."""
        return {"24h": "1", "7d": "7", "30d": "30"}.get(self.name, "all")

    @property
    def since(self) -> datetime:
        """When it began."""
        if self.is_hours:
            return self.now - timedelta(hours=24)
        return datetime.combine(self.days.first, datetime.min.time(), self.now.tzinfo)

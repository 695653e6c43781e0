"""How a page speaks to its reader: language, time zone, and the forms of dates, sizes and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from types import MappingProxyType

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent

from tamis.language.time_zone import zone_of
from tamis.language.translation import marked, translations

_LOCALES: Mapping[str, Locale] = MappingProxyType({"en": Locale("en", "GB"), "fr": Locale("fr", "FR")})
_MOMENT = MappingProxyType({"en": "d MMMM, HH:mm", "fr": "d MMMM 'à' HH:mm"})
_YEARS_MOMENT = MappingProxyType({"en": "d MMMM y, HH:mm", "fr": "d MMMM y 'à' HH:mm"})
_DAY = MappingProxyType({"en": "d MMMM", "fr": "d MMMM"})
_YEARS_DAY = MappingProxyType({"en": "d MMMM y", "fr": "d MMMM y"})
_UNITS = (
    (1024**3, marked("%(size)s GB")),
    (1024 * 1024, marked("%(size)s MB")),
    (1024, marked("%(size)s KB")),
    (1, marked("%(size)s octets")),
)
_NO_BREAK = "\u00a0"
"""A number and its unit stay on one line."""
_FEW = 20
"""What a share of would say nothing."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PageReader:
    """One reader. `language` is one of LANGUAGES, `zone` an IANA name, `now` the moment of the page."""

    language: str
    zone: str = "UTC"
    now: datetime = field(default_factory=_now)

    def gettext(self, sentence: str) -> str:
        """An English sentence of ours in the reader's language."""
        return str(translations(self.language).gettext(sentence))

    def ngettext(self, one: str, many: str, number: int) -> str:
        """The form for a number."""
        return str(translations(self.language).ngettext(one, many, number))

    def moment(self, at: datetime) -> str:
        """Day and time of day: "22 November, 14:02"; the year where it is another one."""
        at = at.astimezone(self._tz)
        patterns = _MOMENT if at.year == self.now.astimezone(self._tz).year else _YEARS_MOMENT
        return str(format_datetime(at, patterns[self.language], self._tz, self._locale))

    def day(self, at: datetime) -> str:
        """The day: "22 December"; the year where it is another one."""
        at = at.astimezone(self._tz)
        patterns = _DAY if at.year == self.now.astimezone(self._tz).year else _YEARS_DAY
        return str(format_date(at.date(), patterns[self.language], self._locale))

    def date(self, day: date) -> str:
        """A day of the calendar, in short: "22 Nov"; the year where it is another one."""
        pattern = "d MMM" if day.year == self.now.astimezone(self._tz).year else "d MMM y"
        return str(format_date(day, pattern, self._locale))

    def hour(self, at: datetime) -> str:
        """The hour that an hour of the day begins with: "14:00"."""
        return str(format_datetime(at.astimezone(self._tz), "HH:mm", locale=self._locale))

    def fine(self, value: float) -> str:
        """A small number, with three decimals at most."""
        return str(format_decimal(value, "#,##0.###", self._locale))

    def ago(self, at: datetime) -> str:
        """How long ago, in one unit: "2 hr ago"; the day when it is long ago."""
        past = self.now - at
        if past < timedelta(minutes=1):
            return self.gettext(marked("just now"))
        if past >= timedelta(days=7):
            return self.day(at)
        shown = format_timedelta(-past, threshold=1, add_direction=True, format="short", locale=self._locale)
        return str(shown)

    def size(self, octets: int) -> str:
        """A size in a fitting unit."""
        unit, sentence = next(((u, s) for u, s in _UNITS if octets >= u), _UNITS[-1])
        shown = self.number(round(octets / unit, 1 if octets < 10 * unit and unit > 1 else 0))
        return self.gettext(sentence).replace(" ", _NO_BREAK) % {"size": shown}

    def number(self, value: float) -> str:
        """A number as the language writes it."""
        return str(format_decimal(value, "#,##0.##", self._locale))

    def share(self, part: float) -> str:
        """A share as the language writes it, in percent: the smaller, the more decimals."""
        rounded = round(part, 2 if part >= 0.1 else 3 if part >= 0.01 else 4)
        return str(format_percent(rounded, locale=self._locale, decimal_quantization=False))

    def compared(self, now: float, before: float) -> str:
        """By how much a number changed against another one, in percent with its sign; "" where that says nothing."""
        if before < _FEW:
            return ""
        change = now / before - 1
        sign = "+" if change > 0 else "−" if change < 0 else "±"  # noqa: RUF001 - a minus as it is printed
        return sign + str(format_percent(round(abs(change), 2), locale=self._locale))

    @property
    def _locale(self) -> Locale:
        return _LOCALES[self.language]

    @property
    def _tz(self) -> tzinfo:
        return zone_of(self.zone)

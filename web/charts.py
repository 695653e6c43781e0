"""Pictures of numbers, as rectangles in a field of 1000 by 1000 that templates/charts.html draws as SVG.

    rows -> bars | ranks | histogram | funnel | spark -> Chart -> <figure>: picture, sentence, table of the numbers

Axes begin at zero and have three ticks. A picture has at most MOST_SHAPES shapes: days are put together until they fit.
Series differ by lightness and by pattern, in styles alone: no colour stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

FIELD = 1000
MOST_SHAPES = 120
"""Shapes of a picture (beyond: neighbours are put together, or the rest is left to the table)."""
_MOST_RANKS = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle; `series` names its style, `title` what it stands for."""

    x: float
    y: float
    width: float
    height: float
    series: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and the numbers that it shows. `ticks` stand from the top to the bottom, `labels` from left to right;
    `limit` is a line's place from the left, None for none."""

    shapes: Sequence[Shape] = ()
    ticks: Sequence[str] = ()
    labels: Sequence[str] = ()
    legend: Sequence[tuple[str, str]] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    names: Sequence[tuple[str, str]] = ()
    """Of ranks: the name and the number at each bar."""
    limit: float | None = None
    ends: tuple[float, float] | None = None
    """The values at both ends of a histogram's axis."""

    def __bool__(self) -> bool:
        return bool(self.shapes)


Shown = Callable[[float], str]
"""A number as its reader writes it."""


def nice(most: float) -> float:
    """The end of an axis: the next of 2, 4, 10, 20, 40, 100 … so that its half is a number that people say."""
    decade = 1.0
    while True:
        for end in (2 * decade, 4 * decade, 10 * decade):
            if end >= most:
                return end
        decade *= 10


def bars(
    rows: Sequence[tuple[str, Mapping[str, int]]],
    series: Sequence[tuple[str, str]],
    head: str,
    shown: Shown,
) -> Chart:
    """Stacked columns, one a row (label, series -> number); the first series stands lowest. `series` are names of
    styles and of people; those that are nowhere in the rows are left out."""
    there = [(key, name) for key, name in series if any(numbers.get(key) for _, numbers in rows)]
    if not there:
        return Chart()
    step = -(-len(rows) * len(there) // MOST_SHAPES)
    columns = [_together(rows[start : start + step]) for start in range(0, len(rows), step)]
    end = nice(max(sum(numbers.values()) for _, numbers in columns))
    wide = FIELD / len(columns)
    shapes: list[Shape] = []
    for place, (label, numbers) in enumerate(columns):
        top = float(FIELD)
        for key, name in there:
            if not (number := numbers.get(key, 0)):
                continue
            height = FIELD * number / end
            top -= height
            title = f"{label}: {name} {shown(number)}"
            shapes.append(Shape(place * wide + wide * 0.1, top, wide * 0.8, height, key, title))
    return Chart(
        shapes=shapes,
        ticks=_ticks(end, shown),
        labels=_ends([label for label, _ in rows]),
        legend=there,
        heads=(head, *(name for _, name in there)),
        rows=[(label, *(shown(numbers.get(key, 0)) for key, _ in there)) for label, numbers in rows],
    )


def _together(rows: Sequence[tuple[str, Mapping[str, int]]]) -> tuple[str, dict[str, int]]:
    sums: dict[str, int] = {}
    for _, numbers in rows:
        for key, number in numbers.items():
            sums[key] = sums.get(key, 0) + number
    first, last = rows[0][0], rows[-1][0]
    return (first if first == last else f"{first} – {last}"), sums  # noqa: RUF001 - as days are joined in print


def ranks(
    rows: Sequence[tuple[str, float]], heads: Sequence[str], shown: Shown, more: Sequence[Sequence[str]] = ()
) -> Chart:
    """Lying bars, the longest first, of the first rows; the table has them all, with further columns (`more`)."""
    most = max((number for _, number in rows), default=0)
    if most <= 0:
        return Chart()
    few = rows[:_MOST_RANKS]
    high = FIELD / len(few)
    extra = more or [()] * len(rows)
    return Chart(
        shapes=[
            Shape(
                0,
                place * high + high * 0.15,
                FIELD * number / most,
                high * 0.7,
                "one",
                f"{name}: {shown(number)}",
            )
            for place, (name, number) in enumerate(few)
        ],
        names=[(name, shown(number)) for name, number in few],
        heads=heads,
        rows=[(name, shown(number), *beside) for (name, number), beside in zip(rows, extra, strict=True)],
    )


def histogram(
    rows: Sequence[tuple[float, str, int]],
    series: Sequence[tuple[str, str]],
    head: str,
    shown: Shown,
    limit: float,
    *,
    step: float = 0.5,
) -> Chart:
    """Columns by value: (lower end of a step, series, number), and a line at the limit. What lies far outside is put
    together at both ends."""
    if not rows:
        return Chart()
    there = [(key, name) for key, name in series if any(one[1] == key for one in rows)]
    most = MOST_SHAPES // max(1, len(there))
    low, high = min(0.0, limit - 10), limit + 10
    while (high - low) / step > most:
        step *= 2
    count = round((high - low) / step)
    columns: list[dict[str, int]] = [{} for _ in range(count)]
    for value, key, number in rows:
        place = max(0, min(count - 1, int((value - low) // step)))
        columns[place][key] = columns[place].get(key, 0) + number
    wide, end = FIELD / count, nice(max(sum(one.values()) for one in columns))
    shapes: list[Shape] = []
    told: list[Sequence[str]] = []
    for place, numbers in enumerate(columns):
        start, top = low + place * step, float(FIELD)
        label = f"{shown(start)} – {shown(start + step)}"  # noqa: RUF001 - as numbers are joined in print
        for key, name in there:
            if number := numbers.get(key, 0):
                height = FIELD * number / end
                top -= height
                title = f"{label}: {name} {shown(number)}"
                shapes.append(Shape(place * wide + wide * 0.05, top, wide * 0.9, height, key, title))
        if numbers:
            told.append((label, *(shown(numbers.get(key, 0)) for key, _ in there)))
    return Chart(
        shapes=shapes,
        ticks=_ticks(end, shown),
        labels=(shown(low), shown(limit), shown(high)),
        legend=there,
        heads=(head, *(name for _, name in there)),
        rows=told,
        limit=place_of(limit, (low, high)),
        ends=(low, high),
    )


def place_of(value: float, ends: tuple[float, float]) -> float:
    """Where a value stands on an axis with these ends, at its edge if it lies outside."""
    low, high = ends
    return FIELD * (min(max(value, low), high) - low) / (high - low)


def funnel(
    rows: Sequence[tuple[str, int]], heads: Sequence[str], shown: Shown, rest: Sequence[tuple[str, int]] = ()
) -> Chart:
    """Bars from all to what is left at the end, one below the other; `rest` stands in the table alone."""
    most = max((number for _, number in rows), default=0)
    if most <= 0:
        return Chart()
    high = FIELD / len(rows)
    shapes = []
    for place, (name, number) in enumerate(rows):
        wide = FIELD * number / most
        y = place * high + high * 0.15
        shapes.append(Shape((FIELD - wide) / 2, y, wide, high * 0.7, "one", f"{name}: {shown(number)}"))
    return Chart(
        shapes=[one for one in shapes if one.width],
        names=[(name, shown(number)) for name, number in rows],
        heads=heads,
        rows=[(name, shown(number)) for name, number in (*rows, *rest)],
    )


def spark(numbers: Sequence[int]) -> str:
    """The path of a small curve in a field of 100 by 24; "" where nothing was."""
    most = max(numbers, default=0)
    if most <= 0 or len(numbers) < 2:
        return ""
    places = ((100 * at / (len(numbers) - 1), 23 - 22 * number / most) for at, number in enumerate(numbers))
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _ticks(end: float, shown: Shown) -> tuple[str, str, str]:
    return shown(end), shown(end / 2), shown(0)


def _ends(labels: Sequence[str]) -> tuple[str, ...]:
    """The first, the middle and the last of them."""
    return tuple(dict.fromkeys((labels[0], labels[len(labels) // 2], labels[-1])))

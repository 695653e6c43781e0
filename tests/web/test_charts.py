"""Pictures of numbers: never more shapes than a browser likes, never outside their field, always with their numbers."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tamis.web import charts
from tamis.web.charts import FIELD, MOST_SHAPES, Chart

SERIES = tuple((key, key.upper()) for key in ("inbox", "tag", "junk", "held", "defer", "observed"))
numbers = st.integers(0, 10**9)
columns = st.lists(
    st.tuples(st.text(max_size=5), st.dictionaries(st.sampled_from([k for k, _ in SERIES]), numbers)),
    max_size=400,
)


def in_field(chart: Chart) -> None:
    assert len(chart.shapes) <= MOST_SHAPES
    for one in chart.shapes:
        assert min(one.x, one.y, one.width, one.height) >= -1e-6
        assert one.x + one.width <= FIELD + 1e-6
        assert one.y + one.height <= FIELD + 1e-6
        assert one.title
    assert len(chart.ticks) in (0, 3)
    assert all(len(row) == len(chart.heads) for row in chart.rows)


@given(columns)
def test_columns(rows: list[tuple[str, dict[str, int]]]) -> None:
    chart = charts.bars(rows, SERIES, "day", str)
    in_field(chart)
    assert bool(chart) == any(sum(counts.values()) for _, counts in rows)
    if chart:
        assert len(chart.rows) == len(rows)
        assert sum(int(cell) for row in chart.rows for cell in row[1:]) == sum(
            sum(counts.values()) for _, counts in rows
        )


@given(st.lists(st.tuples(st.text(max_size=9), st.floats(0, 1e9)), max_size=60))
def test_ranks_and_funnels(rows: list[tuple[str, float]]) -> None:
    chart = charts.ranks(rows, ("filter", "caught"), str)
    in_field(chart)
    assert len(chart.rows) in (0, len(rows))
    in_field(charts.funnel([(name, int(number)) for name, number in rows[:5]], ("step", "number"), str))


@given(
    st.lists(
        st.tuples(st.floats(-60, 200), st.sampled_from(["wanted", "unwanted", "unsaid"]), numbers),
        max_size=300,
    ),
    st.floats(0, 1000),
)
def test_a_histogram_has_its_limit_inside(rows: list[tuple[float, str, int]], limit: float) -> None:
    series = (("unwanted", "unwanted"), ("wanted", "wanted"), ("unsaid", "nobody said"))
    chart = charts.histogram(rows, series, "points", str, limit)
    in_field(chart)
    assert chart.limit is None or 0 <= chart.limit <= FIELD
    if chart:
        told = sum(int(cell) for row in chart.rows for cell in row[1:])
        assert told == sum(number for _, _, number in rows), "what lies outside stands at the ends"


@given(st.floats(0, 1e15))
def test_an_axis_ends_above_its_highest_column(most: float) -> None:
    end = charts.nice(most)
    assert end >= most
    assert end <= max(2.0, 2.5 * most + 1e-9)
    assert math.isclose(float(f"{end:.1g}"), end), "a number that people say"


@given(st.lists(numbers, max_size=400))
def test_a_spark_is_one_path(counts: list[int]) -> None:
    path = charts.spark(counts)
    assert (path == "") == (len(counts) < 2 or not any(counts))
    assert path.count("M") == bool(path)

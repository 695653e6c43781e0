"""The console's first page: what came, where did it go, is all well?

Reach, Span -> counts (Statistics) -> a sentence in words with numbers -> five questions, each with its picture
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from starlette.responses import Response

from tamis.database.counts import Days, FilterCount, LabelCount, Latency, Questions, ScoreCount
from tamis.database.roll_ups import MISTAKES, UNWANTED_PASSED, WANTED_STOPPED, WOULD
from tamis.judging.suppression import SENTENCES, NotAsked
from tamis.judging.verdict import SCORE
from tamis.language.translation import marked
from tamis.message.address import PLATFORM
from tamis.models.levels import Levels, Measured
from tamis.models.model_file import ModelError
from tamis.models.scale import promise
from tamis.models.site_model import LEVELS
from tamis.people.rights import Reach, Right
from tamis.web import charts
from tamis.web.charts import Chart
from tamis.web.console import troubles
from tamis.web.console.console import Console
from tamis.web.console.spans import SPANS, Span
from tamis.web.page_reader import PageReader

SERIES = (
    ("inbox", marked("inbox")),
    ("observed", marked("only observed")),
    ("tag", marked("tagged")),
    ("junk", marked("Junk")),
    ("held", marked("held")),
    ("defer", marked("deferred")),
)
"""Where copies go, the best first: the styles of their columns, and what people call it."""
_SERIES_OF = {"quarantine": "held"}
_STATISTICS = "statistics"
BarKey = TypeVar("BarKey")


@dataclass(frozen=True, slots=True)
class TrafficShown:
    """What came in a time: rows for the picture, sums by series, by what decided, and what went out."""

    rows: Sequence[tuple[str, Mapping[str, int]]]
    went: Mapping[str, int]
    caught: Mapping[str, int]
    sent: int

    @property
    def came(self) -> int:
        """All copies that came."""
        return sum(self.went.values())


def series_of(outcome: str) -> str:
    """The series of an outcome."""
    return "observed" if outcome.startswith(WOULD) else _SERIES_OF.get(outcome, outcome)


def show(console: Console) -> Response:
    """The page."""
    reader, store = console.visit.reader, console.visit.store.statistics
    span, reach = Span.of(console), console.visible(Right.STATISTICS)
    now, before = traffic(console, span, reach)
    labels = store.labels(reach, span.days)
    is_platform = console.may(Right.PLATFORM, PLATFORM)
    latencies = store.latencies(span.days) if is_platform else []
    filters = [] if is_platform else store.filters(reach, span.days)
    asked = store.questions(reach, span.since, span.now)
    if is_platform:
        wrong = troubles.of_hosts(console.visit.store.healths.all(), reader)
        wrong += troubles.of_latencies(latencies, reader)
    else:
        wrong = troubles.of_filters(filters, now.came + now.sent, reader)
    mistakes = {kind: sum(one.copies for one in labels if one.kind == kind) for kind in MISTAKES}
    measured = measured_level(console)
    return console.render(
        "overview.html",
        span=span,
        spans=SPANS,
        now=now,
        before=before,
        wrong=wrong,
        held_wrongly=mistakes[WANTED_STOPPED],
        let_in_wrongly=mistakes[UNWANTED_PASSED],
        withheld=store.is_withheld(reach, span.days),
        went=charts.bars(now.rows, _named(SERIES, reader), reader.gettext(marked("day")), reader.number),
        catches=catches(now, labels, reader),
        caught_links=caught_links(console, now.caught, span),
        slow=slow(latencies, reader) if is_platform else missing(filters, reader),
        is_platform=is_platform,
        measured=measured,
        promised=promise(measured.level) if measured else 0.0,
        scores=histogram(console, reach, span.days),
        asked=asked,
        questions=questions(now.went.get("held", 0), asked, reader),
        most=store.partners(reach, span.days, limit=5),
    )


def traffic(console: Console, span: Span, reach: Reach) -> tuple[TrafficShown, TrafficShown]:
    """What came in the span, and in the one before it."""
    store, reader = console.visit.store.statistics, console.visit.reader
    day = timedelta(hours=24)
    if span.is_hours and any("@" not in one for one in reach.scopes):
        parts = []
        for end in (span.now, span.now - day):
            rows = store.by_hour(reach, end - day, end)
            hours = [(end - timedelta(hours=back)).replace(minute=0) for back in range(24, -1, -1)]
            named = [(int(at.timestamp()) // 3600, reader.hour(at)) for at in hours]
            counts = [
                (int(one.at.timestamp()) // 3600, one.side, one.outcome, one.decided_by, one.copies)
                for one in rows
            ]
            parts.append(_traffic(named, counts))
        return parts[0], parts[1]
    made = []
    for days in (span.days, span.days.before):
        by_day = [(one.day, one.side, one.outcome, "", one.copies) for one in store.by_day(reach, days)]
        deciders = store.by_decider(reach, days)
        part = _traffic([(one, reader.date(one)) for one in days], by_day)
        caught = Counter[str]()
        for one in deciders:
            if one.side == "in" and series_of(one.outcome) in ("tag", "junk", "held"):
                caught[one.decided_by or SCORE] += one.copies
        made.append(TrafficShown(part.rows, part.went, caught, part.sent))
    return made[0], made[1]


def _traffic(
    named: Sequence[tuple[BarKey, str]], counts: Sequence[tuple[BarKey, str, str, str, int]]
) -> TrafficShown:
    columns: dict[BarKey, Counter[str]] = {key: Counter() for key, _ in named}
    went, caught, sent = Counter[str](), Counter[str](), 0
    for key, side, outcome, decided_by, copies in counts:
        if side == "out":
            sent += copies
            continue
        series = series_of(outcome)
        went[series] += copies
        if key in columns:
            columns[key][series] += copies
        if series in ("tag", "junk", "held"):
            caught[decided_by or SCORE] += copies
    return TrafficShown([(name, columns[key]) for key, name in named], went, caught, sent)


def _named(series: Sequence[tuple[str, str]], reader: PageReader) -> list[tuple[str, str]]:
    return [(key, reader.gettext(name)) for key, name in series]


def filter_name(name: str, reader: PageReader) -> str:
    """What people call what decided."""
    if name in ("", SCORE):
        return reader.gettext(marked("the total of all"))
    return name.replace("_", " ")


def caught_links(console: Console, names: Iterable[str], span: Span, scope: str = "") -> dict[str, str]:
    """From what decided, as people call it, to the messages that it decided in a time: for who may see these."""
    scope = scope or console.scope
    if not (console.visible(Right.HISTORY).scopes or console.may(Right.HISTORY, scope)):
        return {}
    return {
        filter_name(name, console.visit.reader): console.path(
            "/messages", **{"in": scope, "q": f"by:{name or SCORE}", "days": span.search_days}
        )
        for name in names
    }


def catches(now: TrafficShown, labels: Sequence[LabelCount], reader: PageReader) -> Chart:
    """What catches mail, and how often that was wrong, as people said."""
    wrong = Counter[str]()
    for one in labels:
        if one.kind == WANTED_STOPPED:
            wrong[one.decided_by or SCORE] += one.copies
    rows = sorted(now.caught.items(), key=lambda one: (-one[1], one[0]))
    heads = [
        reader.gettext(one) for one in (marked("filter"), marked("caught"), marked("wrongly, as people said"))
    ]
    return charts.ranks(
        [(filter_name(name, reader), number) for name, number in rows],
        heads,
        reader.number,
        [(reader.number(wrong[name]),) for name, _ in rows],
    )


def slow(latencies: Sequence[Latency], reader: PageReader) -> Chart:
    """How long filters take for 95 % of the messages, and how often they had no answer."""
    longest = 60.0  # what takes longer than all steps
    rows = sorted(
        ((one.filter, min(one.within(), longest), one) for one in latencies if one.looked),
        key=lambda r: (-r[1], r[0]),
    )
    heads = [
        reader.gettext(one) for one in (marked("filter"), marked("95 % within"), marked("without an answer"))
    ]

    def seconds(value: float) -> str:
        if value >= longest:
            return reader.gettext(marked("more than 30 s"))
        return reader.gettext(marked("%(seconds)s s")) % {"seconds": reader.fine(value)}

    shares = [(reader.share(one.unavailable / one.looked if one.looked else 0.0),) for _, _, one in rows]
    return charts.ranks([(name.replace("_", " "), value) for name, value, _ in rows], heads, seconds, shares)


def missing(filters: Sequence[FilterCount], reader: PageReader) -> Chart:
    """Copies for which filters had no answer."""
    rows = sorted(
        ((one.filter.replace("_", " "), one.unavailable) for one in filters if one.unavailable),
        key=lambda row: (-row[1], row[0]),
    )
    heads = [reader.gettext(one) for one in (marked("filter"), marked("without an answer"))]
    return charts.ranks(rows, heads, reader.number)


def measured_level(console: Console) -> Measured | None:
    """What was measured of the level of the statistical filter that is in force in the scope; None before anything
    was."""
    try:
        levels = Levels.load(console.site.settings.model_directory / LEVELS)
    except (FileNotFoundError, ModelError):
        return None
    policy = console.site.book.policy("" if console.scope == PLATFORM else console.scope)
    chosen = next((r.options for r in policy.rules if r.filter.name == _STATISTICS), None)
    level = getattr(chosen, "level", None)
    return next((one for one in levels.measured if one.level == level), None)


def histogram(console: Console, reach: Reach, days: Days) -> Chart:
    """The totals of what no filter decided, with the limit in force."""
    policy = console.site.book.policy("" if console.scope == PLATFORM else console.scope)
    totals = console.visit.store.statistics.scores(reach, days)
    return totals_chart(totals, policy.required, console.visit.reader)


def totals_chart(totals: Sequence[ScoreCount], limit: float, reader: PageReader) -> Chart:
    """Totals by what people said, and a limit."""
    series = _named(
        (("unwanted", marked("unwanted")), ("wanted", marked("wanted")), ("unsaid", marked("nobody said"))),
        reader,
    )
    rows = [(one.low, one.label or "unsaid", one.copies) for one in totals]
    return charts.histogram(rows, series, reader.gettext(marked("points")), reader.number, limit)


def questions(held: int, asked: Questions, reader: PageReader) -> Chart:
    """From what was held to what a sender's answer delivered."""
    steps = (
        (marked("held"), held),
        (marked("senders asked"), asked.asked),
        (marked("answered"), asked.answered),
        (marked("delivered"), asked.delivered),
    )
    reasons = sorted(asked.not_asked.items(), key=lambda one: (-one[1], one[0]))
    rest = [
        (reader.gettext(marked("not asked: %(why)s")) % {"why": why_not_asked(reason, reader)}, number)
        for reason, number in reasons
    ]
    heads = [reader.gettext(one) for one in (marked("step"), marked("number"))]
    return charts.funnel(
        [(reader.gettext(name), number) for name, number in steps], heads, reader.number, rest
    )


def why_not_asked(reason: str, reader: PageReader) -> str:
    """Why a sender was not asked, in words."""
    try:
        return reader.gettext(SENTENCES[NotAsked(reason)])
    except (KeyError, ValueError):  # of another version
        return reason

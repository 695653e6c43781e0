"""The metrics for Prometheus, served by the background process."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tamis.base.breaker import PartState
from tamis.base.shared_files import read_json
from tamis.handover.listener_counts import ListenerCount, read_listener_counts
from tamis.handover.part_states import read_parts
from tamis.installation.paths import Paths
from tamis.judging.metrics import BUCKETS, Counts
from tamis.models.ledger import Ledger

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: `kind` is counter (its samples end in _total), gauge or histogram."""

    kind: str
    labels: tuple[str, ...]
    help: str


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "tamis_messages": Family("counter", (), "Messages examined."),
        "tamis_findings": Family(
            "counter",
            ("filter", "status"),
            "Findings: hit, clear, unavailable (no answer, service gone), skipped (not tried).",
        ),
        "tamis_shadow_hits": Family(
            "counter",
            ("filter",),
            "Messages for which a filter in shadow would have had an effect for some recipient.",
        ),
        "tamis_filter_seconds": Family(
            "histogram",
            ("filter",),
            "Time a filter took for a message, including waiting; skipped filters are not included.",
        ),
        "tamis_copies": Family(
            "counter", ("outcome", "decided_by"), "Copies by outcome and by the filter that decided."
        ),
        "tamis_part_left_out": Family(
            "gauge",
            ("part",),
            "Processes that currently leave out an external part because it keeps failing.",
        ),
        "tamis_part_failures": Family("counter", ("part",), "Calls to an external part that failed."),
        "tamis_part_openings": Family(
            "counter", ("part",), "Times that a process started to leave out an external part."
        ),
        "tamis_lost_messages": Family(
            "counter",
            ("listener",),
            "Messages of which Postfix showed Tamis nothing after DATA: the client hung up, or Postfix bypasses the "
            "milter (smtpd_proxy_filter).",
        ),
        "tamis_challenges": Family(
            "counter",
            ("what", "reason"),
            "Challenges to senders of held mail by result, and why none was sent.",
        ),
        "tamis_reports": Family(
            "counter",
            ("source", "result"),
            "Reports to the statistical filter: learned, or dropped over the limit.",
        ),
        "tamis_report_contradictions": Family(
            "gauge", ("source",), "Share of a source's last 100 reports that contradict a model that is sure."
        ),
        "tamis_report_alarm": Family(
            "gauge", ("source",), "1 while a source contradicts the model too often."
        ),
        "tamis_journal_octets": Family("gauge", (), "Octets of history that wait for the store."),
        "tamis_redirection_notes": Family("gauge", (), "Redirected copies on their way to the desk."),
        "tamis_detour_notes": Family("gauge", (), "The name of tamis_redirection_notes before 0.2."),
        "tamis_route_proof_age_seconds": Family(
            "gauge",
            (),
            "Seconds since the route to the desk was last proven; absent while no proof was needed.",
        ),
    }
)
"""Every metric that is served, by name."""

_MAKERS = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class Exporter(Collector):
    """Adds up what the workers leave and shows it. Sums begin at 0 with the process, as Prometheus expects."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._counts = Counts()
        self._parts = _Parts()
        self._lost = _Lost()
        self._lock = threading.Lock()
        self._listening = ""
        self.challenges: Counter[tuple[str, str]] = Counter()
        """What `Asking.counts` was when last looked at."""

    def serve(self, listen: str) -> None:
        """Begin to serve at IP:PORT, once. Raises OSError when the port is taken."""
        if listen == self._listening:
            return
        if self._listening:
            log.warning("metrics.listen is %s only after a restart", listen or "off")
            self._listening = listen
            return
        host, _, port = listen.rpartition(":")
        registry = CollectorRegistry()
        registry.register(self)
        start_http_server(int(port), host.strip("[]"), registry)
        self._listening = listen

    def gather(self) -> None:
        """Take in what the workers left."""
        folder = self._paths.metrics
        for path in sorted(folder.glob("[0-9]*.json")) if folder.is_dir() else []:
            data = read_json(path)
            path.unlink(missing_ok=True)
            with self._lock:
                try:
                    self._counts.merge(data or {})
                except (KeyError, TypeError, ValueError) as error:
                    log.warning("unreadable counts in %s: %s", path, error)
        with self._lock:
            self._parts.take(read_parts(self._paths))
            self._lost.take(read_listener_counts(self._paths))

    def collect(self) -> Iterator[Metric]:
        """As Prometheus asks for it."""
        with self._lock:
            counts, parts, lost = self._counts, self._parts, self._lost
            yield _plain("tamis_messages", _single(counts.messages))
            yield _plain("tamis_findings", counts.findings.items())
            yield _plain("tamis_shadow_hits", _labelled(counts.shadow_hits))
            yield _histogram("tamis_filter_seconds", counts)
            yield _plain("tamis_copies", counts.outcomes.items())
            yield _plain("tamis_part_left_out", _labelled(parts.left_out))
            yield _plain("tamis_part_failures", _labelled(parts.failures))
            yield _plain("tamis_part_openings", _labelled(parts.openings))
            yield _plain("tamis_lost_messages", _labelled(lost.messages))
        yield _plain("tamis_challenges", self.challenges.items())
        yield from self._learning()
        yield _plain("tamis_journal_octets", _single(_octets(self._paths.journal)))
        notes = _files(self._paths.notes) + _files(self._paths.former_notes)
        yield _plain("tamis_redirection_notes", _single(notes))
        yield _plain("tamis_detour_notes", _single(notes))
        try:
            proven = self._paths.proof.stat().st_mtime
        except OSError:  # no proof was needed yet
            return
        yield _plain("tamis_route_proof_age_seconds", _single(max(0.0, time.time() - proven)))

    def _learning(self) -> Iterator[Metric]:
        """What became of reports to the statistical filter."""
        ledger = Ledger.load(self._paths.ledger)
        results = (("learned", ledger.learned), ("dropped", ledger.dropped))
        yield _plain(
            "tamis_reports",
            [((source, name), count) for name, counts in results for source, count in counts.items()],
        )
        seen = ledger.contradictions
        yield _plain(
            "tamis_report_contradictions",
            _labelled({s: sum(last) / max(1, len(last)) for s, last in seen.items()}),
        )
        yield _plain(
            "tamis_report_alarm", _labelled({source: float(ledger.alarm(source)) for source in seen})
        )


class _Parts:
    """What the processes say of external parts, summed; what a process that died had counted stays in the sums."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.openings: Counter[str] = Counter()
        self._before: dict[tuple[int, str], PartState] = {}

    def take(self, told: Mapping[int, Sequence[PartState]]) -> None:
        states = {(pid, one.part): one for pid, some in told.items() for one in some}
        self.left_out = Counter()
        for key, one in states.items():
            before = self._before.get(key)
            self.left_out[one.part] += one.left_out_until > 0
            self.failures[one.part] += one.failures - (before.failures if before else 0)
            self.openings[one.part] += one.openings - (before.openings if before else 0)
        self._before = states


class _Lost:
    """Messages that no worker was shown, by listener; what a worker that died had counted stays in the sums."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self._before: dict[tuple[int, str], int] = {}

    def take(self, told: Mapping[int, Mapping[str, ListenerCount]]) -> None:
        now = {(pid, port): one.lost for pid, some in told.items() for port, one in some.items()}
        for key, lost in now.items():
            self.messages[key[1]] += lost - self._before.get(key, 0)
        self._before = now


MetricValues = Iterable[tuple[tuple[str, ...], float]]


def _plain(name: str, values: MetricValues) -> Metric:
    family = FAMILIES[name]
    made: CounterMetricFamily | GaugeMetricFamily
    made = _MAKERS[family.kind](name, family.help, labels=family.labels)
    for labels, value in values:
        made.add_metric(labels, value)
    return made


def _labelled(values: Mapping[str, float]) -> MetricValues:
    return [((key,), value) for key, value in values.items()]


def _single(value: float) -> MetricValues:
    return [((), value)]


def _histogram(name: str, counts: Counts) -> Metric:
    family = FAMILIES[name]
    made = HistogramMetricFamily(name, family.help, labels=family.labels)
    ends = [*map(str, BUCKETS), "+Inf"]
    for one, micros in counts.seconds.items():
        upto = accumulate(counts.steps[one, place] for place in range(len(ends)))
        made.add_metric([one], list(zip(ends, upto, strict=True)), micros / 1e6)
    return made


def _octets(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.jsonl")) if folder.is_dir() else 0


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.json")) if folder.is_dir() else 0

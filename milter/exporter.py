"""The metrics for Prometheus, served by the background process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tamis.metrics import Counts
from tamis.milter.files import read_json
from tamis.milter.paths import Paths
from tamis.models.ledger import LEDGER, Ledger

log = logging.getLogger(__name__)


class Exporter(Collector):
    """Adds up what the workers leave and shows it. Sums begin at 0 with the process, as Prometheus expects."""

    def __init__(self, paths: Paths, model_directory: Path) -> None:
        self._paths = paths
        self._model_directory = model_directory
        self._counts = Counts()
        self._lock = threading.Lock()
        self._listening = ""

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

    def collect(self) -> Iterator[Metric]:
        """As Prometheus asks for it."""
        with self._lock:
            yield CounterMetricFamily("tamis_messages", "Messages examined.", value=self._counts.messages)
            findings = CounterMetricFamily(
                "tamis_findings", "Findings by filter and status.", labels=["filter", "status"]
            )
            for (name, status), count in self._counts.findings.items():
                findings.add_metric([name, status], count)
            yield findings
            seconds = CounterMetricFamily(
                "tamis_filter_seconds", "Time spent, waiting included, by filter.", labels=["filter"]
            )
            for name, micros in self._counts.seconds.items():
                seconds.add_metric([name], micros / 1e6)
            yield seconds
            outcomes = CounterMetricFamily(
                "tamis_copies", "Copies by outcome and by what decided.", labels=["outcome", "decided_by"]
            )
            for (outcome, decided_by), count in self._counts.outcomes.items():
                outcomes.add_metric([outcome, decided_by], count)
            yield outcomes
        yield GaugeMetricFamily(
            "tamis_journal_octets", "Stories that wait for the store.", value=_octets(self._paths.journal)
        )
        yield GaugeMetricFamily(
            "tamis_detour_notes", "Copies on their way to the desk.", value=_files(self._paths.notes)
        )
        yield from self._learning()
        try:
            proven = self._paths.proof.stat().st_mtime
        except OSError:  # no proof was needed yet
            return
        yield GaugeMetricFamily(
            "tamis_route_proof_age_seconds",
            "How long ago the route to the desk was last proven.",
            value=max(0.0, time.time() - proven),
        )

    def _learning(self) -> Iterator[Metric]:
        """What became of reports to the statistical filter."""
        ledger = Ledger.load(self._model_directory / LEDGER)
        reports = CounterMetricFamily(
            "tamis_reports",
            "Reports to the statistical filter by source and result.",
            labels=["source", "result"],
        )
        for result, counts in (("learned", ledger.learned), ("dropped", ledger.dropped)):
            for source, count in counts.items():
                reports.add_metric([source, result], count)
        yield reports
        share = GaugeMetricFamily(
            "tamis_report_contradictions",
            "Share of a source's last reports that contradict the model.",
            labels=["source"],
        )
        alarm = GaugeMetricFamily(
            "tamis_report_alarm", "1 while a source contradicts the model too often.", labels=["source"]
        )
        for source, seen in ledger.contradictions.items():
            share.add_metric([source], sum(seen) / max(1, len(seen)))
            alarm.add_metric([source], float(ledger.alarm(source)))
        yield share
        yield alarm


def _octets(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.jsonl")) if folder.is_dir() else 0


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.json")) if folder.is_dir() else 0

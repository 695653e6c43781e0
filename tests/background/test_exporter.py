"""The metrics: what the workers leave is summed, and nothing is served that docs/metrics.md does not list."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tamis.background.exporter import FAMILIES, Exporter
from tamis.base.breaker import Breakers
from tamis.base.breaker_limits import BreakerLimits
from tamis.base.shared_files import write_json
from tamis.contract.filter import Effect, Opinion
from tamis.contract.finding import Finding, Status
from tamis.handover.part_states import PartsFile, read_parts
from tamis.installation.paths import Paths
from tamis.judging.metrics import Counts
from tamis.judging.plan import Judged
from tamis.judging.verdict import Decision, Verdict
from tamis.settings import Settings
from tests.builders import MARIE, PAUL, book

FINDINGS = {
    "spf": Finding("spf", Status.HIT, "x", {}, 0.02),
    "dnsbl": Finding("dnsbl", Status.UNAVAILABLE, "x", {}, 7.0),
    "antivirus": Finding("antivirus", Status.SKIPPED, "x", {}, 0.0),
    "message_checksum": Finding("message_checksum", Status.HIT, "x", {}, 0.0005),
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(Settings(state_directory=tmp_path / "state", run_directory=tmp_path / "run"))


def judged(recipient: str) -> Judged:
    opinions = (
        Opinion("spf", "S5", Status.HIT, Effect.SPAM, 0.0, "x"),
        Opinion("message_checksum", "S23", Status.HIT, Effect.SPAM, 0.0, "x", shadow=True),
    )
    verdict = Verdict(recipient, Decision.SPAM, "spf", "x", 0.0, 7.5, opinions)
    return Judged(verdict, book("").policy(recipient), ())


def served(exporter: Exporter) -> dict[str, float]:
    """Samples by their name with labels, as Prometheus reads them."""
    exporter.gather()
    registry = CollectorRegistry()
    registry.register(exporter)
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_findings_shadow_hits_and_times_are_summed_over_workers(paths: Paths) -> None:
    for pid in (11, 12):
        counts = Counts()
        counts.add(FINDINGS, [judged(MARIE), judged(PAUL)])
        write_json(paths.metrics / f"{pid}.json", counts.to_dict())
    shown = served(Exporter(paths))
    assert shown["tamis_messages_total"] == 2
    assert shown['tamis_findings_total{filter="spf",status="hit"}'] == 2
    assert shown['tamis_findings_total{filter="dnsbl",status="unavailable"}'] == 2
    assert shown['tamis_findings_total{filter="antivirus",status="skipped"}'] == 2
    assert shown['tamis_shadow_hits_total{filter="message_checksum"}'] == 2  # messages, not recipients
    assert 'tamis_shadow_hits_total{filter="spf"}' not in shown
    assert shown['tamis_copies_total{decided_by="spf",outcome="quarantine"}'] == 4
    steps = {
        end: shown[f'tamis_filter_seconds_bucket{{filter="dnsbl",le="{end}"}}']
        for end in ("5.0", "10.0", "+Inf")
    }
    assert steps == {"5.0": 0, "10.0": 2, "+Inf": 2}
    assert shown['tamis_filter_seconds_sum{filter="dnsbl"}'] == 14
    assert shown['tamis_filter_seconds_count{filter="spf"}'] == 2
    assert 'tamis_filter_seconds_count{filter="antivirus"}' not in shown


def test_parts_are_summed_over_the_processes_that_run(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = Exporter(paths)
    breakers = {pid: Breakers(BreakerLimits(failures=2)) for pid in (21, 22, 23)}

    def tell() -> dict[str, float]:
        for pid, one in breakers.items():
            monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
            PartsFile(paths.parts, one).write()
        return served(exporter)

    write_json(paths.processes, {"supervisor": 1, "workers": [21, 22], "background": [24]})
    for one in breakers.values():
        for _ in range(2):
            one.part("spamd").failed("refused")
    breakers[21].part("clamd one").failed("late")
    shown = tell()
    assert shown['tamis_part_left_out{part="spamd"}'] == 2  # 23 runs no more
    assert shown['tamis_part_openings_total{part="spamd"}'] == 2
    assert shown['tamis_part_failures_total{part="spamd"}'] == 4
    assert shown['tamis_part_left_out{part="clamd one"}'] == 0
    breakers[21].part("spamd").answered()
    write_json(paths.processes, {"workers": [21]})
    shown = tell()
    assert shown['tamis_part_left_out{part="spamd"}'] == 0
    assert shown['tamis_part_failures_total{part="spamd"}'] == 4  # counters never fall
    assert set(read_parts(paths)) == {21}


def test_every_metric_is_served_and_none_that_is_not_listed(paths: Paths) -> None:
    paths.proof.parent.mkdir(parents=True)
    paths.proof.touch()
    assert [one.name for one in Exporter(paths).collect()] == list(FAMILIES)


@pytest.mark.parametrize("rubbish", ["[1]", "{}", '[{"part": 1}]', "no json"])
def test_an_unreadable_file_is_left_out(paths: Paths, rubbish: str) -> None:
    write_json(paths.processes, {"workers": [31]})
    paths.parts.mkdir(parents=True)
    (paths.parts / "31.json").write_text(rubbish)
    assert read_parts(paths) == {}

"""Tamis beside bogofilter and rspamd's Bayes on the same shuffled streams: tables and plots of docs/statistics.md.

All begin empty, score each message, then learn its label. Accuracy of all seeds, cost of all messages.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import statistics_bogofilter, statistics_domains, statistics_rspamd
from tamis.models.corpora import Place, found, shuffled
from tamis.models.evaluation import Protocol, Run, run
from tamis.models.features import extract
from tamis.models.learner import Learner
from tamis.models.measures import Measures, Ranking
from tamis.models.model_file import Learned, write_model
from tamis.models.plots import plot_learning, plot_roc

HAM = ("easy-ham-1", "easy-ham-2", "hard-ham-1")
SPAM = ("spam-1", "spam-2")
ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- begin: benchmarks/statistics -->", "<!-- end: benchmarks/statistics -->"
BOGOFILTER_SPAM = 0.99
"""bogofilter's spam_cutoff as installed; its `unsure` counts as ham."""

Seeded = dict[int, Measures]


def corpus(folder: Path) -> list[Place]:
    """The SpamAssassin public corpus, as scripts/fetch-corpus lays it out."""
    ham = found([folder / name for name in HAM], spam=False)
    spam = found([folder / name for name in SPAM], spam=True)
    return [place for place in ham + spam if place.path.suffix == ".txt"]


def measured(scores: Sequence[float], places: Sequence[Place], threshold: float) -> Measures:
    """The measures of one stream."""
    labels = np.array([place.spam for place in places])
    result = Ranking(np.array(scores), labels, threshold).measures()
    assert result is not None
    return result


def same_ham_lost(ours: dict[int, Run], other: Seeded) -> str:
    """The two filters with the same ham lost: at the threshold that the other one comes with."""
    missed = [
        Ranking(np.array(run_.scores), run_.labels).sm_at(other[seed].hm) for seed, run_ in ours.items()
    ]
    theirs = [found.sm for found in other.values()]
    return (
        f"With no more ham lost than bogofilter loses at its own threshold ({BOGOFILTER_SPAM}), Tamis misses "
        f"{statistics.median(missed):.1f} % of the spam (median), bogofilter {statistics.median(theirs):.1f} %."
    )


def worker_memory(learner: Learner, run_: Run, message: Path) -> dict[str, float]:
    """Model size, load time and memory, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "current.model"
        write_model(path, learner, Learned(run_.ham, run_.spam))
        command = [sys.executable, "-m", "benchmarks.statistics_memory", str(path), str(message)]
        shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        about: dict[str, float] = json.loads(shown)
        about["octets"] = path.stat().st_size
    return about


def accuracy_rows(name: str, seeds: Seeded) -> list[str]:
    """A row a seed, and the medians."""
    rows = [
        f"| {name} | {seed} | {m.roca:.4f} | {m.sm_at_hm_01:.2f} | {m.sm_at_hm_1:.2f} | {m.hm:.2f} | {m.sm:.2f} "
        f"| {m.lam:.3f} |"
        for seed, m in seeds.items()
    ]
    fields = ("roca", "sm_at_hm_01", "sm_at_hm_1", "hm", "sm", "lam")
    medians = [statistics.median(getattr(m, field) for m in seeds.values()) for field in fields]
    shown = " | ".join(
        f"**{value:.{places}f}**" for value, places in zip(medians, (4, 2, 2, 2, 2, 3), strict=True)
    )
    return [*rows, f"| **{name}** | **median** | {shown} |"]


def cost_rows(
    tamis: Run,
    memory: dict[str, float],
    other: statistics_bogofilter.BogofilterRun,
    rspamd: statistics_rspamd.RspamdRun,
) -> list[str]:
    """CPU, memory and size side by side."""

    def both(times: Sequence[float]) -> str:
        return f"{statistics.median(times):.2f} / {statistics.fmean(times):.2f}"

    mib = 1024 * 1024
    return [
        f"| parse the message (shared by all filters), CPU ms median / mean | {both(tamis.parse_ms)} "
        "| in score | in score |",
        f"| features | {both(tamis.features_ms)} | in score | in score |",
        f"| score | {both(tamis.score_ms)} | {both(other.score_ms)} (a process a call) | mean {rspamd.score_ms:.2f} |",
        f"| train | {both(tamis.train_ms)} | {both(other.train_ms)} (a process a call) | mean {rspamd.train_ms:.2f} |",
        f"| model file | {memory['octets'] / mib:.1f} MiB, fixed | {other.store_octets / mib:.1f} MiB, grows | "
        f"{rspamd.store_octets / mib:.1f} MiB in Redis's memory, grows |",
        f"| load | {memory['load_ms']:.0f} ms | in score | |",
        f"| memory a worker: code / model, private | {memory['code_private_kib'] / 1024:.1f} / "
        f"{memory['model_private_kib'] / 1024:.1f} MiB | "
        f"{other.resident_kib / 1024:.1f} MiB a process, largest message | "
        f"{rspamd.resident_kib / 1024:.1f} MiB a process, whole server |",
        f"| shared by all workers | {memory['model_shared_kib'] / 1024:.1f} MiB | | |",
    ]


def _known(streams: dict[int, list[Place]]) -> dict[int, list[statistics_domains.Known]]:
    """The streams with their features, which are extracted once a message."""
    seen: dict[Path, statistics_domains.Known] = {}
    for place in {place.path: place for stream in streams.values() for place in stream}.values():
        disputed = statistics_domains.is_disputed(place)
        seen[place.path] = statistics_domains.Known(extract(place.read()), place.spam, disputed)
    return {seed: [seen[place.path] for place in stream] for seed, stream in streams.items()}


def main() -> None:
    """Run it all and rewrite the table in docs/statistics.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("TAMIS_CORPUS") or ROOT / "corpus") / "spamassassin"
    parser.add_argument("--corpus", type=Path, default=default)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument(
        "--rspamd-seeds", default="1", help="rspamd takes 1 to 2 minutes of CPU a stream and condition"
    )
    parser.add_argument("--limit", type=int)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    rspamd_seeds = [int(seed) for seed in options.rspamd_seeds.split(",")]
    version, rspamd_version = statistics_bogofilter.install(), statistics_rspamd.install()
    places = corpus(options.corpus)
    if not places:
        parser.error(f"no messages in {options.corpus}; scripts/fetch-corpus brings them")
    streams = {seed: shuffled(places, seed)[: options.limit] for seed in seeds}
    with ThreadPoolExecutor(1) as pool:
        others = {s: pool.submit(statistics_bogofilter.run, stream) for s, stream in streams.items()}
        ours: dict[int, Run] = {}
        learner = Learner()
        for seed, stream in streams.items():
            learner = Learner()
            ours[seed] = run(stream, Protocol(), learner=learner)
            print(f"seed {seed}: Tamis done", file=sys.stderr)
        rspamd = {
            name: {seed: statistics_rspamd.run(streams[seed], condition=condition) for seed in rspamd_seeds}
            for name, condition in (("rspamd as installed", True), ("rspamd, taught all", False))
        }
        print("rspamd done", file=sys.stderr)
        theirs = {}
        for seed, future in others.items():
            theirs[seed] = future.result()
            print(f"seed {seed}: bogofilter done", file=sys.stderr)
    table = {s: measured(ours[s].scores, ours[s].places, 0.0) for s in seeds}
    other = {s: measured(theirs[s].scores, streams[s], BOGOFILTER_SPAM) for s in seeds}
    last = seeds[-1]
    memory = worker_memory(learner, ours[last], places[0].path)
    lines = [
        BEGIN,
        f"{len(streams[last])} messages a stream; bogofilter {version} and rspamd {rspamd_version} as Debian installs "
        "them. The installed rspamd says nothing before 200 ham and 200 spam and refuses to learn what it is sure of; "
        '"taught all" learns every message and speaks from the first one on.',
        "",
        "| filter | seed | (1-ROCA)% | sm% at hm 0.1% | sm% at hm 1% | hm% | sm% | lam% |",
        "|---|---|---|---|---|---|---|---|",
        *accuracy_rows("Tamis", table),
        *accuracy_rows("bogofilter", other),
        *(
            row
            for name, runs_ in rspamd.items()
            for row in accuracy_rows(
                name, {s: measured(run_.scores, streams[s], 0.0) for s, run_ in runs_.items()}
            )[: len(runs_)]
        ),
        "",
        same_ham_lost(ours, other),
        "",
        "| cost | Tamis | bogofilter | rspamd, its Redis included |",
        "|---|---|---|---|",
        *cost_rows(ours[last], memory, theirs[last], rspamd["rspamd as installed"][rspamd_seeds[-1]]),
        "",
        "One domain of three calls the mail of some lists and newsletters spam (`benchmarks/statistics_domains.py`; "
        f"medians of seeds {options.seeds}):",
        "",
        *statistics_domains.rows(_known(streams)),
        END,
    ]
    page = options.docs / "statistics.md"
    text = page.read_text("utf-8") if page.exists() else f"{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    page.write_text(head + "\n".join(lines) + rest.partition(END)[2], "utf-8")
    runs = {
        f"Tamis, seed {last}": (np.array(ours[last].scores), ours[last].labels),
        f"bogofilter, seed {last}": (
            np.array(theirs[last].scores),
            np.array([place.spam for place in streams[last]]),
        ),
    }
    for file in (
        *plot_roc(runs, options.docs, "statistics-roc"),
        *plot_learning(runs, options.docs, "statistics-learning"),
    ):
        print(f"wrote {file}", file=sys.stderr)
    print("\n".join(lines))


if __name__ == "__main__":
    main()

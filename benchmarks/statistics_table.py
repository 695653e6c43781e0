"""Tamis beside bogofilter on the same shuffled streams: the table and the plots of docs/statistics.md.

Both filters begin empty, score each message, then learn its label. Accuracy of all seeds, cost of all messages.
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

from benchmarks import statistics_bogofilter
from tamis.models.corpora import Place, found, shuffled
from tamis.models.evaluation import Protocol, Run, run
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


def cost_rows(tamis: Run, memory: dict[str, float], other: statistics_bogofilter.BogofilterRun) -> list[str]:
    """CPU, memory and size side by side."""

    def both(times: Sequence[float]) -> str:
        return f"{statistics.median(times):.2f} / {statistics.fmean(times):.2f}"

    mib = 1024 * 1024
    return [
        f"| parse the message (shared by all filters), CPU ms median / mean | {both(tamis.parse_ms)} | in score |",
        f"| features | {both(tamis.features_ms)} | in score |",
        f"| score | {both(tamis.score_ms)} | {both(other.score_ms)} (a process a call) |",
        f"| train | {both(tamis.train_ms)} | {both(other.train_ms)} (a process a call) |",
        f"| model file | {memory['octets'] / mib:.1f} MiB, fixed | {other.store_octets / mib:.1f} MiB, grows |",
        f"| load | {memory['load_ms']:.0f} ms | in score |",
        f"| memory a worker: code / model, private | {memory['code_private_kib'] / 1024:.1f} / "
        f"{memory['model_private_kib'] / 1024:.1f} MiB | "
        f"{other.resident_kib / 1024:.1f} MiB a process, largest message |",
        f"| shared by all workers | {memory['model_shared_kib'] / 1024:.1f} MiB | |",
    ]


def main() -> None:
    """Run it all and rewrite the table in docs/statistics.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("TAMIS_CORPUS") or ROOT / "corpus") / "spamassassin"
    parser.add_argument("--corpus", type=Path, default=default)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    version = statistics_bogofilter.install()
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
        f"{len(streams[last])} messages a stream; bogofilter {version} as Debian installs it.",
        "",
        "| filter | seed | (1-ROCA)% | sm% at hm 0.1% | sm% at hm 1% | hm% | sm% | lam% |",
        "|---|---|---|---|---|---|---|---|",
        *accuracy_rows("Tamis", table),
        *accuracy_rows("bogofilter", other),
        "",
        same_ham_lost(ours, other),
        "",
        "| cost | Tamis | bogofilter |",
        "|---|---|---|",
        *cost_rows(ours[last], memory, theirs[last]),
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

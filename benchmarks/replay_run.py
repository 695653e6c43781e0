"""`benchmarks/replay`: is replay exact, and how long does it take on many messages?"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tamis.contract.finding import Finding
from tamis.judging.story import Story
from tamis.store import Store
from tests.real import PrivatePostgres
from tests.real.daemon import to_toml
from tests.road.replaying import CHANGES, POLICY, Compared, compare

ROOT = Path(__file__).resolve().parents[1]
BATCH = 5000


@dataclass(frozen=True)
class Timed:
    """One `tamis replay` on one database: copies read, seconds by the clock, and of CPU in the command itself."""

    store: str
    policy: str
    copies: int
    seconds: float
    cpu: float


def variant(finding: Finding, number: int) -> Finding:
    """The same finding with other numbers: on a site hardly any two messages have the same score or size."""
    facts = dict(finding.facts)
    for key in ("log_odds", "probability"):
        if isinstance(facts.get(key), float):
            facts[key] = round(facts[key] + number * 1e-6, 6)
    if facts.get("subjects"):
        facts["asked"] = number
    return replace(finding, facts=facts)


def stories(seeds: Sequence[Story], count: int) -> Iterator[tuple[str, Story]]:
    """`count` stories of the last days, made of recorded ones; no two have all findings alike. One in five keeps all
    its recipients, the others the first."""
    now = datetime.now(UTC)
    for number in range(count):
        seed = seeds[number % len(seeds)]
        yield (
            f"benchmark:{number}",
            replace(
                seed,
                at=now - timedelta(seconds=5 * (count - number)),
                queue_id=f"Q{number}",
                recipients=seed.recipients if number % 5 == 0 else seed.recipients[:1],
                findings=tuple(variant(one, number) for one in seed.findings),
            ),
        )


def fill(url: str, seeds: Sequence[Story], count: int) -> None:
    """A store with that many stories."""
    with Store(url) as store:
        store.migrate()
        batch: list[tuple[str, Story]] = []
        for one in stories(seeds, count):
            batch.append(one)
            if len(batch) == BATCH:
                store.history.add(batch)
                batch.clear()
        store.history.add(batch)


@contextmanager
def stores(directory: Path) -> Iterator[dict[str, str]]:
    """The databases to measure on, by name."""
    with PrivatePostgres() as postgres:
        yield {"SQLite": f"sqlite:///{directory}/tamis.sqlite", "PostgreSQL": postgres.url}


def replay(config: Path, changes: Sequence[str]) -> tuple[int, float, float]:
    """Run the command; copies, seconds by the clock, seconds of CPU."""
    settings = [word for change in changes for word in ("--set", change)]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tamis.cli",
            "--config",
            config,
            "replay",
            "--since",
            "3650d",
            "--json",
            *settings,
        ],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout)["copies"], seconds, cpu


def measure(seeds: Sequence[Story], count: int, rounds: int) -> Iterator[Timed]:
    """The medians of `rounds` on each database, the policy in force and the changed one in turn."""
    with tempfile.TemporaryDirectory(prefix="tamis-replay-") as folder, stores(Path(folder)) as urls:
        for name, url in urls.items():
            print(f"filling {name} with {count} messages", file=sys.stderr)
            fill(url, seeds, count)
            config = Path(folder, f"{name}.toml")
            config.write_text(to_toml({"state_directory": folder, "store": {"url": url}, "policy": POLICY}))
            taken: dict[str, list[tuple[int, float, float]]] = {"in force": [], "changed": []}
            for _ in range(rounds):
                taken["in force"].append(replay(config, ()))
                taken["changed"].append(replay(config, CHANGES))
            for policy, one in taken.items():
                seconds, cpu = (statistics.median(r[place] for r in one) for place in (1, 2))
                yield Timed(name, policy, one[0][0], seconds, cpu)


def exactness(messages: int, *, everything: bool) -> Compared:
    """Send that many messages twice; the model is taught with the others, or with some of the same."""
    corpus = ROOT / "corpus" / "spamassassin"
    paths = sorted(corpus.glob("*/*.txt"))
    if not paths:
        sys.exit("no corpus: run scripts/fetch-corpus")
    step = len(paths) / min(messages, len(paths))
    chosen = [paths[int(n * step)] for n in range(min(messages, len(paths)))]
    ham, spam = sorted(corpus.glob("*-ham-*/*.txt")), sorted(corpus.glob("spam-*/*.txt"))
    return compare(chosen, {"ham": ham[::10], "spam": spam[::5]}, everything=everything)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000, help="messages that are sent twice")
    parser.add_argument(
        "--everything", action="store_true", help="with examine_everything, so that nothing is unknown"
    )
    parser.add_argument(
        "--stored", type=int, default=100_000, help="messages that are replayed from a store; 0: none"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    compared = exactness(arguments.messages, everything=arguments.everything)
    if not arguments.json:
        print("\n".join(compared.lines()), flush=True)
    timed = []
    for one in measure(compared.stories, arguments.stored, arguments.rounds) if arguments.stored else ():
        timed.append(one)
        if not arguments.json:
            print(
                f"{one.store:<11} {one.policy:<9} {arguments.stored} messages, {one.copies} copies:"
                f" {one.seconds:5.1f} s, {one.cpu:5.1f} s of CPU in the command",
                flush=True,
            )
    if arguments.json:
        counts = {one.name: getattr(compared, one.name) for one in dataclasses.fields(compared)}
        counts["differing"] = len(compared.differing)
        del counts["stories"]
        print(json.dumps({"exactness": counts, "speed": [asdict(one) for one in timed]}, indent=2))
    for number, who, said, recorded in compared.differing[:10]:
        print(f"message {number} for {who}: replay says {said}, it became {recorded}", file=sys.stderr)
    sys.exit(bool(compared.differing) or compared.same_in_force != compared.copies)


if __name__ == "__main__":
    main()

"""One host of `benchmarks/chaos`: Postfix and Tamis, whose state lies on a small disk of its own."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.chaos_account import DOMAINS, MAILBOXES, POLICY
from benchmarks.chaos_faults import SENDERS, Chaos, Scene
from tests.real import Envelope, Sent, wait_until
from tests.real.support import private_directory
from tests.real.world import WORLD, ask_the_world, nothing_exists
from tests.road.installation import Installation

_DISK = "256m"


@contextmanager
def scene(store: str = "", state: str = "", key: Path | None = None) -> Iterator[Scene]:
    """An installation with traps in its processes. `store` and `state` are the addresses of servers, "" for the
    embedded files; `key` is the signing key of the host that was there first."""
    disk, traps = private_directory("disk"), private_directory("traps")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tamis-chaos", str(disk)], check=True)
    (disk / "state").mkdir()
    if key is not None:
        shutil.copy2(key, disk / "state")
    settings: dict[str, object] = {
        "state_directory": str(disk / "state"),
        "platform": {"domains": sorted(DOMAINS)},
        "milter": {"workers": 2, "drain": 2.0},
    }
    if store:
        settings |= {"store": {"url": store}, "state": {"url": state}}
    try:
        with ExitStack() as stack:
            stack.enter_context(nothing_exists())
            installation = stack.enter_context(
                Installation(
                    policy=POLICY,
                    settings=settings,
                    daemon={"module": "tests.road.faulty", "environment": {"TAMIS_TRAPS": str(traps)}},
                    domains=sorted(DOMAINS),
                    main={"default_transport": "world"},
                    master=WORLD,
                    mailboxes=[f"{local}@{domain}" for domain in DOMAINS for local in MAILBOXES],
                )
            )
            ask_the_world(installation.postfix)
            table = installation.postfix.parameter("transport_maps")
            installation.postfix.postconf(transport_maps=f"{table} {SENDERS}")
            installation.postfix.reload()
            yield Scene(installation, disk, traps)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def send(place: Scene, chaos: Chaos[Scene], batch: list[Envelope], sessions: int) -> list[Sent]:
    """Send while things break; whoever gets a 4xx or no answer comes again."""
    chaos.check()
    return place.installation.postfix.send_many(batch, sessions=sessions, attempts=10_000, retry_delay=0.3)


def settle(place: Scene) -> None:
    """Everything is well again: whatever waits is delivered now."""
    for trap in place.traps.iterdir():
        trap.unlink()
    postfix = place.installation.postfix

    def empty() -> bool:
        postfix.flush()
        return not postfix.mailq()

    wait_until(empty, timeout=300, what="the queue to empty", detail=place.installation.daemon.failure_report)


def keep_logs(place: Scene, directory: Path) -> None:
    """Leave the logs, where something is bad."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "postfix.log").write_text(place.installation.postfix.log())
    (directory / "tamis.log").write_text(place.installation.daemon.log())


def progress(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Is any copy lost, doubled, or not where it belongs?")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1, help="share the messages among so many runs, by seed")
    parser.add_argument("--at-once", type=int, default=2, help="faults at the same time, on each host")
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--hosts", type=int, default=1, help="so many hosts share PostgreSQL and Redis")
    parser.add_argument("--logs", type=Path, help="where to leave the logs if something is bad")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()

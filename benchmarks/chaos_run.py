"""`benchmarks/chaos`: is any copy lost, doubled, or somewhere else than its recipient's policy says?"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict

from benchmarks.chaos_account import Run, account, batches, look
from benchmarks.chaos_faults import FAULTS, Chaos
from benchmarks.chaos_hosts import run_hosts
from benchmarks.chaos_scene import arguments, keep_logs, progress, scene, send, settle
from tests.real import PrivatePostgres, PrivateRedis, Sent


def run(asked: argparse.Namespace, messages: int, seed: int) -> Run:
    """One installation: send, break, mend, count."""
    begun = time.monotonic()
    sent: list[Sent] = []
    with ExitStack() as stack:
        postgres = redis = None
        if asked.store == "postgresql":
            postgres, redis = stack.enter_context(PrivatePostgres()), stack.enter_context(PrivateRedis())
        place = stack.enter_context(
            scene(postgres.url, redis.url) if postgres is not None and redis is not None else scene()
        )
        place.postgres, place.redis = postgres, redis
        with Chaos(place, FAULTS, seed, asked.at_once) as chaos:
            for batch in batches(range(1, messages + 1), random.Random(seed)):
                sent += send(place, chaos, batch, asked.sessions)
                progress(f"seed {seed}: {len(sent)} sent, {chaos.happened.total()} faults")
        settle(place)
        table, bad = account(look(place.installation), place.installation.held(), sent)
        if bad and asked.logs:
            keep_logs(place, asked.logs / str(seed))
    copies = sum(len(one.envelope.recipients) for one in sent)
    return Run(len(sent), copies, time.monotonic() - begun, table, Counter(chaos.happened), bad)


def main() -> int:
    """Run, and print the sum."""
    asked = arguments()
    total = Run()
    for seed in range(asked.seed, asked.seed + asked.runs):
        messages = asked.messages // asked.runs
        total += run(asked, messages, seed) if asked.hosts == 1 else run_hosts(asked, messages, seed)
        if asked.runs > 1:
            progress(f"up to seed {seed}: {total}")
    sys.stdout.write(f"{json.dumps(asdict(total), indent=2) if asked.json else total}\n")
    return int(not total.is_good)


if __name__ == "__main__":
    sys.exit(main())

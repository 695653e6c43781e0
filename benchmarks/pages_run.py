"""The pages over HTTP with a full quarantine behind them: milliseconds until the answer is there, and CPU."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.quarantine_store import fill
from tamis.base.tokens import Purpose
from tests.web.pages import ADMIN, CODE, Answer, Pages
from tests.web.samples import content, message

MAILBOX, DOMAIN = "box7@domain7.example.com", "domain7.example.com"
SETTINGS = {"web": {"administrators": {ADMIN: ["platform"]}}}


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Pages(Path(folder), SETTINGS) as pages:
        fill(pages.store, arguments.messages, 0)
        figures = {name: timed(ask, arguments.rounds) for name, ask in questions(pages).items()}
    if arguments.json:
        print(
            json.dumps(
                {"messages": arguments.messages, "rounds": arguments.rounds, "pages": figures}, indent=2
            )
        )
        return
    print(f"{arguments.messages:,} messages held; {arguments.rounds} requests each\n")
    print(f"{'page':<28}{'median ms':>11}{'most ms':>11}{'CPU ms':>11}")
    for name, (median, most, cpu) in figures.items():
        print(f"{name:<28}{median:>11.1f}{most:>11.1f}{cpu:>11.1f}")


def questions(pages: Pages) -> dict[str, Callable[[], Answer]]:
    """What is asked for, by a name."""
    own, admin, stranger = pages.visitor(MAILBOX), pages.visitor(ADMIN), pages.visitor()
    waiting = [one.id for one in pages.store.quarantine.list(MAILBOX, limit=1000)]
    number = waiting[-1]
    later = iter(waiting)
    proof = own.get("/lists").field("csrf")
    asked = iter(range(10_000))

    def challenge() -> str:
        _, made = pages.store.challenges.hold_asked(
            message(next(asked)), content(), language="en", authenticated=True
        )
        return f"/c/{pages.token(Purpose.CHALLENGE, made)}"

    sender = challenge()

    def solve() -> Answer:
        path = challenge()
        return stranger.post(path, code=stranger.post(path).field("code"), typed=CODE)

    return {
        "list": lambda: own.get("/mail"),
        "search": lambda: own.get("/mail?q=mortgage"),
        "list of a domain": lambda: admin.get(f"/mail?box={DOMAIN}"),
        "search in a domain": lambda: admin.get(f"/mail?box={DOMAIN}&q=mortgage"),
        "message": lambda: own.get(f"/mail/{number}"),
        "its formatting": lambda: own.get(f"/mail/{number}/formatted"),
        "deliver": lambda: own.post(f"/mail/{next(later)}", csrf=proof, verb="deliver"),
        "lists": lambda: own.get("/lists"),
        "settings": lambda: own.get("/settings"),
        "sender's page": lambda: stranger.get(sender),
        "hold, ask for a code, answer": solve,
    }


def timed(ask: Callable[[], Answer], rounds: int) -> tuple[float, float, float]:
    """Median and most of the milliseconds until the answer, and the median of CPU, both sides together."""
    took, spent = [], []
    for _ in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        answer = ask()
        took.append((time.perf_counter() - began) * 1000)
        spent.append((time.process_time() - cpu) * 1000)
        assert answer.status in (200, 303, 404), answer.text
    return statistics.median(took), max(took), statistics.median(spent)


if __name__ == "__main__":
    main()

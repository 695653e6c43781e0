"""What the checkout that it is run in does to messages: a job as a line of JSON on its input, a line a message on its
output. Where the cost is asked, each further line of the input names a piece of the messages, from and to, and is
answered by the CPU seconds that it took. Run as a file by benchmarks/same_run.py, with another checkout's Python: so it
imports only what checkouts of other times have as well, where they have it.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def first_of(name: str, *modules: str) -> Any:
    """A name from the first of these modules that has it: they have moved."""
    for module in modules:
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"{name} is in none of {modules}")


def same_lots() -> None:
    """Let what is drawn by lot, where a bound leaves something out, be the same in every process."""
    try:
        sampling: Any = importlib.import_module("tamis.message.mail.sampling")
    except ImportError:  # nothing was drawn then
        return
    sampling._KEY = bytes(32)


def main() -> None:
    """Do the job."""
    job = json.loads(sys.stdin.readline())
    same_lots()
    envelope = first_of("Envelope", "tamis.message.envelope", "tamis.envelope")
    recipient = first_of("Recipient", "tamis.message.envelope", "tamis.envelope")
    mail = first_of("Mail", "tamis.message.mail", "tamis.mail")
    site_class = first_of("Site", "tamis.judging.site", "tamis.site")
    snapshot = first_of("Snapshot", "tamis.judging.stored_policy", "tamis.judging.site", "tamis.site")
    settings_file = first_of("SettingsFile", "tamis.settings")
    load_filters = first_of("load_filters", "tamis.chain.registry", "tamis.filters.registry")
    road_class = first_of("Road", "tamis.chain.road", "tamis.filters.road")
    runner = first_of("Runner", "tamis.services.runner", "tamis.filters.runner")()
    open_services = first_of("open_services", "tamis.chain.open_services", "tamis.filters.services")
    file = settings_file(job["config"], Path(job["config"]).read_text())
    site = site_class.build(file, load_filters(), snapshot())
    services = open_services(file.settings)
    begun_at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def examine(number: int, asked: dict[str, Any]) -> Any:
        raw = Path(asked["path"]).read_bytes()
        raw = raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw
        told = envelope(
            client_ip=asked["ip"],
            helo=asked["helo"],
            sender=asked["sender"],
            login=asked["login"],
            recipients=tuple(map(recipient, asked["recipients"])),
            received_at=begun_at + timedelta(seconds=number),
        )
        road = road_class(site, runner, services)
        road.mail_from(told)
        return road.end_of_message(told, mail(raw))

    messages = list(enumerate(job["messages"]))
    if job["told"]:
        for number, asked in messages:
            sys.stdout.write(json.dumps(told_of(examine(number, asked)), sort_keys=True, default=str) + "\n")
        return
    for line in sys.stdin:
        begin, end = map(int, line.split())
        piece = messages[begin:end]
        threads = [
            threading.Thread(
                target=lambda part: [examine(*one) for one in part], args=(piece[at :: job["sessions"]],)
            )
            for at in range(job["sessions"])
        ]
        spent = time.process_time()
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        print(time.process_time() - spent, flush=True)


def told_of(examined: Any) -> dict[str, Any]:
    """All that came of a message, without times."""
    plan = examined.plan
    return {
        "findings": {
            name: [str(one.status), one.because, dict(one.facts)] for name, one in examined.findings.items()
        },
        "order": list(examined.findings),
        "judged": {
            one.verdict.recipient: {
                "verdict": [
                    str(one.verdict.decision),
                    one.verdict.decided_by,
                    one.verdict.because,
                    round(one.verdict.score, 6),
                ],
                "opinions": [
                    [o.filter, str(o.effect), round(o.points, 6), o.text, o.shadow]
                    for o in one.verdict.opinions
                ],
                "outcome": str(one.outcome),
                "headers": [list(field) for field in one.headers],
            }
            for one in examined.judged
        },
        "plan": [repr(getattr(plan, one.name)) for one in fields(plan)],
    }


if __name__ == "__main__":
    main()

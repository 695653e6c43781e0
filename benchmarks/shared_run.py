"""`benchmarks/shared`: the cost of a message, on a host and on the servers that hosts share (docs/scale.md)."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

from redis import Redis

from benchmarks.load_dns import zones
from benchmarks.measuring import corpus_paths, cpu_seconds, envelopes_of, settle, spread
from tests.real import PrivateDNS, PrivatePostgres, PrivateRedis
from tests.road.installation import Installation

_WARM_UP = 100


class Counted:
    """Everything that is counted, now."""

    def __init__(self, installation: Installation, postgres: PrivatePostgres, redis: PrivateRedis) -> None:
        daemon = installation.daemon
        info = Redis(port=redis.port).info()
        self.of: Mapping[str, float] = {
            "CPU ms: workers": 1000 * cpu_seconds(daemon.pids("workers")),
            "CPU ms: background": 1000 * cpu_seconds(daemon.pids("background")),
            "CPU ms: desk": 1000 * cpu_seconds(daemon.pids("desk")),
            "CPU ms: PostgreSQL": 1000 * cpu_seconds([postgres.pid]),
            "CPU ms: Redis": 1000 * cpu_seconds([redis.pid]),
            "Redis: commands": info["total_commands_processed"],
            "Redis: octets on the network": info["total_net_input_bytes"] + info["total_net_output_bytes"],
            "Redis: octets in memory": info["used_memory"],
            "PostgreSQL: transactions": _number(
                postgres, "SELECT xact_commit FROM pg_stat_database WHERE datname='tamis'"
            ),
            "PostgreSQL: octets on the disk": _number(postgres, "SELECT pg_database_size('tamis')"),
        }

    def __sub__(self, before: Counted) -> dict[str, float]:
        return {name: value - before.of[name] for name, value in self.of.items()}


def _number(postgres: PrivatePostgres, statement: str) -> float:
    return float(postgres.sql(statement))


def main() -> int:
    """Send, count, print what a message costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--outcome", choices=["quarantine", "inbox"], default="quarantine", help="of spam")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    paths = corpus_paths()
    kinds = ([one for one in paths if "-ham-" in str(one)], [one for one in paths if "-ham-" not in str(one)])
    half = (asked.messages + _WARM_UP) // 2
    sample = [one for pair in zip(*(spread(kind, half) for kind in kinds), strict=True) for one in pair]
    envelopes = envelopes_of(sample)
    with PrivateDNS(zones(envelopes)) as dns, PrivatePostgres() as postgres, PrivateRedis() as redis:
        settings = {
            "store": {"url": postgres.url},
            "state": {"url": redis.url},
            "dns": {"servers": [dns.address]},
        }
        with Installation(
            policy={"outcome": asked.outcome, "challenge": "off"}, settings=settings
        ) as installation:
            postfix = installation.postfix
            processes = [
                pid for role in ("workers", "background", "desk") for pid in installation.daemon.pids(role)
            ]
            postfix.send_many(envelopes[:_WARM_UP], sessions=8, attempts=100, retry_delay=0.3)
            postfix.wait_idle()
            settle(processes)
            before = Counted(installation, postgres, redis)
            measured = envelopes[_WARM_UP:]
            postfix.send_many(measured, sessions=8, attempts=100, retry_delay=0.3)
            postfix.wait_idle()
            settle(processes)
            cost = Counted(installation, postgres, redis) - before
            held = len(installation.held())
    each = {name: value / len(measured) for name, value in cost.items()}
    if asked.json:
        sys.stdout.write(f"{json.dumps({'messages': len(measured), 'held': held, **each}, indent=2)}\n")
    else:
        sys.stdout.write(
            f"{len(measured)} messages, {held} held with the {_WARM_UP} before; for each message:\n"
        )
        sys.stdout.writelines(f"{value:>10,.2f}  {name}\n" for name, value in each.items())
    return 0


if __name__ == "__main__":
    sys.exit(main())

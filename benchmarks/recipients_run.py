"""`benchmarks/recipients`: what many recipients of one spam cost, in the daemon's processes and in the store."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import create_engine, text

from benchmarks.measuring import cpu_seconds, settle
from tests.real import Client, Envelope
from tests.road.installation import POLICY, Installation, spam

_OCTETS = 5000
"""Of the message that is sent: about as much as a usual spam has."""
_STRANGER = Client("192.0.2.7")


@dataclass(frozen=True)
class Situation:
    """One message's recipients, and the policies that they have."""

    name: str
    recipients: tuple[str, ...]
    policy: Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """What one message cost: processor seconds of all processes of Tamis, copies that are stored, and what they take in
    the database, without and with the message itself."""

    situation: str
    recipients: int
    seconds: float
    copies: int
    octets_beside: int
    octets: int


def situations() -> tuple[Situation, ...]:
    """The four that are measured."""
    many = tuple(f"user{number}@example.com" for number in range(200))
    own = {who: {"required": 5.0 + number / 100} for number, who in enumerate(many)}
    return (
        Situation("one mailbox", ("user0@example.com",), POLICY),
        Situation(
            "1,000 sub-addresses of one mailbox",
            tuple(f"user0+{number}@example.com" for number in range(1000)),
            POLICY,
        ),
        Situation("200 mailboxes, one policy", many, POLICY),
        Situation("200 mailboxes, 200 policies", many, {**POLICY, "mailboxes": own}),
    )


def message() -> bytes:
    """A spam of about 5 KB."""
    line = "Привет, дорогой друг, купи наш прекрасный товар\r\n".encode()
    return spam() + line * ((_OCTETS - len(spam())) // len(line))


def measured(situation: Situation, rounds: int) -> list[Cost]:
    """Send the message so many times, and once before that is not counted."""
    costs = []
    main = {"recipient_delimiter": "+", "smtpd_recipient_limit": "1000"}
    known = {who.partition("@")[0].partition("+")[0] + "@example.com" for who in situation.recipients}
    with Installation(policy=situation.policy, mailboxes=sorted(known), main=main) as installation:
        pids = [installation.daemon.main_pid or 0]
        for number in range(rounds + 1):
            content = message().replace(b"<1@", f"<{number + 1}@".encode())
            settle(pids)
            before, copies, octets, bodies = cpu_seconds(pids), *stored(installation)
            envelope = Envelope("sender@example.net", situation.recipients, content, _STRANGER)
            (sent,) = installation.postfix.send_many([envelope], sessions=1)
            assert sent.accepted, sent.reply
            installation.postfix.wait_idle(180)
            settle(pids)
            after = stored(installation)
            if number:
                costs.append(
                    Cost(
                        situation.name,
                        len(situation.recipients),
                        cpu_seconds(pids) - before,
                        after[0] - copies,
                        after[1] - octets,
                        after[1] - octets + after[2] - bodies,
                    )
                )
    return costs


def stored(installation: Installation) -> tuple[int, int, int]:
    """(held copies, octets of their records, octets of the contents) in the database's cells."""
    engine = create_engine(f"sqlite:///{installation.state_directory}/tamis.sqlite")
    with engine.connect() as database:

        def octets(table: str) -> int:
            columns = [row[1] for row in database.execute(text(f"PRAGMA table_info({table})"))]
            cells = " + ".join(f'coalesce(length(cast("{c}" as blob)), 0)' for c in columns)
            return int(database.scalar(text(f"SELECT coalesce(sum({cells}), 0) FROM {table}")) or 0)

        copies = int(database.scalar(text("SELECT count(*) FROM messages")) or 0)
        content = (
            "SELECT coalesce(sum(length(content)), 0) FROM bodies WHERE digest IN (SELECT body FROM messages)"
        )
        contents = int(database.scalar(text(content)) or 0)
        return copies, octets("messages") + octets("details") + octets("bodies") - contents, contents


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    all_costs = [measured(one, arguments.rounds) for one in situations()]
    if arguments.json:
        print(json.dumps([asdict(cost) for costs in all_costs for cost in costs], indent=2))
        return
    print(f"{'':<38}{'CPU s (least-most)':>22}{'copies':>8}{'octets a copy':>15}{'with content':>14}")
    for costs in all_costs:
        seconds = sorted(cost.seconds for cost in costs)
        one = costs[0]
        shown = f"{statistics.median(seconds):.2f} ({seconds[0]:.2f}-{seconds[-1]:.2f})"
        each = one.octets_beside // max(1, one.copies)
        print(f"{one.situation:<38}{shown:>22}{one.copies:>8}{each:>15,}{one.octets:>14,}")


if __name__ == "__main__":
    main()

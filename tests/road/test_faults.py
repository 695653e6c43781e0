"""Faults of every kind: no message lost, none of the quarantined delivered clean, duplicates only where said."""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.real import Client, Envelope, HarnessError, PrivatePostgres, Sent, wait_until
from tests.real.support import private_directory
from tests.road.faulty import DESK_STAGES, WORKER_STAGES
from tests.road.installation import Installation, ham, spam

pytestmark = pytest.mark.real

STRANGER = Client("192.0.2.7")
INBOX, TAG, JUNK, QUARANTINE = (
    "inbox@example.com",
    "tag@example.com",
    "junk@example.org",
    "quarantine@example.org",
)
SETS: tuple[tuple[str, ...], ...] = (
    (INBOX, JUNK, QUARANTINE),
    (QUARANTINE,),
    (TAG, INBOX, QUARANTINE),
    (JUNK,),
)
"""Recipients of the spam; the in-place copy and the redirected ones are of every kind."""
MESSAGES_A_STAGE = 26

Copies = Counter[tuple[int, str]]


def delivered(installation: Installation, recipients: Sequence[str]) -> Copies:
    """(message number, mailbox) -> how many copies lie there."""
    found: Copies = Counter()
    for who in recipients:
        for message in installation.postfix.maildir(who):
            number = re.search(rb"<(\d+)@example\.net>", message)
            assert number
            found[int(number[1]), who] += 1
    return found


def held(installation: Installation) -> Copies:
    """(message number, mailbox) -> how many copies are in quarantine."""
    return Counter(
        (int(h["message_id"].strip("<>").partition("@")[0]), h["recipient"]) for h in installation.held()
    )


def batch(first: int, count: int) -> list[Envelope]:
    """Spam for SETS in turn, and a ham in every fifth place."""
    return [
        Envelope("sender@example.net", (INBOX, JUNK), ham(n), STRANGER)
        if n % 5 == 0
        else Envelope("sender@example.net", SETS[n % len(SETS)], spam(n), STRANGER)
        for n in range(first, first + count)
    ]


def account(installation: Installation, sent: Sequence[Sent]) -> tuple[Copies, Copies]:
    """Check that every accepted message is where policy says and nowhere else; (delivered, held)."""
    assert all(s.accepted for s in sent), [s.reply for s in sent if not s.accepted]
    boxes, quarantine = delivered(installation, (INBOX, TAG, JUNK, QUARANTINE)), held(installation)
    for one in sent:
        number = re.search(rb"<(\d+)@example\.net>", one.envelope.message)
        assert number
        for who in one.envelope.recipients:
            copy = (int(number[1]), who)
            is_ham = int(number[1]) % 5 == 0
            if who == QUARANTINE and not is_ham:
                assert quarantine[copy] == 1, f"{copy}: {quarantine[copy]} in quarantine"
                assert boxes[copy] == 0, f"{copy}: quarantined mail was delivered"
            else:
                assert boxes[copy] >= 1, f"{copy} is lost"
                assert quarantine[copy] == 0
    assert installation.postfix.bounces() == []
    return boxes, quarantine


@contextmanager
def trapped() -> Iterator[tuple[Installation, Path]]:
    """An installation whose daemon has traps, and the folder that arms them."""
    traps = private_directory("traps")
    daemon = {"module": "tests.road.faulty", "environment": {"TAMIS_TRAPS": str(traps)}}
    settings = {"desk": {"concurrency": 1}}  # so that a kill interrupts one copy, at the stage meant
    with Installation(settings=settings, daemon=daemon) as installation:
        yield installation, traps


@pytest.mark.timeout(600)
def test_kill_of_a_worker_or_the_desk_at_each_stage() -> None:
    """546 messages, three kills at each of 21 stages.

    Duplicates are allowed only of re-injected copies, and only where the desk died after Postfix took the copy back
    and before that was noted.
    """
    sent: list[Sent] = []
    duplicates: dict[str, int] = {}
    with trapped() as (installation, traps):
        before: Copies = Counter()
        for index, stage in enumerate((*WORKER_STAGES, *DESK_STAGES)):
            for kill in range(3):
                (traps / f"{stage}.{kill}").touch()
            sent += installation.postfix.send_many(
                batch(1 + index * MESSAGES_A_STAGE, MESSAGES_A_STAGE),
                sessions=6,
                attempts=40,
                retry_delay=0.2,
            )

            def sprung(stage: str = stage) -> bool:
                installation.postfix.flush()
                return not list(traps.glob(f"{stage}.*")) and not installation.postfix.mailq()

            wait_until(
                sprung, timeout=90, what=f"the traps at {stage}", detail=installation.daemon.failure_report
            )
            boxes, _ = account(installation, sent)
            duplicates[stage] = sum(boxes.values()) - len(boxes) - (sum(before.values()) - len(before))
            before = boxes
    assert len(sent) == 21 * MESSAGES_A_STAGE
    at_least_once = {"reinjected", "before-mark"}
    assert {stage for stage, count in duplicates.items() if count} <= at_least_once, duplicates
    assert sum(duplicates.values()) <= 3 * len(at_least_once)


def test_the_database_is_gone_for_ten_seconds_and_hangs_later() -> None:
    """Mail waits in Postfix's queue; no 5xx, no bounce, and everything arrives when the database is back."""
    with (
        PrivatePostgres() as postgres,
        Installation(settings={"store": {"url": postgres.url}, "desk": {"store_seconds": 1}}) as installation,
    ):
        sent = installation.postfix.send_many(batch(1, 40), sessions=4, attempts=40)
        installation.postfix.wait_idle()
        postgres.stop()
        sent += installation.postfix.send_many(batch(41, 40), sessions=4, attempts=40)
        installation.postfix.wait_log(r"status=deferred .*kept in the queue")
        with pytest.raises(HarnessError):
            wait_until(lambda: not installation.postfix.mailq(), timeout=10, what="nothing, while it is gone")
        assert all(s.accepted for s in sent)
        postgres.start()

        def empty() -> bool:
            installation.postfix.flush()
            return not installation.postfix.mailq()

        wait_until(empty, timeout=60, what="the queue to empty")
        with psycopg.connect(postgres.url.replace("+psycopg", "")) as another:
            another.execute(
                "LOCK TABLE messages, desk_notes IN ACCESS EXCLUSIVE MODE"
            )  # as a VACUUM FULL does
            sent += installation.postfix.send_many(batch(81, 20), sessions=4, attempts=40)
            installation.postfix.wait_log(r"status=deferred .*the store does not answer")
            another.rollback()
        wait_until(empty, timeout=60, what="the queue to empty again")
        assert all(s.accepted for s in sent)
        assert "transport line" not in installation.daemon.log()
        boxes, quarantine = account(installation, sent)
        assert set(boxes.values()) | set(quarantine.values()) == {1}


def test_the_disk_of_the_store_is_full() -> None:
    """What does not fit waits in the queue; with room again it is held, whole and once."""
    disk = private_directory("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tamis-test", disk], check=True)
    try:
        settings = {"store": {"url": f"sqlite:///{disk}/tamis.sqlite"}}
        with Installation(settings=settings) as installation:
            filling = [
                Envelope("sender@example.net", (QUARANTINE,), spam(n) + incompressible(n), STRANGER)
                for n in range(1, 500)
                if n % 5
            ][:40]
            sent = installation.postfix.send_many(filling, sessions=4, attempts=40)
            installation.postfix.wait_log(r"status=deferred .*kept in the queue")
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)

            def empty() -> bool:
                installation.postfix.flush()
                return not installation.postfix.mailq()

            wait_until(
                empty, timeout=60, what="the queue to empty", detail=installation.daemon.failure_report
            )
            _, quarantine = account(installation, sent)
            assert len(quarantine) == 40
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def incompressible(seed: int) -> bytes:
    """192 KiB of digits (no letters: the share of Cyrillic stays) that compression only halves."""
    generator = random.Random(seed)
    return b"".join(b"%d\r\n" % generator.getrandbits(250) for _ in range(3072))


def test_the_socket_is_gone() -> None:
    """Without the daemon senders get 451 and come back; nothing passes unfiltered."""
    with Installation() as installation:
        installation.daemon.stop()
        reply = installation.postfix.send(spam(1), to=[QUARANTINE], client=STRANGER).reply
        assert reply.code == 451
        installation.daemon.start()
        sent = [installation.postfix.send(spam(1), to=[QUARANTINE], client=STRANGER, attempts=20)]
        installation.postfix.wait_idle()
        account(installation, sent)


def test_a_supervisor_that_is_killed_leaves_nothing_behind() -> None:
    """Its children see that it is gone and leave; the next one takes over."""
    with Installation() as installation:
        pids = [
            pid for role in ("workers", "desk", "background", "web") for pid in installation.daemon.pids(role)
        ]
        installation.daemon.kill("supervisor")
        wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids),
            timeout=30,
            what="the children to go",
        )
        installation.daemon.stop()
        installation.daemon.start()
        sent = [installation.postfix.send(spam(1), to=[QUARANTINE], client=STRANGER, attempts=20)]
        installation.postfix.wait_idle()
        account(installation, sent)

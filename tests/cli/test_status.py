"""`tamis status`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tamis.base.breaker import PartState
from tamis.base.shared_files import write_json
from tamis.challenge.challenge_records import OPEN, ChallengeDecision
from tamis.cli import status_lines
from tamis.contract.finding import Finding, Status
from tamis.database.hosts import Host
from tamis.database.today import CopyCount, HeldNow, Traffic
from tamis.desk.redirection import Redirection, RedirectionSigner, new_transaction
from tamis.handover.glance import Disk, Glance, LearnedSoFar
from tamis.installation.paths import Paths
from tamis.judging.story import Story, Told
from tamis.judging.suppression import NotAsked
from tamis.services.postfix.desk_queue import DeskQueue, desk_queue, read_queue
from tamis.settings import NoticeSettings, read_settings
from tamis.store import Store
from tests.cli.conftest import Run
from tests.quarantine.samples import CONTENT, held

MARIE, HUGO = "marie@example.com", "hugo@example.org"
DEAF = Finding("clamav", Status.UNAVAILABLE, "no answer")
NAMED = Finding("links", Status.HIT, "a link to {host}", {"host": '"unavailable"'})
PROBE = RedirectionSigner(b"key" * 16).address(Redirection("probe+1.5@localhost", new_transaction(), "probe"))
FOR_DESK = {"address": "marie=example.com.t.s.quarantine.tamis.invalid"}


def told(decision: str, outcome: str, by: str = "", *, observed: bool = False) -> Told:
    return Told(decision, outcome, by, "", 9.0, 7.5, "", observed)


def story(
    at: datetime, *recipients: tuple[str, Told], findings: tuple[Finding, ...] = (), login: str = ""
) -> Story:
    return Story(at, "Q", "a@example.net", "192.0.2.7", "mx", login, "<1@x>", 9, findings, recipients)


@pytest.fixture
def now(store: Store) -> datetime:
    """The moment at which a store got messages of now and of two days ago; some are held, and of one the sender was
    asked."""
    now = datetime.now(UTC)
    before = now - timedelta(days=2)
    store.history.add(
        [
            (
                "a:0",
                story(
                    now,
                    (MARIE, told("spam", "junk", "dnsbl")),
                    (HUGO, told("ham", "inbox")),
                    findings=(DEAF,),
                ),
            ),
            ("a:1", story(now, (MARIE, told("spam", "quarantine", "score")), findings=(NAMED,))),
            ("a:2", story(now, (MARIE, told("spam", "junk", "dnsbl", observed=True)))),
            ("a:3", story(now, (HUGO, told("defer", "defer", "greylisting")))),
            ("a:4", story(now, ("x@example.net", told("ham", "inbox")), login="hugo")),
            ("a:5", story(before, (MARIE, told("spam", "junk", "dnsbl")), findings=(DEAF,))),
        ]
    )
    for transaction, recipient in (("t1", MARIE), ("t2", MARIE), ("t3", HUGO)):
        store.quarantine.hold(held(transaction, recipient), CONTENT, now=now)
    return now


def test_everything_is_counted_since_then(run: Run, now: datetime) -> None:
    found = run("status", "--since", "1h", "--json").data
    assert found["messages"] == {"in": 4, "out": 1}
    assert found["copies"] == {"in": 5, "out": 1}
    assert found["went_to"] == {"inbox": 3, "defer": 1, "junk": 1, "quarantine": 1}
    assert found["observed"] == {"junk": 1}
    assert found["decided_by"] == {"spam": {"dnsbl": 2, "score": 1}, "defer": {"greylisting": 1}}
    assert found["unavailable"] == {"clamav": 1}
    assert found["held"] == {"messages": 3, "octets": 3 * len(CONTENT), "asked": 0}
    assert run("status", "--since", "3d", "--json").data["decided_by"]["spam"]["dnsbl"] == 3
    assert run("status", "--since", "3d", "--json").data["unavailable"] == {"clamav": 2}
    assert (found["learning"]["ham"], found["learning"]["deciding"]) == (0, False)
    assert 0 < found["disk"]["free"] < found["disk"]["total"]


def test_a_domain_sees_its_own_mail(run: Run, now: datetime) -> None:
    found = run("status", "--since", "1h", "--domain", "Example.ORG", "--json").data
    assert (found["messages"], found["copies"]) == ({"in": 2, "out": 0}, {"in": 2, "out": 0})
    assert found["decided_by"] == {"spam": {}, "defer": {"greylisting": 1}}
    assert (found["unavailable"], found["held"]["messages"]) == ({"clamav": 1}, 1)
    assert run("status", "--since", "1h", "--domain", "example.com", "--json").data["went_to"] == {
        "inbox": 1,
        "junk": 1,
        "quarantine": 1,
    }


def test_a_day_begins_at_midnight_in_utc(run: Run) -> None:
    found = run("status", "--json").data
    since, now = (datetime.fromisoformat(found[name]) for name in ("since", "now"))
    assert since.date() == now.date()
    assert since.time().isoformat() == "00:00:00"


def test_wrong_scopes_are_refused(run: Run, config: Path) -> None:
    with config.open("a", encoding="utf-8") as file:
        file.write('platform.domains = ["example.com"]\n')
    assert "did you mean 'example.com'" in run("status", "--domain", "exmaple.com").err
    assert "is a mailbox, not a domain" in run("status", "--domain", MARIE).err


def test_who_waits_is_whose_sender_can_still_answer(run: Run, store: Store, now: datetime) -> None:
    copies = store.challenges.undecided(held_before=now + timedelta(seconds=1))
    reasons = {"t1": None, "t2": NotAsked.NULL_SENDER, "t3": None}
    store.challenges.decide(
        [ChallengeDecision(one, reasons[one.transaction], "en", True) for one in copies],
        NoticeSettings(),
        now=now,
    )
    assert run("status", "--json").data["held"]["asked"] == 2
    assert run("status", "--domain", "example.org", "--json").data["held"]["asked"] == 1
    assert store.today.held(OPEN, now + timedelta(days=400)) == HeldNow(3, 3 * len(CONTENT), 0)


def test_what_a_process_leaves_out_is_named(run: Run, config: Path) -> None:
    paths = Paths(read_settings(config).settings)
    paths.parts.mkdir(parents=True, exist_ok=True)
    until = datetime.now(UTC).timestamp() + 60
    write_json(paths.processes, {"worker": [os.getpid()]})
    write_json(paths.parts / f"{os.getpid()}.json", [PartState("clamd", until, 5, 5, 1, "refused").to_dict()])
    assert run("status", "--json").data["left_out"] == {"clamd": {"until": until, "reason": "refused"}}
    assert "clamd until " in run("status").out


def glance(**other: object) -> Glance:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    copies = [CopyCount("in", "spam", "junk", False, f"filter{number}", number) for number in range(1, 8)]
    given: dict[str, object] = {
        "since": now - timedelta(hours=12),
        "now": now,
        "domain": "",
        "traffic": Traffic({"in": 1234}, copies),
        "unavailable": {},
        "left_out": {},
        "held": HeldNow(1, 3 * 1024**2, 1),
        "queue": DeskQueue(20_000, False),
        "learning": LearnedSoFar(250, 80, 200, False),
        "disk": Disk("/var/lib/tamis", 5 * 1024**3, 40 * 1024**3),
        "hosts": [Host("mx1", "0.3.0", "https://mail.example.com", now - timedelta(seconds=12), 0.0)],
    }
    return Glance(**{**given, **other})  # type: ignore[arg-type]


def test_what_a_person_reads() -> None:
    assert list(status_lines.lines(glance().to_dict())) == [
        "the platform since 2026-03-01 00:00 UTC",
        "came:        1,234 messages in 28 copies",
        "went to:     junk 28",
        "spam by:     filter7 7, filter6 6, filter5 5, filter4 4, filter3 3, others 3",
        "held now:    1 message, 3.0 MiB; 1 of them wait for their sender's answer",
        "queue:       at least 20,000 messages with copies that wait for Tamis, on this host",
        "learned:     ham 250, spam 80; in shadow until both reach 200",
        "disk:        5.0 GiB of 40.0 GiB free for /var/lib/tamis",
        "hosts:       mx1 (0.3.0, seen 12 s ago)",
    ]


def test_what_comes_from_outside_moves_no_cursor() -> None:
    part = PartState("dns", 0.0, 5, 5, 1, "bad\x1b[2J\nanswer")
    shown = "\n".join(status_lines.lines(glance(left_out={"dns": [part]}, queue=None).to_dict()))
    assert "\x1b" not in shown
    assert "bad\ufffd[2J answer" in shown
    assert "queue:       unknown" in shown


def test_a_queue_is_read_as_far_as_the_bound() -> None:
    line = json.dumps({"queue_id": "A", "recipients": [{"address": MARIE}, FOR_DESK]})
    other = json.dumps({"queue_id": "B", "recipients": [{"address": MARIE}]})
    probe = json.dumps({"queue_id": "C", "recipients": [{"address": PROBE}]})
    assert read_queue([line, other, probe, line]) == DeskQueue(2, True)
    assert read_queue([line] * 4, most=3) == DeskQueue(3, False)
    assert read_queue(["", "{", "[]", "7", '{"recipients": 7}', '{"recipients": [{}]}']) == DeskQueue(0, True)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo '{0}'", DeskQueue(1, True)),
        ("yes '{0}'", DeskQueue(20_000, False)),
        ("exit 69", None),
    ],
)
def test_postqueue_is_asked(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, script: str, found: DeskQueue | None
) -> None:
    """A queue without an end is not waited for, and one that can't be read stops nothing."""
    command = tmp_path / "postqueue"
    command.write_text("#!/bin/sh\n" + script.replace("{0}", json.dumps({"recipients": [FOR_DESK]})) + "\n")
    command.chmod(0o755)
    monkeypatch.setattr("tamis.services.postfix.desk_queue.program", lambda _name: str(command))
    shown = run("status", "--json").data["queue"]
    assert shown == (found and {"messages": found.messages, "is_whole": found.is_whole})
    if found:
        assert desk_queue(tmp_path) == found

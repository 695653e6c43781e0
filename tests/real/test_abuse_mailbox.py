"""Abuse reports by IMAP (S15), from a real Dovecot with TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tamis.background import abuse_mailbox
from tamis.background.abuse_mailbox import Fetched, fetch, waiting_in
from tamis.base.errors import ConfigError, ServiceError
from tamis.settings import AbuseMailboxSettings, Settings
from tamis.store import Store
from tests.cli.conftest import Run, config, run  # noqa: F401 - fixtures
from tests.cli.test_state import REPORT
from tests.fresh_store import new_store
from tests.real import PrivateDovecot, TamisDaemon, wait_until
from tests.real.dovecot import PASSWORD
from tests.real.support import private_directory

pytestmark = pytest.mark.real

USER = "abuse@example.com"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[PrivateDovecot]:
    with PrivateDovecot(tls=True) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "tamis.sqlite") as opened:
        yield opened


def box(dovecot: PrivateDovecot, place: Path, user: str = USER, **more: Any) -> dict[str, Any]:
    """The settings of a mailbox; each test has its own user."""
    password = place / "password"
    password.write_text(f"{PASSWORD}\n")
    return {
        "host": "127.0.0.1",
        "port": dovecot.imaps_port,
        "ca_file": str(dovecot.certificate),
        "user": user,
        "password_file": str(password),
    } | more


def settings(dovecot: PrivateDovecot, place: Path, user: str, **more: Any) -> Settings:
    return Settings(abuse_mailbox=AbuseMailboxSettings(**box(dovecot, place, user, **more)))


def report(ip: str, kind: str = "abuse") -> bytes:
    return REPORT.format(kind=kind, ip=ip).replace("\n", "\r\n").encode()


def counts(store: Store) -> dict[str, int]:
    return {one.client: one.reports for one in store.complaints.find()}


def test_reports_are_counted_once_and_moved(
    dovecot: PrivateDovecot, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that breaks between counting and moving leaves messages that are met again and not counted again."""
    user = "once@example.com"
    for raw in (
        report("203.0.113.7"),
        report("203.0.113.7"),
        report("203.0.113.8"),
        b"Subject: hello\r\n\r\nHi.\r\n",
    ):
        dovecot.append(user, raw)
    told = settings(dovecot, tmp_path, user)
    filed = abuse_mailbox._Opened.file

    def broken(*_: object) -> None:
        raise ServiceError("the connection is broken")

    monkeypatch.setattr(abuse_mailbox._Opened, "file", broken)
    with pytest.raises(ServiceError):
        fetch(told, store.complaints)
    assert counts(store) == {"203.0.113.7": 2, "203.0.113.8": 1}
    assert len(dovecot.mailbox(user)) == 4
    monkeypatch.setattr(abuse_mailbox._Opened, "file", filed)
    dovecot.append(user, report("203.0.113.9"))
    assert fetch(told, store.complaints) == Fetched(reports=1, others=0, left=0)
    assert counts(store) == {"203.0.113.7": 2, "203.0.113.8": 1, "203.0.113.9": 1}
    assert dovecot.mailbox(user) == []
    assert len(dovecot.mailbox(user, "Handled")) == 5
    assert fetch(told, store.complaints) == Fetched()


def test_without_move_messages_are_copied_and_removed(
    dovecot: PrivateDovecot, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imapclient import IMAPClient  # noqa: PLC0415

    user = "copy@example.com"
    has = IMAPClient.has_capability
    monkeypatch.setattr(IMAPClient, "has_capability", lambda self, name: name != "MOVE" and has(self, name))
    dovecot.append(user, report("203.0.113.7"))
    told = settings(dovecot, tmp_path, user, handled="Seen/Reports".replace("/", "."))
    assert fetch(told, store.complaints).reports == 1
    assert dovecot.mailbox(user) == []
    assert len(dovecot.mailbox(user, "Seen.Reports")) == 1


def test_hostile_messages_are_bounded(
    dovecot: PrivateDovecot, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a huge message only the beginning is fetched; a flood is taken in parts; the own networks can't be accused."""
    user = "flood@example.com"
    monkeypatch.setattr(abuse_mailbox, "_MAX_OCTETS", 4096)
    monkeypatch.setattr(abuse_mailbox, "_MOST", 3)
    monkeypatch.setattr(abuse_mailbox, "_BATCH", 2)
    huge = report("203.0.113.7").replace(b"Subject: buy", b"Subject: buy\r\n\r\n" + b"x" * 70 * 2000)
    late = b"Subject: x\r\nX-Fill: " + b"y" * 5000 + b"\r\n" + report("203.0.113.8")
    for raw in (huge, late, report("127.0.0.1"), report("10.0.0"), bytes(range(1, 256)) * 10):
        dovecot.append(user, raw.replace(b"\n", b"\r\n") if b"\r\n" not in raw else raw)
    told = settings(dovecot, tmp_path, user)
    assert fetch(told, store.complaints) == Fetched(reports=1, others=2, left=2)
    assert fetch(told, store.complaints) == Fetched(reports=0, others=2, left=0)
    assert counts(store) == {"203.0.113.7": 1}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"port": 9}, "refused"),
        ({"ca_file": ""}, "certificate"),
        ({"folder": "No such"}, "No such"),
        ({"security": "none"}, ""),
    ],
)
def test_trouble_is_told_in_one_line_without_the_password(
    dovecot: PrivateDovecot, tmp_path: Path, wrong: dict[str, Any], word: str
) -> None:
    with pytest.raises(ServiceError) as raised:
        waiting_in(AbuseMailboxSettings(**box(dovecot, tmp_path, **wrong, seconds=5)))
    assert word in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_password_and_a_missing_file(dovecot: PrivateDovecot, tmp_path: Path) -> None:
    good = box(dovecot, tmp_path)
    (tmp_path / "password").write_text("guess\n")
    with pytest.raises(ServiceError):
        waiting_in(AbuseMailboxSettings(**good))
    (tmp_path / "password").unlink()
    with pytest.raises(ConfigError):
        waiting_in(AbuseMailboxSettings(**good))


def test_after_starttls(dovecot: PrivateDovecot, tmp_path: Path) -> None:
    told = box(dovecot, tmp_path, "starttls@example.com", port=dovecot.imap_port, security="starttls")
    assert waiting_in(AbuseMailboxSettings(**told)) == 0


def test_by_command(dovecot: PrivateDovecot, run: Run, config: Path, tmp_path: Path) -> None:  # noqa: F811 - see above
    assert run("complaints", "fetch").status == 78
    user = "command@example.com"
    with config.open("a") as file:
        file.write("\n[abuse_mailbox]\n")
        file.writelines(
            f"{key} = {json.dumps(value)}\n" for key, value in box(dovecot, tmp_path, user).items()
        )
    dovecot.append(user, report("203.0.113.7"))
    assert run("complaints", "fetch", "--json").data == {"reports": 1, "others": 0, "left": 0}
    (shown,) = run("complaints", "show", "--json").data
    assert (shown["client"], shown["reports"]) == ("203.0.113.7", 1)
    (tmp_path / "password").chmod(0o644)
    assert "0 messages wait; others can read its password" in run("doctor").out
    (tmp_path / "password").chmod(0o600)
    assert "answers, 0 messages wait\n" in run("doctor").out


def test_the_daemon_reads_at_intervals(dovecot: PrivateDovecot, tmp_path: Path) -> None:
    user = "daemon@example.com"
    daemon = TamisDaemon(
        {
            "platform": {"domains": ["example.com"]},
            "milter": {"workers": 1},
            "abuse_mailbox": box(dovecot, tmp_path, user, every=1),
        },
        directory=private_directory("tamis"),
    )
    with daemon:
        for number in range(2):
            dovecot.append(user, report(f"203.0.113.{number}"))
            wait_until(
                lambda: dovecot.mailbox(user) == [],
                timeout=30,
                what="the report to be moved",
                detail=daemon.failure_report,
            )
    with Store(f"sqlite:///{daemon.settings['state_directory']}/tamis.sqlite") as store:
        assert counts(store) == {"203.0.113.0": 1, "203.0.113.1": 1}

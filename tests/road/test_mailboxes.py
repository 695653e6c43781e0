"""Services around mailboxes, with a real Postfix and a real Dovecot: digests, quota notices, cleaning Junk."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from tamis.base.tokens import Purpose, Tokens
from tests.real import PrivateDovecot, wait_until
from tests.real.dovecot import deployed_lines, dovecot_form
from tests.real.support import REPOSITORY
from tests.road.installation import Installation, spam

pytestmark = pytest.mark.real

MARIE = "marie@example.com"
PAUL = "paul@example.com"
POLICY = {
    "outcome": "quarantine",
    "challenge": "off",
    "digest": ["17:00"],
    "time_zone": "Europe/Paris",
    "language": "fr",
    "filters": {"cyrillic": {"state": "on"}},
    "mailboxes": {PAUL: {"digest": [], "language": "en", "outcome": "junk"}},
}


_TIME = ("TZ", "LD_PRELOAD", "FAKETIME", "FAKETIME_SHARED", "NO_FAKE_STAT")
_QUOTA = {
    "2.3": f"""
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=100K
}}
import_environment = {" ".join(_TIME)}
""",
    "2.4": """
quota "User quota" {
  quota_storage_size = 100K
}
import_environment {
"""
    + "".join(f"  {name} = %{{env:{name}}}\n" for name in _TIME)
    + "}\n",
}


def quota_lines(program: Path) -> str:
    """deploy/dovecot's quota part with a small quota, and its script at `program`."""
    lines = deployed_lines("90-tamis-quota.conf")
    assert lines.count("/usr/local/lib/tamis/tamis-quota") == 1
    assert lines.count("user = tamis") == 1
    lines = lines.replace("/usr/local/lib/tamis/tamis-quota", str(program))
    lines = lines.replace("user = tamis", "user = root")
    return lines + _QUOTA[dovecot_form()]


@pytest.fixture(scope="module")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateDovecot]:
    program = tmp_path_factory.mktemp("quota") / "tamis-quota"
    program.parent.parent.chmod(0o755)
    lines = quota_lines(program)
    with PrivateDovecot(lines=lines, users=[MARIE, PAUL]) as running:
        yield running


@pytest.fixture(scope="module")
def installation(dovecot: PrivateDovecot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = {"web": {"url": "https://mail.example.com"}, "dovecot": {"doveadm": dovecot.doveadm}}
    with Installation(
        policy=POLICY, settings=settings, mailbox_transport=dovecot.transport, mailboxes=[MARIE, PAUL]
    ) as running:
        script = (REPOSITORY / "deploy/dovecot/tamis-quota").read_text(encoding="utf-8")
        assert script.count("/usr/bin/tamis") == 1
        ours = f"{REPOSITORY / '.venv/bin/tamis'} --config {running.daemon.config}"
        script = script.replace("tamis=/usr/bin/tamis", "").replace('"$tamis"', ours)
        program = next(tmp_path_factory.getbasetemp().glob("quota*")) / "tamis-quota"
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)
        yield running


def read(raw: bytes) -> EmailMessage:
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def subjects(dovecot: PrivateDovecot, who: str, folder: str = "INBOX") -> list[str]:
    return [str(read(raw)["Subject"]) for raw in dovecot.mailbox(who, folder)]


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_digest_comes_at_its_time(installation: Installation, dovecot: PrivateDovecot) -> None:
    assert installation.postfix.send(spam(1), to=MARIE).accepted
    wait_until(lambda: len(installation.held()) == 1, timeout=30, what="the message to be held")
    held = installation.held()[0]
    store = installation.directory / "state" / "tamis.sqlite"
    with (
        closing(sqlite3.connect(store, timeout=30)) as database,
        database,
    ):  # held since the day before yesterday
        database.execute("UPDATE messages SET held_at = datetime(held_at, '-2 days')")
    wait_until(
        lambda: len(subjects(dovecot, MARIE)) > 0,
        timeout=60,
        what="the digest",
        detail=installation.daemon.failure_report,
    )
    mail = read(dovecot.mailbox(MARIE)[0])
    assert mail["Subject"] == "1 message en attente pour vous"
    assert mail["Return-Path"] == "<>"
    assert mail["X-Spam-Status"] is None  # it did not come through the milter
    links = re.findall(r"https://mail\.example\.com/a/(\S+)", text_of(mail))
    tokens = Tokens((installation.directory / "state" / "signing.key").read_bytes())
    assert [tokens.read(Purpose.ACTION, one) for one in links] == [(held["id"],)]
    assert installation.postfix.send(spam(2), to=PAUL).accepted  # has no digest, but a Junk folder
    installation.postfix.wait_idle()
    assert subjects(dovecot, PAUL, "Junk") != []
    assert subjects(dovecot, PAUL) == []


def test_a_full_mailbox_is_told_once(installation: Installation, dovecot: PrivateDovecot) -> None:
    big = b"Subject: Pictures\r\nFrom: <friend@example.net>\r\n\r\n" + b"x" * 70 + b"\r\n"
    filled = big + (b"y" * 998 + b"\r\n") * 85
    assert installation.postfix.send(filled, to=PAUL).accepted
    wait_until(
        lambda: "Your mailbox is 80 % full" in subjects(dovecot, PAUL),
        timeout=60,
        what="the notice",
        detail=lambda: dovecot.log() + installation.daemon.failure_report(),
    )
    again = installation.tamis("mailbox", "quota", "95", PAUL)
    assert "was told in the last 24 hours" in again
    assert [one for one in subjects(dovecot, PAUL) if "full" in one] == ["Your mailbox is 80 % full"]


def test_old_junk_goes(installation: Installation, dovecot: PrivateDovecot) -> None:
    assert "No mailbox has junk_days set" in installation.tamis("mailbox", "clean")
    installation.tamis("policy", "set", PAUL, "junk_days", "30")
    assert installation.tamis("mailbox", "clean", "--json") == [
        {"mailbox": PAUL, "days": 30, "messages": 0, "error": ""}
    ]
    assert len(dovecot.mailbox(PAUL, "Junk")) == 1
    # Dovecot goes by the time of saving, which nobody can set: so its tool looks from a month later
    later = ["env", "NO_FAKE_STAT=1", "faketime", "-f", "+31d", *dovecot.doveadm]
    installation.daemon.write_settings(dovecot={"doveadm": later})
    would = installation.tamis("mailbox", "clean", "--dry-run", "--json")
    assert [one["messages"] for one in would] == [1]
    assert len(dovecot.mailbox(PAUL, "Junk")) == 1
    assert [one["messages"] for one in installation.tamis("mailbox", "clean", "--json")] == [1]
    assert dovecot.mailbox(PAUL, "Junk") == []
    assert subjects(dovecot, PAUL) != []  # other folders stay


def test_a_name_that_fits_many_is_refused(installation: Installation) -> None:
    installation.tamis("policy", "set", "platform", "junk_days", "30")
    told = installation.tamis("mailbox", "clean", "*@example.com", "--json", status=os.EX_UNAVAILABLE)
    assert "is not a mailbox name" in told[0]["error"]
    installation.tamis("policy", "unset", "platform", "junk_days")

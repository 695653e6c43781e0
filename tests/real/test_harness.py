"""The harness itself: what other tests rely on when they use the private servers."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tomllib
from pathlib import Path

import psycopg
import pytest

from tests.real import (
    Client,
    Envelope,
    HarnessError,
    PrivateDovecot,
    PrivatePostfix,
    PrivatePostgres,
    PrivateRedis,
    Session,
    TamisDaemon,
    body,
    command,
    free_port,
    undelivered,
    wait_until,
)
from tests.real.daemon import to_toml
from tests.real.standin import StandInDesk, StandInMilter
from tests.real.support import accepts_connections

pytestmark = pytest.mark.real

MESSAGE = b"Subject: hello\n\nHello\n"


def _processes_in(directory: Path) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(directory) in line]


def test_postfix_delivers_and_leaves_nothing_behind() -> None:
    content = MESSAGE + b".\n.dot\n" + bytes(range(0x80, 0x100)) + b"\n" + b"x" * 5000 + b"\n"
    with PrivatePostfix() as postfix:
        sent = postfix.send(content, to=["alice@example.com", "nobody@example.com", "bob@example.org"])
        postfix.wait_idle()
        (alice,), (bob,) = postfix.maildir("alice@example.com"), postfix.maildir("bob@example.org")
        directory, ports = postfix.directory, (postfix.port, postfix.reinjection_port)
        assert _processes_in(directory)
    assert [reply.code for reply in sent.replies.values()] == [250, 550, 250]
    assert not sent.accepted
    assert sent.reply.code == 550
    assert body(alice) == body(bob) == body(content)
    assert undelivered(alice).startswith(b"Received: from mail.example.net ")
    assert not directory.exists()
    assert _processes_in(directory) == []
    assert not any(accepts_connections(port) for port in ports)


def test_xclient_makes_postfix_see_the_given_client() -> None:
    with PrivatePostfix() as postfix, Session(postfix.port) as session:
        for client, seen in [
            (
                Client("192.0.2.7", "a.example.net", helo="one.example.net"),
                b"one.example.net (a.example.net [",
            ),
            (Client("198.51.100.8"), b"mail.example.net (unknown [198.51.100.8])"),
            (Client("2001:db8::9", "six.example.net"), b"(six.example.net [IPv6:2001:db8::9])"),
            (None, b"mail.example.net (unknown [127.0.0.1])"),
        ]:
            envelope = Envelope("s@example.net", ("alice@example.com",), MESSAGE, client)
            (reply,) = session.transact(envelope).values()
            assert reply.accepted, reply
            postfix.wait_idle()
            assert seen in postfix.maildir("alice@example.com")[-1]


def test_many_messages_over_parallel_sessions() -> None:
    envelopes = [
        Envelope(
            "s@example.net", (f"{name}@example.com",), MESSAGE + b"%d\n" % n, Client(f"192.0.2.{n % 250}")
        )
        for n in range(100)
        for name in ("alice", "bob")
    ]
    with PrivatePostfix() as postfix:
        results = postfix.send_many(envelopes, sessions=50)
        postfix.wait_idle()
        delivered = {name: postfix.maildir(f"{name}@example.com") for name in ("alice", "bob")}
    assert [result.envelope for result in results] == envelopes
    assert all(result.accepted and result.attempts == 1 for result in results)
    wanted = {body(MESSAGE) + b"%d\n" % n for n in range(100)}
    assert {name: {body(m) for m in found} for name, found in delivered.items()} == {
        "alice": wanted,
        "bob": wanted,
    }


def test_a_temporary_refusal_is_retried_within_bounds() -> None:
    with StandInMilter(lambda _address: False) as milter, PrivatePostfix(milter=milter.address) as postfix:
        milter.stop()
        envelope = Envelope("s@example.net", ("alice@example.com", "nobody@example.com"), MESSAGE)
        (refused,) = postfix.send_many([envelope], attempts=2, retry_delay=0.05)
        assert (refused.attempts, refused.reply.code) == (2, 451)
        postfix.postconf(smtpd_recipient_restrictions="check_recipient_access inline:{ {alice@=450 later} }")
        postfix.postconf(smtpd_milters="")
        postfix.reload()
        (half,) = postfix.send_many([envelope], attempts=3, retry_delay=0.05)
        assert {address: reply.code for address, reply in half.replies.items()} == {
            "alice@example.com": 450,
            "nobody@example.com": 450 if half.replies["nobody@example.com"].temporary else 550,
        }
        assert half.attempts == 3


def test_nobody_listening_is_a_temporary_failure() -> None:
    with Session(free_port()) as session:
        (reply,) = session.transact(Envelope("s@example.net", ("a@example.com",), MESSAGE)).values()
    assert reply.temporary
    assert "ConnectionRefused" in reply.text


def test_deferred_mail_is_retried_and_survives_a_restart() -> None:
    port = free_port()
    with PrivatePostfix(mailbox_transport=f"lmtp:inet:127.0.0.1:{port}") as postfix:
        assert postfix.send(MESSAGE, to="alice@example.com").accepted
        postfix.wait_log(r"status=deferred \(connect to 127\.0\.0\.1")
        (queued,) = postfix.mailq()
        assert queued["recipients"][0]["address"] == "alice@example.com"
        with pytest.raises(HarnessError, match="queue to empty"):
            postfix.wait_idle(0.1)
        postfix.stop()
        postfix.postconf(virtual_transport="virtual")
        postfix.start()
        postfix.wait_idle()
        assert len(postfix.maildir("alice@example.com")) == 1


def test_bounces_are_visible_in_the_outside_world() -> None:
    with StandInDesk(0) as refusing:
        refusing.refusal = "550 5.1.1 gone"
        with PrivatePostfix(mailbox_transport=f"lmtp:inet:127.0.0.1:{refusing.port}") as postfix:
            assert postfix.send(MESSAGE, to="alice@example.com").accepted
            postfix.wait_idle()
            (bounce,) = postfix.bounces()
    assert b"Delivered-To: sender@example.net" in bounce
    assert b"5.1.1" in bounce


def test_a_broken_configuration_fails_with_the_log() -> None:
    with pytest.raises(HarnessError, match="bad field count"), PrivatePostfix(master="nonsense unix\n"):
        pass


def test_mailboxes_can_be_replaced() -> None:
    with PrivatePostfix(mailboxes=["one@example.com"]) as postfix:
        assert not postfix.send(MESSAGE, to="two@example.com").accepted
        postfix.set_mailboxes(["two@example.com"])
        postfix.reload()
        assert postfix.send(MESSAGE, to="two@example.com").accepted
        postfix.wait_idle()
        assert len(postfix.maildir("two@example.com")) == 1


def test_dovecot_files_junk(dovecot: PrivateDovecot) -> None:
    with PrivatePostfix(mailbox_transport=dovecot.transport) as postfix:
        for head in (b"X-Spam-Flag: YES\n", b"X-Spam-Flag: NO\n", b""):
            assert postfix.send(head + MESSAGE, to="alice@example.com").accepted
        postfix.wait_idle()
    (junk,) = dovecot.mailbox("alice@example.com", "Junk")
    assert b"X-Spam-Flag: YES" in junk
    assert len(dovecot.mailbox("alice@example.com")) == 2
    assert any("\\Junk" in line and line.endswith(" Junk") for line in dovecot.folders("alice@example.com"))
    assert any("\\Junk" in line for line in dovecot.folders("new@example.org")), "before any junk came"


def test_postgres_keeps_its_data_over_an_outage() -> None:
    with PrivatePostgres() as server:
        address = server.url.replace("+psycopg", "")
        with psycopg.connect(address) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept VALUES (7)")
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address)
        server.start()
        with contextlib.closing(psycopg.connect(address)) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(7,)]
            server.stop()  # with a client connected
        other = "not there"
        with pytest.raises(HarnessError):
            server.sql("SELECT 1", database=other)
        directory = server.directory
    assert not directory.exists()
    assert _processes_in(directory) == []


def test_redis_starts_and_stops(redis: PrivateRedis) -> None:
    def ask(command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", redis.port), timeout=5) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(100)

    assert ask(b"SET a 1") == b"+OK\r\n"
    redis.stop()
    assert not accepts_connections(redis.port)
    redis.start()
    assert ask(b"GET a") == b"$-1\r\n"


def test_settings_are_written_as_toml(tmp_path: Path) -> None:
    settings = {
        "state_directory": tmp_path,
        "policy": {"outcome": "tag", "mailboxes": {"a@example.com": {"outcome": "junk", "limits": [1, 2.5]}}},
        "platform": {"domains": ["example.com", 'ü\t"quoted"'], "strict": True},
    }
    assert tomllib.loads(to_toml(settings)) == {**settings, "state_directory": str(tmp_path)}


def test_a_daemon_that_never_gets_ready_fails_with_its_log(tmp_path: Path) -> None:
    daemon = TamisDaemon({"no_such_key": 1}, directory=tmp_path)
    with pytest.raises(HarnessError, match="instead of getting ready"):
        daemon.start()
    assert not daemon.running()


def test_waiting_names_what_it_waited_for() -> None:
    with pytest.raises(HarnessError, match=r"waited 0\.05 s in vain for godot\nstill absent"):
        wait_until(lambda: False, timeout=0.05, what="godot", detail=lambda: "still absent")


def test_each_command_is_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the status, the two outputs and the environment that a shell's would have, and nothing of the last one."""
    settings = tmp_path / "tamis.toml"
    settings.write_text(f"state_directory = {str(tmp_path)!r}\nnonsense = 1\n")
    monkeypatch.setenv("TAMIS_CONFIG", str(settings))
    status, out, err = command.tamis("policy", "show")
    assert (status, out, "nonsense" in err) == (78, "", True)
    monkeypatch.delenv("TAMIS_CONFIG")
    assert command.tamis("--version")[0] == 0
    status, out, err = command.tamis("no-such-command")
    assert (status, out, "No such command" in err) == (64, "", True)

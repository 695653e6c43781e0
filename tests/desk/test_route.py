"""The proof of the route: whose it is, and that it is noted or its failure named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamis.desk.redirection import RedirectionSigner
from tamis.desk.reinjection import Reinjector
from tamis.desk.route import ForeignPorts, Proof, Proven, Route, received_by
from tamis.settings import Settings

RECEIVED = (
    b"Return-Path: <>\r\nReceived: from by.example.net (unknown [127.0.0.1])\r\n"
    b"\tby mx.example.com (Postfix) with ESMTP id 4F2A; Sun, 29 Nov 2026 11:00:00 +0000\r\n"
    b"Received: from a by other.example.net; Sun, 29 Nov 2026 10:00:00 +0000\r\n\r\nby nobody.example\r\n"
)


@pytest.mark.parametrize(
    ("content", "host"),
    [
        (RECEIVED, "mx.example.com"),
        (RECEIVED.replace(b"\r\n", b"\n"), "mx.example.com"),
        (b"Subject: by mx.example.com\r\n\r\nReceived: from a\r\n by mx.example.com\r\n", ""),
        (b"", ""),
        (b"Received: by\r\n\r\n", ""),
    ],
)
def test_the_server_that_took_a_probe_last(content: bytes, host: str) -> None:
    assert received_by(content) == host


def test_a_later_probe_counts_and_an_earlier_does_not(tmp_path: Path) -> None:
    proof = Proof(tmp_path / "route.json")
    assert proof.read() == Proven()
    proof.record(2.0, "mx.example.com")
    proof.record(1.0, "mx2.example.com")
    assert proof.read() == Proven(2.0, "mx.example.com")


def test_a_proof_of_a_version_before_has_no_host(tmp_path: Path) -> None:
    (tmp_path / "route.json").write_text('{"sent_at": 5.0}')
    assert Proof(tmp_path / "route.json").read() == Proven(5.0, "")


def test_copies_prolong_what_a_probe_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While mail waits in Postfix's queue a probe waits with it; but an edit of main.cf needs a probe of its own."""
    now, touched = [100_000.0], [1000.0]
    monkeypatch.setattr("tamis.desk.route.time.time", lambda: now[0])
    monkeypatch.setattr("tamis.desk.route.last_touched", lambda directory: touched[0])
    proof = Proof(tmp_path / "route.json")
    settings = Settings.model_validate({"postfix": {"config_directory": tmp_path}})
    route = Route(settings, RedirectionSigner(b"k" * 32), Reinjector("127.0.0.1:9"), proof)
    proof.prolong("mx.example.com")
    assert not route.is_proven(), "copies alone prove nothing"
    proof.record(99_999.0, "mx.example.com")
    assert route.is_proven()
    now[0] += settings.desk.proof_seconds
    assert not route.is_proven()
    proof.prolong("other.example.com")
    assert not route.is_proven(), "they came through another Postfix"
    proof.prolong("MX.example.com")
    assert route.is_proven()
    now[0] += settings.desk.proof_seconds
    assert not route.is_proven()
    proof.prolong("mx.example.com")
    touched[0] = now[0] - 1
    assert not route.is_proven(), "main.cf was touched after the probe"


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Proof(tmp_path / "gone" / "route.json").try_to_write()
    Proof(tmp_path / "route.json").try_to_write()
    assert list(tmp_path.iterdir()) == []


def test_a_postconf_that_fails_is_not_asked_message_by_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sleeps a second before it gives up, and every held message would wait for it."""
    asked, now = [], [1000.0]

    def postconf(directory: Path) -> frozenset[str]:
        asked.append(directory)
        if len(asked) == 1:
            raise OSError("no such file")
        return frozenset({"26"})

    monkeypatch.setattr("tamis.desk.route.foreign_ports", postconf)
    monkeypatch.setattr("tamis.desk.route.time.monotonic", lambda: now[0])
    foreign = ForeignPorts(tmp_path)
    assert [foreign.ports() for _ in range(3)] == [frozenset()] * 3
    assert len(asked) == 1
    now[0] += 11
    assert [foreign.ports() for _ in range(3)] == [frozenset({"26"})] * 3
    assert len(asked) == 2

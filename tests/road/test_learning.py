"""The whole circle: a spam lands in INBOX, its reader moves it to Junk by IMAP, its sibling goes to Junk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.real import PrivateDovecot, PrivatePostfix, TamisDaemon, wait_until
from tests.real.support import REPOSITORY, private_directory

MARIE = "junk@example.org"

CAMPAIGN = 76
"""A spam of the corpus that a model of an eighth of it takes for anybody's mail."""


def _tamis(daemon: TamisDaemon, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tamis.cli", "--config", str(daemon.config), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout


def _status(daemon: TamisDaemon) -> Any:
    return json.loads(_tamis(daemon, "model", "status", "--json"))


def _bayes(message: bytes) -> list[bytes]:
    return [line for line in message.splitlines() if line.startswith(b"X-Spam-")]


@pytest.mark.real
@pytest.mark.corpus
def test_junk_moves_teach_the_filter(corpus_ham: list[Path], corpus_spam: list[Path]) -> None:
    with PrivateDovecot(learning=True) as dovecot:
        daemon = TamisDaemon(
            {
                "platform": {"domains": ["example.com", "example.org"]},
                "milter": {"drain": 2, "workers": 1},
                "policy": {"outcome": "junk", "filters": {"knowledge": {"state": "off"}}},
                "learning": {"minimum": 200, "spool": str(dovecot.spool)},
            },
            directory=private_directory("tamis"),
        )
        ham, spam = ([str(one) for one in kind[::8]] for kind in (corpus_ham, corpus_spam))
        assert min(len(ham), len(spam)) >= 200
        campaign = corpus_spam[CAMPAIGN].read_bytes().replace(b"\r\n", b"\n")
        assert str(corpus_spam[CAMPAIGN]) not in spam
        _tamis(daemon, "learn", "ham", *ham, "spam", *spam)
        before = _status(daemon)
        assert before["deciding"]
        postfix = PrivatePostfix(
            milter=daemon.milter,
            desk_port=daemon.desk_port,
            reinjection_port=daemon.reinjection_port,
            mailbox_transport=dovecot.transport,
        )
        daemon.write_settings(postfix={"config_directory": str(postfix.config_directory)})
        with postfix, daemon:

            def deliver(number: int) -> None:
                sibling = campaign + f"\nOffer number {number}\n".encode()
                assert postfix.send(sibling.replace(b"\n", b"\r\n"), to=MARIE).accepted
                postfix.wait_idle()

            def learned(label: str, count: int) -> None:
                wait_until(
                    lambda: _status(daemon)[label] >= count,
                    timeout=60,
                    what=f"{count} {label} to be learned",
                    detail=lambda: dovecot.log() + daemon.failure_report(),
                )

            deliver(1)
            (first,) = dovecot.mailbox(MARIE)
            assert b"X-Spam-Bayes: " in first
            dovecot.move(MARIE, "INBOX", "Junk")
            learned("spam", before["spam"] + 1)
            deliver(2)
            assert [_bayes(one) for one in dovecot.mailbox(MARIE)] == [], _bayes(first)
            assert b"Offer number 2" in dovecot.mailbox(MARIE, "Junk")[1]

            dovecot.move(MARIE, "Junk", "INBOX", 2)
            learned("ham", before["ham"] + 1)
            dovecot.move(MARIE, "Junk", "Trash")
            wait_until(lambda: not list(dovecot.spool.iterdir()), timeout=30, what="the spool to be empty")
            after = _status(daemon)
            assert (after["ham"], after["spam"]) == (before["ham"] + 1, before["spam"] + 1), (
                "the bin says nothing"
            )

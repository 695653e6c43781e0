"""`tamis mailbox quota`: Dovecot's socket for it is open to every user of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tamis.store import Store
from tests.cli.conftest import Run
from tests.desk.smtp import Listener


@pytest.fixture
def postfix(config: Path) -> Listener:
    listener = Listener()
    with config.open("a") as file:
        file.write(f'platform.domains = ["example.com"]\ndesk.reinject = "{listener.address}"\n')
    return listener


def test_it_writes_to_our_own_people_alone_and_once(run: Run, store: Store, postfix: Listener) -> None:
    with postfix:
        assert run("mailbox", "quota", "80", "victim@example.net").status == os.EX_NOUSER
        for wrong in ("victim%example.net@example.com", "marie", "a b@example.com", "<x@example.com"):
            assert run("mailbox", "quota", "80", wrong).status == os.EX_USAGE
        for spelling in ("marie@example.com", "marie+1@example.com", "MARIE+2@Example.COM"):
            assert run("mailbox", "quota", "80", spelling).status == 0
    assert [one.recipients for one in postfix.got] == [["marie@example.com"]]

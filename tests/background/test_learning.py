"""What the learning thread says of reports that it may not read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tamis.background.learning import Learning
from tamis.models.reports import Spool
from tamis.store import Store
from tests.builders import site


def test_a_report_that_may_not_be_read_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool, learning = (
        Spool(tmp_path / "spool"),
        Learning(site, Store(f"sqlite:///{tmp_path}/tamis.db"), threading.Event()),
    )
    assert learning.look_for_unreadable(spool) == 0
    spool.put("spam", "dovecot", "marie@example.com", b"X: y\n\n")
    for name in ("0one\nforged line", "1two"):
        (spool.folder / name).mkdir()  # not even root can read it as a report
        assert [learning.look_for_unreadable(spool) for _ in range(2)] == [len(spool.unreadable())] * 2
    lines = [record.getMessage() for record in caplog.records]
    assert [("0one" in line, "1two" in line, "\n" in line) for line in lines] == [
        (True, False, False),
        (False, True, False),
    ]
    assert len(spool.names()) == 3

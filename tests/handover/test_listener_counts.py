"""Messages that began and were never shown: told apart from clients that hang up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tamis.base.shared_files import write_json
from tamis.handover.listener_counts import (
    SUSPICIOUS,
    ListenerCount,
    ListenerCounts,
    read_listener_counts,
    unseen,
)
from tamis.installation.paths import Paths
from tamis.settings import Settings


def lost(count: int, port: str = "25", whole: int = 0) -> ListenerCounts:
    counts = ListenerCounts(Path("/nonexistent"))
    for _ in range(whole):
        counts.came(port)
    for _ in range(count):
        counts.lost(port)
    return counts


def test_the_log_says_it_once_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    counts = lost(SUSPICIOUS - 1)
    assert caplog.records == []
    counts.lost("25")
    counts.lost("25")
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    counts.came("25")
    counts.came("25")
    assert [one.levelname for one in caplog.records] == ["ERROR", "WARNING"]


def test_listeners_without_number_are_counted_together() -> None:
    counts = ListenerCounts(Path("/nonexistent"))
    for port in range(1000):
        counts.lost(str(port))
    assert counts.of("other").lost == 900
    assert counts.of("999") == ListenerCount()


@pytest.mark.parametrize(
    ("workers", "told"),
    [
        ([ListenerCount(0, 20, 20)], {"25": 20}),
        ([ListenerCount(0, 19, 19)], {}),
        ([ListenerCount(0, 12, 12), ListenerCount(0, 9, 9)], {"25": 21}),
        ([ListenerCount(100, 30, 20)], {"25": 20}),
        ([ListenerCount(0, 30, 30), ListenerCount(1, 0, 0)], {}),
        ([], {}),
    ],
)
def test_a_listener_is_unseen_while_no_worker_sees_anything(
    workers: list[ListenerCount], told: dict[str, int]
) -> None:
    assert unseen([{"25": one} for one in workers]) == told


def test_what_a_worker_leaves_is_read_while_it_runs(tmp_path: Path) -> None:
    paths = Paths(Settings.model_validate({"state_directory": tmp_path, "run_directory": tmp_path}))
    counts = ListenerCounts(paths.listeners)
    counts.lost("587")
    counts.write()
    assert read_listener_counts(paths) == {}  # nobody says that it runs
    write_json(paths.processes, {"supervisor": 1, "workers": [os.getpid(), 2]})
    assert read_listener_counts(paths) == {os.getpid(): {"587": ListenerCount(0, 1, 1)}, 2: {}}
    (paths.listeners / f"{os.getpid()}.json").write_text('{"587": []}')
    assert read_listener_counts(paths)[os.getpid()] == {}

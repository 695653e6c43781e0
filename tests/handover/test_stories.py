"""The journal: whole records, by one writer a file, whatever happens to the writer."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tamis.handover.stories import MAX_LINE, StoryJournal, finished, read_stories
from tamis.judging.story import Remembered, to_line
from tests.filters.golden import cases

LIMIT = 1024 * 1024


def line() -> bytes:
    examined = cases()[0].examined
    return to_line(examined.envelope, examined.findings, examined.judged, Remembered("<1@x>", 1))


def test_a_file_is_finished_when_its_writer_lets_go(tmp_path: Path) -> None:
    journal = StoryJournal(tmp_path / "journal", LIMIT)
    assert list(finished(tmp_path / "journal")) == []
    journal.write(line())
    journal.write(line())
    assert list(finished(tmp_path / "journal")) == []
    journal.rotate()
    (path,) = finished(tmp_path / "journal")
    names = [name for name, story in read_stories(path) if story.message_id == "<1@x>"]
    assert len(set(names)) == 2
    journal.write(line())
    journal.rotate()
    assert len(list(finished(tmp_path / "journal"))) == 2
    assert journal.lost == 0


def test_a_killed_writer_leaves_whole_records(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    child = os.fork()
    if child == 0:
        journal = StoryJournal(tmp_path, LIMIT)
        for _ in range(5):
            journal.write(line())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (path,) = finished(tmp_path)
    with path.open("ab") as half:
        half.write(line()[:100])
    assert len(list(read_stories(path))) == 5
    assert "line 6" in caplog.text


def test_it_is_bounded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = StoryJournal(tmp_path, 10)
    journal.write(b"x" * (MAX_LINE + 1))
    assert journal.lost == 1
    journal.write(line())
    journal.rotate()
    assert "not recorded" in caplog.text
    journal.write(line())
    assert journal.lost == 2
    for path in finished(tmp_path):
        path.unlink()
    journal.rotate()
    journal.write(line())
    journal.rotate()
    assert len(list(finished(tmp_path))) == 1


def test_trouble_with_the_disk_costs_the_record_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "journal").write_text("a file where the folder should be")
    journal = StoryJournal(tmp_path / "journal", LIMIT)
    journal.write(line())
    assert journal.lost == 1
    assert "lost" in caplog.text

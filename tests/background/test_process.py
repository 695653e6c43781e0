"""The background process's turns."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from tamis.background.process import Background
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.settings import SettingsFile
from tests.builders import FILTERS
from tests.fresh_store import new_store
from tests.real.daemon import to_toml


def test_a_mistake_in_one_task_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def decide(background: Background) -> float:
        raise KeyError("unforeseen")

    def digest(background: Background) -> float:
        stopping.set()
        return 1.0

    monkeypatch.setattr(Background, "_decide", decide)
    monkeypatch.setattr(Background, "_digest", digest)
    stopping = threading.Event()
    given = {"state_directory": str(tmp_path), "run_directory": str(tmp_path)}
    file = SettingsFile(None, to_toml(given))
    site = Site.build(file, FILTERS, Snapshot())
    with new_store(tmp_path / "tamis.sqlite") as store, caplog.at_level(logging.ERROR):
        Background(lambda: site, store, stopping, lambda: file).run()
    assert "decide failed and is tried again" in caplog.text

"""The command `tamis` as a test calls it: its real entry point, on a store of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tamis.cli import main
from tamis.store import Store
from tests.fresh_store import new_store


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file whose files are all below the test's own directory."""
    path = tmp_path / "tamis.toml"
    path.write_text(
        f'state_directory = "{tmp_path}"\nrun_directory = "{tmp_path}"\ndns.servers = ["127.0.0.1:9"]\n'
    )
    return path


@pytest.fixture
def run(config: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `tamis` with arguments."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str) -> Ended:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(config), *arguments])
        captured = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def store(config: Path) -> Iterator[Store]:
    """The store that the commands use."""
    with new_store(config.parent / "tamis.sqlite") as opened:
        yield opened

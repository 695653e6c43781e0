"""How a host is, from its files to the store; and the checks that a process of their own makes."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tamis import __version__
from tamis.background.host_state import state_of
from tamis.background.hourly_checks import Examining
from tamis.base.breaker import PartState
from tamis.base.shared_files import write_json
from tamis.database.host_health import HostState
from tamis.installation.paths import Paths
from tamis.settings import read_settings
from tamis.store import Store
from tests.real.support import wait_until


def test_a_host_tells_how_it_is(tmp_path: Path, store: Store) -> None:
    file = tmp_path / "tamis.toml"
    file.write_text(f'state_directory = "{tmp_path}"\nrun_directory = "{tmp_path}"\n', encoding="utf-8")
    settings = read_settings(file).settings
    paths = Paths(settings)
    assert state_of(settings).left_out == []
    write_json(paths.processes, {"supervisor": [1], "workers": [2, 3]})
    until = time.time() + 60
    for pid in (2, 3):
        write_json(paths.parts / f"{pid}.json", [PartState("clamd", until, 5, 9, 1, "no answer").to_dict()])
    paths.journal.mkdir()
    (paths.journal / "2-1.jsonl").write_bytes(b"x" * 100)
    state = state_of(settings)
    assert (state.version, state.processes, state.journal) == (
        __version__,
        {"supervisor": 1, "workers": 2},
        100,
    )
    ((part, processes, left_out_until, why),) = [
        (one.part, one.processes, one.until, one.reason) for one in state.left_out
    ]
    assert (part, processes, why) == ("clamd", 2, "no answer")
    assert left_out_until == until
    store.healths.tell("mx1", state)
    store.healths.tell("mx1", state)
    (told,) = store.healths.all()
    assert told.state.to_dict() == HostState.from_dict(state.to_dict()).to_dict()
    store.healths.tell("mx2", state, now=datetime.now(UTC) + timedelta(days=8))
    assert [one.host for one in store.healths.all()] == ["mx2"], "a host that is gone is forgotten"


def test_the_checks_are_made_when_somebody_asks(tmp_path: Path) -> None:
    file = tmp_path / "tamis.toml"
    file.write_text("nonsense = 1\n", encoding="utf-8")
    examining = Examining(lambda: file)
    examining.step(None)
    assert examining.process is None, "not at once after the start"
    asked = datetime.now(UTC)
    examining.step(asked)
    assert examining.process is not None

    def done() -> bool:
        examining.step(asked)
        return examining.process is None

    wait_until(done, timeout=120, what="the checks")
    assert [(one.check, one.health) for one in examining.checks] == [("settings", "error")]
    examining.step(asked)
    assert examining.process is None, "asked once, made once"
    examining.close()

"""`.ci/tests`: chance is named, and what fails each time still fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.support import REPOSITORY

_FAILS_UNTIL = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_of_chance(number):
    runs = Path(f"{{number}}.runs")
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    assert len(runs.read_text()) > {failures}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing but its tests."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "tests", tmp_path / ".ci")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for path, text in ((".venv/bin/python", f'exec {sys.executable} "$@"'), ("test", _RUN)):
        (tmp_path / path).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / path).chmod(0o755)
    return tmp_path


_RUN = """export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
exec .venv/bin/python -m pytest -q -c /dev/null --rootdir . -p xdist "$@\""""


@pytest.mark.parametrize(
    ("failures", "tests", "status"),
    [
        pytest.param(1, 3, 0, id="by chance"),
        pytest.param(2, 1, 1, id="twice in a row"),
        pytest.param(1, 4, 1, id="more than chance"),
    ],
)
def test_a_second_look(checkout: Path, failures: int, tests: int, status: int) -> None:
    (checkout / "test_chance.py").write_text(_FAILS_UNTIL.format(tests=tests, failures=failures))
    done = subprocess.run([checkout / ".ci" / "tests"], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    named = [line for line in done.stdout.splitlines() if line.startswith("UNSTEADY")]
    assert len(named) == (0 if status else tests)


def test_what_cannot_be_collected_gets_none(checkout: Path) -> None:
    (checkout / "test_broken.py").write_text("import nothing_that_exists\n")
    done = subprocess.run([checkout / ".ci" / "tests"], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "look 1" not in done.stdout

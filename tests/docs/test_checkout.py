"""Tests and benchmarks run the checkout that they stand in, also where the environment has another Tamis installed."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import tamis
from tests.checkout import ROOT, use
from tests.real.daemon import TamisDaemon
from tests.real.support import Server, private_directory, wait_until

DECOY = "raise SystemExit('the Tamis that is installed')\n"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with all that Tamis needs, and another Tamis."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (folder / "installed" / "tamis").mkdir(parents=True)
    (folder / "installed" / "tamis" / "__init__.py").write_text(DECOY)
    (packages,) = folder.glob("lib/python*/site-packages")
    places = [str(folder / "installed"), *site.getsitepackages()]
    (packages / "other.pth").write_text("".join(f"{place}\n" for place in places))
    script = folder / "bin" / "tamis"
    script.write_text(f"#!{folder}/bin/python\nfrom tamis.cli import main\nmain()\n")
    script.chmod(0o755)
    return folder / "bin" / "python"


def said(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    ended = subprocess.run(
        [str(part) for part in command], env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    return ended.stdout + ended.stderr


WHERE = "import tamis; print(tamis.__file__)"


def test_this_process_and_those_it_starts_import_from_here(python: Path) -> None:
    assert ROOT in Path(tamis.__file__).resolve().parents
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    assert "the Tamis that is installed" in said(python, "-c", WHERE, environment=alone), (
        "else this shows nothing"
    )
    assert said(python, "-c", WHERE) == f"{ROOT}/tamis/__init__.py\n"
    assert "tamis, version" in said(python, "-m", "tamis.cli", "--version")
    assert "tamis, version" in said(python.with_name("tamis"), "--version")
    place = "import benchmarks, tamis; print(tamis.__file__)"
    assert (
        said("sh", "-c", f"cd {ROOT} && exec {python} -c '{place}'", environment=alone)
        == f"{ROOT}/tamis/__init__.py\n"
    )


def test_another_checkout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tamis, "__file__", "/elsewhere/tamis/__init__.py")
    with pytest.raises(RuntimeError, match="comes from /elsewhere/tamis, not from"):
        use()


def test_a_private_server_runs_this_checkout(python: Path) -> None:
    """As the daemon of the tests is started: without the developer's environment."""
    server = Server("python", private_directory("checkout") / "output")
    server.start([python, "-c", WHERE])
    wait_until(lambda: server.exit_code() is not None, timeout=60, what="the process to end")
    assert server.output.read_text() == f"{ROOT}/tamis/__init__.py\n"


@pytest.mark.real
def test_a_daemon_runs_this_checkout(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started with an interpreter that would import another one, and would end at once."""
    monkeypatch.setattr(sys, "executable", str(python))
    with TamisDaemon({}, directory=private_directory("checkout")) as daemon:
        pids = daemon.pids("workers")
        assert pids
        assert all(Path(f"/proc/{pid}/cwd").readlink() == ROOT for pid in pids)

"""The checks of the layout fail where somebody plants what they are there for, in a copy of this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("tamis", "filters", "milter", "models", "quarantine", "web", "tests", "benchmarks", "scripts")
LINT = str(Path(sys.executable).with_name("lint-imports"))
MODULE = '"""Planted."""\n\n'


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in FOLDERS:
        skipped = shutil.ignore_patterns("__pycache__", "cases")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@contextmanager
def planted(copy: Path, *files: tuple[str, str]) -> Iterator[None]:
    """Lines at the end of a file, which is made where there is none."""
    before = {copy / name: (copy / name).read_text() if (copy / name).exists() else None for name, _ in files}
    try:
        for name, text in files:
            path = copy / name
            path.parent.mkdir(exist_ok=True)
            path.write_text((path.read_text() if path.exists() else MODULE) + text)
        yield
    finally:
        for path, old in before.items():
            path.unlink() if old is None else path.write_text(old)


def run(copy: Path, *command: str) -> tuple[int, str]:
    ended = subprocess.run(
        [str(part) for part in command], cwd=copy, capture_output=True, text=True, check=False
    )
    return ended.returncode, " ".join((ended.stdout + ended.stderr).split())


@pytest.fixture(scope="module")
def unplanted(copy: Path) -> str:
    """What import-linter says of the copy as it is."""
    return run(copy, LINT)[1]


BACKENDS = ("tamis.services.dns.resolver", "redis", "sqlite3", "sqlalchemy", "subprocess")

LINTED = [
    # upward; the same between linked rooms; to a neighbour; from a room that stands on no floor
    (
        ("tamis/message/subject.py", "import tamis.judging.plan\n"),
        "tamis.message.subject -> tamis.judging.plan",
    ),
    (
        ("quarantine/content.py", "import tamis.milter.reply\n"),
        "tamis.quarantine.content -> tamis.milter.reply",
    ),
    (("tamis/background/feeds.py", "import tamis.web.app\n"), "tamis.background.feeds -> tamis.web.app"),
    (("tamis/attic/trunk.py", ""), "attic"),
    # circles, also in a linked room
    (("tamis/desk/lmtp.py", "import tamis.desk.desk\n"), "No cycles are allowed in tamis.desk"),
    (("milter/application.py", "import tamis.milter.session\n"), "No cycles are allowed in tamis.milter"),
    # a filter with a backend; something pure with one
    *(
        ((f"filters/{name}.py", f"import {backend}\n"), f"tamis.filters.{name} -> {backend}")
        for name, backend in zip(
            ("empty", "keywords", "cyrillic", "sinograms", "malformed"), BACKENDS, strict=True
        )
    ),
    (("tamis/judging/verdict.py", "import sqlalchemy\n"), "tamis.judging.verdict -> sqlalchemy"),
]


@pytest.fixture(scope="module")
def linted(copy: Path) -> tuple[int, str]:
    """What it says of the copy with all that is planted."""
    with planted(copy, ("tamis/attic/__init__.py", ""), *(plant for plant, _ in LINTED)):
        return run(copy, LINT)


@pytest.mark.parametrize("told", [told for _, told in LINTED])
def test_imports_that_the_floors_forbid(unplanted: str, linted: tuple[int, str], told: str) -> None:
    status, said = linted
    assert status == 1
    assert told in said
    assert told not in unplanted


CHECKED = [
    (("tamis/desk/verdict.py", ""), "modules called alike, verdict: tamis/desk/verdict.py, tamis/judging/"),
    (("filters/shared/hashing.py", ""), "modules called alike, hashing: filters/shared/hashing.py, models/"),
    (
        ("web/app.py", "\nclass Verdict:\n    pass\n"),
        "classes called alike, Verdict: tamis/judging/verdict.py, web/",
    ),
    (("web/app.py", "\nPlan = str\n"), "classes called alike, Plan: tamis/judging/plan.py, web/app.py"),
    (("filters/wire.py", "\ndef read() -> None:\n    pass\n"), "no filter of the registry: filters/wire.py"),
    (
        ("filters/empty.py", "\nclass Cache:\n    pass\n"),
        "no filter of the registry: Cache in filters/empty.py",
    ),
    (
        ("tamis/desk/desk.py", "\nfrom filters.empty import Empty\n"),
        "filters.empty: write tamis.filters.empty",
    ),
    (("tests/builders.py", "\nimport models\n"), "models: write tamis.models"),
    (("milter/worker.py", "\nfrom milter.reply import Replies\n"), "milter.reply: write tamis.milter.reply"),
    (("tests/middle/test_it.py", ""), "tests in tests/middle: there is no such room"),
    (("tests/services/http/test_it.py", ""), "tests in tests/services/http: there is no such room"),
    (("tests/test_it.py", ""), "tests in tests: there is no such room"),
]


@pytest.fixture(scope="module")
def checked(copy: Path) -> tuple[int, str]:
    """What the check says of the copy with all that is planted."""
    with planted(copy, *(plant for plant, _ in CHECKED)):
        return run(copy, sys.executable, str(ROOT / "scripts" / "check_layout.py"), str(copy))


@pytest.mark.parametrize("told", [told for _, told in CHECKED])
def test_what_stands_in_the_wrong_place(checked: tuple[int, str], told: str) -> None:
    status, said = checked
    assert status == 1
    assert told in said


def test_this_checkout_is_in_order() -> None:
    status, said = run(ROOT, sys.executable, str(ROOT / "scripts" / "check_layout.py"))
    assert (status, said.endswith("0 breaches")) == (0, True), said

"""`tamis doctor` about reports that the daemon may not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tamis.cli.checks import Health
from tamis.cli.doctor_reports import allows, report_checks
from tamis.models.reports import Spool
from tamis.settings import Settings

TAMIS, GROUP, OTHER = 990, 991, 992


@pytest.mark.parametrize(
    ("mode", "owner", "group", "may"),
    [
        (0o640, OTHER, GROUP, True),
        (0o640, OTHER, OTHER, False),
        (0o644, OTHER, OTHER, True),
        (0o600, TAMIS, OTHER, True),
        (0o044, TAMIS, GROUP, False),  # as its owner it has the owner's bits alone
        (0o604, OTHER, GROUP, False),
    ],
)
def test_who_may_read_by_a_files_mode(mode: int, owner: int, group: int, may: bool) -> None:
    found = os.stat_result((0o100000 | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert allows(found, TAMIS, {GROUP}, 0o4) is may
    assert allows(found, 0, (), 0o4)


def test_reports_that_stay_are_told_with_their_mend(tmp_path: Path) -> None:
    settings = Settings(state_directory=tmp_path, run_directory=tmp_path)
    assert list(report_checks(settings)) == []
    spool = Spool(settings.spool_directory)
    spool.put("spam", "dovecot", "marie@example.com", b"X: y\n\n")
    (fine,) = report_checks(settings)
    assert (fine.health, fine.found) == (Health.OK, f"1 wait in {spool.folder}")
    (spool.folder / "0folder").mkdir()
    (found,) = report_checks(settings)
    assert found.health is Health.WARNING
    assert "1 of 2" in found.found
    assert "0folder" in found.found
    assert "group" in found.mend

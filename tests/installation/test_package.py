"""The pieces of the Debian package. scripts/try-installation makes one, and uses it as docs/installation.md says."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tamis.installation import dovecot_files
from tamis.services.postfix import lines
from tamis.settings import Settings, SettingsFile
from tests.checkout import ROOT

DEBIAN = ROOT / "deploy" / "debian"
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())


def test_what_setup_puts_in_comes_with_the_wheel() -> None:
    """Found beside the code in a checkout as in a package."""
    (patterns,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ].values()
    needed = [
        path
        for folder in (lines.DEPLOYED, dovecot_files.DEPLOYED)
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert len(needed) > 10
    assert [path for path in needed if not any(fnmatch(path.name, one) for one in patterns)] == []


def test_the_settings_that_the_package_makes_are_good_ones() -> None:
    made = SettingsFile(None, (DEBIAN / "tamis.toml").read_text())
    assert made.settings == SettingsFile(None, "").settings.model_copy(
        update={"milter": made.settings.milter}
    )


def test_the_scripts_name_the_places_of_the_settings() -> None:
    settings = Settings()
    text = "".join((DEBIAN / name).read_text() for name in ("postinst", "prerm", "postrm"))
    places = set(re.findall(r"/(?:var/lib|run|etc|var/spool)/[\w/.-]*tamis[\w/.-]*", text))
    sockets = {str(Path(one.socket.removeprefix("unix:")).parent) for one in (settings.milter, settings.desk)}
    known = {
        str(settings.state_directory),
        str(settings.run_directory),
        "/etc/tamis",
        "/etc/tamis/tamis.toml",
        *sockets,
    }
    assert places == known


def test_every_unit_is_started_and_stopped() -> None:
    """But the timer, which an administrator switches on."""
    names = {path.name for path in UNITS if not path.name.startswith("tamis-junk")}
    for script in ("postinst", "prerm", "postrm"):
        named = set(re.findall(r"tamis[\w-]*\.(?:service|socket)", (DEBIAN / script).read_text()))
        assert named == names, script


@pytest.mark.real
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for path in UNITS:
        text = path.read_text().replace("/usr/bin/tamis", shutil.which("true") or "")
        (units / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *(str(units / path.name) for path in UNITS)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    of_ours = [line for line in told.stderr.splitlines() if "tamis" in line]
    assert (told.returncode, of_ours) == (0, [])

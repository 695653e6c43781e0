"""A newer base is taken over whole or not at all."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from tamis.base.errors import ConfigError
from tamis.cli import tamis
from tamis.knowledge import SHIPPED, compile_base, read_base
from tamis.knowledge.update import differences, install


def newer(folder: Path, *, version: str = "2027.1", rules: str = "", points: str = "") -> Path:
    """An archive of the shipped base with another version and what is added."""
    shutil.copytree(SHIPPED, folder)
    base = folder / "base.toml"
    base.write_text(base.read_text().replace(compile_base(read_base(SHIPPED)).version, version))
    (folder / "rules" / "90-more.toml").write_text(rules)
    before = (SHIPPED / "points.toml").read_text()
    more = points if "[pairs]" in points else f"{points}[pairs]\n"
    (folder / "points.toml").write_text(before.replace("[pairs]\n", more))
    archive = folder.with_suffix(".tar.gz")
    with tarfile.open(archive, "w:gz") as made:
        made.add(folder, arcname="base")
    return archive


GOOD = "[[rule]]\nname = 'zebra'\nmatch = ['zebra']\naction = 'score'\nhits = ['Subject: zebra\\n\\n']\n"
BAD = GOOD.replace("Subject: zebra", "Subject: horse")


def test_a_good_base_is_in_place_at_once(tmp_path: Path) -> None:
    current = tmp_path / "state" / "knowledge" / "current"
    made = install(newer(tmp_path / "a", rules=GOOD, points="zebra = 1.5\n"), current)
    assert made.version == "2027.1"
    found = compile_base(read_base(current))
    assert found.checksum == made.checksum
    assert found.book.by_name["zebra"].points == 1.5
    assert "rule zebra: new, +1.5" in list(differences(compile_base(read_base(SHIPPED)), found))


def test_a_pair_needs_two_rules(tmp_path: Path) -> None:
    for number, pair in enumerate(('"zebra" = 1.0\n', '"zebra+horse" = 1.0\n', '"zebra+" = 1.0\n')):
        with pytest.raises(ConfigError, match=r"points\.toml"):
            install(
                newer(tmp_path / str(number), rules=GOOD, points=f"[pairs]\n{pair}"), tmp_path / "current"
            )


def test_a_bad_base_changes_nothing(tmp_path: Path) -> None:
    current = tmp_path / "knowledge" / "current"
    install(newer(tmp_path / "a"), current)
    with pytest.raises(ConfigError, match="examples fail"):
        install(newer(tmp_path / "b", version="2027.2", rules=BAD), current)
    with pytest.raises(ConfigError, match="can't be installed"):
        install(tmp_path / "a" / "base.toml", current)
    assert compile_base(read_base(current)).version == "2027.1"
    assert sorted(one.name[:6] for one in current.parent.iterdir()) == ["2027.1", "curren"]


def test_an_archive_writes_nowhere_else(tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as made:
        for name in ("../../outside.toml", "/tmp/outside.toml", "rules/../../../outside.toml"):
            member = tarfile.TarInfo(name)
            member.size = 2
            made.addfile(member, io.BytesIO(b"x\n"))
        link = tarfile.TarInfo("base.toml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(link)
    with pytest.raises(ConfigError):
        install(archive, tmp_path / "deep" / "knowledge" / "current")
    assert not list(tmp_path.rglob("outside.toml"))
    assert not Path("/tmp/outside.toml").exists()


def test_older_bases_are_kept_for_a_return_and_then_go(tmp_path: Path) -> None:
    current = tmp_path / "knowledge" / "current"
    for number in range(5):
        install(newer(tmp_path / str(number), version=f"2027.{number}"), current)
    assert len([one for one in current.parent.iterdir() if not one.is_symlink()]) == 3
    assert compile_base(read_base(current)).version == "2027.4"


def test_the_command_shows_and_updates(tmp_path: Path) -> None:
    config = tmp_path / "tamis.toml"
    config.write_text(f'state_directory = "{tmp_path}/state"\nrun_directory = "{tmp_path}/run"\n')

    def said(*arguments: str) -> str:
        done = CliRunner().invoke(tamis, ["--config", str(config), "knowledge", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    assert "shipped with Tamis" in said("status")
    assert said("diff") == "no difference\n"
    assert "2027.1" in said("update", str(newer(tmp_path / "a", rules=GOOD)))
    assert "version   2027.1" in said("status")
    assert "rule zebra: new" in said("diff")

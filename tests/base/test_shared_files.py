"""Files that root makes in another user's folder belong to that user, and no link leads root astray."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tamis.base.shared_files import locked, make_folder, owned_like_its_folder, read_json, write_json

pytestmark = pytest.mark.real


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that belongs to nobody, the user."""
    path = tmp_path / "state"
    path.mkdir()
    os.chown(path, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    return path


def test_what_root_makes_is_the_folders_owners(folder: Path) -> None:
    make_folder(folder / "model" / "inner")
    write_json(folder / "model" / "marks.json", {"a": 1})
    with open(folder / "model" / "journal", "a+b", opener=owned_like_its_folder) as file:
        file.write(b"x")
    with locked(folder / "lock") as ours:
        assert ours
    made = sorted(folder.rglob("*"))
    assert [path.name for path in made] == ["lock", "model", "inner", "journal", "marks.json"]
    assert {path.stat().st_uid for path in made} == {folder.stat().st_uid} != {0}
    assert read_json(folder / "model" / "marks.json") == {"a": 1}


def test_root_follows_no_link(folder: Path, tmp_path: Path) -> None:
    goal = tmp_path / "goal"
    goal.write_bytes(b"root's own")
    (folder / "journal").symlink_to(goal)
    with (
        pytest.raises(OSError, match="symbolic"),
        open(folder / "journal", "a+b", opener=owned_like_its_folder),
    ):
        pass
    with pytest.raises(OSError, match="symbolic"), locked(folder / "journal"):
        pass
    assert (goal.read_bytes(), goal.stat().st_uid) == (b"root's own", 0)


def test_what_has_two_names_keeps_its_owner(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "goal").write_bytes(b"root's own")
    (folder / "journal").hardlink_to(tmp_path / "goal")
    with open(folder / "journal", "a+b", opener=owned_like_its_folder):
        pass
    assert (tmp_path / "goal").stat().st_uid == 0

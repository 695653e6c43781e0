"""A backup brought back is the same installation: by what it holds, and by what it does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tamis.contract.lists import Colour, Subject
from tamis.database.list_entries import NewEntry
from tamis.installation.backup import MANIFEST, STORE, BackupError, back_up, read_backup, restore
from tamis.installation.paths import Paths
from tamis.installation.signing_key import signing_key
from tamis.settings import SettingsFile, read_settings
from tamis.store import Store
from tests.quarantine.samples import CONTENT, NOW, Postbox, held


@pytest.fixture
def file(tmp_path: Path, url: str) -> SettingsFile:
    """An installation with something of everything."""
    config = tmp_path / "tamis.toml"
    config.write_text(
        f'state_directory = "{tmp_path / "state"}"\nrun_directory = "{tmp_path / "run"}"\n'
        f'store.url = "{url}"\n'
    )
    found = read_settings(config)
    state = found.settings.state_directory
    (state / "model").mkdir(parents=True)
    signing_key(found.settings.key_file)
    (state / "model" / "current.model").write_bytes(os.urandom(5000))
    (state / "model" / "current.journal").write_bytes(b"learned since")
    (state / "journal").mkdir()
    (state / "journal" / "1-2.jsonl").write_bytes(b"{}\\n")
    with Store(url) as store:
        store.migrate()
        store.quarantine.hold(held(), CONTENT, now=NOW)
        store.lists.add([NewEntry(colour=Colour.WHITE, subject=Subject.SENDER, pattern="a@example.net")])
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the databases and what guards them."""
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in folder.rglob("*")
        if one.is_file() and not one.name.endswith((".sqlite", ".lock", "-wal", "-shm"))
    }


def test_what_is_brought_back_does_what_it_did(file: SettingsFile, tmp_path: Path, url: str) -> None:
    settings, target = file.settings, tmp_path / "backup"
    before = contents(settings.state_directory)
    back_up(file, target)
    assert target.stat().st_mode & 0o077 == 0, "it holds mail and the key"
    with Store(url) as store:
        (was,) = store.quarantine.list()
        entries = store.lists.find()
        store.quarantine.delete(was.id, "root")
        store.lists.add([NewEntry(colour=Colour.BLACK, subject=Subject.SENDER, pattern="b@example.net")])
    with pytest.raises(BackupError, match="--replace"):
        restore(target, settings)
    aside = restore(target, settings, replace=True)
    assert aside is not None
    assert (aside / "signing.key").exists()
    shutil.rmtree(aside)
    assert contents(settings.state_directory) == before, "key, model and journals octet for octet"
    with Store(url) as store:
        assert list(store.quarantine.list()) == [was]
        assert store.lists.find() == entries
        postbox = Postbox()
        store.quarantine.release(was.id, "marie", postbox)
        assert [content for _, content in postbox.got] == [CONTENT]


def damaged(folder: Path) -> str:
    with (folder / STORE).open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    return "is damaged"


def added(folder: Path) -> str:
    (folder / "state" / "more").write_bytes(b"")
    return "missing or were added"


def newer(folder: Path) -> str:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"schema": "9999", "version": "9.9"}))
    return "newer than this one"


def without_manifest(folder: Path) -> str:
    (folder / MANIFEST).unlink()
    return "no backup of Tamis"


@pytest.mark.parametrize("spoil", [damaged, added, newer, without_manifest])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_spoilt_backup_changes_nothing(
    file: SettingsFile, tmp_path: Path, spoil: Callable[[Path], str]
) -> None:
    target = tmp_path / "backup"
    back_up(file, target)
    before = contents(file.settings.state_directory)
    says = spoil(target)
    with pytest.raises(BackupError, match=says):
        restore(target, file.settings, replace=True)
    assert contents(file.settings.state_directory) == before


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_backup_is_whole_or_not_there(
    file: SettingsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "backup"
    with monkeypatch.context() as full:
        full.setattr(shutil, "copyfileobj", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
        with pytest.raises(OSError, match="disk full"):
            back_up(file, target)
    assert not [one for one in tmp_path.iterdir() if one.name.startswith("backup")]
    back_up(file, target)
    with pytest.raises(BackupError, match="there already"):
        back_up(file, target)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_nothing_is_brought_back_under_a_running_daemon(
    file: SettingsFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, processes = tmp_path / "backup", Paths(file.settings).processes
    back_up(file, target)
    processes.parent.mkdir(parents=True, exist_ok=True)
    processes.write_text(json.dumps({"supervisor": os.getpid()}))
    command = Path(f"/proc/{os.getpid()}/cmdline").read_bytes()
    if b"tamis" not in command:  # the name of the folder may say it, or not
        monkeypatch.setattr("tamis.installation.backup._running", lambda _: os.getpid())
    with pytest.raises(BackupError, match="stop it first"):
        restore(target, file.settings, replace=True)
    assert read_backup(target).database == "sqlite"

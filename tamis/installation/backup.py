"""A complete copy of an installation while it runs, and the way back.

    tamis backup DIR    state directory, key, model, reports, rules, settings, then the store -> DIR.partial
                        -> manifest with a SHA-256 of each -> renamed to DIR
    tamis restore DIR   manifest, versions, every checksum -> aside: what is there -> files -> store -> migrated

What is on its way to the store is copied before the store, and a journal before what it is folded into: so what moves
meanwhile is copied twice, which both know to count once, and never not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tamis import __version__
from tamis.base.errors import StoreError, TamisError
from tamis.base.shared_files import like_its_folder, make_folder, read_json, write_json
from tamis.database.migrate import NEWEST
from tamis.installation.paths import Paths
from tamis.models.shared_place import PLACE
from tamis.settings import Settings, SettingsFile
from tamis.store import Store

MANIFEST, SETTINGS, STATE, STORE = "manifest.json", "settings.toml", "state", "store"
_FORMAT = 1
_CHUNK = 1 << 20
_SQLITE = b"SQLite format 3\0"
_PASSING = ("-wal", "-shm", ".lock", ".sock", f"model/{PLACE}")
_MOST_FILES = 1_000_000
_DUMP_SECONDS = 6 * 3600


class BackupError(TamisError):
    """A backup can't be made or used; the message says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: versions, and of each file its SHA-256 by its path within. `schema` is the number of the
    store's last migration, `database` sqlite or postgresql."""

    version: str
    schema: str
    database: str
    at: str
    files: Mapping[str, str]


def back_up(file: SettingsFile, target: Path) -> Manifest:
    """Make a backup of everything in `target`, which must not exist. Raises BackupError, OSError."""
    if target.exists():
        raise BackupError(f"{target} is there already")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    try:
        for name, source in _sources(file):
            _copy(source, partial / name)
        database = _dump(file.settings, partial)
        files = {str(one.relative_to(partial)): _digest(one) for one in _files(partial)}
        at = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(__version__, NEWEST, database, at, files)
        write_json(partial / MANIFEST, {"format": _FORMAT, **asdict(manifest)}, mode=0o600)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return manifest


def read_backup(folder: Path) -> Manifest:
    """A backup's manifest, once every file is as it says. Raises BackupError."""
    told: Any = read_json(folder / MANIFEST)
    try:
        if told.pop("format") != _FORMAT:
            raise BackupError(f"{folder} is a backup of another form than this version of Tamis knows")
        manifest = Manifest(**told)
    except (AttributeError, KeyError, TypeError):
        raise BackupError(f"{folder} is no backup of Tamis: {MANIFEST} is missing or damaged") from None
    if manifest.schema > NEWEST:
        raise BackupError(
            f"{folder} was made by Tamis {manifest.version}, which is newer than this one ({__version__})"
        )
    there = {str(one.relative_to(folder)) for one in _files(folder)} - {MANIFEST}
    if wrong := sorted(there ^ set(manifest.files)):
        raise BackupError(f"{folder}: {wrong[0]} and {len(wrong) - 1} more are missing or were added")
    for name, digest in manifest.files.items():
        if _digest(folder / name) != digest:
            raise BackupError(f"{folder}: {name} is damaged (its SHA-256 is another)")
    return manifest


def restore(folder: Path, settings: Settings, *, replace: bool = False) -> Path | None:
    """Bring a backup back to where `settings` have everything; where that was put which was there before, None for
    nothing. Raises BackupError, before anything is changed, and StoreError, OSError."""
    manifest = read_backup(folder)
    if pid := _running(settings):
        raise BackupError(f"Tamis runs (process {pid}): stop it first")
    ours = "sqlite" if settings.store_url.startswith("sqlite") else "postgresql"
    if manifest.database != ours:
        raise BackupError(f"the backup's store is {manifest.database}, that of these settings {ours}")
    state = settings.state_directory
    state.mkdir(parents=True, exist_ok=True)
    outside = {name: path for name, path in _outside(settings).items() if (folder / name).exists()}
    former = [one for one in (*state.iterdir(), *outside.values(), *_store_files(settings)) if one.exists()]
    if former and not replace:
        raise BackupError(f"{former[0]} is there already; --replace puts what is there aside")
    aside = state / f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    for one in former:
        if one.exists():  # the store's file may be in the state directory
            aside.mkdir(mode=0o750, exist_ok=True)
            shutil.move(one, aside / one.name)
    if aside.exists():
        like_its_folder(aside)
    for source, goal in ((folder / STATE, state), *((folder / name, path) for name, path in outside.items())):
        _bring(source, goal)
    _load(settings, folder)
    with Store(settings.store_url) as store:
        store.migrate()
    return aside if aside.exists() else None


def _sources(file: SettingsFile) -> Iterator[tuple[str, Path]]:
    """Every file, by its path in the backup; in the order in which things move from one to the next."""
    settings = file.settings
    if file.path is not None:
        yield SETTINGS, file.path
    for number, rules in enumerate(settings.rules.files):
        yield f"rules/{number}-{rules.name}", rules
    store = (
        Path(make_url(settings.store_url).database or "") if settings.store_url.startswith("sqlite") else None
    )
    run = settings.run_directory.resolve()
    found: list[tuple[str, Path]] = []
    roots = {STATE: settings.state_directory, **_outside(settings)}
    for name, root in roots.items():
        for one in _files(root) if root.is_dir() else [root] * root.is_file():
            inside_run = run != settings.state_directory.resolve() and one.resolve().is_relative_to(run)
            if one != store and not str(one).endswith(_PASSING) and not inside_run:
                found.append((str(Path(name) / one.relative_to(root)) if root.is_dir() else name, one))
    model = settings.model_directory
    yield from sorted(
        found, key=lambda pair: (pair[1].is_relative_to(model), pair[1].suffix == ".model", pair[0])
    )


def _store_files(settings: Settings) -> tuple[Path, ...]:
    """SQLite's files of the store: what is left of one would spoil the other."""
    url = make_url(settings.store_url)
    if url.drivername != "sqlite" or not url.database:
        return ()
    return tuple(Path(url.database + suffix) for suffix in ("", "-wal", "-shm"))


def _outside(settings: Settings) -> dict[str, Path]:
    """What settings can put outside the state directory, by its name in the backup."""
    places = {
        "signing.key": settings.key_file,
        "model": settings.model_directory,
        "reports": settings.spool_directory,
    }
    return {name: path for name, path in places.items() if not path.is_relative_to(settings.state_directory)}


def _files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, no links followed. Raises BackupError beyond _MOST_FILES of them."""
    count = 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("before-restore-"))
        for name in sorted(names):
            one = Path(root) / name
            try:
                if not stat.S_ISREG(one.lstat().st_mode):
                    continue
            except FileNotFoundError:
                continue
            count += 1
            if count > _MOST_FILES:
                raise BackupError(f"{folder} has more than {_MOST_FILES:,} files")
            yield one


def _copy(source: Path, goal: Path) -> None:
    """A file as it is, a database as it stands at one moment; what was taken away meanwhile is where it went to."""
    goal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with source.open("rb") as read:
            is_database = read.read(len(_SQLITE)) == _SQLITE
            if not is_database:
                read.seek(0)
                with goal.open("xb") as write:
                    shutil.copyfileobj(read, write, _CHUNK)
    except FileNotFoundError:
        return
    if is_database:
        _copy_database(source, goal)
    goal.chmod(source.stat().st_mode & 0o700 if source.exists() else 0o600)


def _copy_database(source: Path, goal: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(goal)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreError(f"{source} can't be copied: {error}") from error


def _dump(settings: Settings, target: Path) -> str:
    url = make_url(settings.store_url)
    if url.drivername == "sqlite":
        if url.database and Path(url.database).exists():
            _copy_database(Path(url.database), target / STORE)
        return "sqlite"
    _postgresql(settings, "pg_dump", "--format=custom", f"--file={target / STORE}")
    return "postgresql"


def _load(settings: Settings, folder: Path) -> None:
    if not (folder / STORE).exists():
        return
    url = make_url(settings.store_url)
    if url.drivername == "sqlite":
        assert url.database
        _bring_file(folder / STORE, Path(url.database))
        return
    options = ("--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error")
    database = f"--dbname={url.database}"
    _postgresql(settings, "pg_restore", *options, database, str(folder / STORE))


def _postgresql(settings: Settings, program: str, *options: str) -> None:
    """Run one of PostgreSQL's programs; no password stands in its arguments, which everybody can read."""
    url = make_url(settings.store_url)
    names = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
    told = {name: str(value) for name, value in names.items() if value is not None}
    environment = {**os.environ, **told, "PGDATABASE": url.database or ""}
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [program, *options], env=environment, capture_output=True, timeout=_DUMP_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"{program}: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise StoreError(f"{program} failed: {said[-300:]}")


def _bring(source: Path, goal: Path) -> None:
    if source.is_file():
        _bring_file(source, goal)
        return
    for one in _files(source):
        _bring_file(one, goal / one.relative_to(source))


def _bring_file(source: Path, goal: Path) -> None:
    """In place whole or not at all, as a file of the owner of the folder it is in."""
    make_folder(goal.parent, 0o750)
    made = goal.with_name(f".{goal.name}.restored")
    shutil.copyfile(source, made)
    made.chmod(0o600 if goal.suffix == ".key" else 0o640)
    like_its_folder(made)
    with made.open("rb") as written:
        os.fsync(written.fileno())
    made.replace(goal)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _running(settings: Settings) -> int:
    """The process of a Tamis that runs with these settings; 0 for none."""
    try:
        pid = int((read_json(Paths(settings).processes) or {}).get("supervisor", 0))
        command = Path(f"/proc/{pid}/cmdline").read_bytes() if pid else b""
    except (OSError, TypeError, ValueError, json.JSONDecodeError):
        return 0
    return pid if b"tamis" in command else 0

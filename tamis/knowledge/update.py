"""A newer base put in place of the present one: unpacked, checked, then taken over in one step."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tamis.base.errors import ConfigError
from tamis.knowledge.base import MAX_FILES, MAX_OCTETS, KnowledgeBase, compile_base, read_base
from tamis.rules.rule_file import failed_examples

_KEPT = 2
"""Bases that are kept beside the one in use."""


def install(archive: Path, current: Path) -> KnowledgeBase:
    """Check the base in a tar archive and make `current` lead to it; what was there is as it was if anything fails.

    Raises ConfigError: no such archive, no base, a wrong rule, an example that fails, a folder that can't be written.
    """
    folder = current.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as made:
            unpacked = Path(made) / "base"
            _unpack(archive, unpacked)
            base = checked(unpacked)
            final = folder / f"{base.version}-{base.checksum[:12]}"
            if not final.exists():
                unpacked.rename(final)
            link = Path(made) / "current"
            link.symlink_to(final.name)
            link.replace(current)  # one step: whoever reads now has the old base or the new one
        _sweep(folder, current)
    except (OSError, tarfile.TarError) as error:
        raise ConfigError(str(archive), "", f"can't be installed: {error}") from error
    return base


def checked(directory: Path) -> KnowledgeBase:
    """The base in a folder, with every example of its rules tried. Raises ConfigError."""
    base = compile_base(read_base(directory))
    failed = list(failed_examples(base.book))
    if failed:
        raise ConfigError(str(directory), "", f"{len(failed)} examples fail, the first: {failed[0]}")
    return base


def differences(old: KnowledgeBase, new: KnowledgeBase) -> Iterator[str]:
    """What a newer base changes, a line each: rules, points, tables."""
    before, after = old.book.by_name, new.book.by_name
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"rule {name}: gone"
        elif name not in before:
            yield f"rule {name}: new, {after[name].points:+g}"
        elif before[name].points != after[name].points:
            yield f"rule {name}: {before[name].points:+g} -> {after[name].points:+g}"
        elif _meaning(before[name]) != _meaning(after[name]):
            yield f"rule {name}: matches otherwise"
    yield from _changed_pairs(old, new)
    tables, newer = old.book.tables.domains, new.book.tables.domains
    for name in sorted(tables.keys() | newer.keys()):
        gone = tables.get(name, frozenset()) - newer.get(name, frozenset())
        come = newer.get(name, frozenset()) - tables.get(name, frozenset())
        if gone or come:
            yield f"table {name}: {len(come)} more, {len(gone)} fewer"


def _changed_pairs(old: KnowledgeBase, new: KnowledgeBase) -> Iterator[str]:
    before, after = (
        {(one, other): points for one, others in base.pairs.items() for other, points in others}
        for base in (old, new)
    )
    for pair in sorted(before.keys() | after.keys()):
        if before.get(pair) != after.get(pair):
            yield f"pair {' and '.join(pair)}: {before.get(pair, 0):+g} -> {after.get(pair, 0):+g}"


def _meaning(rule: object) -> tuple[object, ...]:
    wanted = (
        "where",
        "patterns",
        "ignore_case",
        "least",
        "times",
        "within",
        "when",
        "measure",
        "look",
        "claim",
    )
    return tuple(getattr(rule, name) for name in wanted)


def _unpack(archive: Path, into: Path) -> None:
    """The files of a base in a tar archive, whatever folder they stand in; nothing else is written."""
    into.mkdir()
    room = MAX_OCTETS
    with tarfile.open(archive) as opened:
        for number, member in enumerate(opened):
            if number > 10 * MAX_FILES:
                raise ConfigError(str(archive), "", f"more than {10 * MAX_FILES} entries")
            path = Path(member.name)
            inner = Path(*path.parts[-2:]) if path.parent.name in ("rules", "tables") else Path(path.name)
            if not member.isfile() or inner.suffix != ".toml":
                continue
            room -= member.size
            content = opened.extractfile(member)
            if room < 0 or content is None:
                raise ConfigError(str(archive), "", f"larger than {MAX_OCTETS} octets")
            target = into / inner
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content.read())
    for made in (into, *into.iterdir()):
        made.chmod(0o755 if made.is_dir() else 0o644)


def _sweep(folder: Path, current: Path) -> None:
    """Older bases go, but for some to return to."""
    used = current.resolve()
    others = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink() and one != used]
    others = [one for one in others if not one.name.startswith(".new-")]
    others.sort(key=lambda one: one.stat().st_mtime, reverse=True)
    for old in others[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)

"""Checks where things stand, as far as import-linter (pyproject.toml) doesn't see it.

- Two modules in different rooms, and two public classes anywhere, are not called alike.
- `filters/` holds filters at its first level: each class is one that tamis/chain/registry.py names, or its options.
- What stands at the top and is linked into the package is imported as `tamis.filters.x`: as `filters.x` it would be
  there twice, and only in a checkout.
- `tests/` mirrors the rooms.

`scripts/check_layout.py [CHECKOUT]`; each breach is a line, and the exit status is 1 where there is one.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PACKAGE = "tamis"
COMMANDS = f"{PACKAGE}/cli"
"""A command is called like what it is about, so its modules may be called like those of the rooms."""
PUBLIC = (f"{PACKAGE}/filter.py", f"{PACKAGE}/finding.py")
"""What filters of other packages import, called like the modules of the contract that they pass on."""
PYMILTER = "milter"
"""`import milter` is pymilter's module, written in C; `from milter...` would be our folder."""
NOT_ROOMS = {
    "bad_configs": "files for tests/settings",
    "docs": "docs/, scripts/ and examples/",
    "real": "the real servers that tests use",
    "road": "the whole way of a message, through all rooms",
}
"""Folders of tests/ that mirror no room, and what they are for."""


def rooms(root: Path) -> dict[str, Path]:
    """Each room's folder by its name; linked ones stand at the top."""
    return {
        path.name: path.resolve()
        for path in sorted((root / PACKAGE).iterdir())
        if path.is_dir() and any(path.glob("*.py"))
    }


def modules(root: Path) -> list[Path]:
    """The package's modules; migrations are called by their numbers and are no room's."""
    folders = [root / PACKAGE, *(path for path in rooms(root).values() if path.parent == root)]
    found = (path for folder in folders for path in _files(folder))
    return sorted(path for path in found if "migrations" not in path.parts)


def _files(folder: Path) -> Iterator[Path]:
    """Without following links: what is linked is looked at where it stands."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.suffix == ".py":
            yield path


def modules_alike(root: Path) -> Iterator[str]:
    """Modules of one name in different rooms."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules(root):
        place = path.relative_to(root).as_posix()
        excepted = place in PUBLIC or path.parent == root / COMMANDS
        if path.stem not in ("__init__", "__main__") and not excepted:
            places[path.stem].append(place)
    for name, found in places.items():
        if len({place.rpartition("/")[0] for place in found}) > 1:
            yield f"modules called alike, {name}: {', '.join(found)}"


def classes_alike(root: Path) -> Iterator[str]:
    """Public classes, and names for types, that are defined in more than one module."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules(root):
        for name in sorted(_classes(_parsed(path)) | _type_names(_parsed(path))):
            places[name].append(path.relative_to(root).as_posix())
    for name, found in places.items():
        if len(found) > 1:
            yield f"classes called alike, {name}: {', '.join(found)}"


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _classes(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"}


def _type_names(tree: ast.Module) -> set[str]:
    """Assigned at the top level and written as classes are."""
    targets = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if name[0].isupper() and not name.isupper()}


def no_filters(root: Path) -> Iterator[str]:
    """Files at the first level of filters/ that are something else, and classes there that are no filters."""
    registry = _parsed(root / PACKAGE / "chain" / "registry.py")
    named: dict[str, set[str]] = defaultdict(set)
    for node in registry.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}.filters."):
            named[(node.module or "").rpartition(".")[2]] |= {alias.name for alias in node.names}
    for path in sorted((root / "filters").glob("*.py")):
        classes = _classes(_parsed(path))
        if path.stem == "__init__":
            continue
        if not named[path.stem] & classes:
            yield f"no filter of the registry: filters/{path.name}"
        for name in sorted(classes - named[path.stem]):
            if not name.endswith("Options"):
                yield f"no filter of the registry: {name} in filters/{path.name}"


def imported_twice(root: Path) -> Iterator[str]:
    """Imports of a linked folder by its name at the top."""
    linked = {name for name, path in rooms(root).items() if path.parent == root}
    folders = (root / name for name in (PACKAGE, *sorted(linked), "tests", "benchmarks", "scripts"))
    for path in (path for folder in folders if folder.is_dir() for path in sorted(_files(folder))):
        for node in ast.walk(_parsed(path)):
            for name in _imported(node):
                if name.partition(".")[0] in linked:
                    yield f"{path.relative_to(root)}:{node.lineno}: {name}: write {PACKAGE}.{name}"  # type: ignore[attr-defined]


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name != PYMILTER]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def tests_astray(root: Path) -> Iterator[str]:
    """Folders with tests, at whatever depth, that belong to no folder of the package."""
    known = rooms(root)
    for path in sorted({file.parent for file in _files(root / "tests") if file.stem.startswith("test_")}):
        place = path.relative_to(root / "tests")
        room, *inner = place.parts or ("",)
        if room not in NOT_ROOMS and not (room in known and known[room].joinpath(*inner).is_dir()):
            yield f"tests in {path.relative_to(root)}: there is no such room"


def breaches(root: Path) -> list[str]:
    """All of them."""
    checks = (modules_alike, classes_alike, no_filters, imported_twice, tests_astray)
    return [found for check in checks for found in check(root)]


def main() -> int:
    """Name every breach; 1 if there is one."""
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    found = breaches(root)
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.stdout.write(f"{len(modules(root))} modules in {len(rooms(root))} rooms, {len(found)} breaches\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/dependencies.md names the libraries of pyproject.toml, and each is used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

from tests.docs.generate import DOCS

ROOT = DOCS.parent
PAGE = (DOCS / "dependencies.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_ROOMS = ("tamis", "filters", "milter", "models", "quarantine", "web")
_FOR_OTHERS = {"dnspython"}  # pyspf imports it, and declares nothing


def name_of(requirement: str) -> str:
    """The distribution of a requirement, normalised (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    (found,) = re.findall(rf"(?ms)^## {title}\n(.*?)(?=^## |\Z)", PAGE)
    lines = [line for line in found.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def imported() -> Iterator[tuple[str, str]]:
    """The top-level modules that the code imports, and where."""
    for room in _ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if any(one.is_symlink() for one in path.parents):
                continue  # a room at the top, which has its own turn
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    modules = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    modules = [node.module]
                else:
                    continue
                yield from ((module.partition(".")[0], str(path)) for module in modules)


def test_every_library_has_its_reason() -> None:
    assert [row[0] for row in rows("Libraries")] == sorted(map(name_of, PROJECT["dependencies"]))
    assert all(row[1] for row in rows("Libraries"))


def test_every_extra_has_its_reason() -> None:
    declared = {
        (extra, name_of(one)) for extra, many in PROJECT["optional-dependencies"].items() for one in many
    }
    assert {(row[0], row[1]) for row in rows("Extras")} == declared
    assert len(rows("Extras")) == len(declared)
    assert all(row[2] for row in rows("Extras"))


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    distributions = packages_distributions()
    used: dict[str, str] = {}
    for module, path in imported():
        if module not in sys.stdlib_module_names and module != "tamis":
            assert module in distributions, f"{path} imports {module}, which is not installed"
            used |= {name_of(one): path for one in distributions[module]}
    required = set(map(name_of, PROJECT["dependencies"]))
    optional = {
        name_of(one) for extra in ("plots", "postgresql") for one in PROJECT["optional-dependencies"][extra]
    }
    assert {name: path for name, path in used.items() if name not in required | optional} == {}
    assert required - used.keys() == _FOR_OTHERS


def test_plots_alone_need_their_library() -> None:
    using = {path for module, path in imported() if module == "matplotlib"}
    assert using == {str(ROOT / "models" / "plots.py")}


def test_what_is_ours_is_where_the_page_says() -> None:
    parts = re.findall(r"\(`(tamis/[\w/.]+)`\)", PAGE)
    assert len(parts) >= 8
    assert [part for part in parts if not (ROOT / part).exists()] == []

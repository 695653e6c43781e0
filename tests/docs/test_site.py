"""The pages as scripts/build_site.py lays them out: each is in the menu, and each link leads to a file of the site."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\(([^)#\s]+)")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The staged pages."""
    folder = tmp_path_factory.mktemp("site") / "docs"
    _script().stage(folder)
    return folder


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_site", ROOT / "scripts" / "build_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_link_leads_to_a_file_of_the_site(pages: Path) -> None:
    broken = []
    for path in pages.rglob("*.md"):
        code = re.sub(r"(?ms)^```.*?^```|^    .*?$|`[^`\n]+`", "", path.read_text())
        broken += [
            f"{path.relative_to(pages)}: {link}"
            for link in _LINK.findall(code)
            if "://" not in link and not link.startswith("mailto:") and not (path.parent / link).exists()
        ]
    assert broken == []


def test_the_menu_has_each_page(pages: Path) -> None:
    menu = set(re.findall(r"(?m)^ +- (\S+\.md)$", (ROOT / "docs" / "site.yml").read_text()))
    assert menu == {path.relative_to(pages).as_posix() for path in pages.rglob("*.md")}

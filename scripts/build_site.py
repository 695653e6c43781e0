"""Builds the documentation as a web site: `.venv/bin/python scripts/build_site.py [FOLDER]` (default build/site).

With `--serve` it is shown at http://127.0.0.1:8000.

Needs the extra `site` (`.venv/bin/pip install -e '.[site]'`). The pages are those of docs/, with the README in front;
what they link to outside docs/ is copied beside them. A link or anchor that leads nowhere ends the build with an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "docs" / "site.yml"
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
"""Pages that stand at the top of the repository, and what they are called in the site."""
COPIED = ("deploy", "examples")
"""Folders with files that pages link to."""
_LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")


def stage(folder: Path) -> None:
    """Lay out the pages as the site has them: all in one folder, with links that fit."""
    shutil.copytree(ROOT / "docs", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("site.yml"))
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "*.md", "*.egg-info")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for source, name in PAGES.items():
        shutil.copy(ROOT / source, folder / name)
    for path in folder.rglob("*.md"):
        inside = path.relative_to(folder)
        at_top = str(inside) in PAGES.values()
        path.write_text(_LINK.sub(partial(fitting, at_top, len(inside.parts)), path.read_text()))


def fitting(at_top: bool, parts: int, found: re.Match[str]) -> str:
    """A link as it stands in the site: the top of the repository and docs/ are one folder there."""
    target = found[2]
    if "://" in target:
        return found[0]
    if at_top:
        target = target.removeprefix("docs/")
    elif target.startswith("../" * parts):
        target = "../" * (parts - 1) + target.removeprefix("../" * parts)
    target = re.sub(r"^((?:\.\./)*)README\.md$", r"\1index.md", target)
    return f"{found[1]}{target}{found[3]}"


def main(arguments: list[str]) -> int:
    """Build, or serve what is built anew."""
    serve = arguments[:1] == ["--serve"]
    into = Path(arguments[0]).absolute() if arguments and not serve else ROOT / "build" / "site"
    with tempfile.TemporaryDirectory(prefix="tamis-site-") as made:
        pages = Path(made) / "docs"
        stage(pages)
        shutil.copy(SETTINGS, Path(made) / "mkdocs.yml")
        order = ["serve"] if serve else ["build", "--strict"]
        program = Path(sys.executable).with_name("zensical")
        done = subprocess.run([program, *order], cwd=made, check=False)  # noqa: S603 # our own
        if done.returncode or serve:
            return done.returncode
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(Path(made) / "site", into)
    print(f"the site is in {into}")  # noqa: T201 # a command
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

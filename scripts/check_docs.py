"""Checks the Markdown documents: what they link to, and the paths they name, exist.

Links between files (and to a heading of one), and each path in backquotes that begins with a
folder of this repository.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"(?ms)^(```|~~~).*?^\1\s*$")
_PATH = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*/?")
_HEADING = re.compile(r"(?m)^#{1,6}\s+(.+?)\s*$")

# Made when the project is set up or used, so not there in a fresh checkout.
_MADE_LATER = {"var", "corpus", ".venv", "build", "dist"}


def documents() -> list[Path]:
    """The Markdown files of the repository."""
    skipped = {".git", ".venv", "node_modules", *_MADE_LATER}
    return sorted(
        path for path in ROOT.rglob("*.md") if not skipped.intersection(path.relative_to(ROOT).parts)
    )


def anchors(text: str) -> set[str]:
    """The fragments by which a document's headings are linked."""
    names = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {name.replace(" ", "-") for name in names}


def broken(document: Path) -> Iterator[str]:
    """What a document names that does not exist."""
    text = document.read_text(encoding="utf-8")
    prose = _FENCE.sub("", text)
    for target in _LINK.findall(prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        file = document.parent / name if name else document
        if not file.exists():
            yield f"link to {target}"
        elif fragment and fragment not in anchors(_FENCE.sub("", file.read_text(encoding="utf-8"))):
            yield f"link to {target}: no such heading"
    for code in _CODE.findall(prose):
        first, slash, _ = code.partition("/")
        inside = slash and (ROOT / first).is_dir() and first not in _MADE_LATER
        if inside and _PATH.fullmatch(code) and not (ROOT / code).exists():
            yield f"path {code}"


def main() -> int:
    """Name everything that is broken; 1 if anything is."""
    wrong = [f"{path.relative_to(ROOT)}: {what}" for path in documents() for what in broken(path)]
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.stdout.write(f"{len(documents())} documents, {len(wrong)} broken references\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

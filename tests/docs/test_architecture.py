"""docs/architecture.md names the rooms and floors that there are."""

from __future__ import annotations

import re
import tomllib

from tests.docs.generate import DOCS

ROOT = DOCS.parent
PAGE = (DOCS / "architecture.md").read_text()


def section(title: str) -> str:
    """What stands under a heading."""
    found = re.search(rf"(?ms)^## {title}\n(.*?)(?=^## |\Z)", PAGE)
    assert found
    return found[1]


def test_the_table_has_every_room_with_one_sentence_and_a_page() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.+) \| (.+) \|$", section("The rooms"))
    there = {path.name for path in (ROOT / "tamis").iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert {name for name, _, _ in rows} == there
    assert len(rows) == len(there)
    assert all(sentence and "](" in links for _, sentence, links in rows)


def test_every_page_of_rooms_is_linked() -> None:
    pages = {f"rooms/{path.name}" for path in (DOCS / "rooms").glob("*.md")}
    assert pages == {link.partition("#")[0] for link in re.findall(r"\((rooms/[^)]+)\)", PAGE)}


def test_the_floors_are_those_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (layers,) = (
        one["layers"] for one in project["tool"]["importlinter"]["contracts"] if one["id"] == "floors"
    )
    shown = [line.strip() for line in section("The floors").splitlines() if line.startswith("    ")]
    assert shown == [layer.replace("tamis.", "") for layer in layers]

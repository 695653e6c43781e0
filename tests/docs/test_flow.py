"""A newcomer finds things: the commands of docs/flow.md lead from the README to the code in three looks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.generate import DOCS

ROOT = DOCS.parent
PAGE = (DOCS / "flow.md").read_text()
(_COMMANDS,) = re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE)
TRAILS = [block.splitlines() for block in _COMMANDS.strip().split("\n\n")]
_LONGEST = 60


def shown(command: str) -> str:
    """What a command prints in a checkout; it has to find something."""
    ended = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, command
    assert ended.stdout.strip(), command
    return ended.stdout


@pytest.mark.parametrize("trail", TRAILS, ids=lambda trail: trail[0])
def test_three_looks_lead_from_the_readme_to_the_code(trail: list[str]) -> None:
    question, *looks = trail
    assert len(looks) == 3
    assert f"| {question.removeprefix('# ')} |" in PAGE
    files = [look.rpartition(" ")[2] for look in looks]
    assert files[0] == "README.md"
    outputs = [shown(look) for look in looks]
    for output, following in zip(outputs, files[1:], strict=False):
        assert following in output  # each look names the file of the next one
    (name,) = re.findall(rf"`([\w.]+)` in `{re.escape(files[2])}`", outputs[1])
    for part in name.split("."):
        assert re.search(rf"(?m)^ *(class|def|async def)? ?{part}\b", (ROOT / files[2]).read_text()), name


def test_the_answer_is_what_the_last_look_shows() -> None:
    """The lines that decide, not just any line of the file."""
    decisive = ["self.hit", "options.share", "def release", "_get"]
    for trail, pattern in zip(TRAILS, decisive, strict=True):
        assert re.search(pattern, shown(trail[-1])), trail[0]


def test_every_module_in_the_picture_exists_and_the_page_is_short() -> None:
    (picture,) = re.findall(r"(?ms)^    {10,}Postfix smtpd\n.*?(?=^\S)", PAGE)
    modules = re.findall(r"\b(?:tamis|milter|filters|web|quarantine)/[\w/.]*", picture)
    assert len(modules) >= 12
    assert [module for module in modules if not (ROOT / module).exists()] == []
    assert len(PAGE[: PAGE.index("## A newcomer's test")].splitlines()) <= _LONGEST


def test_the_heart_is_where_the_page_says() -> None:
    road = (ROOT / "tamis/chain/road.py").read_text()
    for step in ("mail_from", "recipient", "end_of_message"):
        assert step in PAGE
        assert f"    def {step}(" in road
    users = [ROOT / "milter/worker.py", ROOT / "tamis/cli/scan.py"]
    assert all("tamis.chain.road import" in Path(user).read_text() for user in users)

"""What README tells one to type works as it stands, line by line, on a Postfix with Tamis behind it.

Lines that install or start Tamis itself are run by `scripts/try-installation` and tests/docs/test_checkout.py. Here
each line that begins with `tamis` is run, with the ids of messages that there are.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real import Envelope, wait_until
from tests.real.support import REPOSITORY
from tests.road.installation import Installation, ham, spam

pytestmark = pytest.mark.real

MARIE, OTHER = "marie@example.com", "postmaster@example.com"
README = (REPOSITORY / "README.md").read_text()
_EXPLAINED = re.compile(r"  +(?=\S)")
_ELSEWHERE = {"tamis setup": "scripts/try-installation"}
"""What changes the machine itself, and where it is run."""
_STATUSES = {"scan": (0,), "doctor": (0, 1)}
"""Where other than 0 is right: here doctor finds fault with a Postfix that a test set up."""


def lines() -> list[str]:
    """The commands of README's blocks, each without its explanation."""
    shown = [line.strip() for line in README.splitlines() if line.startswith("    tamis ")]
    return [_EXPLAINED.split(line, maxsplit=1)[0] for line in shown]


def test_all_of_them_are_found() -> None:
    found = lines()
    assert len(found) >= 20
    assert set(_ELSEWHERE) < set(found)
    assert {line.split()[1] for line in found} >= {
        "scan",
        "policy",
        "lists",
        "quarantine",
        "try",
        "learn",
        "status",
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the lines name, which is home as well."""
    home = tmp_path_factory.mktemp("readme")
    (home / "message.eml").write_bytes(ham(1))
    for folder, make in ((".Sent", ham), (".Junk", spam)):
        new = home / "Maildir" / folder / "new"
        new.mkdir(parents=True)
        for number in range(5):
            (new / f"{number}.example").write_bytes(make(number))
    index = home / "full" / "index"
    index.parent.mkdir()
    rows = []
    for number in range(10):
        for label, make in (("ham", ham), ("spam", spam)):
            (index.parent / f"{label}{number}").write_bytes(make(number))
            rows.append(f"{label} {label}{number}\n")
    index.write_text("".join(rows))
    return home


@pytest.fixture(scope="module")
def running() -> Iterator[Installation]:
    policy = {"mailboxes": {OTHER: {"outcome": "quarantine"}}, "filters": {"cyrillic": {"state": "on"}}}
    with Installation(policy=policy, mailboxes=[MARIE, OTHER]) as installation:
        yield installation


def test_each_does_what_it_says(running: Installation, place: Path) -> None:
    sent = running.postfix.send_many([Envelope("sender@example.net", (OTHER,), spam(7))])
    assert all(one.accepted for one in sent)
    wait_until(lambda: bool(running.held()), timeout=30, what="a held message")
    held = str(running.held()[0]["id"])

    def stories() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = running.tamis("history", "list", "--json")
        return found

    wait_until(lambda: bool(stories()), timeout=30, what="its story in the history")
    known = stories()
    names = {
        re.search(r"quarantine release (\S+)", README)[1]: held,  # type: ignore[index]
        re.search(r"history show (\S+)", README)[1]: str(known[0]["queue_id"]),  # type: ignore[index]
    }
    smtp = f"127.0.0.1:{running.postfix.port}"
    for line in lines():
        if line in _ELSEWHERE:
            continue
        words = [names.get(word, word) for word in shlex.split(line.replace("~", str(place)))[1:]]
        if words[0] == "try":
            words += ["--smtp", smtp, "--wait", "60"]
        done = subprocess.run(
            [sys.executable, "-m", "tamis.cli", "--config", str(running.daemon.config), *words],
            capture_output=True,
            text=True,
            cwd=place,
            check=False,
            timeout=120,
        )
        assert done.returncode in _STATUSES.get(words[0], (0,)), f"{line}\n{done.stdout}{done.stderr}"
        assert done.stdout.strip(), f"{line} says nothing"

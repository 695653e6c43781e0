"""`tamis import`: reports by default, writes with --to, changes with --apply."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tamis.store import Store
from tests.cli.conftest import Run

CONF = """\
required_score 6
whitelist_from friend@example.net
blacklist_from pest@example.org *@gmail.com
body OURS /our own words/
score OURS 2
trusted_networks 192.0.2.0/24
made_up 1
"""


@pytest.fixture
def conf(tmp_path: Path) -> str:
    """A small local.cf."""
    path = tmp_path / "local.cf"
    path.write_text(CONF)
    return str(path)


def test_a_report_and_nothing_changed(run: Run, conf: str, store: Store) -> None:
    ended = run("import", "spamassassin", conf)
    assert ended.status == 0
    assert f"{conf}:1: required_score 6\n    came over: required = 9.0" in ended.out.replace("policy.", "")
    assert "Nothing was changed." in ended.out
    assert "8 lines: 6 came over, 0 have an equivalent, 1 have none, 1 say nothing" in ended.out
    assert not store.lists.find()
    assert not store.overrides.list()


def test_what_is_written_is_good_for_the_daemon(run: Run, conf: str, tmp_path: Path) -> None:
    folder = tmp_path / "import"
    run("import", "spamassassin", conf, "--to", str(folder))
    written = tomllib.loads((folder / "tamis.toml").read_text())
    assert written["policy"]["required"] == 9.0
    assert written["rules"]["files"] == [str(folder / "rules.toml")]
    assert run("policy", "check", str(folder / "tamis.toml")).status == 0
    assert run("rules", "check", str(folder / "rules.toml")).out.startswith("1 rules")
    assert len((folder / "lists.jsonl").read_text().splitlines()) == 3
    assert "came over" in (folder / "report.txt").read_text()


def test_apply_enters_lists_and_policy_but_not_what_covers_very_many(
    run: Run, conf: str, store: Store
) -> None:
    ended = run("import", "spamassassin", conf, "--apply", "--by", "me")
    assert "entered: 2 list entries" in ended.out
    assert "not entered: *@gmail.com" in ended.out
    assert {(one.pattern, one.author, one.origin) for one in store.lists.find()} == {
        ("friend@example.net", "me", "import"),
        ("pest@example.org", "me", "import"),
    }
    assert [(one.override.key, one.override.value) for one in store.overrides.list()] == [("required", 9.0)]
    again = run("import", "spamassassin", conf, "--apply", "--yes", "--json").data
    assert (again["applied"]["new"], again["applied"]["merged"]) == (1, 2)


def test_json_has_every_line(run: Run, conf: str) -> None:
    told = run("import", "spamassassin", conf, "--json").data
    assert [one["place"].rpartition(":")[2] for one in told["lines"]] == [str(n) for n in range(1, 9)]
    assert told["lines"][6]["fate"] == "has none"
    assert told["applied"] == {}


def test_broken_input_changes_nothing(run: Run, conf: str, store: Store) -> None:
    Path(conf).write_text(CONF + "if (version > 3)\n")
    ended = run("import", "spamassassin", conf, "--apply")
    assert ended.status == 78
    assert ended.err == f"tamis: {conf}:8: this if has no endif\n"
    assert not store.lists.find()

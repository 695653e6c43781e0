"""The documents say what the code does: the pages made from it are fresh, and the examples work."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from tamis import __version__
from tamis.cli import COMMANDS, tamis
from tamis.cli.settings import all_settings
from tamis.installation.paths import Paths
from tamis.judging.policy import PolicyBook
from tamis.judging.policy_terms import Terms
from tamis.message.file_names import Risk
from tamis.message.mail import ATTRIBUTION, Attribution, DefectKind
from tamis.settings import Settings, SettingsFile
from tests.builders import FILTERS
from tests.docs.bounds import NO_BOUNDS, numbers
from tests.docs.generate import DOCS, PAGES

ROOT = DOCS.parent
PLUGIN = ROOT / "examples" / "plugin"
SHOUT = b"From: a@example.net\nDate: Sun, 1 Mar 2026 12:00:00 +0000\nSubject: BUY NOW, PAY LATER\n\nx\n"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_made_from_the_code_is_fresh(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run: python -m tests.docs.generate"


def test_every_bound_says_what_becomes_of_the_rest() -> None:
    """In its docstring or the comment behind it: "Octets of a report that are read. Beyond: not read."."""
    found = list(numbers())
    silent = {one.key for one in found if one.is_like_a_bound and not one.beyond}
    assert silent == NO_BOUNDS
    assert [one.key for one in found if one.beyond and not one.what] == []


def test_a_bound_that_is_a_defect_names_one_that_there_is() -> None:
    kinds, risks = {str(kind) for kind in DefectKind}, {str(risk) for risk in Risk}
    named = {word for one in numbers() for word in re.findall(r"`([a-z_]+)`", one.beyond)}
    assert named - kinds - risks - {"left_out"} - {one.name for one in FILTERS} == set()
    of_bounds = {str(kind) for kind in DefectKind if ATTRIBUTION[kind] is Attribution.BOUND}
    assert of_bounds - named == {"truncated"}  # by a setting


def test_every_filter_is_in_the_table_of_cases_with_every_kind() -> None:
    page = (DOCS / "golden-cases.md").read_text()
    rows = {
        row[1].strip("`"): row
        for row in (
            [c.strip() for c in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| S")
        )
    }
    assert list(rows) == [one.name for one in FILTERS]
    for one in FILTERS:
        _, _, hit, clear, unavailable, service = rows[one.name]
        assert hit, one.name
        assert clear, one.name
        assert bool(unavailable) is bool(service) is bool(one.asks), one.name


def _commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    yield context.command_path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, click.Context(inner, parent=context, info_name=name))


def test_every_command_and_option_is_on_the_page() -> None:
    sections = dict(
        re.findall(r"(?ms)^#{2,4} (tamis[a-z -]*)\n(.*?)(?=^#|\Z)", (DOCS / "commands.md").read_text())
    )
    assert set(COMMANDS) <= {path.removeprefix("tamis ") for path in sections}
    for path, command in _commands(tamis, click.Context(tamis, info_name="tamis")):
        options = [option for one in command.params if isinstance(one, click.Option) for option in one.opts]
        assert [option for option in options if option not in sections[path]] == [], path
        assert command.help, path


@pytest.mark.parametrize("page", [*PAGES, "operations.md", "statistics.md"])
def test_files_that_a_page_names_in_a_sentence_are_there(page: str) -> None:
    """Help texts name files without the backquotes by which scripts/check_docs.py knows a path."""
    named = re.findall(
        r"(?<![\w/.-])(?:docs|deploy|examples|scripts|tests)/[\w./-]*\w", (DOCS / page).read_text()
    )
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_every_place_is_on_the_page_of_files(tmp_path: Path) -> None:
    """What Paths knows below the two folders, and nothing that it does not know."""
    paths = Paths(Settings(state_directory=tmp_path / "state", run_directory=tmp_path / "run"))
    rows = re.findall(
        r"(?m)^\| `(\w+)_directory/([^`]+)` \| (.+) \| (.+) \|$", (DOCS / "files.md").read_text()
    )
    known = [getattr(paths, name) for name in Paths.places()]
    assert [tmp_path / folder / name for folder, name, _, _ in rows] == known
    assert len(set(known)) == len(known)


def test_every_setting_is_on_the_page_with_its_help() -> None:
    page = (DOCS / "settings.md").read_text()
    for one in all_settings(FILTERS):
        assert one.help, one.key
        assert f"| `{one.name}` |" in page
    assert {f"policy.{name}" for name in Terms.model_fields} <= {one.key for one in all_settings(FILTERS)}


def _tool(*arguments: str) -> str:
    command = [sys.executable, "-m", "tamis.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_command_prints_every_setting_in_three_forms() -> None:
    keys = [one.key for one in all_settings(FILTERS)]
    data = json.loads(_tool("settings", "--json"))
    assert {"key", "table", "name", "default", "values", "help"} == set(data[0])
    assert set(keys) <= {one["key"] for one in data}
    shown = re.findall(r"(?m)^([a-z_.0-9]+) = ", _tool("settings"))
    assert set(keys) <= set(shown)
    assert _tool("settings", "--markdown").strip() in (DOCS / "settings.md").read_text()


def test_defaults_are_toml_and_are_accepted() -> None:
    """A file that spells every default out is a good one."""
    tables: dict[str, list[str]] = {}
    for one in all_settings(FILTERS):
        if one.default != "depends on the machine":
            tables.setdefault(one.table, []).append(f"{one.name} = {one.default}")
    text = "\n".join("\n".join([f"[{table}]" if table else "", *lines]) for table, lines in tables.items())
    file = SettingsFile(None, text)
    assert file.settings == SettingsFile(None, "").settings.model_copy(
        update={"milter": file.settings.milter}
    )
    assert PolicyBook(FILTERS, file.layers).policy("a@example.com") == PolicyBook(FILTERS, {}).policy(
        "a@example.com"
    )


def _blocks(page: str, kind: str = "") -> list[str]:
    """The code of a page: fenced blocks of a kind, or indented ones."""
    text = (DOCS / page).read_text()
    if kind:
        return re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", text)
    found = re.findall(r"(?m)(?:^    .*\n|^\n(?=    ))+", re.sub(r"(?ms)^```.*?^```$", "", text))
    return [re.sub(r"(?m)^    ", "", block).strip() + "\n" for block in found]


@pytest.mark.parametrize("page", ["settings.md", "filters.md"])
def test_the_examples_of_settings_are_good_ones(page: str, tmp_path: Path) -> None:
    blocks = [one for one in _blocks(page) if "[policy" in one]
    assert blocks
    for block in blocks:
        text = block.replace("/etc/postfix/virtual", str(tmp_path / "virtual"))
        PolicyBook(FILTERS, SettingsFile(None, text).layers)


def test_the_page_shows_the_filter_as_it_is() -> None:
    code, _, _ = _blocks("writing-a-filter.md", "python")
    assert code == (PLUGIN / "tamis_shouting.py").read_text()
    (entry_point,) = _blocks("writing-a-filter.md", "toml")
    assert entry_point.strip() in (PLUGIN / "pyproject.toml").read_text()
    tomllib.loads((PLUGIN / "pyproject.toml").read_text())


def test_the_example_is_short() -> None:
    """The filter itself: at most 20 lines of code, as README and CHANGELOG promise."""
    tree = ast.parse((PLUGIN / "tamis_shouting.py").read_text())
    (filter_class,) = (one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "Shouting")
    docstrings = {
        line
        for node in ast.walk(filter_class)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    text = (PLUGIN / "tamis_shouting.py").read_text().splitlines()
    lines = range(filter_class.lineno, (filter_class.end_lineno or 0) + 1)
    code = [line for line in lines if text[line - 1].strip() and line not in docstrings]
    assert len(code) <= 20, len(code)


def test_the_page_names_every_attribute_and_status() -> None:
    page = (DOCS / "writing-a-filter.md").read_text()
    wanted = (
        "name",
        "spec_id",
        "summary",
        "plain_reason",
        "forbids_challenge",
        "earned",
        "effect",
        "state",
        "switchable",
        "stage",
        "expensive",
        "blocks",
        "deadline",
        "asks",
    )
    assert [name for name in wanted if f"| `{name}` |" not in page] == []
    assert [
        name for name in ("hit", "clear", "unavailable", "skipped") if f"| {name} | `self.{name}(" not in page
    ] == []


class Environment:
    """A place with the example installed from its wheel, and Tamis beside it."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(PLUGIN, folder / "source")
        built_here = (
            ("--no-build-isolation", "--no-index") if find_spec("wheel") else ()
        )  # nothing is fetched then
        self._pip("wheel", *built_here, "--wheel-dir", str(folder), str(folder / "source"))
        (wheel,) = folder.glob("tamis_shouting-*.whl")
        self._pip("install", "--no-index", "--target", str(folder / "site"), str(wheel))
        (folder / "shout.eml").write_bytes(SHOUT)
        (folder / "tamis.toml").write_text(
            f'state_directory = "{folder}"\nrun_directory = "{folder}"\n'
            '[dns]\nservers = ["127.0.0.1:9"]\n[policy.filters.shouting]\nscore = 1.5\n'
            '[policy.domains."example.org".filters.shouting]\nstate = "off"\n'
        )
        self.folder = folder

    @staticmethod
    def _pip(command: str, *arguments: str) -> None:
        common = ("--quiet", "--no-deps", "--disable-pip-version-check")
        subprocess.run(
            [sys.executable, "-m", "pip", command, *common, *arguments], check=True, capture_output=True
        )

    def python(self, *arguments: str, config: str = "tamis.toml") -> subprocess.CompletedProcess[str]:
        """Run Python there."""
        more = {"PYTHONPATH": f"{self.folder / 'site'}:{ROOT}", "TAMIS_CONFIG": str(self.folder / config)}
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            env=os.environ | more,
            cwd=self.folder,
            check=False,
        )

    def tamis(self, *arguments: str, config: str = "tamis.toml") -> subprocess.CompletedProcess[str]:
        """Run the command there."""
        return self.python("-m", "tamis.cli", *arguments, config=config)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("plugin"))


def test_the_example_takes_part_in_the_chain(environment: Environment) -> None:
    rows = {row["name"]: row for row in json.loads(environment.tamis("filters", "--json").stdout)}
    assert set(rows) == {"shouting", *(one.name for one in FILTERS)}
    assert rows["shouting"]["id"] == "S20"
    assert list(rows).index("shouting") == list(rows).index("keywords") + 1
    assert rows["shouting"]["options"]["score"]["value"] == 1.5
    (elsewhere,) = json.loads(
        environment.tamis("filters", "--scope", "example.org", "--json", "shouting").stdout
    )
    assert (rows["shouting"]["state"], elsewhere["state"]) == ("on", "off")
    assert "share of the subject's letters" in environment.tamis("filters", "shouting").stdout
    assert "policy.filters.shouting.share = 0.8" in environment.tamis("settings").stdout


def test_the_example_examines_mail(environment: Environment) -> None:
    scanned = environment.tamis("scan", "--json", "shout.eml")
    assert scanned.returncode == 0, scanned.stderr
    (recipient,) = json.loads(scanned.stdout)["recipients"]
    (opinion,) = (one for one in recipient["opinions"] if one["filter"] == "shouting")
    assert (opinion["effect"], opinion["points"], opinion["text"]) == (
        "score",
        1.5,
        "14 of 14 letters are capitals",
    )
    status = dict(recipient["headers"])["X-Spam-Status"]
    assert status.startswith("No, ")
    assert "shouting=1.5" in status.partition("tests=")[2].split(",")


def test_a_mistake_in_its_options_is_refused(environment: Environment) -> None:
    (environment.folder / "wrong.toml").write_text("[policy.filters.shouting]\nsharee = 0.5\n")
    refused = environment.tamis("scan", "shout.eml", config="wrong.toml")
    assert refused.returncode == os.EX_CONFIG
    assert "policy.filters.shouting.sharee: no such setting; did you mean 'share'?" in refused.stderr


def test_the_test_on_the_page_passes(environment: Environment) -> None:
    _, asking, test = _blocks("writing-a-filter.md", "python")
    ended = environment.python("-c", asking + test)
    assert ended.returncode == 0, ended.stderr


def test_the_changes_of_this_version_are_told() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"(?m)^## (.+)$", text)
    assert headings[0] == "[Unreleased]"
    versions = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", one) for one in headings[1:]]
    assert all(versions)
    assert next(found[1] for found in versions if found) == __version__
    numbers = [tuple(map(int, found[1].split("."))) for found in versions if found]
    assert numbers == sorted(set(numbers), reverse=True)
    assert not re.search(r"(?mi)\b(soon|planned|todo)\b", text)

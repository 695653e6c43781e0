"""`tamis evaluate` and the protocols behind it."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tamis.cli.evaluate import evaluate
from tamis.models.corpora import Place, found, shuffled
from tamis.models.evaluation import Protocol, run, stream
from tamis.models.learner import Learner
from tests.models.mails import raw_mail


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mail")
    for label in ("ham", "spam"):
        (root / label).mkdir()
        for number in range(60):
            (root / label / f"{number:03}").write_bytes(raw_mail(number, spam=label == "spam"))
    lines = [f"{label} {label}/{number:03}" for number in range(60) for label in ("spam", "ham")]
    (root / "index").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="module")
def places(folder: Path) -> list[Place]:
    return shuffled(found([folder / "ham"], spam=False) + found([folder / "spam"], spam=True), 1)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


def test_json_has_it_all(folder: Path) -> None:
    result = call("--json", "--index", folder / "index", "--jobs", 1)
    assert result.exit_code == 0, result.output
    about = json.loads(result.stdout)
    assert (about["messages"], about["ham"], about["spam"], about["unreadable"]) == (120, 60, 60, 0)
    assert about["protocol"] == "immediate"
    assert set(about["measures"]) == {"roca", "sm_at_hm_01", "sm_at_hm_1", "hm", "sm", "lam"}
    for measure in about["measures"].values():
        assert measure["low"] <= measure["value"] <= measure["high"]
    assert about["measures"]["roca"]["value"] < 5
    assert set(about["cpu_ms"]) == {"parse", "features", "score", "train"}


def test_text_for_people(folder: Path) -> None:
    result = call("--ham", folder / "ham", "--spam", folder / "spam", "--shuffle", 3)
    assert result.exit_code == 0, result.output
    assert "(1-ROCA)%" in result.stdout
    assert "lam%" in result.stdout
    assert "shuffled by 3" in result.stdout


def test_several_paths(folder: Path) -> None:
    half = [folder / "ham" / f"{number:03}" for number in range(30)]
    result = call(
        "--ham", *half, "--limit", 60, "--spam", folder / "spam" / "001", folder / "spam" / "002", "--json"
    )
    assert result.exit_code == 0, result.output
    about = json.loads(result.stdout)
    assert (about["ham"], about["spam"]) == (30, 2)
    assert call("--ham", "--spam", folder / "spam").exit_code == 2
    assert call("--spam", folder / "spam", "--ham").exit_code == 2


def test_results_and_plots(folder: Path, tmp_path: Path) -> None:
    result = call(
        *(
            "--index",
            folder / "index",
            "--limit",
            80,
            "--out",
            tmp_path / "out",
            "--plots",
            tmp_path / "plots",
        ),
    )
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out").read_text().splitlines()
    assert len(lines) == 80
    assert lines[0].startswith(f"{folder}/spam/000 judge=spam class=")
    assert float(lines[0].rpartition("score=")[2]) == 0
    for name in ("roc.png", "roc.svg", "learning.png", "learning.svg"):
        assert (tmp_path / "plots" / name).stat().st_size > 1000


def test_without_matplotlib_plots_say_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused = call("--index", folder / "index", "--plots", tmp_path / "plots")
    assert refused.exit_code == os.EX_UNAVAILABLE
    assert refused.stdout == ""  # nothing was measured in vain
    assert "pip install 'tamis[plots]'" in refused.stderr
    assert not (tmp_path / "plots").exists()
    measured = call("--index", folder / "index", "--limit", 60)
    assert measured.exit_code == 0, measured.output


def test_the_same_run_gives_the_same_scores(folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        call("--index", folder / "index", "--shuffle", 5, "--out", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_unreadable_messages_are_counted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "index").write_text(
        (folder / "index").read_text().replace(" ", f" {folder}/") + "\nspam gone\nham .\n"
    )
    result = call("--json", "--index", tmp_path / "index")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["unreadable"] == 2
    assert "gone" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--index", "nowhere"],
        ["--ham", "nowhere", "--spam", "nowhere"],
        ["--ham", "{folder}/ham", "--spam", "{folder}/empty"],
    ],
)
def test_errors_have_their_status(folder: Path, arguments: list[str]) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    result = call(*(argument.format(folder=folder) for argument in arguments))
    assert result.exit_code >= 64
    assert result.stderr.startswith("tamis: ")


@pytest.mark.parametrize(
    "arguments",
    [[], ["--index", "x", "--ham", "y"], ["--ham", "x"], ["--index", "x", "--protocol", "sometimes"]],
)
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2  # the command `tamis` makes it 64


@pytest.mark.parametrize(
    "text", ["immediate", "delayed:100", "partial:0.3", "noisy:0.05", "freeze:1000000", "delayed:0"]
)
def test_protocols_are_read(text: str) -> None:
    assert str(Protocol.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "now", "immediate:1", "delayed", "delayed:-1", "delayed:x", "partial:2", "noisy:nan", "freeze:1.5"],
)
def test_other_protocols_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"protocol|float"):
        Protocol.parse(text)


def test_protocols_let_the_model_learn_what_they_say(places: list[Place]) -> None:
    results = {
        text: run(places, Protocol.parse(text))
        for text in ("immediate", "delayed:30", "delayed:120", "partial:0.25", "noisy:0.2", "freeze:40")
    }
    assert len(results["immediate"].train_ms) == 120
    assert len(results["delayed:30"].train_ms) == 90
    assert results["delayed:30"].scores[:31] == [0.0] * 31
    assert results["delayed:120"].scores == [0.0] * 120
    assert 15 < len(results["partial:0.25"].train_ms) < 50
    assert len(results["freeze:40"].scores) == 80
    assert results["freeze:40"].places == places[40:]
    assert results["noisy:0.2"].scores != results["immediate"].scores
    assert all(result.ham + result.spam == len(result.scores) for result in results.values())


def test_frozen_scores_are_those_of_the_frozen_model(places: list[Place]) -> None:
    learner = Learner()
    result = run(places, Protocol.parse("freeze:40"), learner=learner)
    frozen = [
        learner.score(message.features).log_odds for message in stream(places[40:], 1) if message.features
    ]
    assert result.scores == frozen


def test_processes_keep_the_order(folder: Path) -> None:
    many = found([folder / "ham"], spam=False) * 8
    alone, pooled = list(stream(many, 1)), list(stream(many, 2))
    assert len(pooled) == len(many) == 480
    for one, other in zip(alone, pooled, strict=True):
        assert one.features is not None
        assert other.features is not None
        assert one.features.indices.tolist() == other.features.indices.tolist()

"""`tamis learn` and `tamis model status`."""

from __future__ import annotations

import io
import os
import pwd
import sys
from pathlib import Path

import pytest

from tamis.models.taken_back import TAKEN_BACK, TakenBack
from tamis.models.teaching import Teacher
from tests.cli.conftest import Run
from tests.models.mails import raw_mail


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """Folders of 120 ham and 120 spam."""
    for number in range(240):
        folder = tmp_path / ("ham" if number % 2 else "spam")
        folder.mkdir(exist_ok=True)
        (folder / f"{number:03}").write_bytes(raw_mail(number, spam=number % 2 == 0))
    return tmp_path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tamis.toml"
    path.write_text(
        f'state_directory = "{tmp_path}/state"\nrun_directory = "{tmp_path}/run"\n[learning]\nminimum = 100\n'
    )
    return path


def test_from_nothing_to_deciding(run: Run, mail: Path) -> None:
    assert "ham:    0 of 100 learned" in run("model", "status").out
    assert run("learn", "ham", f"{mail}/ham", "--json").data == {"ham learned": 120, "unreadable": 0}
    shown = run("model", "status").out
    assert "spam:   0 of 100 learned\nstate:  in shadow, decides nothing" in shown
    assert "\nloops:  compiled" in shown
    first = mail / "spam" / "000"
    assert "S27  statistics         skipped" in run("scan", str(first)).out
    assert (
        run("learn", "ham", f"{mail}/ham", "spam", f"{mail}/spam").out
        == "120 known before, 120 spam learned\n"
    )
    about = run("model", "status", "--json").data
    assert (about["ham"], about["spam"], about["deciding"], about["waiting"]) == (120, 120, True, 0)
    assert [one["level"] for one in about["levels"]] == [3.0, 4.5, 6.0, 7.5, 9.0, 10.5, 12.0]
    assert all(one["caught"]["total"] == 120 for one in about["levels"])
    assert "Measured on 120 ham and 120 spam" in run("model", "status").out
    scanned = run("scan", "--json", str(first)).data
    (finding,) = [one for one in scanned["findings"] if one["filter"] == "statistics"]
    assert finding["facts"]["number"] > 3
    assert scanned["reasons"][0].keys() == {"where", "what", "share"}
    (bayes,) = [value for name, value in scanned["recipients"][0]["headers"] if name == "X-Spam-Bayes"]
    assert bayes.endswith(f"probability={finding['facts']['probability']:.4f}")


def test_status_says_why_numpy_is_used(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else tells who installed Tamis without a compiler."""
    monkeypatch.setattr("tamis.models.compiled.used", False)
    monkeypatch.setattr("tamis.models.compiled.WHY_NOT", "the extension can't be loaded: x")
    assert run("model", "status").out.endswith("loops:  numpy, slower: the extension can't be loaded: x\n")


def test_status_says_whose_lessons_were_taken_back_and_why(run: Run, config: Path) -> None:
    folder = config.parent / "state" / "model"
    folder.mkdir(parents=True)
    book = TakenBack()
    book.call(7, "poison.example")
    book.note(7, lessons=70, measured=70, against=60, at=1_772_366_400.0)
    book.note(8, lessons=3, measured=3, against=3, at=1_772_366_400.0)
    book.save(folder / TAKEN_BACK)
    shown = run("model", "status").out
    assert (
        "taken back: 70 lessons of ham that poison.example answered for, 2026-03-01: 60 of 70 were spam"
        in shown
    )
    assert "3 lessons of ham that an unknown domain answered for" in shown
    first = run("model", "status", "--json").data["taken_back"][0]
    assert (first["stranger"], first["lessons"], first["against"]) == ("poison.example", 70, 60)


def test_undo(run: Run, mail: Path) -> None:
    run("learn", "ham", f"{mail}/ham/001", f"{mail}/ham/003")
    assert run("learn", "--undo", "ham", f"{mail}/ham/001").out == "1 reported\n"
    assert run("model", "status", "--json").data["ham"] == 1
    assert run("learn", "ham", f"{mail}/ham").out == "119 ham learned, 1 known before\n"


def test_reports_wait_while_another_process_writes(
    run: Run, mail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tamis.cli.learn._WAIT", 0.1)
    with Teacher(mail / "state" / "model", minimum=100):
        assert run("learn", "spam", f"{mail}/spam/000").out == "1 reported\n"
        assert run("model", "status", "--json").data["waiting"] == 1
    run("learn", "--source", "web", "spam", f"{mail}/spam/002")
    about = run("model", "status", "--json").data
    assert (about["spam"], about["waiting"]) == (2, 0)


def test_from_standard_input_and_what_cant_be_read(
    run: Run, mail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw_mail(7, spam=False))))
    assert run("learn", "ham", "-").out == "1 ham learned\n"
    assert run("learn", "ham", f"{mail}/nowhere").status == 66
    assert run("learn", f"{mail}/ham").status == 64
    (mail / "odd").mkdir()
    (mail / "odd" / "dangling").symlink_to(mail / "nothing")
    assert run("learn", "ham", f"{mail}/odd").out == "nothing there\n"


def test_several_processes_learn_the_same(run: Run, mail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.models.bulk._POOL_FROM", 10)
    arguments = ("learn", "ham", f"{mail}/ham", "spam", f"{mail}/spam", "--json")
    assert run(*arguments, "--jobs", "2").data == {"ham learned": 120, "spam learned": 120, "unreadable": 0}
    assert run(*arguments, "--jobs", "2").data == {"known before": 240, "unreadable": 0}


def test_a_source_that_contradicts_the_model_raises_an_alarm(run: Run, mail: Path) -> None:
    """Readers who say spam of what the model is sure is ham: the status says so, and whose domain teaches is told."""
    settings = mail / "tamis.toml"
    settings.write_text(settings.read_text() + '[platform]\ndomains = ["example.com"]\n')
    for number in range(240, 600):
        (mail / ("ham" if number % 2 else "spam") / f"{number}").write_bytes(
            raw_mail(number, spam=number % 2 == 0)
        )
    run("learn", "ham", f"{mail}/ham", "spam", f"{mail}/spam")
    wrong = mail / "wrong"
    wrong.mkdir()
    for number in range(1001, 1061, 2):
        (wrong / f"{number}").write_bytes(raw_mail(number, spam=False))
    run("learn", "--source", "web", "--domain", "example.com", "spam", str(wrong))
    (source,) = run("model", "status", "--json").data["sources"]
    assert (source["source"], source["learned"], source["alarm"]) == ("web", 30, True)
    shown = run("model", "status").out
    assert "ALARM: it contradicts the model too often" in shown
    assert "domains with a correction of their own: 1" in shown
    assert run("learn", "--domain", "exmple.com", "spam", str(wrong)).status == 64


@pytest.mark.real
def test_what_root_teaches_the_daemon_can_go_on_with(run: Run, tmp_path: Path) -> None:
    """The model's files and a report in the spool belong to whom the state directory belongs to, and doctor looks."""
    state, nobody = tmp_path / "state", pwd.getpwnam("nobody")
    state.mkdir()
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    message = tmp_path / "message"
    message.write_bytes(raw_mail(1, spam=False))
    assert run("learn", "ham", str(message)).status == 0
    assert run("learn", "ham", str(message), "--source", "challenge").status == 0
    found = "owners below state_directory"
    assert {one["check"]: one["health"] for one in run("doctor", "--json").data}[found] == "ok"
    made = list(state.rglob("*"))
    assert {"journal", "journal.lock", "current.model", "tamis.sqlite"} <= {path.name for path in made}
    assert {path.stat().st_uid for path in made} == {nobody.pw_uid}
    (state / "copied").touch()
    (told,) = [one for one in run("doctor", "--json").data if one["check"] == found]
    assert (told["health"], str(state / "copied") in told["found"]) == ("error", True)

"""`tamis evaluate --chain`: labelled mail through every filter, counted by folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.models.mails import raw_mail

_FOR = ("--rcpt", "marie@example.com")


@pytest.fixture
def mail(config: Path, tmp_path: Path) -> Path:
    """Mail in a Maildir and an mbox, and a keyword of the site that half of the spam has."""
    with config.open("a") as file:
        file.write(
            'platform.domains = ["example.com"]\nlearning.minimum = 50\n'
            f'rules.files = ["{tmp_path}/rules.toml"]\n'
        )
    (tmp_path / "rules.toml").write_text(
        '[[rule]]\nname = "word"\nmatch = ["zzkeyword"]\nwhere = ["text"]\naction = "spam"\n'
        'hits = ["Subject: x\\n\\nzzkeyword\\n"]\n'
    )
    folder = tmp_path / "mail"
    (folder / "ham" / "cur").mkdir(parents=True)
    (folder / "ham" / "new").mkdir()
    for number in range(60):
        where = "new" if number % 3 else "cur"
        (folder / "ham" / where / f"{number:03}").write_bytes(raw_mail(number, spam=False))
    spam = [
        b"From x Sun Mar  1 12:00:00 2026\n"
        + raw_mail(100 + number, spam=True).replace(b"\r\n", b"\n")
        + (b"\nzzkeyword\n\n" if number % 2 else b"\n\n")
        for number in range(60)
    ]
    (folder / "junk.mbox").write_bytes(b"".join(spam))
    return folder


def test_each_folder_is_counted_by_the_policy_of_the_recipient(run: Run, mail: Path) -> None:
    ended = run(
        "evaluate", "--chain", "--json", *_FOR, "--ham", str(mail / "ham"), "--spam", str(mail / "junk.mbox")
    )
    assert ended.status == 0, ended.err
    about = ended.data
    assert (about["recipient"], about["required"], about["deciding"]) == ("marie@example.com", 7.5, False)
    ham, spam = about["folders"]
    assert (ham["folder"], ham["spam"], ham["messages"]) == (str(mail / "ham"), False, 60)
    assert (spam["folder"], spam["spam"], spam["messages"]) == (str(mail / "junk.mbox"), True, 60)
    assert ham["taken_for_spam"]["count"] == 0
    caught = spam["taken_for_spam"]
    assert (caught["count"], caught["total"]) == (30, 60)
    assert caught["low"] == pytest.approx(0.377, abs=1e-3)  # Wilson: 30 of 60
    assert caught["high"] == pytest.approx(0.623, abs=1e-3)
    assert about["all"]["spam"]["taken_for_spam"] == caught
    text = run(
        "evaluate", "--chain", *_FOR, "--ham", str(mail / "ham"), "--spam", str(mail / "junk.mbox")
    ).out
    assert "30: 50.00 % (37.73 to 62.27)" in text
    assert "has nothing to say yet" in text


def test_what_the_model_learned_is_left_out(run: Run, mail: Path) -> None:
    assert run("learn", "ham", str(mail / "ham" / "cur"), "spam", str(mail / "junk.mbox")).status == 0
    about = run(
        "evaluate", "--chain", "--json", *_FOR, "--ham", str(mail / "ham"), "--spam", str(mail / "junk.mbox")
    ).data
    ham, spam = about["all"]["ham"], about["all"]["spam"]
    assert (ham["learned"], ham["taken_for_spam"]["total"]) == (20, 40)
    assert (spam["learned"], spam["taken_for_spam"]["total"]) == (60, 0)


def test_a_model_of_its_own_is_taught_the_first_and_judges_the_rest(
    run: Run, mail: Path, tmp_path: Path
) -> None:
    ended = run(
        *("evaluate", "--chain", "--json", *_FOR, "--shuffle", "1", "--protocol", "freeze:112"),
        *("--ham", str(mail / "ham"), "--spam", str(mail / "junk.mbox")),
    )
    about = ended.data
    assert (about["taught"], about["deciding"]) == (112, True)
    assert sum(one["taken_for_spam"]["total"] for one in about["folders"]) == 8
    assert about["all"]["ham"]["taken_for_spam"]["count"] == 0
    assert not (tmp_path / "model").exists(), "the site's own model is left alone"


@pytest.mark.parametrize("more", [("--protocol", "noisy:0.1"), ("--out", "x"), ("--protocol", "freeze:120")])
def test_what_does_not_go_together_is_said(run: Run, mail: Path, more: tuple[str, str]) -> None:
    ended = run("evaluate", "--chain", "--ham", str(mail / "ham"), "--spam", str(mail / "junk.mbox"), *more)
    assert ended.status in (64, 65)
    assert "--chain" in ended.err or "nothing is left to judge" in ended.err

"""Redirection notes: they come back whole or not at all, and their loss is never an error."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tamis.base.shared_files import read_json, write_json
from tamis.desk.redirection import Redirection, RedirectionSigner
from tamis.desk.redirection_notes import KEEP_SECONDS, Note, Notes, verdict_data
from tests.builders import MARIE, book, envelope, finding, verdict_of

ADDRESS = RedirectionSigner(b"k" * 32).address(Redirection(MARIE, "a" * 20, "junk"))
NOTE = Note(
    (("X-Spam-Flag", "YES"), ("X-Spam-Score", "9.5")),
    "SPAM: ",
    30,
    json.loads(json.dumps(verdict_data(verdict_of(book().policy(MARIE), finding("empty"))))),
    (finding("empty", seconds_of="é\udce9"), finding("malformed", kinds=["nul"], names="nul")),
    envelope(helo="mail.example.net", queue_id="4XyZ"),
)


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "redirections", tmp_path / "detours")


def test_what_was_written_comes_back(notes: Notes) -> None:
    notes.write([ADDRESS], NOTE)
    assert notes.read(ADDRESS) == NOTE
    assert NOTE.verdict["decided_by"] == "empty"


def test_case_of_the_recipient_and_other_redirections_are_told_apart(notes: Notes) -> None:
    notes.write([ADDRESS], NOTE)
    assert notes.read(RedirectionSigner(b"k" * 32).address(Redirection(MARIE, "b" * 20, "junk"))) is None
    assert notes.read(RedirectionSigner(b"x" * 32).address(Redirection(MARIE, "a" * 20, "junk"))) is None


def test_a_dropped_note_is_gone_and_may_be_dropped_again(notes: Notes) -> None:
    notes.write([ADDRESS], NOTE)
    notes.drop(ADDRESS)
    notes.drop(ADDRESS)
    assert notes.read(ADDRESS) is None


def test_addresses_of_one_copy_share_a_file_that_stays_until_the_last_is_dealt_with(
    notes: Notes, tmp_path: Path
) -> None:
    signer = RedirectionSigner(b"k" * 32)
    others = [
        signer.address(Redirection(f"marie+{n}@example.com", "a" * 20, "quarantine")) for n in range(100)
    ]
    notes.write(others, NOTE)
    notes.write(others, NOTE)  # the message was sent again
    assert len({path.stat().st_ino for path in (tmp_path / "redirections").iterdir()}) == 1
    for one in others[:-1]:
        notes.drop(one)
    assert notes.read(others[0]) is None
    assert notes.read(others[-1]) == NOTE


def damaged() -> list[Any]:
    whole: dict[str, Any] = {
        "headers": [["A", "1"]],
        "tag": "",
        "retention_days": 1,
        "verdict": {},
        "findings": [],
    }
    bad_findings: list[Any] = ["x", {}, {"filter": "x", "status": "nonsense"}]
    whole["envelope"] = envelope().to_dict()
    return [
        *({key: value for key, value in whole.items() if key != missing} for missing in whole),
        *([], 3, "text", whole | {"headers": 3}, whole | {"headers": [["A"]]}, whole | {"envelope": None}),
        *(whole | {"findings": [one]} for one in bad_findings),
        whole | {"envelope": envelope().to_dict() | {"received_at": "yesterday"}},
    ]


@pytest.mark.parametrize("data", damaged(), ids=str)
def test_a_damaged_note_is_none(notes: Notes, tmp_path: Path, data: Any) -> None:
    notes.write([ADDRESS], NOTE)
    (path,) = (tmp_path / "redirections").iterdir()
    write_json(path, data)
    assert notes.read(ADDRESS) is None


def test_half_a_note_is_none(notes: Notes, tmp_path: Path) -> None:
    notes.write([ADDRESS], NOTE)
    (path,) = (tmp_path / "redirections").iterdir()
    path.write_bytes(path.read_bytes()[:40])
    assert notes.read(ADDRESS) is None


def test_a_note_that_cannot_be_written_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        Notes(tmp_path / "file").write([ADDRESS], NOTE)
    assert "no note for" in caplog.text


def test_only_old_notes_expire(notes: Notes, tmp_path: Path) -> None:
    assert notes.expire() == 0  # there is no folder yet
    notes.write([ADDRESS], NOTE)
    assert notes.expire() == 0
    (path,) = (tmp_path / "redirections").iterdir()
    old = time.time() - KEEP_SECONDS - 60
    os.utime(path, (old, old))
    assert notes.expire() == 1
    assert notes.read(ADDRESS) is None


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_an_earlier_version_left_is_read_dropped_and_expired(notes: Notes, tmp_path: Path) -> None:
    before = Notes(tmp_path / "detours")
    before.write([ADDRESS], NOTE)
    assert notes.read(ADDRESS) == before.read(ADDRESS) == NOTE
    newer = replace(NOTE, tag="newer ")
    notes.write([ADDRESS], newer)
    assert (notes.read(ADDRESS), before.read(ADDRESS)) == (newer, NOTE)
    notes.drop(ADDRESS)
    assert (notes.read(ADDRESS), before.read(ADDRESS)) == (None, None)
    before.write([ADDRESS], NOTE)
    (path,) = (tmp_path / "detours").iterdir()
    long_ago = time.time() - KEEP_SECONDS - 60
    os.utime(path, (long_ago, long_ago))
    assert notes.expire() == 1
    assert not path.exists()

"""What a reader says by moving a message, from the report to the labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamis.handover.junk_moves import leave_word, take_in_words, waiting_words
from tamis.installation.paths import Paths
from tamis.message.mail import Mail
from tamis.models.reports import Label, Report
from tamis.settings import read_settings
from tamis.store import Store
from tests.database.test_labels import counted, story
from tests.database.test_statistics import HAM, HELD, HUGO, MARIE


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    file = tmp_path / "tamis.toml"
    file.write_text(f'state_directory = "{tmp_path}"\nrun_directory = "{tmp_path}"\n', encoding="utf-8")
    return Paths(read_settings(file).settings)


def move(paths: Paths, label: Label, *fields: str, reader: str = MARIE) -> None:
    raw = "\r\n".join((*fields, "", "text")).encode()
    leave_word(paths, Report(label, "dovecot", reader, raw, Path()), Mail(raw), "X-Spam-")


def take_in(paths: Paths, store: Store) -> None:
    take_in_words(waiting_words(paths), store.labels)
    assert waiting_words(paths) == []


@pytest.mark.parametrize("field", ["X-Spam-Id: t1", "Message-ID: <1@x>", "Message-Id:  <1@x> "])
def test_a_move_to_junk_counts_and_can_be_taken_back(paths: Paths, store: Store, field: str) -> None:
    store.history.add([("a:0", story(HAM))])
    move(paths, "spam", field)
    take_in(paths, store)
    assert counted(store) == [("", "unwanted_passed", 1)]
    move(paths, "ham", field)
    take_in(paths, store)
    assert counted(store) == [("", "wanted_passed", 1)]
    move(paths, "forget", field)
    take_in(paths, store)
    assert counted(store) == []


def test_nobody_speaks_of_somebody_elses_copy(paths: Paths, store: Store) -> None:
    store.history.add([("a:0", story(HELD))])
    for fields in (["X-Spam-Id: t1"], ["Message-ID: <1@x>"]):
        move(paths, "ham", *fields, reader=HUGO)
    for fields in (["X-Spam-Id: t9"], ["X-Spam-Id: " + "t" * 2000], ["Message-ID:"], [], ["X-Spam-Id: \0"]):
        move(paths, "ham", *fields)
    take_in(paths, store)
    assert counted(store) == []
    assert store.labels.of("t1") == []
    assert store.labels.of("t9") == []

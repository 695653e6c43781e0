"""Corpora: every kind of store is read as mail, in a fixed order."""

import mailbox
import os
from pathlib import Path

import pytest

from tamis.models.corpora import MAX_OCTETS, CorpusError, Place, found, indexed, shuffled
from tests.models.mails import raw_mail

MBOX = b"".join(
    b"From a@b.example Mon Sep  2 10:00:00 2002\nSubject: %d\n\nFrom here on, text.\n\nFrom me to you\n\n" % n
    for n in range(3)
)


def subjects(places: list[Place]) -> list[str | None]:
    return [place.read().subject for place in places]


def test_an_index_is_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "data" / "one two").write_bytes(b"Subject: 1\n\n")
    (tmp_path / "data" / "2").write_bytes(b"From x Mon Sep  2 10:00:00 2002\nSubject: 2\n\n")
    (tmp_path / "full" / "index").write_text("spam ../data/one two\n\nHAM ../data/2\n")
    places = indexed(tmp_path / "full" / "index")
    assert subjects(places) == ["1", "2"]
    assert [place.spam for place in places] == [True, False]


@pytest.mark.parametrize("line", ["spam", "junk x", "spam ", "x"])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "index").write_text(f"ham a\n{line}\n")
    with pytest.raises(CorpusError, match="line 2"):
        indexed(tmp_path / "index")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nowhere"):
        indexed(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="nowhere"):
        found([tmp_path / "nowhere"], spam=True)


def test_an_mbox_is_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "mbox").write_bytes(MBOX)
    places = found([tmp_path / "mbox"], spam=False)
    assert subjects(places) == ["0", "1", "2"]
    assert all(place.read().text.count("From") == 2 for place in places)
    assert len({place.name for place in places}) == 3
    (tmp_path / "crlf").write_bytes(MBOX.replace(b"\n", b"\r\n"))
    assert subjects(found([tmp_path / "crlf"], spam=False)) == ["0", "1", "2"]


def test_an_mbox_as_python_writes_it(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "mbox")
    for number in range(4):
        box.add(raw_mail(number, spam=True))
    box.close()
    assert len(found([tmp_path / "mbox"], spam=True)) == 4


def test_a_maildir_has_cur_and_new(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / ".Junk"):
        for name in ("cur", "new", "tmp"):
            (folder / name).mkdir(parents=True)
            (folder / name / f"1.{name}").write_bytes(f"Subject: {folder.name[:5]}/{name}\n\n".encode())
    (tmp_path / "dovecot.index").write_bytes(b"no mail")
    found_ = subjects(found([tmp_path], spam=False))
    assert found_ == [f"{tmp_path.name[:5]}/cur", f"{tmp_path.name[:5]}/new", ".Junk/cur", ".Junk/new"]


def test_folders_are_read_in_order(tmp_path: Path) -> None:
    for name in ("b/2", "a/1", "c", "b/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(f"Subject: {name}\n\n".encode())
    assert subjects(found([tmp_path], spam=True)) == ["a/1", "b/2", "c"]


def test_a_large_message_is_cut(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"Subject: big\n\n" + b"x" * (MAX_OCTETS + 100))
    mail = Place(tmp_path / "big", spam=True).read()
    assert not mail.complete
    assert len(mail.raw) == MAX_OCTETS
    assert mail.size == MAX_OCTETS + 114


def test_shuffling_is_repeatable(tmp_path: Path) -> None:
    places = [Place(tmp_path / str(n), n % 2 == 0) for n in range(100)]
    assert shuffled(places, 1) == shuffled(places, 1) != shuffled(places, 2)
    assert sorted(shuffled(places, 1), key=lambda p: int(p.path.name)) == places
    assert [int(p.path.name) for p in shuffled(places, 1)][:4] == [53, 37, 65, 51]


def test_an_empty_file_and_a_device_are_no_crash(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    places = found([tmp_path], spam=False)
    assert [place.path.name for place in places] == ["empty"]
    assert places[0].read().raw == b""
    with pytest.raises(OSError, match="regular"):
        Place(tmp_path / "pipe", spam=False).read()

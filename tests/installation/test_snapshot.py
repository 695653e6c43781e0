"""The snapshot of policy and lists: what all processes go by is what the store says, whatever happens to its files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text, update

from tamis.base.errors import StoreError
from tamis.contract.list_index import ListIndex
from tamis.contract.lists import Colour, Entry, Subject, normalise_pattern
from tamis.database.list_entries import MOST_NAMED, NewEntry, changed
from tamis.database.schema import EntryRow
from tamis.installation import publishing
from tamis.installation.entry_file import EntryFile
from tamis.installation.publishing import Publisher
from tamis.installation.snapshot import SnapshotReader, read_snapshot, write_base, write_snapshot
from tamis.judging.stored_policy import Override, Snapshot, by_scope
from tamis.message.address import PLATFORM
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail
from tamis.store import Store
from tests.builders import NOW
from tests.fresh_store import lay_down

FINGERPRINTS = ("0" * 64, "f" * 64)
LIKENESSES = ("0" * 32, "0" * 31 + "1", "f" * 32)
SENDERS = (
    "ann@example.net",
    "example.net",
    "*.example.net",
    "a*@example.net",
    "ex?mple.*",
    "*.a*.example.net",
)
CLIENTS = ("192.0.2.7", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::1", "2001:db8::/32")
SCOPES = (PLATFORM, "example.com", "marie@example.com")
MAILS = [
    Mail(f"From: {author}\r\n\r\nx\r\n".encode())
    for author in ("ann@example.net", "bob@sub.example.net", "ann@deep.a1.example.net", "x@example.org")
]
CLIENT_OF = ("192.0.2.7", "192.0.2.8", "198.51.100.1", "2001:db8::1", "2001:db9::1")


def good(*_: object) -> None:
    """Any override is good."""


def new(pattern: str, subject: Subject = Subject.SENDER, colour: str = "black", **more: Any) -> NewEntry:
    """An entry to be added."""
    return NewEntry(colour=Colour(colour), subject=subject, pattern=pattern, **more)


def answers(index: ListIndex, now: datetime = NOW) -> list[Any]:
    """What an index says to each question that a message can ask, for the recipient and for others."""
    said: list[Any] = [list(index)]
    for scopes in (frozenset(SCOPES), frozenset(SCOPES[:1])):
        for client, mail in ((client, mail) for client in CLIENT_OF for mail in MAILS):
            told = Envelope(client_ip=client, sender=mail.some_authors[0].address, received_at=now)
            said.append(sorted(map(repr, index.matches(told, mail, scopes))))
        said += [index.fingerprints(Subject.ATTACHMENT, one, scopes, now) for one in FINGERPRINTS]
        said += [index.fingerprints(Subject.IMAGE, one, scopes, now) for one in (*FINGERPRINTS, *LIKENESSES)]
        said += [index.alike(one, 1, scopes, now) for one in LIKENESSES]
    return said


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store's file, ready to be copied."""
    path = tmp_path_factory.mktemp("store") / "tamis.sqlite"
    lay_down(path)
    return path


class Installation:
    """A store, one who publishes, and a process that reads."""

    def __init__(self, folder: Path, empty: Path) -> None:
        shutil.copyfile(empty, folder / "tamis.sqlite")
        self.path = folder / "snapshot" / "changes"
        self.store = Store(f"sqlite:///{folder / 'tamis.sqlite'}")
        self.publisher = Publisher(self.path, self.store)
        self.reader = SnapshotReader(self.path)

    def truth(self) -> Snapshot:
        """What the store says."""
        return self.store.snapshot()

    def agree(self) -> None:
        """The reader says what the store says."""
        truth, view = self.truth(), self.reader.read()
        assert (view.revision, view.mark) == (truth.revision, truth.mark)
        assert view.overrides == by_scope(truth.overrides)
        assert answers(view.lists) == answers(ListIndex(truth.entries))


@pytest.fixture
def here(tmp_path: Path, empty_store: Path) -> Iterator[Installation]:
    """An installation with two entries, published."""
    made = Installation(tmp_path, empty_store)
    made.store.lists.add([new("ann@example.net"), new("192.0.2.0/24", Subject.IP, "white")], now=NOW)
    made.publisher.publish()
    made.agree()
    yield made
    made.store.close()


PATTERNS = st.one_of(
    st.tuples(st.just(Subject.SENDER), st.sampled_from(SENDERS)),
    st.tuples(st.just(Subject.IP), st.sampled_from(CLIENTS)),
    st.tuples(st.just(Subject.ATTACHMENT), st.sampled_from(FINGERPRINTS)),
    st.tuples(st.just(Subject.IMAGE), st.sampled_from((*FINGERPRINTS, *LIKENESSES))),
)
EXPIRIES = st.sampled_from(
    (None, NOW - timedelta(days=1), NOW + timedelta(microseconds=1), NOW + timedelta(days=1))
)


class AnyChanges(RuleBasedStateMachine):
    """Whatever is done to the store and to the files, and however seldom a process reads: it says what the store says
    after the next publishing, and what it had from before stays as it was."""

    empty: Path
    folder: Path
    number = 0

    @initialize()
    def begin(self) -> None:
        AnyChanges.number += 1
        folder = self.folder / str(AnyChanges.number)
        folder.mkdir()
        self.at = Installation(folder, self.empty)
        self.before: list[tuple[ListIndex, list[Any]]] = []
        self.publish()

    @rule(
        entries=st.lists(
            st.tuples(PATTERNS, st.sampled_from(SCOPES), st.sampled_from(Colour), EXPIRIES), max_size=4
        )
    )
    def add(self, entries: list[Any]) -> None:
        self.at.store.lists.add(
            [
                NewEntry(colour=colour, subject=subject, pattern=pattern, scope=scope, expires=expires)
                for (subject, pattern), scope, colour, expires in entries
            ],
            now=NOW,
        )

    @rule(which=st.integers(0, 40), many=st.integers(1, 3))
    def remove(self, which: int, many: int) -> None:
        self.at.store.lists.remove(range(which, which + many), by="root")

    @rule(later=st.sampled_from((0, 2)))
    def expire(self, later: int) -> None:
        self.at.store.expiry.run(NOW + timedelta(days=later))

    @rule(which=st.integers(1, 40), to=PATTERNS, scope=st.sampled_from(SCOPES), named=st.booleans())
    def rename(self, which: int, to: tuple[Subject, str], scope: str, named: bool) -> None:
        """In its place, as a migration does; it may name what it changes."""
        subject, pattern = to[0], normalise_pattern(*to)
        with self.at.store._database.write() as session:
            same = session.query(EntryRow).filter_by(scope=scope, subject=str(subject), pattern=pattern)
            if same.count():
                return
            changed(session, entries=[which] if named else None)
            values = {"subject": str(subject), "pattern": pattern, "scope": scope}
            session.execute(update(EntryRow).where(EntryRow.id == which).values(values))

    @rule(which=st.integers(1, 40))
    def change_by_an_older_version(self, which: int) -> None:
        """Which tells of nothing but the revision."""
        with self.at.store._database.write() as session:
            session.execute(text("UPDATE revision SET value = value + 1"))
            session.execute(text("UPDATE list_entries SET expires = NULL WHERE id = :id"), {"id": which})

    @rule(
        scope=st.sampled_from(SCOPES),
        key=st.sampled_from(("required", "filters.x.y")),
        value=st.integers(0, 9),
    )
    def override(self, scope: str, key: str, value: int) -> None:
        self.at.store.overrides.set(scope, key, value, by="root", check=good)

    @rule(scope=st.sampled_from(SCOPES), key=st.sampled_from(("required", "filters.x.y")))
    def take_back(self, scope: str, key: str) -> None:
        self.at.store.overrides.unset(scope, key, by="root", check=good)

    @rule()
    def publish(self) -> None:
        self.at.publisher.publish()

    @rule()
    def publish_from_another_process(self) -> None:
        Publisher(self.at.path, self.at.store).publish()

    @rule(most=st.sampled_from((1, 3, 10_000)))
    def publish_with_little_room(self, most: int) -> None:
        kept, publishing.MOST_CHANGES = publishing.MOST_CHANGES, most
        try:
            self.at.publisher.publish()
        finally:
            publishing.MOST_CHANGES = kept

    @rule(octets=st.integers(1, 60))
    def truncate_changes(self, octets: int) -> None:
        size = self.at.path.stat().st_size
        os.truncate(self.at.path, max(0, size - octets))

    @rule(garbage=st.binary(min_size=1, max_size=20))
    def write_too_much(self, garbage: bytes) -> None:
        with self.at.path.open("ab") as file:
            file.write(garbage)

    @rule(at=st.integers(0, 10_000))
    def flip_an_octet_of_the_changes(self, at: int) -> None:
        data = bytearray(self.at.path.read_bytes())
        if data:
            data[at % len(data)] ^= 0x41
            self.at.path.write_bytes(data)

    @rule()
    def lose_the_changes(self) -> None:
        self.at.path.unlink(missing_ok=True)
        self.at.publisher.publish()

    @rule()
    def lose_the_base(self) -> None:
        for base in self.at.path.parent.glob("base-*"):
            base.unlink()

    @precondition(lambda self: len(self.before) < 4)
    @rule()
    def read(self) -> None:
        self.at.publisher.publish()
        self.at.agree()
        lists = self.at.reader.read().lists
        self.before.append((lists, answers(lists)))

    @rule()
    def read_meanwhile(self) -> None:
        """What stands there, which may be damaged, and is then no answer; never anything but what the store said."""
        try:
            self.at.reader.read()
        except StoreError:
            return

    @invariant()
    def who_read_before_sees_the_same(self) -> None:
        for lists, said in getattr(self, "before", ())[-1:]:
            assert answers(lists) == said

    def teardown(self) -> None:
        if hasattr(self, "at"):
            self.at.publisher.publish()
            self.at.agree()
            read_anew = SnapshotReader(self.at.path).read()
            assert answers(read_anew.lists) == answers(ListIndex(self.at.truth().entries))
            for lists, said in self.before:
                assert answers(lists) == said
            self.at.store.close()


def test_any_changes(tmp_path: Path, empty_store: Path) -> None:
    AnyChanges.empty, AnyChanges.folder = empty_store, tmp_path
    case = hypothesis_settings(
        derandomize=True,
        deadline=None,
        max_examples=20,
        stateful_step_count=25,
        database=None,
    )
    run_state_machine_as_test(AnyChanges, settings=case)


def test_a_change_is_appended_and_costs_no_new_base(here: Installation) -> None:
    (base,) = here.path.parent.glob("base-*")
    size = here.path.stat().st_size
    for number in range(5):
        here.store.lists.add([new(f"n{number}.example.net")])
        here.store.overrides.set("example.com", "required", number, by="root", check=good)
        here.publisher.publish()
        here.agree()
    assert list(here.path.parent.glob("base-*")) == [base]
    assert size < here.path.stat().st_size < size + 5_000


def test_nothing_is_written_when_nothing_changed(here: Installation) -> None:
    before = here.path.stat()
    here.publisher.publish()
    Publisher(here.path, here.store).publish()  # after a restart
    assert here.path.stat() == before


def test_where_it_is_not_known_what_changed_everything_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(100_000))

    def add(many: int = 1) -> None:
        store.lists.add(new(f"n{next(numbers)}.example.com") for _ in range(many))

    add()
    revision, mark = store.head()
    add()
    delta = store.changes_since(revision, mark)
    assert delta is not None
    assert ([one.pattern for one in delta.entries], delta.revision) == (["n1.example.com"], revision + 1)
    assert store.changes_since(revision, "of another store") is None
    assert store.changes_since(revision + 5, mark) is None
    assert store.changes_since(revision - 1, "") is None

    revision, mark = store.head()
    with store._database.write() as session:
        session.execute(text("UPDATE revision SET value = value + 1"))
    add()
    assert store.changes_since(revision, mark) is None  # one of between is missing

    revision, mark = store.head()
    with store._database.write() as session:
        changed(session)
    assert store.changes_since(revision, mark) is None  # one does not say

    revision, mark = store.head()
    add(MOST_NAMED + 1)
    assert store.changes_since(revision, mark) is None

    revision, mark = store.head()
    for _ in range(3):
        add()
    assert store.changes_since(revision, mark) is not None
    monkeypatch.setattr("tamis.database.list_entries._KEPT", 2)
    add()
    assert store.changes_since(revision, mark) is None  # it is too long ago


def test_a_store_from_a_backup_is_no_later_revision_of_what_it_was(
    here: Installation, tmp_path: Path
) -> None:
    """Even when it has come as far again: its revisions are others of the same number."""
    backup = tmp_path / "backup.sqlite"
    with closing(sqlite3.connect(tmp_path / "tamis.sqlite")) as connection:
        connection.execute(f"VACUUM INTO '{backup}'")
    here.store.lists.add([new("lost.example.net")])
    here.publisher.publish()
    here.store.close()
    for name in ("tamis.sqlite-wal", "tamis.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copyfile(backup, tmp_path / "tamis.sqlite")
    here.store.lists.add([new("kept.example.net")])
    here.publisher.publish()
    here.agree()
    assert "lost.example.net" not in [one.pattern for one in here.reader.read().lists]


def test_each_number_of_octets_of_a_last_record_that_was_not_written(here: Installation) -> None:
    """A writer that is killed: what stood before is in force, and the next one makes it whole."""
    whole = here.path.read_bytes()
    before = answers(here.reader.read().lists)
    here.store.lists.add([new("example.org")])
    here.publisher.publish()
    longer = here.path.read_bytes()
    for length in range(len(whole) + 1, len(longer)):
        here.path.write_bytes(longer[:length])
        reader = SnapshotReader(here.path)
        assert answers(reader.read().lists) == before
        assert reader.is_torn
    here.path.write_bytes(longer[: len(longer) - 1])
    Publisher(here.path, here.store).publish()
    here.reader = SnapshotReader(here.path)
    here.agree()


def test_a_process_that_has_read_further_goes_not_back(here: Installation) -> None:
    whole = here.path.read_bytes()
    here.store.lists.add([new("example.org")])
    here.publisher.publish()
    here.agree()
    os.truncate(here.path, len(whole))
    with pytest.raises(StoreError, match="shorter"):
        here.reader.read()
    here.publisher.publish()
    here.agree()


def test_a_damaged_octet_of_the_base_is_found(here: Installation) -> None:
    (base,) = here.path.parent.glob("base-*")
    whole = base.read_bytes()
    for at in range(0, len(whole), 3):
        other = base.with_name("other")
        other.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        other.replace(base)  # those who have it mapped keep the good one
        with pytest.raises(StoreError):
            read_snapshot(here.path)
    with pytest.raises(StoreError):
        here.reader.read()
    here.publisher.publish()
    here.agree()


def test_a_base_that_is_cut_off_is_made_anew(here: Installation) -> None:
    (base,) = here.path.parent.glob("base-*")
    base.write_bytes(base.read_bytes()[:-1])
    with pytest.raises(StoreError, match="not whole"):
        read_snapshot(here.path)
    here.publisher.publish()
    here.agree()


@pytest.mark.parametrize("calls", range(1, 5))
def test_a_writer_that_is_killed_between_any_two_steps(here: Installation, calls: int) -> None:
    """Of making a new base: who reads has the old one or the new one, and the next writer sees to the rest."""
    here.store.lists.add([new("example.org")])
    before = answers(SnapshotReader(here.path).read().lists)
    pid = os.fork()
    if pid == 0:
        _die_at(calls)
        _rebuild(here)
        os._exit(0)
    os.waitpid(pid, 0)
    after = answers(ListIndex(here.truth().entries))
    assert answers(SnapshotReader(here.path).read().lists) in (before, after)
    Publisher(here.path, here.store).publish()
    here.reader = SnapshotReader(here.path)
    here.agree()
    _rebuild(here)
    assert len(list(here.path.parent.iterdir())) == 3  # the base, the changes and the lock


def _die_at(calls: int) -> None:
    """This process, at the so manieth call that makes something last."""
    left = [calls]

    def dying(does: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any, **more: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                os._exit(9)
            return does(*arguments, **more)

        return instead

    os.fsync = dying(os.fsync)
    Path.replace = dying(Path.replace)  # type: ignore[method-assign]


def _rebuild(here: Installation) -> None:
    with here.store.all_of_it() as (said, entries):
        write_base(here.path, said.revision, said.mark, said.overrides, entries)


def test_a_snapshot_that_is_replaced_while_it_is_read(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its base is gone when the reader, who has read its name, looks for it: then there is another one."""
    opened: list[Path] = []

    def opening(path: Path) -> EntryFile:
        opened.append(path)
        if len(opened) == 1:
            _rebuild(here)
        return EntryFile(path)

    monkeypatch.setattr("tamis.installation.snapshot.EntryFile", opening)
    assert answers(SnapshotReader(here.path).read().lists) == answers(here.reader.read().lists)
    assert opened[0] != opened[1]


def test_two_processes_publish_at_once(here: Installation) -> None:
    """Whoever comes second goes on from what the first one wrote."""
    pids = []
    for who in range(2):
        pid = os.fork()
        if pid == 0:
            with Store(here.store._database.engine.url.render_as_string()) as store:
                publisher = Publisher(here.path, store)
                for number in range(8):
                    store.lists.add([new(f"n{number}.p{who}.example.net")])
                    publisher.publish()
            os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
    here.publisher.publish()
    here.agree()
    assert len(list(here.reader.read().lists)) == 18


def test_what_another_version_wrote_is_made_anew(here: Installation) -> None:
    older = here.path.with_name("older")
    older.write_bytes(b'{"format": 1, "revision": 1, "overrides": [], "entries": {}}')
    older.replace(here.path)
    with pytest.raises(StoreError):
        read_snapshot(here.path)
    here.publisher.publish()
    here.agree()


def test_a_snapshot_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "snapshot" / "changes"
    entries = (
        Entry(
            id=3,
            scope=PLATFORM,
            colour=Colour.BLACK,
            subject=Subject.SENDER,
            pattern="é.example",
            expires=NOW,
        ),
        Entry(id=7, scope="b@é.example", colour=Colour.WHITE, subject=Subject.IP, pattern="2001:db8::/32"),
    )
    overrides = (
        Override("example.com", "filters.x.names", ["é", 1.5, True]),
        Override(PLATFORM, "required", 3),
    )
    write_snapshot(path, Snapshot(4, overrides, entries, "m"))
    assert read_snapshot(path) == Snapshot(4, overrides, entries, "m")
    assert [stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()] == [0o640, 0o640]


def test_a_snapshot_that_cannot_be_used_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "changes"
    with pytest.raises(StoreError):
        read_snapshot(path)
    for damage in (b"", b"\xff", b"{}", b"[]", b'{"format": 2}', bytes(100)):
        path.write_bytes(damage)
        with pytest.raises(StoreError):
            read_snapshot(path)
    (tmp_path / "directory").mkdir()
    with pytest.raises(StoreError):
        write_snapshot(tmp_path / "directory", Snapshot())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["changes", "directory"]


def test_a_worker_that_reads_a_snapshot_loads_no_database_code(tmp_path: Path) -> None:
    path = tmp_path / "changes"
    write_snapshot(path, Snapshot())
    program = (
        "import sys; from pathlib import Path; from tamis.installation.snapshot import read_snapshot; "
        f"read_snapshot(Path({str(path)!r})); "
        "print([m for m in ('sqlalchemy', 'alembic', 'psycopg', 'sqlite3') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_many_entries_with_the_same_hash_are_told_apart(tmp_path: Path) -> None:
    """CRC-32 is no secret: whoever knows how can make others that have the same."""
    path = tmp_path / "changes"
    entries = tuple(
        Entry(id=n, scope=PLATFORM, colour=Colour.BLACK, subject=Subject.SENDER, pattern=f"{n}.example")
        for n in range(5_000)
    )
    write_snapshot(path, Snapshot(1, (), entries))
    lists = SnapshotReader(path).read().lists
    for entry in entries[::7]:
        told = Envelope(sender=f"a@{entry.pattern}", received_at=NOW)
        (match,) = lists.matches(told, MAILS[3], frozenset({PLATFORM}))
        assert match.entry == entry.id
    told = Envelope(sender="a@5000.example", received_at=NOW)
    assert lists.matches(told, MAILS[3], frozenset({PLATFORM})) == ()
    assert tuple(lists) == entries
    assert replace(entries[0], expires=datetime.now(UTC)) not in lists

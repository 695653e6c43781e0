"""Migrations from many processes, outages, full disks, and processes killed at the worst moment."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import IO

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, func, insert, select, text

from tamis.base.errors import ConfigError, SchemaError, StoreError
from tamis.database.connection import Database
from tamis.database.migrate import migrate
from tamis.database.schema import Base, Body, DetailsRow, LooseBody, MessageRow
from tamis.message.envelope import Recipient
from tamis.quarantine.content import digest_of
from tamis.quarantine.held_mail import STALE_RELEASE
from tamis.quarantine.records import Done, HeldState
from tamis.store import Store
from tests.quarantine.samples import CONTENT, NOW, Postbox, held
from tests.real.databases import PrivatePostgres


def test_the_migrations_make_what_the_models_say(store: Store, url: str) -> None:
    database = Database(url)
    with database.connect() as connection:
        # indexes for searching, of another kind in each database, are the migrations' affair alone
        searching = re.compile("ix_messages_search|ix_history_messages_words|history_words.*")
        theirs = {"include_name": lambda name, *_: name is None or searching.fullmatch(name) is None}
        theirs["include_object"] = lambda _one, name, *_: searching.fullmatch(name) is None
        context = MigrationContext.configure(connection, opts=theirs)
        found = compare_metadata(context, Base.metadata)
    database.close()
    assert found == []


def test_mail_that_was_held_before_is_migrated_with_the_store(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(f"sqlite:///{tmp_path / 'new'}") as new:
        new.migrate()
        message = new.quarantine.hold(held(), CONTENT, now=NOW)
    upgrade = command.upgrade
    with (
        closing(Database(f"sqlite:///{tmp_path / 'new'}")) as source,
        closing(Database(url)) as target,
    ):
        with monkeypatch.context() as old:
            old.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, "0003"))
            migrate(target)
        with source.read() as session, target.write() as before:
            tables = MetaData()
            tables.reflect(before.connection())
            for table in (Base.metadata.tables[name] for name in ("bodies", "messages")):
                known = tables.tables[table.name].columns.keys()
                columns = [column for column in table.columns if column.name in known]
                for row in session.execute(select(*columns)):
                    before.execute(insert(table), dict(row._mapping))  # its public name
            former = {
                "id": message,
                "recipient": ["Marie@example.com", ["NOTIFY=NEVER"]],
                "envelope": held().envelope.to_dict() | {"return_path": "SRS0=a@example.net"},
                "findings": list(held().findings),
                "verdict": {"decision": "spam"},
            }
            before.execute(insert(tables.tables["details"]), former)
    with Store(url) as store:
        store.migrate()
        assert [one.id for one in store.quarantine.list(text="win")] == [message]
        assert [copy.message for copy in store.challenges.undecided(held_before=NOW)] == [message]
        box = Postbox()
        assert store.quarantine.release(message, "test", box) is Done.DONE
        ((record, content),) = box.got
        assert content == CONTENT
        assert record.recipients == (Recipient("Marie@example.com", ("NOTIFY=NEVER",)),)
        assert record.return_path == "SRS0=a@example.net"
        assert record.findings == held().findings
        assert record.verdict == {"decision": "spam"}


def test_many_processes_migrate_at_once(url: str) -> None:
    program = f"from tamis.store import Store\nwith Store({url!r}) as s: s.migrate(); s.revision()"
    children = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(6)]
    assert [child.communicate(timeout=120)[1] for child in children] == [b""] * 6
    assert [child.returncode for child in children] == [0] * 6
    with Store(url) as store:
        store.migrate()
        assert store.revision() == 0


def test_a_store_that_is_up_to_date_does_not_load_alembic(store: Store, url: str) -> None:
    program = (
        f"import sys\nfrom tamis.store import Store\nwith Store({url!r}) as s: s.migrate()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(("oldest", "goes_on"), [("9999", False), ("0001", True), (None, False)])
def test_a_store_of_a_newer_version_says_who_can_go_on_with_it(
    store: Store, url: str, oldest: str | None, goes_on: bool
) -> None:
    with closing(Database(url)) as database, database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        session.execute(text("DELETE FROM facts WHERE name = 'oldest_schema'"))
        if oldest:
            session.execute(text("INSERT INTO facts VALUES ('oldest_schema', :oldest)"), {"oldest": oldest})
    if goes_on:
        store.migrate()
    else:
        with pytest.raises(SchemaError, match="newer version"):
            store.migrate()


def test_without_tables_every_call_is_a_store_error(url: str) -> None:
    with Store(url) as store, pytest.raises(StoreError):
        store.quarantine.hold(held(), CONTENT)


@pytest.mark.parametrize("url", ["", "no url", "mysql://x:secret@h/d", "postgresql+asyncpg://x:secret@h/d"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url") as refused:
        Store(url)
    assert "secret" not in str(refused.value)


def test_a_short_postgresql_url_will_do() -> None:
    with Store("postgresql://nobody@127.0.0.1:1/x") as store, pytest.raises(StoreError):
        store.revision()


def test_an_sqlite_file_is_private_and_crash_safe(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with Store(f"sqlite:///{tmp_path / 'x.sqlite'}") as store:
        store.migrate()
        assert not store.is_missing()
    assert stat.S_IMODE((tmp_path / "x.sqlite").stat().st_mode) == 0o600
    with database.read() as session:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [session.scalar(text(f"PRAGMA {name}")) for name in pragmas]
    assert found == ["wal", 2, 1, 10_000]
    database.close()
    with Store(f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite'}") as store:
        assert store.is_missing()
        with pytest.raises(StoreError):
            store.migrate()


@pytest.fixture
def outage() -> Iterator[PrivatePostgres]:
    with PrivatePostgres() as server:
        yield server


@pytest.mark.real
def test_a_database_that_went_away_and_came_back(outage: PrivatePostgres) -> None:
    with Store(outage.url) as store:
        store.migrate()
        first = store.quarantine.hold(held("1"), CONTENT)
        outage.stop()
        for _ in range(3):
            with pytest.raises(StoreError):
                store.quarantine.hold(held("2"), CONTENT)
        outage.start()
        assert store.quarantine.hold(held("2"), CONTENT) != first
        assert store.quarantine.count() == 2

        def fall(*_: object) -> str:
            outage.stop()
            return ""

        with pytest.raises(StoreError):  # delivered, but nobody could note it: taken up again later
            store.quarantine.release(first, "root", fall)
        outage.start()
        postbox = Postbox()
        later = NOW.now(NOW.tzinfo) + STALE_RELEASE
        assert store.quarantine.resume_releases(postbox, now=later) == ((first, ""),)
        assert len(postbox.got) == 1


def test_a_full_disk_loses_nothing_and_holds_again_when_there_is_room(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    with Store(url) as store:
        store.migrate()
        first = store.quarantine.hold(held("first"), CONTENT)
        pages = Database(url)
        with pages.read() as session:
            used = session.scalar(text("PRAGMA page_count"))
        pages.close()
        assert isinstance(used, int)
        with limited(store, used + 20):
            with pytest.raises(StoreError, match="full"):
                store.quarantine.hold(held("big"), os.urandom(500_000))
            assert store.quarantine.content(first) == CONTENT
        assert len(store.quarantine.list()) == 1
        assert orphans(url) == (0, 0)
        big = store.quarantine.hold(held("big"), content := os.urandom(500_000))
        assert store.quarantine.content(big) == content


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.5 MiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1536k", "tamis-test", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.real
def test_a_small_file_system_fills_up_and_is_made_room_on(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk / 'x.sqlite'}"
    with Store(url) as store:
        store.migrate()
        bodies: dict[str, bytes] = {}

        def fill() -> None:
            for n in range(100):
                content = os.urandom(20_000)
                bodies[store.quarantine.hold(held(f"t{n}"), content)] = content

        with pytest.raises(StoreError):
            fill()
        assert 5 < len(bodies) == store.quarantine.count()
        assert all(store.quarantine.content(number) == content for number, content in bodies.items())
        assert orphans(url) == (0, 0)
        subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
        number = store.quarantine.hold(held("more"), content := os.urandom(200_000))
        assert store.quarantine.content(number) == content


class limited:  # noqa: N801 # reads as a statement
    """Every connection of the store may use only so many pages: SQLite then says that the disk is full."""

    def __init__(self, store: Store, pages: int) -> None:
        self._engine = store._database.engine
        self._pages = pages

    def __enter__(self) -> None:
        self._set(self._pages)

    def __exit__(self, *_: object) -> None:
        self._set(2**31)

    def _set(self, pages: int) -> None:
        connection = self._engine.raw_connection()  # the pool has this one, and a test is one thread
        connection.cursor().execute(f"PRAGMA max_page_count = {pages}")
        connection.close()


def orphans(url: str) -> tuple[int, int]:
    """Bodies without message that no clean-up will find, and messages without their body or details."""
    database = Database(url)
    with database.read() as session:
        contents = select(MessageRow.body).where(MessageRow.body.is_not(None))
        findings = select(DetailsRow.findings_body).where(DetailsRow.findings_body.is_not(None))
        used = contents.union(findings)
        forgotten = session.scalar(
            select(func.count())
            .select_from(Body)
            .where(Body.digest.not_in(used), Body.digest.not_in(select(LooseBody.digest)))
        )
        broken = session.scalar(
            select(func.count())
            .select_from(MessageRow)
            .where(
                MessageRow.state.in_([HeldState.HELD, HeldState.RELEASING])
                & (MessageRow.body.is_(None) | MessageRow.id.not_in(select(DetailsRow.id)))
            )
        )
    database.close()
    assert forgotten is not None
    assert broken is not None
    return forgotten, broken


def test_holding_and_clean_up_race_for_one_body(store: Store, url: str) -> None:
    """The same content again and again: its body is orphaned and wanted at every moment."""
    stop: list[bool] = []

    def hold(thread: int) -> None:
        for n in range(40):
            number = store.quarantine.hold(held(f"{thread}-{n}"), CONTENT)
            assert store.quarantine.content(number) == CONTENT
            assert store.quarantine.delete(number, "root", now=NOW) is Done.DONE  # out of the bin by now

    def sweep(_: int) -> None:
        while not stop:
            store.expiry.run()

    with ThreadPoolExecutor(6) as pool:
        sweepers = [pool.submit(sweep, n) for n in range(2)]
        holders = [pool.submit(hold, n) for n in range(4)]
        for holder in holders:
            holder.result(120)
        stop.append(True)
        for sweeper in sweepers:
            sweeper.result(120)
    store.expiry.run()
    assert orphans(url) == (0, 0)


def test_many_processes_hold_the_same_copy(store: Store, url: str) -> None:
    program = worker(
        url, "print(store.quarantine.hold(held(f'same{n}'), CONTENT), flush=True)", "for n in range(20):"
    )
    children = [subprocess.Popen(program, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {child.communicate(timeout=120)[0] for child in children}
    assert len(answers) == 1
    assert store.quarantine.count() == 20


KILLED = {
    "hold": "number = store.quarantine.hold(held(f't{n}'), CONTENT + b'%d' % (n % 3)); print(number, flush=True)",
    "release": "number = ids[n]; store.quarantine.release(number, 'root', post); print(number, flush=True)",
    "expire": "store.expiry.run(LATER, batch=1) if not n else None; print(n, flush=True)",
}


@pytest.mark.parametrize("action", list(KILLED))
@pytest.mark.parametrize("after", [0, 1, 7])
def test_killed_in_the_middle(store: Store, url: str, action: str, after: int, tmp_path: Path) -> None:
    """kill -9 while it works: nothing is half done, nothing is lost, and the work can be finished."""
    if action != "hold":
        for n in range(30):
            store.quarantine.hold(held(f"t{n}"), CONTENT + b"%d" % (n % 3), now=NOW)
    before = {one.id for one in store.quarantine.list(limit=100)}
    sent = tmp_path / "sent"
    sent.touch()
    program = worker(url, KILLED[action], "for n in range(30):", sent)
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = kill_after(child, child.stdout, after, action)
    assert orphans(url) == (0, 0)
    everything = {one.id: one for one in store.quarantine.list(state=None, limit=100)}
    postbox = Postbox()
    if action == "hold":
        assert set(told) <= everything.keys()
        for number in everything:
            assert store.quarantine.content(number) is not None
        for n in range(30):
            store.quarantine.hold(held(f"t{n}"), CONTENT + b"%d" % (n % 3))
        assert store.quarantine.count() == 30
    elif action == "release":
        assert set(told) <= {i for i, one in everything.items() if one.state == "released"}
        taken_up = store.quarantine.resume_releases(postbox, now=NOW + timedelta(days=9999))
        assert len(taken_up) <= 1
        for number in before:
            store.quarantine.release(number, "root", postbox)
        delivered = sent.read_text().split() + [record.summary.id for record, _ in postbox.got]
        assert set(delivered) == before
        assert len(delivered) <= len(before) + 1  # only the one under way may have come twice
    else:
        store.expiry.run(NOW + timedelta(days=31))
        assert store.quarantine.count() == 0
    store.expiry.run(NOW + timedelta(days=9999))
    assert orphans(url) == (0, 0)


def kill_after(child: subprocess.Popen[str], lines: IO[str], after: int, action: str) -> list[str]:
    """Kill it when it has said so many lines (its first says that it begins), or a moment later."""
    assert lines.readline() == "ready\n"
    told = [lines.readline().strip() for _ in range(after)] if action != "expire" else []
    time.sleep(0.002 * after)
    child.send_signal(signal.SIGKILL)
    told += [line.strip() for line in lines.read().splitlines(keepends=True) if line.endswith("\n")]
    return told


def worker(url: str, statement: str, loop: str, sent: Path | None = None) -> list[str]:
    program = f"""
        from datetime import timedelta
        from pathlib import Path
        from tests.quarantine.samples import CONTENT, NOW, held
        from tamis.store import Store

        LATER = NOW + timedelta(days=31)

        def post(record, content):
            with open({str(sent)!r}, "a") as file:
                file.write(record.summary.id + "\\n")

        store = Store({url!r})
        ids = sorted(one.id for one in store.quarantine.list(limit=100))
        {"print('ready', flush=True)" if sent else ""}
        {loop}
            {statement}
    """
    root = str(Path(__file__).parents[2])
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n" + textwrap.dedent(program)]


def test_digests_are_sha256() -> None:
    assert digest_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

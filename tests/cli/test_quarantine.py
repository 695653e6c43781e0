"""`tamis quarantine`."""

from __future__ import annotations

import getpass
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tamis.cli.terminal import cells
from tamis.models.reports import Report, Spool
from tamis.quarantine.records import HeldState
from tamis.store import Store
from tests.cli.conftest import Run
from tests.desk.smtp import Listener
from tests.quarantine.samples import CONTENT, held

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202egnp.exe\u200b\r\n\ttail\x00"


def test_an_empty_quarantine(run: Run) -> None:
    assert (run("quarantine", "list").out, run("quarantine", "list", "--json").data) == (
        "Nothing there.\n",
        [],
    )


@pytest.mark.parametrize("columns", ["10", "80", "100", "400"])
def test_a_list_fits_and_moves_no_cursor(
    run: Run, store: Store, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("tamis.cli.terminal._is_terminal", lambda: True)
    store.quarantine.hold(held("1", "m" * 64 + "@example.com", sender="", subject=HOSTILE), CONTENT)
    store.quarantine.hold(held("2", sender="s" * 300, subject="日本語" * 100), CONTENT)
    store.quarantine.hold(held("3", sender="a@example.net", subject="e\u0301" * 200), CONTENT)
    shown = run("quarantine", "list").out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]", shown)
    assert max(map(cells, shown.splitlines())) <= {"10": 80, "80": 80, "100": 100, "400": 120}[columns]
    assert len(shown.splitlines()) == 4
    assert "<>" in shown


def test_a_list_that_goes_into_a_pipe_is_whole(run: Run, store: Store) -> None:
    address = "m" * 64 + "@example.com"
    store.quarantine.hold(held("1", address, sender="s" * 300, subject="long " * 30), CONTENT)
    (_, line) = run("quarantine", "list").out.splitlines()
    assert address in line
    assert "s" * 300 in line
    assert ("long " * 30).strip() in line


def test_all_that_is_held_for_a_mailbox_is_released_or_deleted_at_once(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for number in range(5):
        store.quarantine.hold(held(f"t{number}", f"u{number % 2}@example.com", subject=f"s{number}"), CONTENT)
    assert run("quarantine", "delete", "--mailbox", "u1@example.com").status  # nobody says yes
    assert store.quarantine.count() == 5
    ended = run("quarantine", "delete", "--mailbox", "u1@example.com", "--yes", "--json")
    assert [one["result"] for one in ended.data] == ["done", "done"]
    assert {one.mailbox for one in store.quarantine.list()} == {"u0@example.com"}
    assert run("quarantine", "delete", "--domain", "example.com", "--search", "s4", "--yes").status == 0
    assert store.quarantine.count() == 2
    assert run("quarantine", "delete", "--all", "--yes").status == 0
    assert run("quarantine", "delete", "--all", "--yes").status == 66


def test_show_tells_why_and_is_harmless(run: Run, store: Store) -> None:
    number = store.quarantine.hold(held(subject=HOSTILE, header_from=HOSTILE, sender=HOSTILE), CONTENT)
    ended = run("quarantine", "show", number)
    assert ended.status == 0
    assert "the total reaches the limit" in ended.out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", ended.out)
    assert run("quarantine", "show", number, "--raw").out.encode() == CONTENT
    as_json = run("quarantine", "show", number, "--json")
    assert as_json.out.isascii()
    assert "\x1b" not in as_json.out
    assert as_json.data["subject"] == HOSTILE.replace("\0", "\ufffd")
    assert as_json.data["envelope"]["sender"] == HOSTILE


def test_filters_and_paging(run: Run, store: Store) -> None:
    numbers = [store.quarantine.hold(held(f"t{n}", f"u{n % 2}@example.com"), CONTENT) for n in range(4)]
    other = store.quarantine.hold(held("o", "x@example.org", subject="Invoice"), CONTENT)

    def ids(*arguments: str) -> list[str]:
        return [one["id"] for one in run("quarantine", "list", "--json", *arguments).data]

    assert ids() == [other, *numbers[::-1]]
    assert ids("--domain", "Example.COM") == numbers[::-1]
    assert ids("--mailbox", "u1@example.com") == [numbers[3], numbers[1]]
    assert ids("--search", "invoice") == [other]
    assert ids("--limit", "2") == [other, numbers[3]]
    assert ids("--limit", "2", "--before", numbers[3]) == [numbers[2], numbers[1]]
    assert "--before " + numbers[3] in run("quarantine", "list", "--limit", "2").err
    store.quarantine.delete(numbers[0], "x")
    assert ids("--state", "deleted") == [numbers[0]]
    assert len(ids("--state", "all")) == 5
    assert "deleted" in run("quarantine", "list", "--state", "all").out


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("list", "--mailbox", "a@example.com", "--domain", "example.com"), 64, "can't go together"),
        (("list", "--state", "nowhere"), 64, "held"),
        (("list", "--limit", "0"), 64, "--limit"),
        (("list", "--domain", "nodots"), 64, "domain or a mailbox"),
        (("show", "unknown"), 66, "not a message in quarantine"),
        (("show", "\x1b[31m"), 66, "not a message in quarantine"),
        (("delete", "unknown"), 66, "not a message in quarantine"),
        (("release",), 64, "give ids, or one of --mailbox"),
        (("explode",), 64, "No such command"),
    ],
)
def test_mistakes_are_explained(run: Run, arguments: tuple[str, ...], status: int, says: str) -> None:
    ended = run("quarantine", *arguments)
    assert (ended.status, says in ended.err) == (status, True), ended
    assert "\x1b" not in ended.err


def test_delete_each_and_tell_of_each(run: Run, store: Store) -> None:
    numbers = [store.quarantine.hold(held(f"t{n}"), CONTENT) for n in range(2)]
    ended = run("quarantine", "delete", numbers[0], "unknown", numbers[1])
    assert ended.status == 66
    assert ended.out.splitlines() == [f"{number} deleted" for number in numbers]
    assert run("quarantine", "delete", numbers[0]).out == f"{numbers[0]} deleted before\n"
    assert run("quarantine", "restore", numbers[0]).out == f"{numbers[0]} restored\n"
    assert run("quarantine", "delete", numbers[0]).status == 0
    assert run("quarantine", "release", numbers[0], "--json").data[0]["result"] == "gone"


def test_release_goes_to_the_one_recipient(run: Run, store: Store, config: Path) -> None:
    number = store.quarantine.hold(held(args=("NOTIFY=NEVER",)), CONTENT)
    with Listener() as postfix:
        config.write_text(f'{config.read_text()}desk.reinject = "{postfix.address}"\n')
        assert run("quarantine", "release", number, "--by", "evil\r\nX: y").status == 0
    assert [(m.sender, m.recipients) for m in postfix.got] == [("offer@example.net", ["marie@example.com"])]
    header = postfix.got[0].content.split(b"\r\n\r\n")[0]
    assert header.startswith(b"X-Spam-Status: No, released by evil?X: y\r\nX-Spam-Id: t1\r\nFrom:")
    assert b"Flag" not in header
    record = store.quarantine.get(number)
    assert record is not None
    assert record.summary.state is HeldState.RELEASED


def test_release_without_postfix_is_held_again(run: Run, store: Store, config: Path) -> None:
    number = store.quarantine.hold(held(), CONTENT)
    with Listener() as postfix:
        pass
    config.write_text(f'{config.read_text()}desk.reinject = "{postfix.address}"\n')
    ended = run("quarantine", "release", number)
    assert ended.status == 75
    assert "did not take the message" in ended.err
    assert run("quarantine", "list", "--json").data[0]["id"] == number


def test_expire(run: Run, store: Store) -> None:
    old = datetime.now(UTC) - timedelta(days=31)
    number = store.quarantine.hold(held(), CONTENT, now=old)
    store.quarantine.hold(held("new"), CONTENT)
    assert run("quarantine", "expire").out.startswith("1 over their time")
    assert run("quarantine", "expire", "--json").data == {"due": 1, "done": False}
    assert run("quarantine", "expire", "--now", "--json").data == {"due": 1, "done": True}
    assert run("quarantine", "expire").out.startswith("0 over")
    assert run("quarantine", "show", number, "--json").data["state"] == "expired"


def test_who_did_it_is_the_login_user_by_itself(run: Run, store: Store, config: Path) -> None:
    number = store.quarantine.hold(held(), CONTENT)
    with Listener() as postfix:
        config.write_text(f'{config.read_text()}desk.reinject = "{postfix.address}"\n')
        run("quarantine", "release", number)
    assert run("quarantine", "show", number, "--json").data["released_by"] == getpass.getuser()


def test_a_store_that_is_down(run: Run, config: Path) -> None:
    config.write_text(f'{config.read_text()}store.url = "postgresql+psycopg://x:secret@127.0.0.1:1/x"\n')
    ended = run("quarantine", "list")
    assert ended.status == 69
    assert "the store can't answer" in ended.err
    assert "secret" not in ended.err


def test_deleting_and_releasing_can_teach(run: Run, store: Store, config: Path) -> None:
    spool = Spool(config.parent / "reports")
    with Listener() as postfix:
        config.write_text(config.read_text() + f'desk.reinject = "{postfix.address}"\n')
        good, bad, other = (store.quarantine.hold(held(str(number)), CONTENT) for number in range(3))
        assert run("quarantine", "release", good, "--learn", "--by", "marie@example.com").status == 0
    assert run("quarantine", "delete", bad, "--learn").status == 0
    assert run("quarantine", "delete", bad, "--learn").status == 0
    assert run("quarantine", "delete", other).status == 0
    reports = [one for one in spool.reports(9) if isinstance(one, Report)]
    assert [(one.label, one.source, one.raw) for one in reports] == [
        ("ham", "quarantine", CONTENT),
        ("spam", "quarantine", CONTENT),
    ]
    assert reports[0].reporter == "marie@example.com"

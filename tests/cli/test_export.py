"""`tamis quarantine export`."""

from __future__ import annotations

import mailbox
from contextlib import closing
from pathlib import Path

from tamis.store import Store
from tests.cli.conftest import Run
from tests.quarantine.samples import CONTENT, held

OTHER = b"Subject: Second\r\n\r\nFrom here on it looks like an mbox.\r\n"


def test_a_folder_of_files_octet_for_octet(run: Run, store: Store, tmp_path: Path) -> None:
    one = store.quarantine.hold(held("t1"), CONTENT)
    two = store.quarantine.hold(held("t2", "paul@example.org"), OTHER)
    target = tmp_path / "out"
    assert run("quarantine", "export", str(target), "--json").data == {"messages": 2, "target": str(target)}
    assert (target / f"{one}.eml").read_bytes() == CONTENT
    assert (target / f"{two}.eml").read_bytes() == OTHER
    assert (target / f"{one}.eml").stat().st_mode & 0o777 == 0o600
    (target / f"{one}.eml").write_bytes(b"mine")
    assert run("quarantine", "export", str(target), "--json").data["messages"] == 0  # none is overwritten
    assert (target / f"{one}.eml").read_bytes() == b"mine"
    assert [deed.action for deed in store.trail.about("platform")] == ["export", "export"]


def test_an_mbox_of_one_domain(run: Run, store: Store, tmp_path: Path) -> None:
    store.quarantine.hold(held("t1"), CONTENT)
    store.quarantine.hold(held("t2", "paul@example.org"), OTHER)
    target = tmp_path / "out.mbox"
    run("quarantine", "export", str(target), "--mbox", "--scope", "example.org")
    with closing(mailbox.mbox(target, create=False)) as box:
        messages = list(box)
    assert [message["Subject"] for message in messages] == ["Second"]
    assert "looks like an mbox" in str(messages[0].get_payload())


def test_what_is_searched_for(run: Run, store: Store, tmp_path: Path) -> None:
    store.quarantine.hold(held("t1", subject="Invoice"), CONTENT)
    store.quarantine.hold(held("t2", subject="Lottery"), CONTENT)
    assert (
        run("quarantine", "export", str(tmp_path / "o"), "--search", "lott", "--json").data["messages"] == 1
    )

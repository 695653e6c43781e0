"""`tamis hosts`."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tamis.database.hosts import SIGNING_KEY
from tamis.installation.signing_key import fingerprint, signing_key
from tamis.store import Store
from tests.cli.conftest import Run
from tests.fresh_store import new_store


def test_who_works_on_the_store(run: Run, tmp_path: Path) -> None:
    assert run("hosts", "list", "--json").data == []
    with Store(f"sqlite:///{tmp_path / 'tamis.sqlite'}") as store:
        store.hosts.tell("mx1:/var/lib/tamis", "0.2.0", "https://mail.example.com")
    (only,) = run("hosts", "list", "--json").data
    assert (only["name"], only["version"]) == ("mx1:/var/lib/tamis", "0.2.0")
    assert "mx1:/var/lib/tamis  0.2.0" in run("hosts", "list").out


def test_a_new_key_for_a_store_whose_key_nobody_has(run: Run, tmp_path: Path) -> None:
    with new_store(tmp_path / "tamis.sqlite") as store:
        store.hosts.settle(SIGNING_KEY, "the lost one")
        assert run("hosts", "rekey", "--yes").status == 0
        assert store.hosts.agreed(SIGNING_KEY) == fingerprint(signing_key(tmp_path / "signing.key"))


@pytest.mark.real
def test_a_key_that_root_makes_is_the_daemons(run: Run, tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    assert run("hosts", "rekey", "--yes").status == 0
    found = (tmp_path / "signing.key").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (nobody.pw_uid, 0o600)

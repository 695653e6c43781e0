"""The hosts of one store: what they agree on, and what each tells of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from tamis.base.errors import ConfigError
from tamis.cli.checks import Health
from tamis.cli.hosts import host_checks
from tamis.database.hosts import FORGOTTEN, SIGNING_KEY
from tamis.database.schema import HostRow
from tamis.installation.signing_key import agreed_key, fingerprint, signing_key
from tamis.settings import SettingsFile
from tamis.store import Store


def test_the_first_host_says_and_the_others_learn(store: Store) -> None:
    assert store.hosts.agreed("a fact") == ""
    assert store.hosts.agree("a fact", "one") == "one"
    assert store.hosts.agree("a fact", "two") == "one"
    store.hosts.settle("a fact", "two")
    assert store.hosts.agreed("a fact") == "two"


def test_a_host_tells_of_itself_by_the_clock_of_the_store(store: Store) -> None:
    store.hosts.tell("mx1", "1.0", "https://mail.example.com")
    store.hosts.tell("mx1", "1.1", "https://mail.example.com")
    store.hosts.tell("mx2", "1.1", "https://mail.example.com")
    first, second = store.hosts.all()
    assert (first.name, first.version, second.name) == ("mx1", "1.1", "mx2")
    assert abs((first.seen_at - datetime.now(UTC)).total_seconds()) < 60
    assert abs(first.ahead) < 60
    with store._database.write() as session:
        session.execute(update(HostRow).values(seen_at=datetime.now(UTC) - FORGOTTEN - timedelta(minutes=1)))
    assert store.hosts.all() == []


def test_hosts_that_share_a_store_have_one_key(store: Store, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.key", tmp_path / "theirs.key"
    key = agreed_key(ours, store.hosts, shared=True)
    with pytest.raises(ConfigError, match="this host has no signing key"):
        agreed_key(theirs, store.hosts, shared=True)
    assert not theirs.exists()
    other = signing_key(theirs)
    with pytest.raises(ConfigError, match="is not that of the other hosts"):
        agreed_key(theirs, store.hosts, shared=True)
    theirs.write_bytes(key)
    assert agreed_key(theirs, store.hosts, shared=True) == key != other


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_of_one_host_goes_on_with_a_new_key_and_says_so(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, replaced: bool
) -> None:
    path = tmp_path / "signing.key"
    first = agreed_key(path, store.hosts, shared=False)
    assert not caplog.messages
    path.unlink()
    if replaced:
        path.write_bytes(b"k" * 32)
    second = agreed_key(path, store.hosts, shared=False)
    assert first != second
    assert [record.levelname for record in caplog.records][:1] == ["ERROR"]
    assert store.hosts.agreed(SIGNING_KEY) == fingerprint(second)


def test_what_doctor_says_of_hosts(store: Store, tmp_path: Path) -> None:
    settings = SettingsFile(None, f'state_directory = "{tmp_path}"').settings

    def said(*, shared: bool = True) -> dict[str, Health]:
        return {one.check: one.health for one in host_checks(settings, store.hosts, shared=shared)}

    assert said() == {}
    store.hosts.tell("mx1", "1.0", "https://mail.example.com")
    store.hosts.tell("mx2", "1.0", "https://mail.example.com")
    assert said() == {"hosts": Health.OK}
    store.hosts.tell("mx2", "1.1", "https://other.example.com")
    with store._database.write() as session:
        behind = datetime.now(UTC) - timedelta(minutes=5)
        session.execute(update(HostRow).where(HostRow.name == "mx1").values(clock=behind))
    signing_key(settings.key_file)
    store.hosts.agree(SIGNING_KEY, "that of another")
    assert said() == {
        "signing key of the hosts": Health.ERROR,
        "version of the hosts": Health.WARNING,
        "web.url of the hosts": Health.WARNING,
        "clock of mx1": Health.WARNING,
    }
    assert said(shared=False) == {}

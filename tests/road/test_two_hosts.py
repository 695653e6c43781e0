"""Two hosts, each with its own Postfix and daemon, on one PostgreSQL and one Redis."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real import Envelope, PrivatePostgres, PrivateRedis, wait_until
from tests.road.installation import Installation, ham, spam

pytestmark = pytest.mark.real

PAUL = "quarantine@example.org"


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Installation, Installation]]:
    """The second is installed as docs/scale.md says: with the settings and the signing key of the first."""
    with PrivatePostgres() as postgres, PrivateRedis() as redis:
        settings = {
            "store": {"url": postgres.url},
            "state": {"url": redis.url},
            "milter": {"workers": 1},
            "learning": {"minimum": 50},
        }
        with Installation(settings=settings) as first:
            second = Installation(settings=settings)
            second.state_directory.mkdir(parents=True, exist_ok=True)
            shutil.copy2(first.state_directory / "signing.key", second.state_directory)
            with second:
                yield first, second


def told(host: Installation, *command: str) -> Any:
    return host.tamis(*command, "--json")


def send(host: Installation, number: int, message: bytes) -> None:
    (sent,) = host.postfix.send_many([Envelope("sender@example.net", (PAUL,), message)])
    assert sent.accepted, number


def test_mail_held_by_one_is_released_by_the_other_once(hosts: tuple[Installation, Installation]) -> None:
    first, second = hosts
    send(first, 1, spam(1))
    wait_until(lambda: bool(first.held()), timeout=30, what="a held message")
    (held,) = first.held()
    assert second.held() == first.held()
    second.tamis("quarantine", "release", held["id"])
    first.tamis("quarantine", "release", held["id"], status=(0, 1))
    for host in hosts:
        host.postfix.wait_idle()
    assert [len(host.postfix.maildir(PAUL)) for host in hosts] == [0, 1]  # by the Postfix of who released it


def test_a_policy_of_one_is_in_force_on_both(hosts: tuple[Installation, Installation]) -> None:
    first, second = hosts
    first.tamis("policy", "set", PAUL, "outcome", "inbox")
    before = len(second.postfix.maildir(PAUL))

    def through() -> bool:
        send(second, 2, spam(2))
        second.postfix.wait_idle()
        return len(second.postfix.maildir(PAUL)) > before

    wait_until(through, timeout=30, what="mail in the inbox by the other host's policy")
    first.tamis("policy", "unset", PAUL, "outcome")


def test_what_one_learns_both_know(hosts: tuple[Installation, Installation]) -> None:
    first, second = hosts
    for host, label, make in ((first, "spam", spam), (second, "ham", ham)):
        folder = host.directory / label
        folder.mkdir()
        for number in range(60):
            (folder / f"{number}.eml").write_bytes(make(number))
        host.tamis("learn", label, str(folder))

    def same() -> bool:
        one, other = (host.state_directory / "model" / "current.model" for host in hosts)
        return one.exists() and other.exists() and one.read_bytes() == other.read_bytes()

    def levels() -> list[str]:
        return [(host.state_directory / "model" / "levels.json").read_text() for host in hosts]

    def settled() -> bool:
        states = [told(host, "model", "status") for host in hosts]
        return all((one["ham"], one["spam"], one["deciding"]) == (60, 60, True) for one in states)

    wait_until(settled, timeout=60, what="both to have learned from both")
    wait_until(same, timeout=30, what="both models to be the same")
    one, other = map(json.loads, levels())
    assert one == other


def test_the_hosts_know_of_each_other(hosts: tuple[Installation, Installation]) -> None:
    names = {one["name"] for one in told(hosts[0], "hosts", "list")}
    assert len(names) == 2
    assert {one["name"] for one in told(hosts[1], "hosts", "list")} == names

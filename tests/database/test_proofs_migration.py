"""What senders had earned before answers were told apart keeps its weight (migration 0011)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from alembic import command
from sqlalchemy import text

from tamis.database.connection import Database
from tamis.database.migrate import migrate
from tamis.filters.automatic_whitelist import AutomaticWhitelist, AutomaticWhitelistOptions, sender_value
from tamis.store import Store
from tests.builders import MARIE

FRIEND = "friend@example.net"


@pytest.fixture
def before(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database of the version before."""
    upgrade = command.upgrade
    with closing(Database(url)) as database:
        with monkeypatch.context() as old:
            old.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, "0010"))
            migrate(database)
        yield database


def test_an_answered_challenge_of_the_version_before_still_lets_its_sender_through(
    url: str, before: Database
) -> None:
    with before.write() as session:
        session.execute(
            text(
                "INSERT INTO senders (domain, address, validations, complaints, author, at)"
                " VALUES ('example.com', :who, 1, 0, '', '2026-03-01 12:00:00')"
            ),
            {"who": FRIEND},
        )
    migrate(before)
    with Store(url) as store:
        (one,) = store.senders.find()
    assert (one.address, one.validations, one.works, one.complaints) == (FRIEND, 1, 0, 0)
    assert accepts([one.validations, one.complaints, 0, one.works])


def accepts(earned: list[int]) -> bool:
    """Whether what was earned lets a sender through, with the weights of today."""
    whitelist = AutomaticWhitelist()
    found = whitelist.hit("{sender} is known", sender=FRIEND, earned={"example.com": earned})
    opinion = whitelist.judge(found, AutomaticWhitelistOptions(), (MARIE, "example.com", "platform"))
    return opinion.effect is not None


def test_findings_and_states_of_the_version_before_are_understood() -> None:
    """Three numbers: replay has them, and the shared state until it is filled again."""
    assert accepts([1, 0, 0])
    assert accepts([0, 0, 1])
    assert not accepts([1, 1, 0])
    assert sender_value(1, 0, written_to=False) == "[1, 0, 0, 0]"


@pytest.mark.parametrize("works", [1, 1000])
@pytest.mark.parametrize("accept_from", [0.5, 1.0, 2.0])
def test_no_number_of_proofs_of_work_lets_a_sender_through(works: int, accept_from: float) -> None:
    whitelist = AutomaticWhitelist()
    options = AutomaticWhitelistOptions(accept_from=accept_from, work_weight=1000.0)
    for earned, through in (([0, 0, 0, works], False), ([1, 1, 0, works], False), ([1, 0, 0, works], True)):
        found = whitelist.hit("{sender} is known", sender=FRIEND, earned={"example.com": earned})
        opinion = whitelist.judge(found, options, (MARIE, "example.com", "platform"))
        assert (opinion.effect is not None) == through, earned

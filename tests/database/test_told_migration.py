"""What a digest told of before migration 0012 stays told, and what it did not is told."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import text

from tamis.database.connection import Database
from tamis.store import Store
from tests.quarantine.samples import CONTENT, NOW, held

MARIE, PAUL = "marie@example.com", "paul@example.com"


def test_who_was_told_up_to_a_message_is_told_of_the_later_ones(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    monkeypatch.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, "0012"))
    backwards = (
        "DROP INDEX ix_messages_untold",
        "ALTER TABLE messages DROP COLUMN told_at",
        "ALTER TABLE mailings ADD COLUMN upto TEXT NOT NULL DEFAULT ''",
        "DROP TABLE facts",
        "DROP TABLE hosts",
        "DROP TABLE blocked",
        "UPDATE alembic_version SET version_num = '0011'",
    )
    with Store(url) as store, closing(Database(url)) as database:
        store.migrate()
        first, second = (
            store.quarantine.hold(held(f"t{n}"), CONTENT, now=NOW + n * timedelta(hours=1)) for n in range(2)
        )
        store.quarantine.hold(held("t2", PAUL), CONTENT, now=NOW)
        with database.write() as session:
            for statement in backwards:
                session.execute(text(statement))
            session.execute(
                text(
                    "INSERT INTO mailings (mailbox, kind, sent_at, upto)"
                    " VALUES (:who, 'digest', '2026-03-01 12:00:00', :upto)"
                ),
                {"who": MARIE, "upto": first},
            )
        store.migrate()
        assert store.mailings.untold_of(MARIE) == [second]
        assert len(store.mailings.untold_of(PAUL)) == 1

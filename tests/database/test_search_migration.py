"""Mail that was held before migration 0022 is found without accents, too."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from alembic import command
from sqlalchemy import text

from tamis.database.connection import Database
from tamis.store import Store
from tests.quarantine.samples import CONTENT, NOW, held


def test_what_was_held_before_is_found_by_words_without_accents(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade
    with Store(url) as store, closing(Database(url)) as database:
        store.migrate()
        number = store.quarantine.hold(replace(held("t1"), subject="Révision d\u2019ÉTÉ"), CONTENT, now=NOW)
        store.quarantine.hold(replace(held("t2"), subject="plain"), CONTENT, now=NOW)
        with database.write() as session:
            before = text("UPDATE messages SET search = :words WHERE id = :id")
            session.execute(before, {"words": "a@example.net\n\nrévision d\u2019été", "id": number})
            session.execute(text("UPDATE alembic_version SET version_num = '0021'"))
        assert store.quarantine.list(text="ete revision") == ()
        monkeypatch.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, "0022"))
        store.migrate()
        assert [one.id for one in store.quarantine.list(text="ete revision")] == [number]
        assert len(store.quarantine.list(text="plain")) == 1

"""A locked mailbox (Q9): anybody who may change policy closes one, and its owner alone opens it again."""

from __future__ import annotations

import pytest

from tamis.base.errors import ConfigError
from tamis.judging.stored_policy import Override
from tests.web.pages import ADMIN, MARIE, Pages
from tests.web.samples import content, message


def is_locked(pages: Pages) -> bool:
    return pages.site().book.locks().closes(MARIE)


def test_its_owner_closes_and_opens_it_on_the_page(pages: Pages) -> None:
    pages.store.overrides.set("example.com", "self_service", ["locked"], by="root", check=pages.check)
    number = pages.hold(message(), content())
    marie, admin = pages.visitor(MARIE), pages.visitor(ADMIN)
    assert admin.get(f"/mail/{number}").status == 200
    marie.submit("/settings", locked="yes")
    assert is_locked(pages)
    assert admin.get(f"/mail/{number}").status == 404
    assert marie.get(f"/mail/{number}").status == 200
    marie.submit("/settings")
    assert not is_locked(pages)


def test_nobody_else_opens_it(pages: Pages) -> None:
    put, check = pages.store.overrides, pages.check
    put.set(MARIE, "locked", True, by=ADMIN, check=check)  # anybody who may change policy closes it
    lock = put.versions.newest()
    for change in (False, None):
        with pytest.raises(ConfigError, match="owner"):
            put.change([Override(MARIE, "locked", change)], by=ADMIN, check=check)
    with pytest.raises(ConfigError, match="owner"):
        put.undo(lock, by=ADMIN, check=check)
    put.set("example.com", "locked", False, by=ADMIN, check=check)  # what stands above it opens nothing
    assert is_locked(pages)
    put.unset(MARIE, "locked", by=MARIE, check=check)
    assert not is_locked(pages)


def test_a_lock_of_the_domain_is_not_opened_for_one_mailbox(pages: Pages) -> None:
    put, check = pages.store.overrides, pages.check
    put.set("example.com", "locked", True, by=ADMIN, check=check)
    with pytest.raises(ConfigError, match="owner"):
        put.set(MARIE, "locked", False, by=ADMIN, check=check)
    put.set(MARIE, "locked", False, by=MARIE, check=check)
    assert not is_locked(pages)


def test_who_has_a_shell_opens_it(pages: Pages) -> None:
    pages.store.overrides.set(MARIE, "locked", True, by=MARIE, check=pages.check)
    pages.store.overrides.unset(MARIE, "locked", by="root", check=pages.check)
    assert not is_locked(pages)

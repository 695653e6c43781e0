"""What scripts/try-installation does on the pages of an installed Tamis, done here on the pages of a checkout."""

from __future__ import annotations

import mailbox
from pathlib import Path

import pytest

from scripts.try_pages import link_in, sign_in_first
from tamis.people.rights import BUNDLES
from tests.web.pages import ADMIN, Pages
from tests.web.signing import enrolled


def mailed(pages: Pages, number: int) -> str:
    pages.wait_for_mail(number)
    return pages.mailed_link()


def test_the_first_person_signs_in_by_the_pages_alone(pages: Pages) -> None:
    pages.store.people.grant(ADMIN, "platform", BUNDLES["owner"], by="root")
    sign_in_first(pages.url, ADMIN, lambda: mailed(pages, 1))
    assert pages.store.factors.of(ADMIN).is_complete


def test_who_has_enrolled_is_not_the_first(pages: Pages) -> None:
    enrolled(pages, ADMIN)
    with pytest.raises(SystemExit, match="no secret"):
        sign_in_first(pages.url, ADMIN, lambda: mailed(pages, 1))


def test_the_newest_link_of_a_file_of_mails_counts(tmp_path: Path) -> None:
    path = tmp_path / "marie"
    box = mailbox.mbox(path)
    for link in ("https://mail.example.com/sign-in/old", "https://mail.example.com/sign-in/new?to=/admin"):
        box.add(f"Subject: your link\n\nIt works once:\n\n{link}\n")
    box.add("Subject: lunch\n\nat noon\n")
    box.close()
    assert link_in(path) == "/sign-in/new"

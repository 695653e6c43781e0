"""Pages and a browser for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.web.browser import chromium
from tests.web.pages import Pages


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    """The pages of an empty installation."""
    with Pages(tmp_path) as serving:
        yield serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file; each makes contexts of its own.

    Not for the session: while it runs, no test in this thread can have an event loop."""
    with chromium() as running:
        yield running

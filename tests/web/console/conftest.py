"""The pages with people who were granted something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.pages import ADMIN, Pages

PLATFORM_ADMIN = "root@example.org"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The pages of an installation, for all tests of a file."""
    web = {"administrators": {ADMIN: ["example.com"], PLATFORM_ADMIN: ["platform"]}}
    with Pages(tmp_path_factory.mktemp("console"), {"web": web}) as serving:
        yield serving

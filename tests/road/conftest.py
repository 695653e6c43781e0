"""One installation for all tests that change nothing about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.road.installation import Installation


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """A daemon and a Postfix with POLICY."""
    with Installation() as running:
        yield running

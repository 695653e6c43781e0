"""The API does as its schema says, whatever is sent: requests that the schema allows, and such that it does not."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from tamis.web.api.assembly import PATH, schema
from tests.web.api.conftest import Api, token_of
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import Pages

schemathesis.checks.load_all_checks()
CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    *(
        schemathesis.checks.CHECKS.get_one(f"{what}_conformance")
        for what in ("status_code", "content_type", "response_headers", "response_schema")
    ),
]
schemathesis.serializer.alias("message/rfc822", "application/octet-stream")
schemathesis.serializer.alias("application/toml", "application/octet-stream")
_KNOWN: Any = schemathesis.openapi.from_dict(schema())
OPERATIONS = [one.ok() for one in _KNOWN.get_all_operations()]


@pytest.fixture(scope="module")
def root(pages: Pages) -> Api:
    """A program that may do everything, so that nothing is refused for want of a right."""
    return token_of(pages, PLATFORM_ADMIN)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_the_schema_is_kept(root: Api, operation: Any, mode: GenerationMode) -> None:
    @settings(max_examples=3, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case[Any]) -> None:
        headers = {"Authorization": f"Bearer {root.token}"}
        answer = case.call(base_url=f"{root.pages.url}{PATH}", headers=headers)
        case.validate_response(answer, checks=CHECKS, headers=headers)

    send()

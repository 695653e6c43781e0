"""Counts: what several processes leave adds up to what one would have counted."""

from __future__ import annotations

import json

import pytest

from tamis.judging.metrics import Counts
from tests.filters.golden import cases


def test_parts_add_up() -> None:
    whole, total = Counts(), Counts()
    for case in cases():
        part = Counts()
        for counts in (whole, part):
            counts.add(case.examined.findings, case.examined.judged)
        total.merge(json.loads(json.dumps(part.to_dict())))
    assert total.to_dict() == whole.to_dict()
    assert whole.messages == len(cases())
    assert sum(whole.outcomes.values()) == sum(len(case.examined.judged) for case in cases())


@pytest.mark.parametrize("data", [{}, {"messages": "x"}, {"messages": 1, "findings": [[1]]}])
def test_what_is_no_counts_is_refused(data: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Counts().merge(data)

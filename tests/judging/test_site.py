"""A site that is made from the one before is what it would be if it were made anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.base.errors import ConfigError
from tamis.contract.list_index import ListIndex
from tamis.judging.policy_terms import Terms
from tamis.judging.site import Site
from tamis.judging.stored_policy import Overridden
from tamis.message.address import PLATFORM
from tamis.settings import SettingsFile
from tests.builders import FILTERS, MARIE, PAUL, PROPERTY

FILE = """
[policy]
required = 6
[policy.filters.greylisting]
state = "off"
[policy.domains."example.com"]
outcome = "junk"
[policy.domains."example.com".filters.sender_blacklist]
state = "shadow"
[policy.mailboxes."marie@example.com"]
fixed = ["tag"]
"""
SCOPES = (PLATFORM, "example.com", "EXAMPLE.com", "example.org", MARIE)
SETTINGS = st.dictionaries(
    st.sampled_from(
        (
            "required",
            "outcome",
            "tag",
            "fixed",
            "filters.greylisting.state",
            "filters.greylisting.effect",
            "wrong",
        )
    ),
    st.sampled_from(
        (5, 6.0, "tag", "off", "on", "defer", "spam", ["required"], ["filters.greylisting"], True)
    ),
    max_size=3,
)
STEPS = st.lists(st.dictionaries(st.sampled_from(SCOPES), SETTINGS, max_size=3), min_size=1, max_size=6)


def compiled(file: SettingsFile, overrides: Overridden, before: Site | None) -> Site | str:
    """A site, or what is wrong with it."""
    try:
        return Site.compile(file, FILTERS, overrides, ListIndex(), 1, before=before)
    except ConfigError as error:
        return error.problem


def said(site: Site | str) -> Any:
    """All that a site says of policy."""
    if isinstance(site, str):
        return site
    book = site.book
    recipients = (MARIE, PAUL, "anne@example.org", "x@example.net")
    return (
        [book.show(one) for one in recipients],
        [[(rule.filter.name, rule.options) for rule in book.policy(one).rules] for one in recipients],
        [book.show_above(one) for one in ("example.com", MARIE)],
        book.active,
        site.defers_recipients,
        {terms.model_dump_json() for terms in book.all_terms()},
        book.locks(),
    )


@settings(PROPERTY, max_examples=40)
@given(STEPS)
def test_a_site_of_changes_is_a_site_made_anew(steps: list[Overridden]) -> None:
    file, overrides = SettingsFile(None, FILE), dict[str, Any]()
    now = compiled(file, overrides, None)
    assert isinstance(now, Site)
    for step in steps:
        for scope, own in step.items():
            overrides = {key: one for key, one in overrides.items() if key != scope}
            overrides |= {scope: own} if own else {}
        changed, anew = compiled(file, overrides, now), compiled(file, overrides, None)
        assert said(changed) == said(anew)
        now = changed if isinstance(changed, Site) else now


def test_what_is_set_alike_is_compiled_once_and_a_change_compiles_what_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    validated: list[Any] = []
    does = Terms.model_validate

    def counting(own: Any) -> Terms:
        validated.append(own)
        return does(own)

    monkeypatch.setattr(Terms, "model_validate", counting)
    file = SettingsFile(None, FILE)
    overrides: dict[str, Any] = {f"d{n}.example.net": {"required": 5 + n % 3} for n in range(300)}
    first = Site.compile(file, FILTERS, overrides, ListIndex(), 1)
    assert len(validated) <= 3 + 3  # the file's layers, and three that differ
    validated.clear()
    changed = overrides | {"d7.example.net": {"required": 9}}
    second = Site.compile(file, FILTERS, changed, ListIndex(), 2, before=first)
    assert len(validated) == 1
    assert second.book.policy("a@d7.example.net").required == 9
    assert second.book.policy("a@d8.example.net").terms is first.book.policy("a@d8.example.net").terms
    assert second.rules is first.rules
    assert second.knowledge is first.knowledge

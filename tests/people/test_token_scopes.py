"""A token may do what its maker may, by its scopes, in its domains: never more than any of the three."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tamis.message.address import PLATFORM
from tamis.people.rights import BUNDLES, Grant, Holder, Locks, Right, may, upwards, visible
from tamis.people.token_scopes import LONGEST, LONGEST_PEOPLE, RIGHT_OF, TokenScope, longest, narrowed

MARIE, ANNE = "marie@example.com", "anne@example.org"
SCOPES = (PLATFORM, "example.com", "example.org", "sub.example.com", MARIE, "jean@example.com", ANNE)
grants = st.builds(Grant, st.sampled_from(SCOPES), st.frozensets(st.sampled_from(list(Right))))
makers = st.builds(Holder, st.sampled_from(["", MARIE, ANNE]), st.lists(grants, max_size=4).map(tuple))
token_scopes = st.frozensets(st.sampled_from(list(TokenScope)))
domains = st.lists(st.sampled_from(SCOPES), max_size=3).map(tuple)
locks = st.builds(Locks, st.dictionaries(st.sampled_from(SCOPES), st.booleans()))


@given(makers, token_scopes, domains, locks, st.sampled_from(list(Right)), st.sampled_from(SCOPES))
def test_the_smallest_of_the_three_counts(
    maker: Holder,
    scopes: frozenset[TokenScope],
    within: tuple[str, ...],
    closed: Locks,
    right: Right,
    where: str,
) -> None:
    token = narrowed(maker, scopes, within)
    allowed = (
        may(maker, right, where, closed)
        and right in {RIGHT_OF[one] for one in scopes}
        and any(one in upwards(where) for one in within)
    )
    assert may(token, right, where, closed) == allowed
    if "@" in where:
        assert visible(token, right, closed).covers(where) == (allowed and right is not Right.PLATFORM)


def test_a_maker_without_rights_has_tokens_without_rights() -> None:
    token = narrowed(Holder("", ()), TokenScope, (PLATFORM,))
    assert not any(may(token, right, scope) for right in Right for scope in SCOPES)


def test_a_token_of_an_owner_for_one_domain() -> None:
    token = narrowed(Holder(ANNE, (Grant(PLATFORM, BUNDLES["owner"]),)), TokenScope, ("example.com",))
    assert may(token, Right.HELD, MARIE)
    assert not may(token, Right.HELD, ANNE), "the maker's own mailbox is in another domain"
    assert not may(token, Right.PLATFORM, PLATFORM)


def test_every_scope_stands_for_a_right_and_every_right_has_a_scope() -> None:
    assert set(RIGHT_OF) == set(TokenScope)
    assert set(RIGHT_OF.values()) == set(Right)


def test_a_token_that_changes_rights_lasts_a_day() -> None:
    assert longest([TokenScope.PEOPLE_ADMIN, TokenScope.HELD_READ]) == LONGEST_PEOPLE
    assert longest([TokenScope.HELD_READ]) == LONGEST

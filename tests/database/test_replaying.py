"""Replay over the store: what is told apart is the change that is tried, not what was changed before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tamis.contract.finding import Finding
from tamis.database.effective_labels import LabelSource
from tamis.database.history_search import ANY, Wanted
from tamis.database.replaying import PART, ReplayResult, is_mistake, run
from tamis.database.statistics_schema import LabelRow
from tamis.judging.plan import outcome_of
from tamis.judging.policy import Outcome, PolicyBook
from tamis.judging.story import Story, Told
from tamis.judging.verdict import judge
from tamis.people.rights import Locks, Reach
from tamis.store import Store
from tests.builders import MARIE, NOW, PAUL, book, finding

SCORING = (
    '[filters.empty]\neffect = "score"\nscore = 5\n[filters.missing_sender]\neffect = "score"\nscore = 3\n'
)
IN_FORCE, OTHER = f"required = 5\n{SCORING}", f"required = 9\n{SCORING}"


def story(number: int, policies: PolicyBook, *names: str, recipients: Sequence[str] = (MARIE,)) -> Story:
    """A message as it was recorded under a policy."""
    findings: Mapping[str, Finding] = {name: finding(name) for name in names}

    def told(who: str) -> Told:
        policy = policies.policy(who)
        verdict = judge(findings, policy)
        return Told.of(verdict, outcome_of(verdict, policy))

    return Story(
        *(
            NOW + timedelta(minutes=number),
            f"Q{number}",
            "a@example.net",
            "192.0.2.7",
            "mx",
            "",
            f"<{number}@x>",
            9,
        ),
        tuple(findings.values()),
        tuple((who, told(who)) for who in recipients),
        transaction=f"t{number}",
    )


@pytest.fixture
def recorded(store: Store) -> Store:
    """Nine messages as a policy without anything set judged them: a limit of 7.5, and these filters decide alone."""
    before = book(SCORING)
    kinds = (("empty",), ("empty", "missing_sender"), ())
    told = [story(n, before, *kinds[n % 3], recipients=(MARIE, PAUL)) for n in range(9)]
    store.history.add([(f"a:{n}", one) for n, one in enumerate(told)], {MARIE: MARIE, PAUL: PAUL})
    return store


def replay(
    store: Store, in_force: str, other: str | None, wanted: Wanted = ANY, part: int = PART
) -> ReplayResult:
    url = store._database.engine.url.render_as_string(hide_password=False)
    return run(
        url, book(in_force), None if other is None else book(other), wanted, 100, processes=1, part=part
    )


def test_what_was_changed_before_is_no_move_of_this_change(recorded: Store) -> None:
    """Recorded under 7.5, in force is 5: those with 5 points went to the inbox, and are held now."""
    now = replay(recorded, IN_FORCE, None)
    assert (now.read, now.same, now.earlier, now.changes) == (
        18,
        6,
        6,
        0,
    )  # where the total decides, the limit is part of the reason
    assert now.moves == {
        ("inbox", "inbox", "inbox"): 6,
        ("inbox", "quarantine", "quarantine"): 6,
        ("quarantine", "quarantine", "quarantine"): 6,
    }
    tried = replay(recorded, IN_FORCE, OTHER)
    assert (tried.changes, tried.earlier, tried.same) == (12, 6, 12)
    assert {(one.in_force.outcome, one.would_be.outcome) for one in tried.changed} == {
        ("quarantine", "inbox")
    }
    assert replay(recorded, IN_FORCE, IN_FORCE).plain() == now.plain()


def test_taking_a_change_back_moves_what_it_had_moved(recorded: Store) -> None:
    """All would go where they went, and yet it is a change."""
    back = replay(recorded, IN_FORCE, SCORING)
    assert (back.same, back.changes) == (18, 6)


def test_the_newest_come_first_and_parts_make_no_difference(recorded: Store) -> None:
    whole = replay(recorded, IN_FORCE, OTHER)
    assert replay(recorded, IN_FORCE, OTHER, part=2).plain() == whole.plain()
    numbers = [one.copy.message for one in whole.changed]
    assert numbers == sorted(numbers, reverse=True)
    seen: list[tuple[int, int, int]] = []
    url = recorded._database.engine.url.render_as_string(hide_password=False)
    run(
        *(url, book(IN_FORCE), book(OTHER), Wanted(), 1),
        processes=1,
        part=4,
        progress=lambda so_far, done, total: seen.append((so_far.read, done, total)),
    )
    assert seen == [(8, 1, 3), (16, 2, 3), (18, 3, 3)]


def test_what_may_not_be_seen_is_not_judged(recorded: Store) -> None:
    reach = Reach(frozenset({"example.com"}), closed=Locks({PAUL: True}))
    result = replay(recorded, IN_FORCE, OTHER, Wanted(reach=reach))
    assert {one.copy.recipient for one in result.changed} == {MARIE}
    assert result.read == 9
    assert replay(recorded, IN_FORCE, OTHER, Wanted(reach=Reach(frozenset({"example.org"})))).read == 0
    assert replay(recorded, IN_FORCE, OTHER, Wanted(PAUL)).read == 9


def test_known_mistakes_are_mended_or_made(recorded: Store) -> None:
    """Of what is held now, one was wanted and one was not; both would go to the inbox."""
    with recorded._database.write() as session:
        for number, wanted in ((0, True), (1, False), (2, False)):
            session.add(
                LabelRow(
                    message=f"t{number}",
                    mailbox=MARIE,
                    source=LabelSource.RELEASE,
                    who=MARIE,
                    wanted=wanted,
                    at=NOW,
                    undone_at=None,
                )
            )
    result = replay(recorded, IN_FORCE, OTHER)
    assert result.plain()["labels"] == {"known": 3, "mistakes": 2, "mended": 1, "new": 1}
    assert [one.wanted for one in result.changed if one.copy.message in (1, 2)] == [False, None, True, None]


def test_a_mistake_is_what_went_where_it_should_not() -> None:
    for outcome in Outcome:
        wrong = (is_mistake(outcome, wanted=True), is_mistake(outcome, wanted=False))
        assert wrong == {
            Outcome.INBOX: (False, True),
            Outcome.DEFER: (False, False),
        }.get(outcome, (True, False))


def test_results_add_up() -> None:
    one, other = ReplayResult(read=2, known=1, mended=1), ReplayResult(read=3, earlier=1)
    one.add(replace(other), 10)
    assert (one.read, one.known, one.mended, one.earlier) == (5, 1, 1, 1)

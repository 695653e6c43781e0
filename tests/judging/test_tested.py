"""Verdicts and outcomes of test messages: never better than without the string."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.finding import Finding, Status
from tamis.judging.plan import Judged, outcome_of, plan
from tamis.judging.policy import Outcome
from tamis.judging.replay import Replay
from tamis.judging.story import finding_content
from tamis.judging.verdict import Decision, is_decided
from tamis.message.test_strings import TEST_STRINGS
from tests.builders import FILTERS, MARIE, PROPERTY, book, finding, verdict_of

ORDER = list(Outcome)
POLICIES = st.builds(
    lambda outcome, forward, shadow: (
        f'outcome = "{outcome}"\nforward = {str(forward).lower()}\n'
        f'[filters.greylisting]\nstate = "on"\n[filters.sender_blacklist]\nstate = "{shadow}"\n'
    ),
    st.sampled_from(["inbox", "tag", "junk", "quarantine"]),
    st.booleans(),
    st.sampled_from(["on", "shadow"]),
)


def asking(asked: str) -> Finding:
    return finding("test_string", because="a test string asks for {asked}", asked=asked)


def other(name: str) -> Finding:
    matches = [["black" if "black" in name else "white", "platform", "x", 1]]
    return finding(name, trapped=True, writes=1, since=0, matches=matches)


@PROPERTY
@given(
    POLICIES,
    st.sampled_from(list(TEST_STRINGS)),
    st.sets(st.sampled_from(("honeypot", "greylisting", "empty"))),
)
def test_no_test_fares_better_than_without_the_string(policy: str, asked: str, names: set[str]) -> None:
    wanted = book(policy).policy(MARIE)
    others = [other(name) for name in sorted(names)]
    plain, tested = verdict_of(wanted, *others), verdict_of(wanted, asking(asked), *others)
    without, outcome = outcome_of(plain, wanted), outcome_of(tested, wanted)
    assert ORDER.index(outcome) >= ORDER.index(without)
    if asked == "spam" and without is not Outcome.DEFER:
        assert tested.decision is Decision.SPAM
        assert outcome is (Outcome.QUARANTINE if wanted.forward else wanted.outcome)
    if asked not in ("spam", "defer") and not wanted.forward:
        assert ORDER.index(outcome) >= ORDER.index(Outcome(asked))
    if asked == "defer":
        assert outcome is Outcome.DEFER
    told = Replay(book(policy))
    findings = [asking(asked), *others]
    told.memory.learn({number: finding_content(one) for number, one in enumerate(findings)})
    assert told.tell(MARIE, array("I", range(len(findings))).tobytes())[0].outcome == outcome


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [("spam", "junk"), ("tag", "tag"), ("junk", "junk"), ("quarantine", "quarantine"), ("defer", "defer")],
)
def test_a_white_list_saves_no_test(asked: str, outcome: str) -> None:
    wanted = book('outcome = "junk"').policy(MARIE)
    verdict = verdict_of(wanted, asking(asked))
    assert (verdict.decided_by, str(outcome_of(verdict, wanted))) == ("test_string", outcome)
    assert verdict.because == f"a test string asks for {asked}"


@pytest.mark.parametrize("state", ["off", "shadow"])
def test_switched_off_it_does_nothing(state: str) -> None:
    wanted = book(f'[filters.test_string]\nstate = "{state}"').policy(MARIE)
    verdict = verdict_of(wanted, asking("quarantine"))
    assert (verdict.decision, verdict.decided_by, verdict.asked) == (Decision.HAM, "", "")


@pytest.mark.parametrize(("effect", "score"), [("score", 2.5), ("tag", 0.0)])
def test_with_another_effect_it_is_a_sign_like_any_other(effect: str, score: float) -> None:
    wanted = book(f'[filters.test_string]\neffect = "{effect}"').policy(MARIE)
    verdict = verdict_of(wanted, asking("quarantine"))
    assert (verdict.decision, verdict.score, verdict.asked) == (Decision.HAM, score, "")


def test_expensive_filters_look_as_if_nothing_was_asked() -> None:
    """Else a virus in a message that asks to be tagged would be delivered."""
    assert not is_decided({"test_string": asking("tag")}, book().policy(MARIE), "antivirus_second")


def test_a_deferred_test_defers_the_transaction() -> None:
    wanted = book().policy(MARIE)
    made = plan([Judged(verdict_of(wanted, asking("defer")), wanted, ())])
    assert made.defer == "a test string asks for defer"


def test_a_clear_finding_asks_nothing() -> None:
    wanted = book().policy(MARIE)
    assert verdict_of(wanted, finding("test_string", Status.CLEAR)).asked == ""


def test_its_filter_stands_in_the_chain() -> None:
    assert [one.name for one in FILTERS].count("test_string") == 1

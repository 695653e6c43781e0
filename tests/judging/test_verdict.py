"""The verdict: what one recipient's policy makes of the findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.chain.registry import in_order, load_filters
from tamis.contract.filter import (
    Effect,
    Filter,
    FilterOptions,
    Message,
    NoChallenge,
    Opinion,
    Scopes,
    State,
)
from tamis.contract.finding import Finding, Status
from tamis.judging import verdict
from tamis.judging.policy import Policy
from tamis.judging.policy_terms import FilterRule
from tamis.judging.verdict import SCORE, Decision, is_decided, judge, judge_each, opinion_of
from tests.builders import MARIE, PROPERTY, book, finding, verdict_of


class Spoken(Filter):
    """A filter of which only the judging is wanted."""

    summary = "spoken"

    def examine(self, message: Message) -> Finding:
        return self.clear()


class Whitelist(Spoken):
    """Accepts."""

    name, spec_id, effect = "white", "S4", Effect.ACCEPT


class Refusal(Spoken):
    """Defers."""

    name, spec_id, effect = "later", "S3", Effect.DEFER


class Blacklist(Spoken):
    """Says spam."""

    name, spec_id, effect = "black", "S9", Effect.SPAM


class Points(Spoken):
    """Adds to the score."""

    name, spec_id, effect = "points", "S27", Effect.SCORE


class MorePoints(Points):
    """Adds to the score, too."""

    name, spec_id = "more_points", "S28"


class Note(Spoken):
    """Annotates."""

    name, spec_id, effect = "note", "S32", Effect.TAG


CHAIN = in_order((Points, Note, Blacklist, MorePoints, Refusal, Whitelist))
NAMES = [one.name for one in CHAIN]


def policy(text: str = "") -> Policy:
    return book(text, CHAIN).policy(MARIE)


def hits(*names: str) -> list[Finding]:
    return [finding(name, because=f"{name} saw it") for name in names]


@pytest.mark.parametrize(
    ("seen", "decision", "decided_by", "score"),
    [
        ((), Decision.HAM, "", 0.0),
        (("black",), Decision.SPAM, "black", 0.0),
        (("white", "black"), Decision.HAM, "white", 0.0),
        (("later", "white", "black"), Decision.DEFER, "later", 0.0),
        (("points",), Decision.HAM, "", 2.5),
        (("points", "more_points"), Decision.SPAM, SCORE, 5.0),
        (
            ("black", "points", "more_points"),
            Decision.SPAM,
            "black",
            0.0,
        ),  # nothing is added after a decision
        (("note",), Decision.HAM, "", 0.0),
        (("white", "points", "more_points"), Decision.HAM, "white", 0.0),
    ],
)
def test_the_first_decisive_filter_in_chain_order_decides(
    seen: tuple[str, ...], decision: Decision, decided_by: str, score: float
) -> None:
    verdict = verdict_of(policy("required = 5.0"), *hits(*reversed(seen)))
    assert (verdict.decision, verdict.decided_by, verdict.score) == (decision, decided_by, score)
    assert [o.filter for o in verdict.opinions] == [name for name in NAMES if name in seen]
    if decided_by and decided_by != SCORE:
        assert verdict.because == f"{decided_by} saw it"


@pytest.mark.parametrize(("required", "spam"), [(4.99, True), (5.0, True), (5.01, False)])
def test_the_threshold_belongs_to_spam(required: float, spam: bool) -> None:
    verdict = verdict_of(policy(f"required = {required}"), *hits("points", "more_points"))
    assert (verdict.decision is Decision.SPAM) is spam
    assert verdict.required == required
    assert bool(verdict.because) is spam


def test_negative_points_count() -> None:
    lowered = policy("required = 2.5\n[filters.more_points]\nscore = -0.1")
    assert verdict_of(lowered, *hits("points", "more_points")).decision is Decision.HAM
    assert verdict_of(lowered, *hits("points")).decision is Decision.SPAM


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [Status.CLEAR, Status.UNAVAILABLE, Status.SKIPPED])
def test_what_is_no_hit_moves_nothing(name: str, status: Status) -> None:
    verdict = verdict_of(policy("required = 0.1"), finding(name, status))
    assert (verdict.decision, verdict.decided_by, verdict.score) == (Decision.HAM, "", 0.0)
    assert [o.status for o in verdict.opinions] == [status]


@pytest.mark.parametrize("name", NAMES)
def test_a_shadow_is_shown_and_decides_nothing(name: str) -> None:
    shadow = policy(f'required = 0.1\n[filters.{name}]\nstate = "shadow"')
    verdict = verdict_of(shadow, *hits(name))
    assert (verdict.decision, verdict.decided_by, verdict.score) == (Decision.HAM, "", 0.0)
    assert [(o.shadow, o.effect is not None) for o in verdict.opinions] == [(True, True)]


def test_a_filter_that_is_off_says_nothing() -> None:
    verdict = verdict_of(policy('[filters.black]\nstate = "off"'), *hits("black"))
    assert (verdict.decision, verdict.opinions) == (Decision.HAM, ())


def test_a_filter_without_a_finding_says_nothing() -> None:
    assert judge({}, policy()).opinions == ()


@pytest.mark.parametrize(
    ("name", "effect", "decision"),
    [
        ("black", "score", Decision.HAM),
        ("black", "tag", Decision.HAM),
        ("points", "spam", Decision.SPAM),
        ("later", "spam", Decision.SPAM),
        ("white", "tag", Decision.HAM),
    ],
)
def test_policy_changes_what_a_hit_does(name: str, effect: str, decision: Decision) -> None:
    verdict = verdict_of(policy(f'[filters.{name}]\neffect = "{effect}"'), *hits(name))
    assert verdict.decision is decision


@pytest.mark.parametrize(
    ("seen", "by_list"), [(("white",), True), (("black",), False), ((), False), (("points",), False)]
)
def test_only_an_accepting_filter_lets_through(seen: tuple[str, ...], by_list: bool) -> None:
    assert verdict_of(policy(), *hits(*seen)).accepted_by_list is by_list


@pytest.mark.parametrize(
    ("seen", "before", "decided"),
    [
        (("black",), "points", True),
        (("black",), "black", False),  # only what stands before it
        (("black",), "white", False),
        (("white",), "black", True),
        (("later",), "white", True),
        (("points", "more_points"), "note", False),  # a total may still sink
        (("note",), "nothing", False),
        ((), "note", False),
    ],
)
def test_is_decided(seen: tuple[str, ...], before: str, decided: bool) -> None:
    findings = {one.filter: one for one in hits(*seen)}
    assert is_decided(findings, policy("required = 1.0"), before) is decided


class Earned(Spoken):
    """Accepts whoever earned it."""

    name, spec_id, effect, earned = "earned", "S7", Effect.ACCEPT, True


class Listed(Spoken):
    """Shows evidence."""

    name, spec_id, effect, forbids_challenge = "listed", "S24", Effect.SPAM, NoChallenge.LINKS


class Named(Spoken):
    """Shows evidence that adds points."""

    name, spec_id, effect, forbids_challenge = "named", "S31b", Effect.SCORE, NoChallenge.NAME


EARNING = in_order((Earned, Whitelist, Blacklist, Points, Listed, Named))


@pytest.mark.parametrize(
    ("seen", "setting", "decided_by", "decision"),
    [
        (("earned", "black", "points"), "", "earned", Decision.HAM),
        (("earned", "listed"), "", "listed", Decision.SPAM),
        (("earned", "black", "named"), "", "black", Decision.SPAM),
        (("earned", "points", "named"), "required = 5.0", "score", Decision.SPAM),
        (("earned", "named"), "", "", Decision.HAM),
        (("white", "earned", "listed"), "", "white", Decision.HAM),
        (("earned", "black", "listed"), '[filters.listed]\nstate = "shadow"', "earned", Decision.HAM),
        (("earned", "black", "listed"), '[filters.listed]\neffect = "tag"', "earned", Decision.HAM),
    ],
)
def test_what_a_sender_earned_excuses_suspicion_and_no_evidence(
    seen: tuple[str, ...], setting: str, decided_by: str, decision: Decision
) -> None:
    verdict = verdict_of(book(setting, EARNING).policy(MARIE), *hits(*seen))
    assert (verdict.decided_by, verdict.decision) == (decided_by, decision)


def test_what_a_sender_earned_does_not_spare_looking_for_evidence() -> None:
    """Expensive filters are left out once the verdict stands; attachments are looked at by one of these."""
    findings = {one.filter: one for one in hits("earned")}
    assert not is_decided(findings, book("", EARNING).policy(MARIE), "listed")


@pytest.mark.parametrize("setting", ['state = "shadow"', 'effect = "score"', 'state = "off"'])
def test_what_does_not_decide_is_not_decided(setting: str) -> None:
    findings = {"black": finding("black")}
    assert not is_decided(findings, policy(f"[filters.black]\n{setting}"), "note")


STATES = st.fixed_dictionaries({name: st.sampled_from(State) for name in NAMES})
STATUSES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(Status))


def _policy(states: Mapping[str, State], required: float) -> Policy:
    tables = "".join(f'[filters.{name}]\nstate = "{state}"\n' for name, state in states.items())
    return policy(f"required = {required}\n{tables}")


@PROPERTY
@given(STATES, STATUSES, st.floats(0.5, 10))
def test_only_hits_of_filters_that_are_on_matter(
    states: dict[str, State], statuses: dict[str, Status], required: float
) -> None:
    chosen = _policy(states, required)
    verdict = verdict_of(chosen, *(finding(name, status) for name, status in statuses.items()))
    live = [name for name in NAMES if states[name] is State.ON and statuses.get(name) is Status.HIT]
    alone = verdict_of(chosen, *hits(*live))
    assert (verdict.decision, verdict.decided_by, verdict.score) == (
        *(alone.decision, alone.decided_by, alone.score),
    )
    decisive = [name for name in live if name in ("white", "later", "black")]
    assert verdict.decided_by == (
        decisive[0] if decisive else SCORE if verdict.decision is Decision.SPAM else ""
    )
    if not live:
        assert verdict.decision is Decision.HAM


@PROPERTY
@given(STATES, STATUSES)
def test_decided_before_means_that_later_findings_change_nothing(
    states: dict[str, State], statuses: dict[str, Status]
) -> None:
    chosen = _policy(states, 1.0)
    findings: dict[str, Any] = {name: finding(name, status) for name, status in statuses.items()}
    for at, before in enumerate(NAMES):
        if states[before] is not State.OFF and is_decided(findings, chosen, before):
            earlier = {name: one for name, one in findings.items() if name in NAMES[:at]}
            full, part = judge(findings, chosen), judge(earlier, chosen)
            assert (full.decision, full.decided_by) == (part.decision, part.decided_by)


class Broken(Spoken):
    """Can't judge."""

    name, spec_id, effect = "broken", "S12", Effect.SPAM
    error: Exception | None = None
    rubbish: object = None

    def judge(self, *_: object) -> Any:
        if self.error is not None:
            raise self.error
        return self.rubbish


class BrokenAmong(Broken):
    """Can't judge beside others."""

    name = "broken_among"

    def judge(self, *_: object) -> Any:
        return Opinion(self.name, self.spec_id, Status.HIT)

    def is_open(self, finding: Finding) -> bool:
        return True

    def judge_among(self, *arguments: object) -> Any:
        return Broken.judge(self, *arguments)


class BrokenOpen(BrokenAmong):
    """Can't even say whether it can."""

    name = "broken_open"

    def is_open(self, finding: Finding) -> bool:
        raise ValueError("a mistake")


@pytest.mark.parametrize("kind", [Broken, BrokenAmong, BrokenOpen])
@pytest.mark.parametrize(
    ("error", "rubbish"),
    [
        (ValueError("a mistake"), None),
        (RecursionError(), None),
        *((None, one) for one in (None, True, Opinion("broken", "S12", "rubbish"))),  # type: ignore[arg-type]
        (None, Opinion("broken", "S12", Status.HIT, "rubbish")),  # type: ignore[arg-type]
        (None, Opinion("broken", "S12", Status.HIT, Effect.SCORE, "rubbish")),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_a_filter_that_can_not_judge_is_unavailable_and_the_log_says_so_once(
    kind: type[Broken],
    error: Exception | None,
    rubbish: object,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdict, "_told", set())
    made = in_order([type("Made", (kind,), {"__doc__": "x", "error": error, "rubbish": rubbish}), Points])
    policy = book("required = 1.0", made).policy(MARIE)
    findings = {one.name: Finding(one.name, Status.HIT, "x", {"a": 1}) for one in made}
    for _ in range(3):
        judged = judge(findings, policy)
        assert not is_decided(findings, policy, before="points")
        assert (judged.decision, judged.decided_by) == (Decision.SPAM, SCORE)  # what the others say stands
        if kind is not BrokenOpen:
            broken = judged.opinions[0]
            assert (broken.filter, broken.status, broken.effect) == (kind.name, Status.UNAVAILABLE, None)
            assert broken.text.startswith("failed: ")
    assert len(caplog.records) == 1
    assert f"filter {kind.name} can't judge" in caplog.text


class Personal(Points):
    """Counts for one mailbox alone."""

    name, spec_id = "personal", "S29"

    def judge(self, finding: Finding, options: FilterOptions, scopes: Scopes) -> Opinion:
        """By who the recipient is."""
        counted.append(self.name)
        return self.opinion(finding, options, hit=finding.status is Status.HIT and scopes[0] == MARIE)


class Counted(MorePoints):
    """Says how often it was asked."""

    name, spec_id = "counted", "S30"

    def judge(self, finding: Finding, options: FilterOptions, scopes: Scopes) -> Opinion:
        """As all do."""
        counted.append(self.name)
        return super().judge(finding, options, scopes)


counted: list[str] = []
TOGETHER = in_order((Points, Blacklist, Whitelist, Personal, Counted))
_LAYERS = """
[filters.personal]
effect = "spam"
[domains."example.org"]
required = 3.0
[mailboxes."paul@example.com".filters.points]
state = "shadow"
"""


@given(
    st.lists(st.sampled_from([one.name for one in TOGETHER]), unique=True),
    st.lists(st.sampled_from([MARIE, "paul@example.com", "anna@example.com", "eva@example.org"]), min_size=1),
)
def test_recipients_judged_together_have_the_verdicts_that_each_has_alone(
    seen: list[str], recipients: list[str]
) -> None:
    policies = list(map(book(_LAYERS, TOGETHER).policy, recipients))
    findings = {one.filter: one for one in hits(*seen)}
    assert judge_each(findings, policies) == [judge(findings, one) for one in policies]


def test_who_shares_a_policy_is_judged_once_but_for_what_depends_on_who_it_is() -> None:
    together = book("", TOGETHER)
    policies = [together.policy(f"user{number}@example.com") for number in range(200)]
    findings = {one.filter: one for one in hits("personal", "counted", "points")}
    counted.clear()
    verdicts = judge_each(findings, policies)
    assert [one.recipient for one in verdicts] == [one.recipient for one in policies]
    assert counted.count("counted") == 1
    assert counted.count("personal") >= len(policies)


class Regional(Spoken):
    """Looks at who the recipient is, even where it saw nothing."""

    name, spec_id, effect = "regional", "S28", Effect.SCORE

    def judge(self, finding: Finding, options: FilterOptions, scopes: Scopes) -> Opinion:
        return self.opinion(finding, options, hit=scopes[0] == MARIE)


Regional.__module__ = "tamis.filters.regional"  # as if it were one of ours


@pytest.mark.parametrize("status", [Status.CLEAR, Status.UNAVAILABLE, Status.SKIPPED])
def test_opinions_on_findings_without_facts_are_the_filters_own(status: Status) -> None:
    filters = (*load_filters(), Regional())
    for rule in (FilterRule(one, one.options()) for one in filters):
        said = finding(rule.filter.name, status=status, because="nothing there")
        for scopes in ((MARIE, "example.com"), ("paul@example.org", "example.org")) * 2:
            assert opinion_of(rule, said, scopes) == rule.filter.judge(said, rule.options, scopes)

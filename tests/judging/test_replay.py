"""History records and replay: what is written is what is judged."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.finding import ALREADY_DECIDED, Finding, Status
from tamis.judging.plan import outcome_of
from tamis.judging.policy import Outcome, PolicyBook
from tamis.judging.replay import Replay
from tamis.judging.story import (
    MAX_TEXT,
    Remembered,
    Told,
    finding_content,
    finding_from,
    from_line,
    tame,
    to_line,
)
from tamis.judging.verdict import judge
from tests.builders import FILTERS, MARIE, PAUL, PROPERTY, Aliases, book, finding
from tests.filters.golden import Case, cases


def replay_of(policies: PolicyBook, findings: Mapping[str, Finding]) -> tuple[Replay, bytes]:
    """A replay that has learnt these findings, and their pack."""
    contents = {n: finding_content(one) for n, one in enumerate(findings.values(), 1)}
    replay = Replay(policies)
    replay.memory.learn(contents)
    return replay, array("I", contents).tobytes()


@pytest.mark.parametrize("case", cases(), ids=str)
def test_every_golden_case_is_told_and_judged_again_exactly(case: Case) -> None:
    examined = case.examined
    line = to_line(examined.envelope, examined.findings, examined.judged, Remembered("<1@x>", 7))
    assert line.count(b"\n") == 1
    story = from_line(line)
    assert (story.at, story.sender, story.size) == (examined.envelope.received_at, case.told["sender"], 7)
    assert [finding_from(finding_content(f)) for f in story.findings] == [
        finding_from(finding_content(f)) for f in examined.findings.values()
    ]
    findings = {f.filter: f for f in story.findings}
    for (who, told), one in zip(story.recipients, examined.judged, strict=True):
        again = judge(findings, one.policy)
        assert (who, told) == (one.verdict.recipient, Told.of(again, outcome_of(again, one.policy)))
        assert again.opinions == one.verdict.opinions


POLICIES = (
    "",
    "required = 1.0\n[filters.malformed]\nmost = 20.0\n[filters.cyrillic]\nstate = 'on'",
    '[domains."example.com"]\noutcome = "tag"\n[domains."example.com".filters.empty]\nstate = "shadow"',
    '[mailboxes."marie@example.com".filters.ip_whitelist]\nstate = "off"\n[filters.missing_sender]\neffect = "score"',
    '[mailboxes."author@example.com"]\nrequired = 2\n[mailboxes."author@example.com".filters.malformed]\nstate = "off"',
)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_replay_with_memory_is_the_judge_without(policy: str) -> None:
    """All golden cases through one replay, so that what it remembers of one is used for another."""
    policies = book(policy)
    replay = Replay(policies)
    numbers: dict[bytes, int] = {}
    for case in [*cases(), *cases()]:
        findings = case.examined.findings
        contents = [finding_content(f) for f in findings.values()]
        for content in contents:
            numbers.setdefault(content, len(numbers) + 1)
        pack = array("I", (numbers[content] for content in contents)).tobytes()
        missing = replay.memory.missing([pack])
        replay.memory.learn({n: content for content, n in numbers.items() if n in missing})
        assert replay.memory.missing([pack]) == set()
        for who in (MARIE, PAUL, "carol@example.org"):
            resolved = policies.policy(who)
            verdict = judge(findings, resolved)
            told, _ = replay.tell(who, pack)
            assert told == Told.of(verdict, outcome_of(verdict, resolved))
            author = policies.policy("author@example.com")
            verdict = judge(findings, author)
            told, unknown = replay.tell(who, pack, author="author@example.com")
            assert told == Told.of(verdict, outcome_of(verdict, resolved))
            assert unknown == ()


def test_books_that_share_a_memory_are_judged_as_alone() -> None:
    """Each of the policies beside each other, in turn for each message: what one has heard must not speak for another,
    nor for another recipient of the same rules."""
    books = [book(policy) for policy in POLICIES]
    replays = [Replay(books[0])]
    replays += [Replay(one, replays[0].memory) for one in books[1:]]
    memory, numbers = replays[0].memory, dict[bytes, int]()
    for case in cases():
        findings = case.examined.findings
        contents = [finding_content(f) for f in findings.values()]
        pack = array("I", (numbers.setdefault(one, len(numbers) + 1) for one in contents)).tobytes()
        missing = memory.missing([pack])
        memory.learn({n: content for content, n in numbers.items() if n in missing})
        for who in (MARIE, PAUL, "carol@example.org"):
            for policies, replay in zip(books, replays, strict=True):
                resolved = policies.policy(who)
                verdict = judge(findings, resolved)
                assert replay.tell(who, pack)[0] == Told.of(verdict, outcome_of(verdict, resolved))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@PROPERTY
@given(st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=4))
def test_what_is_kept_of_a_finding_is_read_back_whole(facts: dict[str, object]) -> None:
    """Numbers of any length, lone surrogates, and control characters included."""
    found = finding_from(finding_content(Finding("empty", Status.HIT, "why", facts)))
    assert json.dumps(dict(found.facts)) == json.dumps(facts)


def test_numbers_beyond_64_bits_are_read_back_whole() -> None:
    facts = {
        "long": 10**30 + 7,
        "low": -(10**25) - 1,
        "most": 2**64 - 1,
        "float": 1e300,
        "none": float("inf"),
    }
    assert finding_from(finding_content(Finding("empty", Status.HIT, "why", facts))).facts == facts


def test_what_nobody_looked_at_is_said() -> None:
    findings = {
        "empty": finding("empty"),
        "malformed": Finding("malformed", Status.SKIPPED, ALREADY_DECIDED),
    }
    replay, pack = replay_of(book("[filters.cyrillic]\nstate = 'on'"), findings)
    _, unknown = replay.tell(MARIE, pack)
    assert "cyrillic" in unknown
    assert "malformed" not in unknown  # the decision before it still stands
    replay, pack = replay_of(book("[filters.empty]\nstate = 'shadow'"), findings)
    _, unknown = replay.tell(MARIE, pack)
    assert "malformed" in unknown
    assert "empty" not in unknown
    assert replay.tell(MARIE, pack, author=MARIE)[1] == ()
    with pytest.raises(KeyError):
        replay.tell(MARIE, array("I", [99]).tobytes())


@PROPERTY
@given(st.text())
def test_texts_are_tame(text: str) -> None:
    shown = tame(text + "\ud800\0")
    assert len(shown) <= MAX_TEXT
    assert "\0" not in shown
    shown.encode()


@PROPERTY
@given(
    st.one_of(
        st.binary(),
        st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode),
    )
)
def test_what_is_no_record_is_a_value_error(line: bytes) -> None:
    assert is_refused(line)


def is_refused(line: bytes) -> bool:
    try:
        from_line(line)
    except ValueError:
        return True
    return False


def test_half_a_record_is_none() -> None:
    examined = cases()[0].examined
    line = to_line(examined.envelope, examined.findings, examined.judged, Remembered("", 0))
    for cut in range(0, len(line) - 2, 7):
        assert is_refused(line[:cut])


def test_filters_that_judge_by_themselves_are_known_to_replay() -> None:
    """Malformed weighs what it saw, so its clear findings are read too; Empty doesn't."""
    replay = Replay(book())
    assert {b"malformed", b"ip_whitelist"} <= replay.memory._judging
    assert b"empty" not in replay.memory._judging
    assert len(FILTERS) == len(book().filters)


def test_memory_keeps_forwards_apart() -> None:
    """Spam for a forward is held, whatever the outcome of the same policy is for a mailbox (O4); also the mail of one
    author to both."""
    policies = book('outcome = "tag"', directory=Aliases({PAUL: ["paul@example.net"]}))
    marie, paul = policies.policy(MARIE), policies.policy(PAUL)
    assert marie.rules is paul.rules, "else nothing is remembered for both"
    replay, pack = replay_of(policies, {"empty": finding("empty")})
    for author in (None, "author@example.com", None):
        for _ in range(2):
            told = {who: replay.tell(who, pack, author=author)[0].outcome for who in (MARIE, PAUL)}
            assert told == {MARIE: Outcome.TAG, PAUL: Outcome.QUARANTINE}, author


def test_memory_keeps_the_outcomes_of_one_authors_recipients_apart() -> None:
    policies = book('[domains."example.org"]\noutcome = "tag"')
    replay, pack = replay_of(policies, {"empty": finding("empty")})
    for _ in range(2):
        told = {
            who: replay.tell(who, pack, author="author@example.com")[0].outcome
            for who in (MARIE, "carol@example.org")
        }
        assert told == {MARIE: Outcome.QUARANTINE, "carol@example.org": Outcome.TAG}

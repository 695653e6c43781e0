"""The plan: what the outcomes of all recipients mean for one transaction."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.contract.finding import Finding, Status
from tamis.judging.plan import Judged, Plan, SenderQuestion, outcome_of, plan
from tamis.judging.policy import Outcome
from tamis.judging.verdict import Decision
from tamis.message.header_editing import NewFields
from tamis.message.mail import Mail
from tamis.message.mail.headers import Headers
from tamis.settings import NoticeSettings
from tests.builders import FILTERS, MARIE, PAUL, PROPERTY, book, finding, verdict

ZOE = "zoe@example.com"
INBOX, TAG, JUNK, QUARANTINE, DEFER = (
    Outcome.INBOX,
    Outcome.TAG,
    Outcome.JUNK,
    Outcome.QUARANTINE,
    Outcome.DEFER,
)


def judged(recipient: str, outcome: Outcome, *, tag: str = "SPAM: ", headers: NewFields = ()) -> Judged:
    decision = {INBOX: "ham", DEFER: "defer"}.get(outcome, "spam")
    spam_goes = QUARANTINE if outcome in (INBOX, DEFER) else outcome
    wanted = book().policy(recipient).with_terms(outcome=str(spam_goes), tag=tag)
    return Judged(verdict(decision, recipient), wanted, headers)


def watched(recipient: str, outcome: Outcome) -> Judged:
    return replace(judged(recipient, outcome, headers=(("X-Spam-Status", "Yes"),)), observed=True)


@pytest.mark.parametrize("outcome", Outcome)
def test_the_mail_of_who_is_observed_stays_as_it_came(outcome: Outcome) -> None:
    made = plan([watched(MARIE, outcome), watched(PAUL, INBOX)])
    assert made == Plan(untouched=(MARIE, PAUL))


@pytest.mark.parametrize("outcome", [INBOX, TAG, JUNK, QUARANTINE])
def test_others_leave_a_copy_that_is_observed(outcome: Outcome) -> None:
    """For what stands there must keep even fields that are forged."""
    made = plan([watched(MARIE, QUARANTINE), judged(PAUL, outcome)])
    assert (made.untouched, made.in_place) == ((MARIE,), None)
    assert [(copy.outcome, copy.recipients) for copy in made.redirected] == [(outcome, (PAUL,))]


def test_who_is_not_observed_can_defer_the_transaction() -> None:
    made = plan([watched(MARIE, INBOX), judged(PAUL, DEFER)])
    assert made.defer


@pytest.mark.parametrize(
    ("decision", "wanted", "forward", "outcome"),
    [
        (Decision.HAM, "quarantine", False, INBOX),
        (Decision.HAM, "quarantine", True, INBOX),
        (Decision.DEFER, "inbox", False, DEFER),
        (Decision.SPAM, "quarantine", False, QUARANTINE),
        (Decision.SPAM, "junk", False, JUNK),
        (Decision.SPAM, "tag", False, TAG),
        (Decision.SPAM, "inbox", False, INBOX),
        *((Decision.SPAM, wanted, True, QUARANTINE) for wanted in ("junk", "tag", "inbox", "quarantine")),
    ],
)
def test_outcome(decision: Decision, wanted: str, forward: bool, outcome: Outcome) -> None:
    """O1-O4: spam for a forward is quarantined whatever the policy says."""
    policy = book(f'outcome = "{wanted}"\nforward = {str(forward).lower()}').policy(MARIE)
    assert outcome_of(verdict(decision), policy) is outcome


@pytest.mark.parametrize(
    ("outcomes", "stays", "redirected"),
    [
        ({MARIE: INBOX}, INBOX, {}),
        ({MARIE: INBOX, PAUL: INBOX}, INBOX, {}),
        ({MARIE: QUARANTINE}, None, {MARIE: QUARANTINE}),
        ({MARIE: QUARANTINE, PAUL: QUARANTINE}, None, {MARIE: QUARANTINE, PAUL: QUARANTINE}),
        ({MARIE: INBOX, PAUL: QUARANTINE, ZOE: QUARANTINE}, INBOX, {PAUL: QUARANTINE, ZOE: QUARANTINE}),
        ({MARIE: JUNK, PAUL: JUNK, ZOE: INBOX}, JUNK, {ZOE: INBOX}),
        ({MARIE: JUNK, PAUL: INBOX}, INBOX, {MARIE: JUNK}),  # as many: the milder one
        ({MARIE: TAG}, TAG, {}),
        ({MARIE: TAG, PAUL: TAG}, TAG, {}),
        ({MARIE: TAG, PAUL: TAG, ZOE: INBOX}, INBOX, {MARIE: TAG, PAUL: TAG}),
        ({MARIE: TAG, PAUL: QUARANTINE}, None, {MARIE: TAG, PAUL: QUARANTINE}),
        ({MARIE: TAG, PAUL: JUNK, ZOE: QUARANTINE}, JUNK, {MARIE: TAG, ZOE: QUARANTINE}),
        ({}, None, {}),
    ],
)
def test_the_largest_group_stays(
    outcomes: dict[str, Outcome], stays: Outcome | None, redirected: dict[str, Outcome]
) -> None:
    made = plan([judged(recipient, outcome) for recipient, outcome in outcomes.items()])
    assert (made.in_place.outcome if made.in_place else None) == stays
    assert {copy.recipients[0]: copy.outcome for copy in made.redirected} == redirected
    assert made.defer == ""


TEAM = "team@example.com"


@pytest.mark.parametrize(
    ("outcomes", "in_place", "redirected"),
    [
        ({MARIE: (INBOX, TEAM), PAUL: (INBOX, TEAM)}, [MARIE, PAUL], []),
        ({MARIE: (INBOX, TEAM), PAUL: (QUARANTINE, TEAM)}, [], [MARIE, PAUL]),
        ({MARIE: (INBOX, TEAM, MARIE), PAUL: (QUARANTINE, TEAM)}, [MARIE], [PAUL]),
        ({MARIE: (QUARANTINE, TEAM, MARIE), PAUL: (INBOX, TEAM)}, [], [MARIE, PAUL]),
        (
            {MARIE: (INBOX, TEAM), PAUL: (JUNK, TEAM), "c@example.com": (INBOX,)},
            ["c@example.com"],
            [MARIE, PAUL],
        ),
    ],
)
def test_an_alias_stays_in_place_only_with_all_its_mailboxes(
    outcomes: dict[str, tuple[Any, ...]], in_place: list[str], redirected: list[str]
) -> None:
    """What is left at Postfix under the alias's name goes to each of them."""
    everybody = []
    for who, (outcome, *via) in outcomes.items():
        one = judged(who, outcome)
        everybody.append(replace(one, policy=replace(one.policy, via=tuple(via or (who,)))))
    made = plan(everybody)
    assert list(made.in_place.recipients if made.in_place else ()) == in_place
    assert sorted(who for copy in made.redirected for who in copy.recipients) == sorted(redirected)


def test_different_tags_are_different_copies() -> None:
    made = plan([judged(MARIE, TAG, tag="A "), judged(PAUL, TAG, tag="B ")])
    assert made.in_place is None
    assert {copy.recipients: copy.tag for copy in made.redirected} == {(MARIE,): "A ", (PAUL,): "B "}


def test_addresses_of_one_mailbox_share_what_is_held_and_keep_their_own_fields() -> None:
    addresses = ("marie+1@example.com", "marie+2@example.com", PAUL)

    def of(outcome: Outcome) -> list[Judged]:
        return [judged(one, outcome, headers=(("X-Spam-Rcpt", f"<{one}>"),)) for one in addresses]

    held = plan(of(QUARANTINE)).redirected
    assert [copy.recipients for copy in held] == [addresses[:2], (PAUL,)]
    tagged = plan([*of(TAG), judged(ZOE, INBOX)]).redirected
    assert [(copy.recipients, dict(copy.headers)["X-Spam-Rcpt"]) for copy in tagged] == [
        ((one,), f"<{one}>") for one in addresses
    ]


def test_a_tag_of_those_who_are_not_tagged_divides_nobody() -> None:
    made = plan([judged(MARIE, JUNK, tag="A "), judged(PAUL, JUNK, tag="B ")])
    assert made.in_place is not None
    assert (made.in_place.recipients, made.in_place.tag) == ((MARIE, PAUL), "")


@pytest.mark.parametrize(
    ("marie", "paul", "shared"),
    [
        ([("A", "1"), ("B", "2")], [("A", "1"), ("B", "2")], [("A", "1"), ("B", "2")]),
        ([("A", "1"), ("B", "2")], [("A", "1"), ("B", "3")], [("A", "1")]),
        ([("A", "1")], [], []),
        ([("A", "1"), ("A", "1")], [("A", "1")], [("A", "1"), ("A", "1")]),
        ([("B", "2"), ("A", "1")], [("A", "1"), ("B", "2")], [("B", "2"), ("A", "1")]),
    ],
)
def test_the_shared_copy_has_only_what_is_everybodys(
    marie: list[tuple[str, str]], paul: list[tuple[str, str]], shared: list[tuple[str, str]]
) -> None:
    made = plan([judged(MARIE, INBOX, headers=tuple(marie)), judged(PAUL, INBOX, headers=tuple(paul))])
    assert made.in_place is not None
    assert made.in_place.headers == tuple(shared)


@pytest.mark.parametrize("because", ["greylisted", ""])
def test_one_who_defers_defers_all(because: str) -> None:
    later = judged(PAUL, DEFER)
    later = replace(later, verdict=replace(later.verdict, because=because))
    assert plan([judged(MARIE, INBOX), later]) == Plan(defer=because or "try again later")


HEADERS = st.lists(
    st.tuples(st.sampled_from(["A", "B", "C"]), st.sampled_from(["1", "2"])), max_size=4, unique=True
).map(tuple)
EVERYBODY = st.lists(
    st.tuples(st.sampled_from([INBOX, TAG, JUNK, QUARANTINE]), st.sampled_from(["A ", "B "]), HEADERS),
    min_size=1,
    max_size=8,
)


@PROPERTY
@given(EVERYBODY)
def test_plan(everybody: list[tuple[Outcome, str, NewFields]]) -> None:
    recipients = [
        judged(f"r{n}@example.com", outcome, tag=tag, headers=headers)
        for n, (outcome, tag, headers) in enumerate(everybody)
    ]
    made = plan(recipients)
    copies = [*([made.in_place] if made.in_place else []), *made.redirected]
    by_name = {one.verdict.recipient: one for one in recipients}

    assert sorted(r for copy in copies for r in copy.recipients) == sorted(by_name)  # everybody exactly once
    assert all(len(copy.recipients) == 1 for copy in made.redirected)
    for copy in copies:
        for recipient in copy.recipients:
            one = by_name[recipient]
            assert copy.outcome is one.outcome
            assert copy.tag == (one.policy.terms.tag if one.outcome is TAG else "")
            assert set(copy.headers) <= set(one.headers)  # nobody reads what is another's
    assert all(copy.headers == by_name[copy.recipients[0]].headers for copy in made.redirected)
    if made.in_place is not None:
        assert made.in_place.outcome is not QUARANTINE
        assert made.in_place.outcome is not TAG or not made.redirected
        sizes = Counter(one.outcome for one in recipients if one.outcome in (INBOX, JUNK))
        assert not sizes or len(made.in_place.recipients) == max(sizes.values())
    else:
        assert not any(one.outcome in (INBOX, JUNK) for one in recipients)


HELD, LETTER_HEAD = 'challenge = "reply"', Mail(b"Subject: Facture\r\n\r\n").headers


def question(
    sender: str = "jean@example.net", head: Headers = LETTER_HEAD, *found: Finding
) -> SenderQuestion:
    findings = {one.filter: one for one in found}
    return SenderQuestion(sender, head, findings, FILTERS, NoticeSettings(), has_page=True)


def held(recipient: str, terms: str = HELD, decision: str = "spam") -> Judged:
    return Judged(verdict(decision, recipient), book(terms).policy(recipient), ())


NOTHING = finding("empty", Status.CLEAR)


@pytest.mark.parametrize(
    ("recipients", "asked", "asks"),
    [
        ([held(MARIE)], question("jean@example.net", LETTER_HEAD, NOTHING), True),
        ([held(MARIE), held(PAUL)], question("jean@example.net", LETTER_HEAD, NOTHING), True),
        ([held(MARIE)], None, False),
        ([held(MARIE)], question(), False),  # the findings are lost
        ([held(MARIE)], question("", LETTER_HEAD, NOTHING), False),
        ([held(MARIE)], question("jean@example.net", LETTER_HEAD, finding("antivirus")), False),
        ([held(MARIE)], question("jean@example.net", Mail(b"List-Id: x\r\n\r\n").headers, NOTHING), False),
        ([held(MARIE, 'challenge = "mail"')], question("jean@example.net", LETTER_HEAD, NOTHING), False),
        (
            [held(MARIE), held(PAUL, 'challenge = "mail"')],
            question("jean@example.net", LETTER_HEAD, NOTHING),
            False,
        ),
        ([held(MARIE), held(PAUL, HELD, "ham")], question("jean@example.net", LETTER_HEAD, NOTHING), False),
        (
            [held(MARIE, HELD + '\noutcome = "junk"')],
            question("jean@example.net", LETTER_HEAD, NOTHING),
            False,
        ),
        ([held(MARIE), held("x@example.org")], question("jean@example.net", LETTER_HEAD, NOTHING), False),
    ],
)
def test_when_the_sender_is_asked_in_the_reply(
    recipients: list[Judged], asked: SenderQuestion | None, asks: bool
) -> None:
    """Every copy held, in one domain, all policies want it, and nothing speaks against asking. The redirected
    copies are in the plan as well, for when the desk can't."""
    made = plan(recipients, asked)
    assert made.asks is asks
    assert replace(made, asks=False) == plan(recipients)


def test_entries_of_other_recipients_forbid_nothing() -> None:
    """Paul's black list is no reason of Marie's: she is not told that he is a recipient, and asking is hers."""
    of_paul = [1, PAUL, "black", "sender", "jean@example.net", "envelope"]
    found = finding("sender_blacklist", Status.HIT, "on the list", matches=[of_paul])
    asked = question("jean@example.net", LETTER_HEAD, found)
    assert plan([held(MARIE)], asked).asks
    assert not plan([held(MARIE), held(PAUL)], asked).asks

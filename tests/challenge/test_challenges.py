"""Challenges in the store, on both databases: decided once, mailed at most once, solved once, and nothing forgotten."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from tamis.base.errors import ReinjectError
from tamis.challenge.challenge_records import (
    MOST_WRONG,
    AnswerProof,
    ChallengeDecision,
    ChallengeState,
    PageState,
    SolveResult,
    Undecided,
    ways_for,
)
from tamis.challenge.challenges import HEAD, STALE_SENDING, Challenges
from tamis.judging.policy_terms import Terms
from tamis.judging.suppression import NotAsked
from tamis.quarantine.held_mail import TOMBSTONE
from tamis.quarantine.records import Done, HeldRecord
from tamis.settings import NoticeSettings
from tamis.store import Store
from tests.quarantine.samples import CONTENT, NOW, Postbox, held

LATER = NOW + timedelta(minutes=5)
MARIE, PAUL, CHLOE = "marie@example.com", "paul@example.com", "chloe@example.org"
ROOM = NoticeSettings()
_MILLISECONDS = itertools.count(0, 10)


def agree(_: str) -> Terms:
    """Every recipient asks senders."""
    return Terms()


def all_but(*others: str, **terms: Any) -> Callable[[str], Terms]:
    """Every recipient asks senders but some."""
    return lambda who: Terms(challenge="off") if who in others else Terms(**terms)


def decide(
    store: Store,
    reason: Callable[[Undecided], NotAsked | None] = lambda _: None,
    *,
    budgets: NoticeSettings = ROOM,
    authenticated: bool = True,
    now: datetime = LATER,
) -> Counter[str]:
    """Decide about everything that is undecided."""
    found = store.challenges.undecided(held_before=now)
    decisions = [ChallengeDecision(copy, reason(copy), "fr", authenticated) for copy in found]
    return store.challenges.decide(decisions, budgets, now=now)


def hold(store: Store, *recipients: str, transaction: str = "t1", **changes: Any) -> list[str]:
    """Copies of one message, in this order: ids sort by time."""
    moments = (NOW + timedelta(milliseconds=next(_MILLISECONDS)) for _ in recipients)
    return [
        store.quarantine.hold(held(transaction, who, **changes), CONTENT, now=moment)
        for who, moment in zip(recipients, moments, strict=True)
    ]


def asked(store: Store, *recipients: str, transaction: str = "t1", **changes: Any) -> str:
    """A challenge whose sender has the link."""
    hold(store, *recipients, transaction=transaction, **changes)
    decide(store)
    (challenge,) = store.challenges.pending()
    assert store.challenges.claim(challenge.id, now=LATER)
    store.challenges.sent(challenge.id)
    return challenge.id


def test_copies_of_one_domain_share_a_challenge(store: Store) -> None:
    ids = hold(store, MARIE, PAUL, CHLOE)
    assert decide(store) == {"": 2}
    assert decide(store) == {}, "nothing is undecided any more"
    ours = {one.domain: one for one in store.challenges.pending()}
    assert set(ours) == {"example.com", "example.org"}
    assert store.challenges.messages(ours["example.com"].id) == tuple(ids[:2])
    one = ours["example.com"]
    assert (one.sender, one.transport, one.state, one.reason) == ("offer@example.net", "mail", "pending", "")
    assert (one.language, one.authenticated, one.attempts) == ("fr", True, 0)


def test_copies_have_reasons_of_their_own(store: Store) -> None:
    ids = hold(store, MARIE, PAUL)
    made = decide(store, lambda copy: NotAsked.POLICY if copy.recipient == PAUL else None)
    assert made == {"": 1, "policy": 1}
    (question,) = store.challenges.pending()
    assert store.challenges.messages(question.id) == (ids[0],)
    (suppressed,) = store.challenges.list(reason="policy")
    assert (suppressed.state, suppressed.transport) == (ChallengeState.SUPPRESSED, "")
    assert store.answers.open(suppressed.id, agree) is None
    assert store.answers.solve(suppressed.id, agree, Postbox(), AnswerProof.CODE).result is SolveResult.GONE


def test_what_is_shown_of_an_undecided_copy(store: Store) -> None:
    hold(store, MARIE)
    assert store.challenges.undecided(held_before=NOW - timedelta(seconds=1)) == ()
    (copy,) = store.challenges.undecided(held_before=LATER)
    assert (copy.sender, copy.recipient, copy.domain) == ("offer@example.net", MARIE, "example.com")
    assert copy.head == CONTENT
    assert copy.findings["x"].status == "hit"


def test_a_long_message_is_not_read_whole(store: Store) -> None:
    for number, tail in enumerate(
        (b"x" * 3_000_000, secrets.token_bytes(3_000_000))
    ):  # packs well, and not at all
        store.quarantine.hold(held(f"t{number}"), CONTENT + tail, now=NOW)
    heads = [copy.head for copy in store.challenges.undecided(held_before=NOW)]
    assert [(len(head), head.startswith(CONTENT)) for head in heads] == [(HEAD, True)] * 2


def test_budgets_count_what_was_mailed(store: Store) -> None:
    budgets = NoticeSettings(per_sender_day=2)
    for number in range(4):
        hold(store, MARIE, transaction=f"t{number}")
    assert decide(store, budgets=budgets) == {"": 2, "sender-budget": 2}
    hold(store, MARIE, transaction="another", sender="OFFER@Example.NET")
    assert decide(store, budgets=budgets) == {"sender-budget": 1}
    hold(store, MARIE, transaction="other", sender="else@example.net")
    assert decide(store, budgets=budgets) == {"": 1}
    hold(store, MARIE, transaction="next day")
    assert decide(store, budgets=budgets, now=LATER + timedelta(days=1, minutes=1)) == {"": 1}


@pytest.mark.parametrize(
    ("budgets", "reason"),
    [
        (NoticeSettings(per_sender_domain_day=1), "sender-domain-budget"),
        (NoticeSettings(per_domain_day=1), "domain-budget"),
        (NoticeSettings(per_hour=1), "hour-budget"),
        (NoticeSettings(per_day=1), "day-budget"),
    ],
)
def test_each_budget(store: Store, budgets: NoticeSettings, reason: str) -> None:
    for number in range(3):
        hold(store, MARIE, transaction=f"t{number}", sender=f"s{number}@example.net")
    assert decide(store, budgets=budgets) == {"": 1, reason: 2}


def test_what_nobody_was_mailed_spends_nothing(store: Store) -> None:
    for number in range(5):
        hold(store, MARIE, transaction=f"t{number}")
    decide(store, lambda _: NotAsked.LIST)
    store.challenges.hold_asked(held("r"), CONTENT, language="fr", authenticated=True, now=NOW)
    hold(store, MARIE, transaction="last")
    assert decide(store, budgets=NoticeSettings(per_sender_day=1)) == {"": 1}


def test_a_late_copy_joins_its_siblings(store: Store) -> None:
    challenge = asked(store, MARIE)
    (late,) = hold(store, PAUL, retention_days=60)
    assert decide(store, budgets=NoticeSettings(per_sender_day=1)) == {}, "the sender is not asked again"
    assert late in store.challenges.messages(challenge)
    page = store.answers.open(challenge, agree, now=LATER)
    assert page is not None
    assert page.recipients == (MARIE, PAUL)
    one = store.challenges.get(challenge)
    assert one is not None
    assert one.expires_at == pytest.approx(NOW + timedelta(days=60), abs=timedelta(minutes=1))


def test_a_copy_after_the_answer_is_released_too(store: Store) -> None:
    challenge = asked(store, MARIE)
    box = Postbox()
    assert store.answers.solve(challenge, agree, box, AnswerProof.CODE, now=LATER).delivered == (MARIE,)
    (one,) = store.answers.solved()
    assert store.answers.finish(one, agree, box)
    store.answers.close(one)
    assert store.answers.solved() == ()
    hold(store, PAUL)
    decide(store)
    (one,) = store.answers.solved()
    assert store.answers.finish(one, agree, box)
    assert [record.summary.recipient for record, _ in box.got] == [MARIE, PAUL]


# --- mailing ---------------------------------------------------------------------------------------------------------


def test_a_notice_is_mailed_by_one_process(store: Store) -> None:
    hold(store, MARIE)
    decide(store)
    (challenge,) = store.challenges.pending()
    assert [store.challenges.claim(challenge.id) for _ in range(3)] == [True, False, False]
    assert store.challenges.pending() == ()


def test_an_outage_of_postfix_costs_nothing(store: Store) -> None:
    hold(store, MARIE)
    decide(store)
    (challenge,) = store.challenges.pending()
    for _ in range(3):
        assert store.challenges.claim(challenge.id)
        store.challenges.unsent(challenge.id)
    assert [one.id for one in store.challenges.pending()] == [challenge.id]


def test_a_crash_costs_the_notice_and_not_the_answer(store: Store) -> None:
    hold(store, MARIE)
    decide(store)
    (challenge,) = store.challenges.pending()
    store.challenges.claim(challenge.id, now=LATER)
    assert store.challenges.lose_interrupted(now=LATER + STALE_SENDING / 2) == 0
    assert store.challenges.lose_interrupted(now=LATER + STALE_SENDING) == 1
    assert store.challenges.pending() == (), "it is never mailed a second time"
    page = store.answers.open(challenge.id, agree, now=LATER)
    assert page is not None
    assert page.state is PageState.OPEN
    assert store.answers.solve(challenge.id, agree, Postbox(), AnswerProof.CODE, now=LATER).delivered == (
        MARIE,
    )


# --- the page --------------------------------------------------------------------------------------------------------


def test_what_the_page_may_say(store: Store) -> None:
    challenge = asked(store, MARIE, PAUL)
    page = store.answers.open(challenge, all_but(PAUL, time_zone="Europe/Paris"), now=LATER)
    assert page is not None
    assert page.state is PageState.OPEN
    assert page.recipients == (MARIE,)
    assert (page.subject, page.sender, page.decided_by) == ("Win", "offer@example.net", "score")
    assert page.sent_at == NOW
    assert page.held_until == pytest.approx(NOW + timedelta(days=30), abs=timedelta(minutes=1))
    assert (page.domain, page.language, page.time_zone) == ("example.com", "fr", "Europe/Paris")
    assert page.attempts_left == MOST_WRONG
    assert page.whitelists


def test_looking_changes_nothing(store: Store) -> None:
    challenge = asked(store, MARIE)
    before = store.challenges.get(challenge)
    for _ in range(50):
        store.answers.open(challenge, agree, now=LATER)
    assert store.challenges.get(challenge) == before
    assert [one.state for one in store.quarantine.list(state=None)] == ["held"]


@pytest.mark.parametrize("challenge", ["", "x", "01JDCHA77ENGE0000000000001", "\0", "é" * 500, "' OR 1=1 --"])
def test_no_challenge(store: Store, challenge: str) -> None:
    asked(store, MARIE)
    box = Postbox()
    assert store.answers.open(challenge, agree) is None
    assert store.challenges.get(challenge) is None
    assert store.answers.solve(challenge, agree, box, AnswerProof.CODE).result is SolveResult.GONE
    assert store.answers.fail(challenge) == 0
    assert box.got == []


def test_too_many_wrong_answers_close_it(store: Store) -> None:
    challenge = asked(store, MARIE)
    left = [store.answers.fail(challenge) for _ in range(MOST_WRONG + 2)]
    assert left == [*range(MOST_WRONG - 1, -1, -1), 0, 0]
    page = store.answers.open(challenge, agree, now=LATER)
    assert page is not None
    assert page.state is PageState.LOCKED
    box = Postbox()
    assert (
        store.answers.solve(challenge, agree, box, AnswerProof.CODE, now=LATER).result is SolveResult.LOCKED
    )
    assert box.got == []
    assert store.quarantine.release(store.challenges.messages(challenge)[0], "marie", box) is Done.DONE


@pytest.mark.parametrize("how", ["delete", "release", "off", "late"])
def test_what_became_of_the_message_meanwhile(store: Store, how: str) -> None:
    challenge, box = asked(store, MARIE), Postbox()
    (message,) = store.challenges.messages(challenge)
    terms: Callable[[str], Terms] = agree
    now, state = LATER, PageState.GONE
    if how == "delete":
        store.quarantine.delete(message, "marie")
    elif how == "release":
        store.quarantine.release(message, "marie", box)
        state = PageState.DELIVERED
    elif how == "off":
        terms = all_but(MARIE)
    else:
        now = NOW + timedelta(days=30, minutes=1)
    page = store.answers.open(challenge, terms, now=now)
    assert (page and page.state) == (None if how == "off" else state)
    box.got.clear()
    assert store.answers.solve(challenge, terms, box, AnswerProof.CODE, now=now).result is SolveResult.GONE
    assert box.got == []


# --- solving ---------------------------------------------------------------------------------------------------------


def test_a_right_answer(store: Store) -> None:
    challenge, box = asked(store, MARIE, PAUL), Postbox()
    receipt = store.answers.solve(challenge, all_but(PAUL), box, AnswerProof.CODE, now=LATER)
    assert receipt.result is SolveResult.DELIVERED
    assert (receipt.delivered, receipt.waiting, receipt.at) == ((MARIE,), (), LATER)
    assert receipt.whitelisted
    assert [(record.summary.recipient, content) for record, content in box.got] == [(MARIE, CONTENT)]
    states = {one.recipient: one.state for one in store.quarantine.list(state=None)}
    assert states == {MARIE: "released", PAUL: "held"}, "who does not agree keeps the copy held"
    (earned,) = store.senders.find(domain="example.com", address="offer@example.net")
    assert earned.validations == 1


def test_a_second_answer_changes_nothing(store: Store) -> None:
    challenge, box = asked(store, MARIE), Postbox()
    store.answers.solve(challenge, agree, box, AnswerProof.CODE, now=LATER)
    again = store.answers.solve(challenge, agree, box, AnswerProof.CODE, now=LATER + timedelta(hours=1))
    assert (again.result, again.at, again.whitelisted) == (SolveResult.ALREADY, LATER, True)
    assert len(box.got) == 1
    assert store.senders.find()[0].validations == 1
    page = store.answers.open(challenge, agree, now=LATER)
    assert page is not None
    assert (page.state, page.solved_at) == (PageState.DELIVERED, LATER)


def test_answers_at_the_same_moment(store: Store) -> None:
    challenge, box = asked(store, MARIE, PAUL), Postbox()
    results: list[SolveResult] = []
    gate = threading.Barrier(6)

    def answer() -> None:
        gate.wait()
        results.append(store.answers.solve(challenge, agree, box, AnswerProof.CODE, now=LATER).result)

    threads = [threading.Thread(target=answer) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(results) == {SolveResult.DELIVERED: 1, SolveResult.ALREADY: 5}
    assert sorted(record.summary.recipient for record, _ in box.got) == [MARIE, PAUL]
    assert store.senders.find()[0].validations == 1


def test_an_address_that_nobody_vouched_for_earns_nothing(store: Store) -> None:
    hold(store, MARIE)
    decide(store, authenticated=False)
    (challenge,) = store.challenges.pending()
    page = store.answers.open(challenge.id, agree, now=LATER)
    assert page is not None
    assert not page.whitelists
    receipt = store.answers.solve(challenge.id, agree, Postbox(), AnswerProof.CODE, now=LATER)
    assert (receipt.delivered, receipt.whitelisted) == ((MARIE,), False)
    assert store.senders.find() == []


def test_policy_may_want_no_white_list(store: Store) -> None:
    challenge = asked(store, MARIE, PAUL)

    def terms(who: str) -> Terms:
        return Terms(challenge_whitelist=who != PAUL)

    assert not store.answers.solve(challenge, terms, Postbox(), AnswerProof.CODE, now=LATER).whitelisted
    assert store.senders.find() == []


def test_an_own_address_can_be_asked_but_earns_nothing(store: Store) -> None:
    challenge = asked(store, MARIE, sender=PAUL)
    receipt = store.answers.solve(challenge, agree, Postbox(), AnswerProof.CODE, now=LATER)
    assert (receipt.delivered, receipt.whitelisted) == ((MARIE,), False)


def test_postfix_is_down(store: Store) -> None:
    challenge, box = asked(store, MARIE, PAUL), Postbox("connection refused")
    receipt = store.answers.solve(challenge, agree, box, AnswerProof.CODE, now=LATER)
    assert receipt.result is SolveResult.DELIVERED
    assert (receipt.delivered, receipt.waiting) == ((), (MARIE, PAUL))
    (one,) = store.answers.solved()
    assert not store.answers.finish(one, agree, box)
    box.refusing = ""
    assert store.answers.finish(one, agree, box)
    assert store.answers.finish(one, agree, box), "a second time finds nothing to do"
    assert [record.summary.recipient for record, _ in box.got] == [MARIE, PAUL]
    store.answers.close(one)
    assert store.answers.solved() == ()


def test_a_crash_amid_the_release_leaves_nothing_behind(store: Store) -> None:
    class Crash(BaseException):
        """As if the process had been killed."""

    challenge, box = asked(store, MARIE, PAUL), Postbox()

    def dying(record: HeldRecord, content: bytes) -> str:
        box(record, content)
        raise Crash

    with pytest.raises(Crash):
        store.answers.solve(challenge, agree, dying, AnswerProof.CODE, now=LATER)
    (one,) = store.answers.solved()
    assert not store.answers.finish(one, agree, box), "the interrupted copy is taken up by resume_releases"
    store.quarantine.resume_releases(box, now=datetime.now(UTC) + timedelta(hours=1))
    assert store.answers.finish(one, agree, box)
    assert Counter(record.summary.recipient for record, _ in box.got) == {MARIE: 2, PAUL: 1}


def test_a_copy_that_can_never_go(store: Store) -> None:
    def refusing(record: HeldRecord, content: bytes) -> str:
        raise ReinjectError("no such user", permanent=True)

    challenge = asked(store, MARIE)
    store.answers.solve(challenge, agree, refusing, AnswerProof.CODE, now=LATER)
    (one,) = store.answers.solved()
    assert not store.answers.finish(one, agree, refusing)
    store.expiry.run(now=NOW + timedelta(days=31))
    assert store.answers.finish(one, agree, refusing), "its retention ends it"


# --- by SMTP reply ---------------------------------------------------------------------------------------------------


def by_reply(challenges: Challenges, transaction: str, recipient: str, at: datetime = NOW) -> tuple[str, str]:
    """Hold a copy whose sender is asked in the dialogue."""
    message = held(transaction, recipient)
    message = replace(message, envelope=replace(message.envelope, received_at=at))
    return challenges.hold_asked(message, CONTENT, language="en", authenticated=False, now=at)


def test_asked_by_reply(store: Store) -> None:
    message, challenge = by_reply(store.challenges, "t1", MARIE)
    one = store.challenges.get(challenge)
    assert one is not None
    assert (one.state, one.transport, one.language) == (ChallengeState.ASKED, "reply", "en")
    assert store.challenges.messages(challenge) == (message,)
    assert store.challenges.undecided(held_before=LATER) == ()
    assert by_reply(store.challenges, "t1", MARIE) == (message, challenge), "a second try is the same"
    assert by_reply(store.challenges, "t1", PAUL)[1] == challenge, "and so is another recipient's copy"
    assert set(store.answers.solve(challenge, agree, Postbox(), AnswerProof.CODE, now=LATER).delivered) == {
        MARIE,
        PAUL,
    }


def test_what_is_sent_anew_is_held_anew_once_it_was_deleted(store: Store) -> None:
    """The link works again, for what is held now; the same delivery, told twice, is none of that."""
    first, challenge = by_reply(store.challenges, "t1", MARIE)
    store.quarantine.delete(first, "marie", now=NOW)
    assert by_reply(store.challenges, "t1", MARIE) == (first, challenge), "the same sending"
    page = store.answers.open(challenge, agree, now=LATER)
    assert page is not None
    assert page.state is PageState.GONE
    again, same = by_reply(store.challenges, "t1", MARIE, LATER)
    assert again != first
    assert same == challenge
    assert by_reply(store.challenges, "t1", MARIE, LATER + timedelta(microseconds=1)) == (again, challenge)
    page = store.answers.open(challenge, agree, now=LATER)
    assert page is not None
    assert (page.state, page.recipients) == (PageState.OPEN, (MARIE,))
    postbox = Postbox()
    assert store.answers.solve(challenge, agree, postbox, AnswerProof.CODE, now=LATER).delivered == (MARIE,)
    assert [record.summary.id for record, _ in postbox.got] == [again]
    later = LATER + timedelta(hours=1)
    assert by_reply(store.challenges, "t1", MARIE, later) == (again, challenge), "it was delivered"
    assert store.quarantine.get(first) is not None


def test_what_is_sent_anew_is_held_anew_once_it_has_expired(store: Store) -> None:
    first, _ = by_reply(store.challenges, "t1", MARIE)
    over = NOW + timedelta(days=31)
    store.expiry.run(now=over)
    again, same = by_reply(store.challenges, "t1", MARIE, over)
    assert again != first
    page = store.answers.open(same, agree, now=over + timedelta(days=1))
    assert page is not None
    assert page.state is PageState.OPEN


def test_a_reply_that_was_never_given(store: Store) -> None:
    message, challenge = by_reply(store.challenges, "t1", MARIE)
    other, _ = by_reply(store.challenges, "t1", PAUL)
    store.challenges.untold(message)
    assert store.challenges.get(challenge) is None
    assert {copy.message for copy in store.challenges.undecided(held_before=LATER)} == {message, other}
    store.challenges.untold(message)  # nothing more to take back
    decide(store, lambda _: NotAsked.UNAUTHENTICATED)
    assert by_reply(store.challenges, "t1", MARIE) == (message, ""), "it was ruled out since"


def test_an_answered_reply_is_not_taken_back(store: Store) -> None:
    message, challenge = by_reply(store.challenges, "t1", MARIE)
    store.answers.solve(challenge, agree, Postbox(), AnswerProof.CODE, now=LATER)
    store.challenges.untold(message)
    assert store.challenges.get(challenge) is not None


# --- looking and forgetting ------------------------------------------------------------------------------------------


def test_lists_and_counts(store: Store) -> None:
    for number in range(3):
        hold(store, MARIE, transaction=f"t{number}", sender=f"s{number}@example.net")
    decide(store, lambda copy: NotAsked.LIST if copy.sender.startswith("s0") else None)
    hold(store, CHLOE, transaction="t9")
    decide(store)
    every = store.challenges.list()
    assert [one.id for one in every] == sorted((one.id for one in every), reverse=True)
    assert [one.domain for one in store.challenges.list(domain="example.org")] == ["example.org"]
    assert [one.sender for one in store.challenges.list(sender="S1@example.net")] == ["s1@example.net"]
    assert store.challenges.list(state=ChallengeState.SUPPRESSED) == store.challenges.list(reason="list")
    assert store.challenges.list(limit=2, before=every[1].id) == every[2:4]
    assert store.challenges.counts(NOW) == (
        (ChallengeState.PENDING, "mail", "", 3),
        (ChallengeState.SUPPRESSED, "", "list", 1),
    )
    assert store.challenges.counts(LATER + timedelta(days=1)) == ()


def test_they_are_forgotten_with_the_last_trace_of_their_copies(store: Store) -> None:
    challenge = asked(store, MARIE)
    store.expiry.run(now=NOW + timedelta(days=30, minutes=1))
    assert store.challenges.get(challenge) is not None
    store.expiry.run(now=NOW + timedelta(days=30, minutes=2) + TOMBSTONE)
    assert store.challenges.get(challenge) is None
    assert store.quarantine.list(state=None) == ()


def test_what_is_asked_every_second_is_served_by_small_indexes(store: Store) -> None:
    """On SQLite without statistics, as a new installation is, and on an SQLite of any size."""
    database = store.challenges._database
    if not database.is_sqlite:
        return
    told: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            told.extend(row[3] for row in plan)

    hold(store, MARIE)
    event.listen(database.engine, "before_cursor_execute", explain)
    found = store.challenges.undecided(held_before=LATER)
    assert any("ix_messages_unasked" in line for line in told), told
    for look in (store.challenges.pending, store.answers.solved, store.challenges.lose_interrupted):
        told.clear()
        look()
        assert ["ix_challenges_unfinished" in line for line in told] == [True], told
    told.clear()
    store.challenges.decide([ChallengeDecision(found[0], None, "fr", authenticated=True)], ROOM, now=LATER)
    counting = "\n".join(told)
    for index in ("mailed", "mailed_sender", "mailed_sender_domain", "mailed_domain"):
        assert f"ix_challenges_{index} " in counting, counting


def test_a_damaged_record_stops_nobody(store: Store) -> None:
    message = replace(held("t0"), findings=[{"filter": "x"}, {"filter": "y", "status": "odd"}])
    store.quarantine.hold(message, CONTENT, now=NOW)
    hold(store, PAUL)
    assert sorted(len(copy.findings) for copy in store.challenges.undecided(held_before=LATER)) == [0, 1]


def test_an_answer_earns_what_it_proves(store: Store) -> None:
    """A proof of work delivers the message, a code whitelists as well, also afterwards; each only once."""
    challenge = asked(store, MARIE)
    box = Postbox()
    receipt = store.answers.solve(challenge, agree, box, AnswerProof.WORK, now=LATER)
    assert (receipt.whitelisted, receipt.keeps) == (False, True)
    (earned,) = store.senders.find()
    assert (earned.validations, earned.works) == (0, 1)
    again = store.answers.solve(challenge, agree, box, AnswerProof.WORK, now=LATER)
    assert (again.result, store.senders.find()) == (SolveResult.ALREADY, [earned])
    kept = store.answers.solve(challenge, agree, box, AnswerProof.CODE, now=LATER)
    assert (kept.result, kept.whitelisted) == (SolveResult.KEPT, True)
    assert (
        store.answers.solve(challenge, agree, box, AnswerProof.CODE, now=LATER).result is SolveResult.ALREADY
    )
    (earned,) = store.senders.find()
    assert (earned.validations, earned.works) == (1, 1)
    page = store.answers.open(challenge, agree, now=LATER)
    assert page is not None
    assert (page.whitelisted, page.keeps) == (True, False)


@pytest.mark.parametrize(
    ("terms", "authenticated"),
    [({"challenge_whitelist": False}, True), ({}, False), ({"challenge_proof": "work-only"}, True)],
)
def test_a_code_afterwards_earns_nothing_where_it_would_not_have_before(
    store: Store, terms: dict[str, Any], authenticated: bool
) -> None:
    hold(store, MARIE)
    decide(store, authenticated=authenticated)
    challenge = store.challenges.pending()[0].id

    def policy(_: str) -> Terms:
        return Terms(**terms)

    assert not store.answers.solve(challenge, policy, Postbox(), AnswerProof.WORK, now=LATER).keeps
    after = store.answers.solve(challenge, policy, Postbox(), AnswerProof.CODE, now=LATER)
    assert (after.result, after.whitelisted) == (SolveResult.ALREADY, False)
    assert sum(one.validations for one in store.senders.find()) == 0


def test_an_answer_that_policy_does_not_take_does_nothing(store: Store) -> None:
    challenge = asked(store, MARIE)

    def codes_only(_: str) -> Terms:
        return Terms(challenge_proof="code-only")

    receipt = store.answers.solve(challenge, codes_only, Postbox(), AnswerProof.WORK, now=LATER)
    assert receipt.result is SolveResult.GONE
    assert store.answers.solve(challenge, codes_only, Postbox(), AnswerProof.CODE, now=LATER).whitelisted


@pytest.mark.parametrize(
    ("wanted", "ways"),
    [
        (["work"], ["work", "code"]),
        (["work", "work"], ["work", "code"]),
        (["work", "code"], ["code", "work"]),
        (["work", "code-only"], ["code"]),
        (["code", "work-only"], ["work"]),
        (["work-only", "code-only"], ["code"]),
    ],
)
def test_recipients_under_several_policies_take_what_all_of_them_take(
    wanted: list[str], ways: list[str]
) -> None:
    assert list(ways_for(Terms.model_validate({"challenge_proof": one}) for one in wanted)) == ways

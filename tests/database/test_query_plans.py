"""How SQLite finds what the daemon asks for again and again: by an index, whatever the number of rows.

Nothing tells it how many rows there are (no ANALYZE), so its plans are those of a store of any size; that they are was
looked at with 200,000 messages.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from tamis.challenge.challenge_records import OPEN, ChallengeDecision
from tamis.contract.finding import Finding, Status
from tamis.database.effective_labels import LabelSource
from tamis.database.history_search import Wanted, newest
from tamis.database.today import Today
from tamis.judging.story import Story, Told
from tamis.message.address import PLATFORM
from tamis.people.rights import Reach
from tamis.settings import NoticeSettings
from tamis.store import Store
from tests.fresh_store import new_store
from tests.quarantine.samples import CONTENT, NOW, held

MARIE = "marie@example.com"
_LOOKED = re.compile(r"(?:SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?(?:INDEX )?(\w+|INTEGER PRIMARY KEY))?")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store on SQLite with one held message."""
    with new_store(tmp_path / "tamis.sqlite") as opened:
        opened.quarantine.hold(held(), CONTENT, now=NOW)
        yield opened


def plans(store: Store, call: Callable[[Store], object]) -> list[list[str]]:
    """The plan of every statement with a condition that a call has executed."""
    asked: dict[str, Any] = {}

    def listen(_connection: Any, _cursor: Any, statement: str, given: Any, _context: Any, many: bool) -> None:
        if " WHERE " in statement.replace("\n", " ") and not many:
            asked.setdefault(statement, given)

    engine = store._database.engine
    event.listen(engine, "before_cursor_execute", listen)
    call(store)
    event.remove(engine, "before_cursor_execute", listen)
    connection = sqlite3.connect(store._database.file or "")
    try:
        return [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)]
            for statement, given in asked.items()
        ]
    finally:
        connection.close()


def decide(store: Store) -> None:
    """Budgets are counted for each copy."""
    copies = store.challenges.undecided(held_before=NOW)
    assert copies
    store.challenges.decide(
        [ChallengeDecision(one, None, "en", True) for one in copies], NoticeSettings(), now=NOW
    )


CALLS: dict[str, tuple[Callable[[Store], object], set[str]]] = {
    "digests": (lambda s: s.mailings.untold(), {"ix_messages_untold"}),
    "a digest": (lambda s: s.mailings.untold_of(MARIE), {"ix_messages_untold"}),
    "list, platform": (lambda s: s.quarantine.list(PLATFORM), {"ix_messages_state_id"}),
    "list, domain": (lambda s: s.quarantine.list("example.com"), {"ix_messages_domain_state_id"}),
    "list, mailbox": (lambda s: s.quarantine.list(MARIE), {"ix_messages_state_mailbox_id"}),
    "list, mailbox, any state": (lambda s: s.quarantine.list(MARIE, state=None), {"ix_messages_mailbox_id"}),
    "search, platform": (lambda s: s.quarantine.list(PLATFORM, text="win"), {"ix_messages_search"}),
    "search, domain": (
        lambda s: s.quarantine.list("example.com", text="win"),
        {"ix_messages_domain_state_id"},
    ),
    "search, mailbox": (lambda s: s.quarantine.list(MARIE, text="win"), {"ix_messages_state_mailbox_id"}),
    "count, mailbox": (lambda s: s.quarantine.count(MARIE), {"ix_messages_state_mailbox_id"}),
    "releases that crashed": (
        lambda s: s.quarantine.resume_releases(lambda *_: ""),
        {"ix_messages_state_id"},
    ),
    "what is due": (lambda s: s.expiry.due(), {"ix_messages_state_expires_at"}),
    "expiry": (
        lambda s: s.expiry.run(NOW + timedelta(days=400)),
        {
            "ix_audit_at",
            "ix_challenges_expires_at",
            "ix_desk_notes_done_at",
            "ix_details_findings_body",
            "ix_list_entries_expires",
            "ix_messages_bin_until",
            "ix_messages_body",
            "ix_messages_state_expires_at",
            "ix_spent_tokens_expires_at",
            "ix_acts_expires_at",
            "ix_api_answers_expires_at",
            "ix_tokens_expires_at",
            "ix_web_sessions_expires_at",
        },
    ),
    "expiry of the history": (
        lambda s: s.history.expire(NOW, days=30, most=1000),
        {"ix_history_copies_at", "ix_history_findings_last_day", "ix_history_messages_at"},
    ),
    "expiry of senders": (lambda s: s.senders.expire(), {"ix_senders_at"}),
    "expiry of blocks": (lambda s: s.blocked.expire(), {"ix_blocked_expires"}),
    "expiry of marks": (lambda s: s.marks.expire(), {"ix_marks_expires"}),
    "whom to ask": (
        decide,
        {
            "ix_challenges_mailed",
            "ix_challenges_mailed_domain",
            "ix_challenges_mailed_sender",
            "ix_challenges_mailed_sender_domain",
            "ix_messages_unasked",
        },
    ),
    "notices to mail": (lambda s: s.challenges.pending(), {"ix_challenges_unfinished"}),
    "answers to finish": (lambda s: s.answers.solved(), {"ix_challenges_unfinished"}),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_index_finds_it(store: Store, name: str) -> None:
    """And gives it in the order that is wanted, so that a page or a batch sorts no more than itself."""
    call, wanted = CALLS[name]
    steps = [step for plan in plans(store, call) for step in plan]
    looked = [found for step in steps if (found := _LOOKED.match(step))]
    assert looked
    assert [step for step in steps if "TEMP B-TREE" in step] == []
    assert [found[0] for found in looked if not found[2] and found[1] != "CONSTANT"] == []
    assert {found[2] for found in looked if (found[2] or "").startswith("ix_")} == wanted


COUNTED: dict[str, tuple[Callable[[Today], object], set[str]]] = {
    "mail": (lambda t: t.traffic(NOW), {"ix_history_messages_at"}),
    "mail, domain": (
        lambda t: t.traffic(NOW, "example.com"),
        {"ix_history_messages_at", "ix_history_verdicts_domain_message"},
    ),
    "unavailable": (lambda t: t.unavailable(NOW), {"ix_history_findings_last_day", "ix_history_messages_at"}),
    "unavailable, domain": (
        lambda t: t.unavailable(NOW, "example.com"),
        {"ix_history_findings_last_day", "ix_history_messages_at", "ix_history_verdicts_domain_message"},
    ),
    "held": (lambda t: t.held(OPEN, NOW), {"ix_messages_state_id"}),
    "held, domain": (lambda t: t.held(OPEN, NOW, "example.com"), {"ix_messages_domain_state_id"}),
}


@pytest.mark.parametrize("name", COUNTED)
def test_a_glance_at_today_reads_what_is_of_today(store: Store, name: str) -> None:
    """However much there is of other days; only the counts themselves are sorted."""
    deaf = Finding("clamav", Status.UNAVAILABLE)
    told = Told("ham", "inbox", "", "", 0.0, 7.5, "")
    store.history.add([("a:0", Story(NOW, "Q", "", "192.0.2.7", "mx", "", "", 9, (deaf,), ((MARIE, told),)))])
    call, wanted = COUNTED[name]
    steps = [step for plan in plans(store, lambda one: call(one.today)) for step in plan]
    assert [step for step in steps if step.startswith("SCAN") and "CONSTANT" not in step] == []
    assert {index for step in steps for index in re.findall(r"\bix_\w+", step)} == wanted


def test_who_was_asked_is_found_by_the_mailboxes_that_are_shown(store: Store) -> None:
    def ask(one: Store) -> object:
        reach = Reach(frozenset({PLATFORM}))
        return one.statistics.questions_by_mailbox(reach, NOW - timedelta(days=30), NOW, [MARIE])

    (steps,) = plans(store, ask)
    assert steps[0].startswith("SEARCH messages USING COVERING INDEX ix_messages_asked (mailbox=?")


@pytest.mark.parametrize("scope", [PLATFORM, "example.com", MARIE])
def test_words_of_people_lead_to_their_messages(store: Store, scope: str) -> None:
    """And these to their copies: nothing is read of other mail of the same mailbox or domain."""
    told = Told("ham", "inbox", "", "", 0.0, 7.5, "")
    one = Story(NOW, "Q", "", "192.0.2.7", "mx", "", "", 9, (), ((MARIE, told),), transaction="t1")
    store.history.add([("a:0", one)], {MARIE: MARIE})
    store.labels.say("t1", MARIE, True, LabelSource.RELEASE, MARIE)
    reach, since = Reach(frozenset({scope})), NOW - timedelta(days=9999)
    (word,) = store.labels.lately(reach, since, 5)
    assert word.label.mailbox == MARIE
    steps = [step for plan in plans(store, lambda s: s.labels.lately(reach, since, 5)) for step in plan]
    assert [step for step in steps if step.startswith("SCAN")] == []
    used = {index for step in steps for index in re.findall(r"\bix_\w+", step)}
    assert used == {"ix_labels_at", "ix_history_messages_transaction"}


NAMED = {
    Wanted(scope="example.com"): "ix_history_verdicts_domain_message",
    Wanted(scope=MARIE): "ix_history_verdicts_mailbox_message",
    Wanted(scope=MARIE, since=NOW): "ix_history_verdicts_mailbox_message",
    Wanted(decided_by="spf"): "ix_history_verdicts_decided_by_message",
    Wanted(recipient=MARIE): "ix_history_verdicts_recipient_message",
    Wanted(sender="a@example.net"): "ix_history_messages_sender_key_id",
    Wanted(sender="a@example.net", scope=MARIE): "ix_history_messages_sender_key_id",
    Wanted(sender="example.net"): "ix_history_messages_sender_domain_id",
    Wanted(client_ip="192.0.2.7"): "ix_history_messages_client_ip_id",
    Wanted(message_id="<1@x>"): "ix_history_messages_message_id",
    Wanted(queue_id="4F2A91C0E7"): "ix_history_copies_queue_id",
    Wanted(subject="votre devis"): "history_words",
    Wanted(since=NOW): "ix_history_messages_at",
}
"""What is asked of the history -> the index that finds it."""


@pytest.mark.parametrize("wanted", NAMED)
def test_the_history_is_never_read_whole(url: str, wanted: Wanted) -> None:
    """On either database; PostgreSQL is told that its tables are large, for it looks at how large they are."""
    with Store(url) as either:
        either.migrate()
        database = either._database
        query = newest(wanted, 50).compile(database.engine, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        with database.read() as session:
            if not database.is_sqlite:
                session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = [str(row[-1]) for row in session.connection().exec_driver_sql(f"{explain} {query}")]
    index = (
        NAMED[wanted]
        if database.is_sqlite
        else NAMED[wanted].replace("history_words", "ix_history_messages_words")
    )
    assert any(index in step for step in plan), plan
    assert not [step for step in plan if re.match(r"SCAN history_(messages|verdicts)\b|.*Seq Scan", step)], (
        plan
    )

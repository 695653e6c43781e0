"""The quarantine's contract, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tamis.base.errors import ReinjectError, StoreError
from tamis.database.connection import Database
from tamis.database.schema import AuditRow, Base, Body, DetailsRow, LooseBody, MessageRow
from tamis.message.envelope import Recipient
from tamis.quarantine.held_mail import BIN, STALE_RELEASE, TOMBSTONE
from tamis.quarantine.records import Done, HeldMessage, HeldRecord, HeldState, new_id
from tamis.store import Store
from tests.quarantine.samples import CONTENT, NOW, Postbox, held


def rows(url: str, table: type[Base]) -> int:
    database = Database(url)
    with database.read() as session:
        number = session.scalar(select(func.count()).select_from(table))
    database.close()
    assert number is not None
    return number


def contents(url: str) -> int:
    """How many messages' contents are kept, apart from findings."""
    database = Database(url)
    findings = select(DetailsRow.findings_body)
    with database.read() as session:
        number = session.scalar(select(func.count()).select_from(Body).where(Body.digest.not_in(findings)))
    database.close()
    assert number is not None
    return number


def clean_up(store: Store, now: datetime | None = None) -> int:
    return store.expiry.run(now, batch=3)


def state(store: Store, message: str) -> HeldState:
    record = store.quarantine.get(message)
    assert record is not None
    return record.summary.state


def test_what_is_held_comes_back_as_it_was(store: Store) -> None:
    message = held(recipient="Marie+news@Example.com", args=("NOTIFY=NEVER", "ORCPT=rfc822;m@example.com"))
    number = store.quarantine.hold(message, CONTENT, now=NOW)
    record = store.quarantine.get(number)
    assert record is not None
    assert record.recipients == message.recipients
    assert record.envelope == message.envelope
    assert list(record.findings) == list(message.findings)
    assert record.verdict == {"decision": "spam"}
    summary = record.summary
    assert (summary.state, summary.domain, summary.size) == (HeldState.HELD, "example.com", len(CONTENT))
    assert (summary.received_at, summary.held_at) == (NOW, NOW)
    assert summary.expires_at == NOW + timedelta(days=30)
    assert store.quarantine.content(number) == CONTENT
    assert store.quarantine.list() == (summary,)


def test_an_unknown_id_is_nothing(store: Store) -> None:
    for number in ("", "0" * 26, "x'; DROP TABLE messages; --", "\0", "\ud800"):
        assert store.quarantine.get(number) is None
        assert store.quarantine.content(number) is None
        assert store.quarantine.release(number, "root", Postbox()) is Done.UNKNOWN
        assert store.quarantine.delete(number, "root") is Done.UNKNOWN


def test_a_second_hold_changes_nothing_whatever_happened_since(store: Store, url: str) -> None:
    first = store.quarantine.hold(held(), CONTENT)
    assert store.quarantine.hold(held(subject="other"), b"other") == first
    store.quarantine.release(first, "root", Postbox())
    assert store.quarantine.hold(held(), CONTENT) == first
    assert state(store, first) is HeldState.RELEASED
    assert store.quarantine.hold(held("t2"), CONTENT) != first
    assert rows(url, MessageRow) == 2


def test_one_body_serves_all_recipients_and_goes_with_the_last(store: Store, url: str) -> None:
    numbers = [store.quarantine.hold(held(recipient=f"u{n}@example.com"), CONTENT) for n in range(5)]
    assert contents(url) == 1
    for number in numbers[:4]:
        assert store.quarantine.delete(number, "root", now=NOW) is Done.DONE  # out of the bin by now
    clean_up(store)
    assert store.quarantine.content(numbers[4]) == CONTENT
    store.quarantine.delete(numbers[4], "root", now=NOW)
    clean_up(store)
    assert (contents(url), rows(url, LooseBody)) == (0, 0)
    assert rows(url, Body) == 1  # their findings, as long as tombstones tell of them
    clean_up(store, datetime.now(UTC) + timedelta(days=400))
    assert (rows(url, Body), rows(url, LooseBody), rows(url, MessageRow)) == (0, 0, 0)


def test_addresses_of_one_mailbox_share_a_copy_that_is_released_to_all_of_them(
    store: Store, url: str
) -> None:
    def of(*numbers: int) -> HeldMessage:
        recipients = tuple(Recipient(f"Marie+{n}@example.com", (f"ORCPT=rfc822;m{n}",)) for n in numbers)
        return replace(held(), recipients=recipients, mailbox="marie@example.com")

    first = store.quarantine.hold(of(0, 1), CONTENT)
    assert store.quarantine.hold(of(2, 1, 3), CONTENT) == first
    assert store.quarantine.hold(of(3), CONTENT) == first
    other = store.quarantine.hold(held(recipient="paul@example.com"), CONTENT)
    assert other != first
    assert (rows(url, MessageRow), rows(url, Body)) == (2, 2)  # the content, and the findings of all
    box = Postbox()
    assert store.quarantine.release(first, "marie", box) is Done.DONE
    assert [one.recipients for one, _ in box.got] == [of(0, 1, 2, 3).recipients]
    late = store.quarantine.hold(of(2, 4), CONTENT)
    record = store.quarantine.get(late)
    assert late != first
    assert record is not None
    assert record.recipients == of(4).recipients
    assert store.quarantine.hold(of(0, 4), CONTENT) == first


def test_two_processes_that_add_addresses_lose_none(store: Store) -> None:
    def hold(number: int) -> str:
        one = replace(held(recipient=f"marie+{number}@example.com"), mailbox="marie@example.com")
        return store.quarantine.hold(one, CONTENT)

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(hold, range(60)))
    records = [store.quarantine.get(one) for one in ids]
    named = [who.address for record in records if record for who in record.recipients]
    assert sorted(named) == sorted(f"marie+{number}@example.com" for number in range(60))


def test_a_body_of_50_megabytes(store: Store) -> None:
    line = bytes(range(256)).replace(b"\n", b"").replace(b"\r", b"") + b"\r\n"
    content = b"Subject: big\r\n\r\n" + line * (50 * 1024 * 1024 // len(line))
    assert store.quarantine.content(store.quarantine.hold(held(), content)) == content


def test_an_empty_body(store: Store) -> None:
    assert store.quarantine.content(store.quarantine.hold(held(), b"")) == b""


HOSTILE = st.text(st.characters(codec=None), max_size=2000)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=HOSTILE)
def test_no_text_of_a_sender_keeps_a_message_out(store: Store, text: str) -> None:
    message = held(transaction=new_id(NOW), sender=text, subject=text, header_from=text, args=(text,))
    number = store.quarantine.hold(message, CONTENT)
    record = store.quarantine.get(number)
    assert record is not None
    assert record.envelope == message.envelope
    assert record.recipients == message.recipients
    assert number in {one.id for one in store.quarantine.list(text=text[:100], limit=10_000)}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none(store: Store, number: float) -> None:
    message = held()
    odd = type(message)(
        transaction="t",
        recipients=message.recipients,
        mailbox="",
        envelope=message.envelope,
        score=number,
        findings=[{"facts": {"ratio": number}}],
    )
    record = store.quarantine.get(store.quarantine.hold(odd, CONTENT))
    assert record is not None
    assert record.findings == [{"facts": {"ratio": None}}]


def test_recipients_that_are_no_text_stay_apart(store: Store) -> None:
    odd = [f"m{odd}@example.com" for odd in ("\udc80", "\udc81", "\0", "é")]
    numbers = [store.quarantine.hold(held(recipient=address), CONTENT) for address in odd]
    assert len(set(numbers)) == 4
    for number, address in zip(numbers, odd, strict=True):
        record = store.quarantine.get(number)
        assert record is not None
        assert record.recipients == (Recipient(address),)


def test_lists_by_scope_state_and_page(store: Store) -> None:
    at = [NOW + timedelta(seconds=n) for n in range(6)]
    one = [store.quarantine.hold(held(f"a{n}"), CONTENT, now=at[n]) for n in range(3)]
    two = [store.quarantine.hold(held(f"b{n}", "paul@example.org"), CONTENT, now=at[3 + n]) for n in range(3)]

    def ids(scope: str = "platform", **how: object) -> list[str]:
        return [m.id for m in store.quarantine.list(scope, **how)]  # type: ignore[arg-type]

    everything = [*reversed(two), *reversed(one)]
    assert ids() == everything
    assert ids("example.com") == ids("marie@example.com") == one[::-1]
    assert ids("paul@example.org") == two[::-1]
    assert ids("paul@example.com") == []
    assert ids(limit=4) == everything[:4]
    assert ids(limit=4, before=everything[3]) == everything[4:]
    store.quarantine.delete(one[0], "root")
    assert ids("example.com") == [one[2], one[1]]
    assert ids("example.com", state=None) == one[::-1]
    assert ids(state=HeldState.DELETED) == [one[0]]
    assert store.quarantine.count() == 5
    assert store.quarantine.count("example.com", state=None) == 3


def test_search_is_for_text_without_case_and_knows_no_wildcards(store: Store) -> None:
    street = store.quarantine.hold(held("1", subject="Große STRASSE 100% gratis"), CONTENT)
    other = store.quarantine.hold(held("2", subject="1000 gratis", sender="Bob@Example.org"), CONTENT)

    def found(text: str) -> set[str]:
        return {m.id for m in store.quarantine.list(text=text)}

    assert found("GROSSE straße") == {street}
    assert found("100%") == {street}
    assert found("100_") == set()
    assert found("bob@example.ORG") == {other}
    assert found("offers <offer") == {street, other}


def test_release_delivers_once_and_leaves_a_tombstone(store: Store, url: str) -> None:
    postbox = Postbox()
    number = store.quarantine.hold(held(), CONTENT)
    assert store.quarantine.release(number, "marie", postbox) is Done.DONE
    assert store.quarantine.release(number, "marie", postbox) is Done.ALREADY
    assert store.quarantine.delete(number, "marie") is Done.GONE
    assert [(r.summary.id, r.summary.released_by, c) for r, c in postbox.got] == [(number, "marie", CONTENT)]
    record = store.quarantine.get(number)
    assert record is not None
    assert record.summary.state is HeldState.RELEASED
    assert record.summary.released_at is not None
    assert rows(url, AuditRow) == 1
    clean_up(store, record.summary.released_at + BIN)
    assert store.quarantine.content(number) is None
    assert state(store, number) is HeldState.RELEASED


def test_a_deletion_can_be_undone_for_a_while(store: Store, url: str) -> None:
    number = store.quarantine.hold(held(retention_days=1), CONTENT, now=NOW)
    assert store.quarantine.restore(number, "marie", now=NOW) is Done.ALREADY
    for moment in (NOW, NOW + timedelta(hours=1)):
        store.quarantine.delete(number, "marie", now=moment)
        clean_up(store, moment + BIN - timedelta(seconds=1))
        assert store.quarantine.restore(number, "marie", now=moment + BIN - timedelta(seconds=1)) is Done.DONE
        assert state(store, number) is HeldState.HELD
        assert store.quarantine.content(number) == CONTENT
    store.quarantine.delete(number, "marie", now=NOW)
    assert store.quarantine.restore(number, "marie", now=NOW + BIN) is Done.GONE
    clean_up(store, NOW + BIN)
    assert store.quarantine.restore(number, "marie", now=NOW) is Done.GONE
    assert store.quarantine.content(number) is None
    assert contents(url) == 0
    assert store.quarantine.restore("unknown", "marie") is Done.UNKNOWN


def test_a_failed_delivery_is_held_again(store: Store, url: str) -> None:
    postbox = Postbox(refusing="451 later")
    number = store.quarantine.hold(held(), CONTENT)
    with pytest.raises(ReinjectError, match="451 later"):
        store.quarantine.release(number, "marie", postbox)
    assert state(store, number) is HeldState.HELD
    postbox.refusing = ""
    assert store.quarantine.release(number, "marie", postbox) is Done.DONE
    assert rows(url, AuditRow) == 2


def test_many_release_at_once_and_one_does(store: Store) -> None:
    number = store.quarantine.hold(held(), CONTENT)
    inside, proceed = threading.Event(), threading.Event()
    postbox = Postbox()

    def slowly(record: HeldRecord, content: bytes) -> str:
        inside.set()
        assert proceed.wait(30)
        return postbox(record, content)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(store.quarantine.release, number, "first", slowly)
        assert inside.wait(30)
        others = [pool.submit(store.quarantine.release, number, "other", slowly) for _ in range(5)]
        assert {other.result(30) for other in others} == {Done.BUSY}
        assert store.quarantine.delete(number, "other") is Done.BUSY
        assert clean_up(store, NOW + timedelta(days=9999)) == 0  # being released: not expired under its feet
        proceed.set()
        assert first.result(30) is Done.DONE
    assert len(postbox.got) == 1


def test_racing_releases_and_deletes_agree(store: Store) -> None:
    for round_ in range(15):
        number = store.quarantine.hold(held(f"race{round_}"), CONTENT)
        postbox = Postbox()
        barrier = threading.Barrier(6)

        def ask(what: Callable[[], Done], barrier: threading.Barrier = barrier) -> Done:
            barrier.wait(30)
            return what()

        asked: list[Callable[[], Done]] = [
            *[lambda n=number, p=postbox: store.quarantine.release(n, "a", p)] * 3,
            *[lambda n=number: store.quarantine.delete(n, "b")] * 3,
        ]
        with ThreadPoolExecutor(6) as pool:
            came = list(pool.map(ask, asked))
        assert came.count(Done.DONE) == 1
        released = state(store, number) is HeldState.RELEASED
        assert len(postbox.got) == (1 if released else 0)


def test_a_release_that_crashed_is_taken_up(store: Store) -> None:
    number = store.quarantine.hold(held(), CONTENT)

    def crash(_record: HeldRecord, _content: bytes) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.quarantine.release(number, "marie", crash, now=NOW)
    assert state(store, number) is HeldState.RELEASING
    postbox = Postbox()
    assert store.quarantine.resume_releases(postbox, now=NOW + STALE_RELEASE - timedelta(seconds=1)) == ()
    assert store.quarantine.resume_releases(postbox, now=NOW + STALE_RELEASE) == ((number, ""),)
    assert [r.summary.released_by for r, _ in postbox.got] == ["marie"]
    assert state(store, number) is HeldState.RELEASED
    assert store.quarantine.resume_releases(postbox, now=NOW + 2 * STALE_RELEASE) == ()


def test_a_taken_up_release_that_fails_is_held_again(store: Store) -> None:
    number = store.quarantine.hold(held(), CONTENT)
    with pytest.raises(KeyboardInterrupt):
        store.quarantine.release(number, "marie", _interrupted, now=NOW)
    refused = store.quarantine.resume_releases(Postbox(refusing="no"), now=NOW + STALE_RELEASE)
    assert refused == ((number, "no"),)
    assert state(store, number) is HeldState.HELD


def test_a_slow_release_that_was_taken_over_counts_when_it_succeeds(store: Store) -> None:
    number = store.quarantine.hold(held(), CONTENT)

    def overtaken(_record: HeldRecord, _content: bytes) -> str:
        late = NOW + STALE_RELEASE
        assert store.quarantine.resume_releases(Postbox(refusing="no"), now=late) == ((number, "no"),)
        assert state(store, number) is HeldState.HELD
        return ""

    assert store.quarantine.release(number, "marie", overtaken, now=NOW) is Done.DONE
    assert state(store, number) is HeldState.RELEASED


def test_a_slow_release_that_fails_does_not_undo_its_successor(store: Store) -> None:
    number = store.quarantine.hold(held(), CONTENT)
    postbox = Postbox()

    def overtaken(_record: HeldRecord, _content: bytes) -> str:
        store.quarantine.resume_releases(postbox, now=NOW + STALE_RELEASE)
        raise ReinjectError("too slow")

    with pytest.raises(ReinjectError):
        store.quarantine.release(number, "marie", overtaken, now=NOW)
    assert state(store, number) is HeldState.RELEASED
    assert len(postbox.got) == 1


def _interrupted(_record: HeldRecord, _content: bytes) -> str:
    raise KeyboardInterrupt


def test_expiry_in_small_batches(store: Store, url: str) -> None:
    numbers = [
        store.quarantine.hold(held(f"t{n}", retention_days=10), b"content %d" % (n % 3), now=NOW)
        for n in range(10)
    ]
    kept = store.quarantine.hold(held("kept", retention_days=60), b"content 1", now=NOW)
    assert store.expiry.due(NOW + timedelta(days=10)) == 10
    assert clean_up(store, NOW + timedelta(days=10, seconds=-1)) == 0
    assert clean_up(store, NOW + timedelta(days=10)) == 10
    assert {state(store, number) for number in numbers} == {HeldState.EXPIRED}
    assert store.quarantine.content(numbers[0]) is None
    assert store.quarantine.content(kept) == b"content 1"
    assert contents(url) == 1
    assert store.quarantine.hold(held("t0"), CONTENT) == numbers[0]  # still recognised
    clean_up(store, NOW + timedelta(days=10) + TOMBSTONE)
    assert rows(url, MessageRow) == 1
    assert store.quarantine.release(numbers[0], "root", Postbox()) is Done.UNKNOWN


def test_a_tombstone_outlives_the_queue(store: Store) -> None:
    number = store.quarantine.hold(held(retention_days=1), CONTENT, now=NOW)
    store.quarantine.delete(number, "root", now=NOW)
    clean_up(store, NOW + TOMBSTONE - timedelta(seconds=1))
    assert state(store, number) is HeldState.DELETED
    clean_up(store, NOW + TOMBSTONE)
    assert store.quarantine.get(number) is None


def test_desk_notes(store: Store) -> None:
    assert not store.notes.is_done("t", "marie@example.com")
    store.notes.done("t", "marie@example.com", now=NOW)
    store.notes.done("t", "marie@example.com", now=NOW)
    assert store.notes.is_done("t", "marie@example.com")
    assert not store.notes.is_done("t", "paul@example.com")
    clean_up(store, NOW + timedelta(days=6))
    assert store.notes.is_done("t", "marie@example.com")
    clean_up(store, NOW + timedelta(days=7))
    assert not store.notes.is_done("t", "marie@example.com")


def test_desk_notes_confuse_no_two_recipients(store: Store) -> None:
    addresses = [
        f"m{odd}@example.com" for odd in ("\udc80", "\udc81", "\ufffd", "\0", "x" * 1200, "x" * 1201)
    ]
    for n, address in enumerate(addresses):
        assert [store.notes.is_done("t", one) for one in addresses] == [i < n for i in range(len(addresses))]
        store.notes.done("t", address)


def test_ids_sort_by_time() -> None:
    made = [new_id(NOW + timedelta(milliseconds=n)) for n in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000
    assert {len(one) for one in made} == {26}


def test_damage_is_noticed(store: Store, url: str) -> None:
    number = store.quarantine.hold(held(), CONTENT)
    database = Database(url)
    with database.write() as session:
        body = session.scalars(select(Body).join(MessageRow, MessageRow.body == Body.digest)).one()
        body.content = body.content[:-6] + b"damage"
    database.close()
    with pytest.raises(StoreError, match="damaged"):
        store.quarantine.content(number)
    with pytest.raises(StoreError, match="damaged"):
        store.quarantine.release(number, "root", Postbox())
    assert state(store, number) is HeldState.HELD

"""Acting on many held messages, and undoing it as one; on both databases where the store is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tamis.base.tokens import Purpose, Tokens
from tamis.judging.site import Site
from tamis.models.reports import Spool
from tamis.people.rights import Locks, Reach
from tamis.quarantine.records import Done, HeldState
from tamis.settings import SettingsFile
from tamis.store import Store
from tamis.web import many
from tamis.web.actions import Actions, Verb
from tamis.web.many import ON_MANY, KeptAct, act_on_all, told_of, told_undone, undo_all
from tamis.web.page_reader import PageReader
from tests.builders import FILTERS
from tests.desk.smtp import Listener
from tests.quarantine.samples import CONTENT, held
from tests.real.daemon import to_toml

MARIE, JEAN, ANNE = "marie@example.com", "jean@example.com", "anne@example.org"
TOKENS = Tokens(b"k" * 32)


@pytest.fixture
def postfix() -> Iterator[Listener]:
    """What takes the copies."""
    with Listener() as listening:
        yield listening


@pytest.fixture
def site(store: Store, tmp_path: Path, postfix: Listener) -> Site:
    """An installation whose Postfix is a listener."""
    return site_before(postfix, store, tmp_path)


def site_before(postfix: Listener, store: Store, folder: Path) -> Site:
    given = {
        "state_directory": str(folder),
        "run_directory": str(folder),
        "desk": {"reinject": postfix.address},
    }
    return Site.build(SettingsFile(None, to_toml(given)), FILTERS, store.snapshot())


def fill(store: Store, number: int, recipient: str = MARIE) -> list[str]:
    return [store.quarantine.hold(held(f"{recipient}{n}", recipient), CONTENT) for n in range(number)]


def states(store: Store, ids: list[str]) -> set[HeldState]:
    return {one.state for one in store.quarantine.several(ids)}


@pytest.mark.parametrize(
    ("verb", "becomes", "undone"),
    [
        (Verb.DELIVER, HeldState.RELEASED, HeldState.RELEASED),
        (Verb.DELETE, HeldState.DELETED, HeldState.HELD),
        (Verb.SPAM, HeldState.DELETED, HeldState.HELD),
    ],
)
def test_one_act_and_one_undo(
    store: Store, site: Site, postfix: Listener, verb: Verb, becomes: HeldState, undone: HeldState
) -> None:
    assert verb in ON_MANY
    ids = fill(store, 5)
    actions = Actions(store, site.settings)
    done = act_on_all(actions, verb, store.quarantine.several(ids), site, MARIE)
    again = act_on_all(actions, verb, store.quarantine.several(ids), site, MARIE)
    assert (len(done.deeds), done.refused, done.left) == (5, {}, ())
    assert states(store, ids) == {becomes}
    assert set(again.refused.values()) == {Done.ALREADY}, "a second press does nothing"
    assert len(postfix.got) == (5 if verb is Verb.DELIVER else 0)
    kept = KeptAct.read(TOKENS.read(Purpose.UNDO, done.keep(store, TOKENS, MARIE)))
    assert kept is not None
    act, by = kept
    assert (act.verb, act.done, act.left, by) == (verb, 5, 0, MARIE)
    assert undo_all(actions, store, act.act, by) == (5, 5)
    assert states(store, ids) == {undone}
    taught = [
        one.label for one in Spool(site.settings.spool_directory).reports(100) if not isinstance(one, Path)
    ]
    assert (
        sorted(taught)
        == {
            Verb.DELIVER: ["forget"] * 5 + ["ham"] * 5,
            Verb.DELETE: [],
            Verb.SPAM: ["forget"] * 5 + ["spam"] * 5,
        }[verb]
    )


def test_who_may_not_teach_teaches_nothing_and_has_nothing_to_undo(store: Store, site: Site) -> None:
    messages = store.quarantine.several(fill(store, 2))
    done = act_on_all(Actions(store, site.settings), Verb.DELIVER, messages, site, ANNE, teach=False)
    assert not list(Spool(site.settings.spool_directory).reports(10))
    kept = KeptAct.read(TOKENS.read(Purpose.UNDO, done.keep(store, TOKENS, ANNE)))
    assert kept is not None
    assert kept[0].act == ""


def test_when_postfix_takes_nothing_all_stay_held_and_that_is_said(store: Store, tmp_path: Path) -> None:
    ids = fill(store, 3)
    with Listener(replies={"MAIL": b"452 no room"}) as full:
        site = site_before(full, store, tmp_path)
        messages = store.quarantine.several(ids)
        done = act_on_all(Actions(store, site.settings), Verb.DELIVER, messages, site, MARIE)
    assert (done.deeds, set(done.left)) == ((), set(ids))
    assert done.trouble
    assert states(store, ids) == {HeldState.HELD}
    kept = KeptAct.read(TOKENS.read(Purpose.UNDO, done.keep(store, TOKENS, MARIE)))
    assert kept is not None
    assert told_of(kept[0], PageReader("en")) == (
        "3 are still held: the mail server takes no more now. Please try again later."
    )


def test_only_what_may_be_seen_is_found(store: Store) -> None:
    mine, locked, others = (fill(store, 1, who)[0] for who in (MARIE, JEAN, ANNE))
    ids = [mine, locked, others, "nothing", "' OR 1=1 --", "\0"]
    reach = Reach(frozenset({"example.com"}), "", Locks({JEAN: True}))
    assert [one.id for one in store.quarantine.several(ids, reach)] == [mine]
    assert [one.id for one in store.quarantine.several(ids, Reach(frozenset(), ANNE))] == [others]
    assert store.quarantine.several(ids, Reach(frozenset())) == ()
    assert {one.id for one in store.quarantine.several(ids)} == {mine, locked, others}


def test_more_than_can_be_done_at_once_is_not_touched(
    store: Store, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "MAX_AT_ONCE", 2)
    ids = fill(store, 3)
    done = act_on_all(Actions(store, site.settings), Verb.DELETE, store.quarantine.several(ids), site, MARIE)
    assert len(done.deeds) == 2
    assert states(store, ids) == {HeldState.HELD, HeldState.DELETED}


def test_what_was_kept_is_forgotten_when_its_time_is_over(store: Store) -> None:
    now = datetime.now(UTC)
    act = store.acts.keep([("delete", "x", "0", "", "")], now + timedelta(minutes=10))
    assert len(store.acts.find(act)) == 1
    assert store.acts.find(act, now=now + timedelta(minutes=10)) == ()
    assert store.acts.find("guessed") == ()
    store.expiry.run(now)
    assert len(store.acts.find(act)) == 1
    store.expiry.run(now + timedelta(minutes=10))
    assert store.acts.find(act) == ()


@pytest.mark.parametrize(
    ("act", "en", "fr"),
    [
        (KeptAct(Verb.DELETE, "x", 1, 0, 0), "1 message was deleted.", "1 message supprimé."),
        (KeptAct(Verb.DELETE, "x", 33, 0, 0), "33 messages were deleted.", "33 messages supprimés."),
        (
            KeptAct(Verb.DELIVER, "x", 2, 1, 0),
            "2 messages were delivered. 1 was dealt with before.",
            "2 messages remis. 1 avait déjà été traité.",
        ),
        (
            KeptAct(Verb.SPAM, "", 0, 0, 0),
            "Nothing was done: no message was chosen.",
            "Rien n\u2019a été fait\u00a0: aucun message n\u2019est choisi.",
        ),
    ],
)
def test_what_is_told(act: KeptAct, en: str, fr: str) -> None:
    assert told_of(act, PageReader("en")) == en
    assert told_of(act, PageReader("fr")) == fr
    assert told_undone(PageReader("en"), 2) == "2 messages are as before."

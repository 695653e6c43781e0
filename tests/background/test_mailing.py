"""Digests and crashes: nothing is lost; a crash between Postfix's 250 and our note sends the same digest again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tamis.background.mailing import Digesting, notify_of_quota
from tamis.base.errors import ReinjectError
from tamis.base.tokens import Tokens
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.letters import digests
from tamis.settings import SettingsFile
from tamis.store import Store
from tests.builders import FILTERS
from tests.fresh_store import new_store
from tests.quarantine.samples import CONTENT, NOW, held

MARIE = "marie@example.com"
TOKENS = Tokens(b"k" * 32)
TOMORROW = NOW + timedelta(days=1)

Sent = tuple[str, Sequence[str], Sequence[tuple[str, Sequence[str]]], bytes]


def site(policy: str = 'digest = ["17:00"]') -> Site:
    return Site.build(SettingsFile(None, f"[policy]\n{policy}"), FILTERS, Snapshot())


class Post:
    """A Postfix that remembers, or refuses."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.refusing = False
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(
        self,
        sender: str,
        sender_args: Sequence[str],
        recipients: Sequence[tuple[str, Sequence[str]]],
        content: bytes,
    ) -> str:
        self.meanwhile()
        if self.refusing:
            raise ReinjectError("not now")
        self.sent.append((sender, sender_args, recipients, content))
        return ""


CRASHING = """
import os, signal, sys
from pathlib import Path
from tests.background.test_mailing import *

url, mails, when = sys.argv[1:]

def send(*given):
    if when == "after":
        with Path(mails).open("ab") as file:
            file.write(given[3])
    os.kill(os.getpid(), signal.SIGKILL)

with Store(url) as store:
    Digesting(site, store, TOKENS, lambda: send).step(1e12, TOMORROW)
"""


@pytest.mark.parametrize(("when", "copies"), [("before", 0), ("after", 1)])
def test_a_crash_loses_no_digest(tmp_path: Path, when: str, copies: int) -> None:
    url, mails, post = f"sqlite:///{tmp_path / 'store'}", tmp_path / "mails", Post()
    mails.touch()
    with new_store(tmp_path / "store") as store:
        store.quarantine.hold(held(), CONTENT, now=NOW)
        done = subprocess.run([sys.executable, "-c", CRASHING, url, str(mails), when], check=False)
        assert done.returncode == -9
        first = mails.read_bytes()
        assert first.count(b"Auto-Submitted:") == copies
        digesting = Digesting(site, store, TOKENS, lambda: post)
        for _ in range(3):
            assert digesting.step(1e12, TOMORROW)
        assert len(post.sent) == 1
        sender, _, recipients, content = post.sent[0]
        assert (sender, recipients) == ("", [(MARIE, ())])
        assert b"Win" in content


def test_a_mailbox_whose_mail_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    post = Post()
    with new_store(tmp_path / "store") as store:
        store.quarantine.hold(held(), CONTENT, now=NOW)
        digesting = Digesting(site, store, TOKENS, lambda: post)
        post.refusing = True
        assert digesting.step(1e12, TOMORROW)
        post.refusing = False
        store.quarantine.hold(held("t2", "paul@example.com"), CONTENT, now=NOW)
        assert digesting.step(1e12, TOMORROW)
        assert [recipients for _, _, recipients, _ in post.sent] == [[("paul@example.com", ())]]
        again = Digesting(site, store, TOKENS, lambda: post)  # ten minutes later, or after a restart
        again.step(1e12, TOMORROW)
        assert len(post.sent) == 2


@pytest.mark.parametrize("dies", [False, True])
def test_one_of_several_hosts_sends_the_digests(url: str, dies: bool) -> None:
    """All look at the same time; the next one goes on when the first is done, or gone."""
    post, theirs = Post(), Post()
    with Store(url) as store, Store(url) as other:
        store.migrate()
        store.quarantine.hold(held(), CONTENT, now=NOW)
        second = Digesting(site, other, TOKENS, lambda: theirs)

        def meanwhile() -> None:
            assert second.step(1e12, TOMORROW)
            if dies:
                raise KeyboardInterrupt

        post.meanwhile = meanwhile
        first = Digesting(site, store, TOKENS, lambda: post)
        if dies:
            with pytest.raises(KeyboardInterrupt):
                first.step(1e12, TOMORROW)
        else:
            assert first.step(1e12, TOMORROW)
        assert (len(post.sent), len(theirs.sent)) == (int(not dies), 0)
        assert second.step(1e12, TOMORROW)
    assert (len(post.sent), len(theirs.sent)) == (int(not dies), int(dies))


def test_what_is_released_meanwhile_makes_no_empty_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Post()
    with new_store(tmp_path / "store") as store:
        one = store.quarantine.hold(held(), CONTENT, now=NOW)
        found = store.mailings.untold()
        store.quarantine.delete(one, MARIE, now=NOW)
        monkeypatch.setattr(store.mailings, "untold", lambda: found)
        assert Digesting(site, store, TOKENS, lambda: post).step(1e12, TOMORROW)
    assert post.sent == []


def test_without_times_nothing_is_sent(tmp_path: Path) -> None:
    post = Post()
    with new_store(tmp_path / "store") as store:
        store.quarantine.hold(held(), CONTENT, now=NOW)
        assert Digesting(lambda: site("digest = []"), store, TOKENS, lambda: post).step(1e12, TOMORROW)
    assert post.sent == []


def test_a_quota_notice_that_is_refused_can_be_tried_again(tmp_path: Path) -> None:
    post = Post()
    with new_store(tmp_path / "store") as store:
        post.refusing = True
        with pytest.raises(ReinjectError):
            notify_of_quota(site(), store, post, MARIE, 95)
        post.refusing = False
        assert [notify_of_quota(site(), store, post, MARIE, 95) for _ in range(2)] == [True, False]
    assert len(post.sent) == 1


def test_a_digest_that_fails_in_a_new_way_costs_nobody_else_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = digests.compose

    def compose(digest: digests.Digest, *, now: datetime) -> bytes:
        if digest.mailbox == MARIE:
            raise KeyError("unforeseen")
        return whole(digest, now=now)

    monkeypatch.setattr(digests, "compose", compose)
    post = Post()
    with new_store(tmp_path / "store") as store:
        for number, who in enumerate((MARIE, "paul@example.com")):
            store.quarantine.hold(held(f"t{number}", who), CONTENT, now=NOW)
        assert Digesting(site, store, TOKENS, lambda: post).step(1e12, TOMORROW)
    assert [sent[2][0][0] for sent in post.sent] == ["paul@example.com"]

"""Applying a plan: which changes Postfix is asked for, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tamis.chain.road import Examined
from tamis.desk.redirection import Redirection, RedirectionSigner
from tamis.desk.redirection_notes import Notes
from tamis.judging.plan import Copy, Judged, Plan
from tamis.judging.policy import Outcome
from tamis.judging.trace import OwnFields
from tamis.message.envelope import Recipient
from tamis.message.mail import Mail
from tamis.milter.application import Application, dsn_args
from tests.builders import MARIE, PAUL, Aliases, book, envelope, finding, verdict_of

SIGNER = RedirectionSigner(b"k" * 32)


@dataclass
class Asked:
    """An Editor that notes what it is asked for."""

    changes: list[tuple[Any, ...]] = field(default_factory=list)

    def addheader(self, field: str, value: str, idx: int = -1) -> None:
        self.changes.append(("add", field, value, idx))

    def chgheader(self, field: str, idx: int, value: str) -> None:
        self.changes.append(("change", field, idx, value))

    def addrcpt(self, rcpt: str, params: str | None = None) -> None:
        self.changes.append(("rcpt", rcpt, params))

    def delrcpt(self, rcpt: str) -> None:
        self.changes.append(("gone", rcpt))

    def progress(self) -> None:
        self.changes.append(("alive",))


def apply(
    notes: Notes, plan: Plan, fields: Sequence[tuple[str, bytes]] = (), *recipients: Recipient
) -> list[tuple[Any, ...]]:
    told = replace(envelope(), recipients=recipients or (Recipient(MARIE), Recipient(PAUL)))
    policies = (book().policy(r.address) for r in told.recipients)
    judged = tuple(Judged(verdict_of(policy, finding("empty")), policy, ()) for policy in policies)
    asked = Asked()
    raw = b"".join(name.encode() + b":" + value + b"\r\n" for name, value in fields) + b"\r\n"
    examined = Examined(told, {"empty": finding("empty")}, judged, plan)
    application = Application(asked, fields, Mail(raw), OwnFields("X-Spam-", "mx.example.com"))
    application.apply(application.fitting(examined), examined, SIGNER, notes)
    return asked.changes


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def stays(outcome: Outcome = Outcome.INBOX, *, tag: str = "", **headers: str) -> Plan:
    return Plan(in_place=Copy(outcome, (MARIE, PAUL), tuple(headers.items()), tag))


def test_headers_go_on_top_in_their_order(notes: Notes) -> None:
    assert apply(notes, stays(A="1", B="2")) == [("add", "B", " 2", 0), ("add", "A", " 1", 0)]


def test_headers_of_our_names_that_arrive_are_removed_last_first(notes: Notes) -> None:
    arrived = [("X-SPAM-Flag", b" NO"), ("Subject", b" x"), ("x-spam-flag", b" NO"), ("X-Spam-Level", b" *")]
    assert apply(notes, stays(), arrived) == [
        ("change", "x-spam-flag", 2, ""),
        ("change", "x-spam-flag", 1, ""),
    ]


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ([("Subject", b" Hello")], ("change", "Subject", 1, " SPAM: Hello")),
        ([("SUBJECT", b"Hello")], ("change", "Subject", 1, " SPAM: Hello")),
        ([("Subject", b" \xc3\xa9t\xc3\xa9")], ("change", "Subject", 1, " SPAM: été")),
        ([("Subject", b" \xe9t\xe9")], ("change", "Subject", 1, " SPAM: =?utf-8?q?=C3=A9t=C3=A9?=")),
        ([("From", b" a@example.net")], ("add", "Subject", " SPAM: ", -1)),
    ],
)
def test_the_subject_is_tagged(
    notes: Notes, fields: list[tuple[str, bytes]], change: tuple[Any, ...]
) -> None:
    assert apply(notes, stays(Outcome.TAG, tag="SPAM: "), fields) == [change]


def test_a_redirection_is_added_before_the_recipient_goes(notes: Notes) -> None:
    plan = Plan(
        redirected=(
            Copy(Outcome.JUNK, (MARIE,), (("X-Spam-Flag", "YES"),)),
            Copy(Outcome.QUARANTINE, (PAUL,), ()),
        )
    )
    recipients = (Recipient(MARIE, ("NOTIFY=NEVER",)), Recipient(PAUL))
    changes = apply(notes, plan, [("X-Spam-Flag", b" NO")], *recipients)
    # the forged field goes for copies that Postfix makes by itself (always_bcc); ours are the desk's to write
    assert [change[0] for change in changes] == ["change", "rcpt", "rcpt", "gone", "gone"]
    first, second = (change[1].strip("<>") for change in changes if change[0] == "rcpt")
    read = [SIGNER.read(first), SIGNER.read(second)]
    assert read == [
        Redirection(MARIE, read[0].transaction, "junk"),
        Redirection(PAUL, read[0].transaction, "quarantine"),
    ]
    assert changes[1][2] == f"NOTIFY=NEVER ORCPT=rfc822;{MARIE}"
    assert [change[1] for change in changes if change[0] == "gone"] == [f"<{MARIE}>", f"<{PAUL}>"]

    note = notes.read(first)
    assert note is not None
    assert (note.headers, note.retention_days) == ((("X-Spam-Flag", "YES"),), 30)
    assert note.envelope.recipients == (recipients[0],)  # the others may be blind copies
    assert note.verdict["decided_by"] == "empty"
    assert note.findings == (finding("empty"),)


def test_an_alias_of_several_goes_when_its_copies_are_there(notes: Notes) -> None:
    team = Recipient("team@example.com", ("NOTIFY=NEVER",), frozenset({"Team@Example.com"}))
    told = replace(envelope(), recipients=(team,))
    here = book(directory=Aliases({team.address: [MARIE, PAUL]}))
    judged = tuple(
        Judged(verdict_of(one, finding("empty")), one, ()) for one in here.policies([team.address])
    )
    copies = tuple(Copy(Outcome.QUARANTINE, (who,), ()) for who in (MARIE, PAUL))
    examined = Examined(told, {"empty": finding("empty")}, judged, Plan(redirected=copies))
    asked = Asked()
    Application(asked, (), Mail(b"\r\n"), OwnFields("X-Spam-", "mx.example.com")).apply(
        examined.plan, examined, SIGNER, notes
    )
    added = [change for change in asked.changes if change[0] == "rcpt"]
    assert [SIGNER.read(change[1].strip("<>")).recipient for change in added] == [MARIE, PAUL]
    assert {change[2] for change in added} == {"NOTIFY=NEVER ORCPT=rfc822;Team@example.com"}
    assert asked.changes[2:] == [("gone", "<Team@Example.com>"), ("gone", "<team@example.com>")]
    note = notes.read(added[1][1].strip("<>"))
    assert note is not None
    assert (note.mailbox, note.envelope.recipients[0].address) == (PAUL, PAUL)


def test_transactions_are_not_used_twice(notes: Notes) -> None:
    plan = Plan(redirected=(Copy(Outcome.JUNK, (MARIE,), ()),))
    assert apply(notes, plan)[0] != apply(notes, plan)[0]


@pytest.mark.parametrize(
    ("recipient", "args"),
    [
        (Recipient(MARIE), ("ORCPT=rfc822;marie@example.com",)),
        (Recipient("a+b=c@example.com"), ("ORCPT=rfc822;a+2Bb+3Dc@example.com",)),
        (Recipient("été@example.com"), ("ORCPT=rfc822;+C3+A9t+C3+A9@example.com",)),
        (Recipient('"a b"@example.com'), ('ORCPT=rfc822;"a+20b"@example.com',)),
        (
            Recipient(MARIE, ("orcpt=rfc822;x@example.org", "NOTIFY=SUCCESS")),
            ("NOTIFY=SUCCESS", "orcpt=rfc822;x@example.org"),
        ),
        (Recipient(MARIE, ("X-OTHER=1",)), ("ORCPT=rfc822;marie@example.com",)),
    ],
)
def test_dsn_arguments_go_along(recipient: Recipient, args: tuple[str, ...]) -> None:
    assert dsn_args(recipient) == args


def test_a_recipient_is_removed_in_every_spelling(notes: Notes) -> None:
    """Postfix's queue has it as it was given; {rcpt_addr} is folded."""
    given = Recipient(MARIE, spellings=frozenset({"Marie@Example.COM", "marie"}))
    plan = Plan(redirected=(Copy(Outcome.QUARANTINE, (MARIE,), ()),))
    gone = [change[1] for change in apply(notes, plan, (), given) if change[0] == "gone"]
    assert gone == ["<Marie@Example.COM>", "<marie>", f"<{MARIE}>"]


def test_a_flood_of_forged_fields_sends_every_copy_to_the_desk(notes: Notes) -> None:
    """Deleting them one by one would cost Postfix minutes."""
    changes = apply(notes, stays(), [("X-Spam-Flag", b" NO")] * 51)
    assert {change[0] for change in changes} == {"rcpt", "gone"}
    assert sum(change[0] == "rcpt" for change in changes) == 2


def test_a_tagged_subject_that_is_no_utf8_is_left_alone(notes: Notes) -> None:
    plan = stays(Outcome.TAG, tag="SPAM: ")
    assert apply(notes, plan, [("Subject", b" SPAM: caf\xe9")]) == []

"""Applying a plan at Postfix: header changes on the copy in place, redirections for the other recipients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from tamis.chain.road import Examined
from tamis.contract.lists import of_scopes
from tamis.desk.redirection import Redirection, RedirectionSigner, new_transaction
from tamis.desk.redirection_notes import Note, Notes, verdict_data
from tamis.judging.plan import Copy, Plan, all_redirected
from tamis.judging.trace import OwnFields
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.message.subject import tagged_subject

MAX_DELETIONS = 50
"""Fields that are deleted from the copy in place; a message with more goes by the desk."""

_PULSE = 50  # redirections between two signs of life


class Editor(Protocol):
    """What a milter session can change at end of message."""

    def addheader(self, field: str, value: str, idx: int = -1) -> None:
        """Insert a header field at a place from the top."""

    def chgheader(self, field: str, idx: int, value: str) -> None:
        """Change the idx-th (from 1) field of that name; "" deletes it."""

    def addrcpt(self, rcpt: str, params: str | None = None) -> None:
        """Add a recipient with ESMTP parameters."""

    def delrcpt(self, rcpt: str) -> None:
        """Remove a recipient."""

    def progress(self) -> None:
        """Tell Postfix that it takes a little longer."""


class Application:
    """One transaction's changes."""

    def __init__(
        self,
        editor: Editor,
        fields: Sequence[tuple[str, bytes]],
        mail: Mail,
        own: OwnFields,
    ) -> None:
        self._editor = editor
        self._fields = fields
        self._mail = mail
        self._own = own

    def fitting(self, examined: Examined) -> Plan:
        """The plan, with every copy redirected where the copy in place would need too many deletions.

        Postfix looks each field up from the top, so thousands of forged ones would cost it minutes; the desk reads
        the header once.
        """
        if self._is_flood():
            return all_redirected(examined.plan, examined.judged)
        return examined.plan

    def _is_flood(self) -> bool:
        """Whether more fields would have to go than Postfix should be asked to delete."""
        if len(self._fields) <= MAX_DELETIONS:
            return False
        surplus = sum(self._own.hold(*one) or one[0].lower() == "subject" for one in self._fields)
        return surplus > MAX_DELETIONS

    def apply(
        self, plan: Plan, examined: Examined, signer: RedirectionSigner, notes: Notes, transaction: str = ""
    ) -> None:
        """Carry out the plan. Postfix commits all of it with its 250, or nothing.

        `transaction` is under what the desk may know copies already; without one a new id is made.
        """
        if plan.in_place is not None:
            self.remove_own()
            self._change(plan.in_place)
        elif not self._is_flood():  # Postfix's own copies (always_bcc) are made of what stands there
            self.remove_own()
        if not plan.redirected:
            return
        transaction = transaction or new_transaction()
        recipients = {r.address: r for r in examined.envelope.recipients}
        for number, copy in enumerate(plan.redirected):
            if number % _PULSE == _PULSE - 1:
                self._editor.progress()
            self._redirect(copy, recipients[copy.recipients[0]], transaction, examined, signer, notes)

    def remove_own(self) -> None:
        """Fields that only we may write and that arrived, from the last to the first so that indexes hold."""
        left = Counter(name.lower() for name, _ in self._fields)
        for name, value in reversed(self._fields):
            key = name.lower()
            if self._own.hold(key, value):
                self._editor.chgheader(key, left[key], "")
            left[key] -= 1

    def _change(self, copy: Copy) -> None:
        for name, value in reversed(copy.headers):
            self._editor.addheader(name, " " + value, 0)
        if copy.tag:
            raw = next((value for name, value in self._fields if name.lower() == "subject"), None)
            subject = tagged_subject(copy.tag, raw, self._mail.subject)
            if subject is None:
                return
            tagged = subject.decode("utf-8")
            if raw is None:
                self._editor.addheader("Subject", " " + tagged)
            else:
                for index in range(sum(name.lower() == "subject" for name, _ in self._fields), 1, -1):
                    self._editor.chgheader(
                        "Subject", index, ""
                    )  # only the first is shown, as on the desk's copies
                self._editor.chgheader("Subject", 1, " " + tagged)

    def _redirect(
        self,
        copy: Copy,
        recipient: Recipient,
        transaction: str,
        examined: Examined,
        signer: RedirectionSigner,
        notes: Notes,
    ) -> None:
        """First the new recipient, then the old one away: a crash between leaves Postfix's 250 unsaid."""
        address = signer.address(Redirection(recipient.as_given, transaction, str(copy.outcome)))
        notes.write(address, note_of(copy, recipient, examined))
        self._editor.addrcpt(f"<{address}>", " ".join(dsn_args(recipient)))
        for form in sorted(recipient.spellings | {recipient.address}):
            self._editor.delrcpt(f"<{form}>")


def note_of(copy: Copy, recipient: Recipient, examined: Examined, *, asks: bool = False) -> Note:
    """What the desk should know of one recipient's copy."""
    one = next(j for j in examined.judged if j.verdict.recipient == recipient.address)
    return Note(
        copy.headers,
        copy.tag,
        one.policy.terms.retention_days,
        verdict_data(one.verdict),
        tuple(of_scopes(finding, one.policy.scopes) for finding in examined.findings.values()),
        _for_one(examined.envelope, recipient),
        asks,
    )


def dsn_args(recipient: Recipient) -> tuple[str, ...]:
    """NOTIFY and ORCPT for the redirected recipient (RFC 3461 4): notices name the address that the sender knows."""
    notify = [arg for arg in recipient.args if arg.upper().startswith("NOTIFY=")]
    orcpt = [arg for arg in recipient.args if arg.upper().startswith("ORCPT=")]
    return (*notify, *(orcpt or [f"ORCPT=rfc822;{_xtext(recipient.as_given)}"]))


def _xtext(text: str) -> str:
    """RFC 3461 4: what is not printable ASCII, or is + or =, as +XX."""
    octets = text.encode("utf-8", "surrogateescape")
    return "".join(chr(o) if 33 <= o <= 126 and o not in b"+=" else f"+{o:02X}" for o in octets)


def _for_one(envelope: Envelope, recipient: Recipient) -> Envelope:
    """The envelope as one recipient's record holds it: without the others (who may be blind copies)."""
    return replace(envelope, recipients=(recipient,))

"""Applying a plan at Postfix: header changes on the copy in place, redirections for the other recipients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from tamis.chain.road import Examined
from tamis.contract.lists import of_scopes
from tamis.desk.redirection import Redirection, RedirectionSigner, new_transaction
from tamis.desk.redirection_notes import Note, Notes, verdict_data
from tamis.judging.plan import Copy, Judged, Plan, all_redirected
from tamis.judging.policy import Outcome
from tamis.judging.trace import OwnFields, with_id
from tamis.message.envelope import Recipient
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

    def apply(self, plan: Plan, examined: Examined, signer: RedirectionSigner, notes: Notes) -> None:
        """Carry out the plan. Postfix commits all of it with its 250, or nothing."""
        transaction = examined.envelope.transaction or new_transaction()
        if plan.untouched:
            pass  # their copy is the one that stands there, forged fields and all
        elif plan.in_place is not None:
            self.remove_own()
            self._change(plan.in_place, transaction)
        elif not self._is_flood():  # Postfix's own copies (always_bcc) are made of what stands there
            self.remove_own()
        if not plan.redirected:
            return
        recipients = {r.address: r for r in examined.envelope.recipients}
        judged = {one.verdict.recipient: one for one in examined.judged}
        leaving: dict[str, Recipient] = {}
        number = 0
        for copy in plan.redirected:
            members = [judged[who] for who in copy.recipients]
            whose = [addressed(one, recipients) for one in members]
            leaving |= {name: recipients[name] for one in members for name in named_by(one)}
            addresses = redirection_addresses(copy.outcome, whose, transaction, signer)
            headers = with_id(copy.headers, self._own.prefix, transaction)
            notes.write(addresses, note_of(replace(copy, headers=headers), whose, examined, members[0]))
            for recipient, address in zip(whose, addresses, strict=True):
                number += 1
                if number % _PULSE == 0:
                    self._editor.progress()
                self._editor.addrcpt(f"<{address}>", " ".join(dsn_args(recipient)))
        for given in leaving.values():  # last: a crash before leaves Postfix's 250 unsaid
            for form in sorted(given.spellings | {given.address}):
                self._editor.delrcpt(f"<{form}>")

    def remove_own(self) -> None:
        """Fields that only we may write and that arrived, from the last to the first so that indexes hold."""
        left = Counter(name.lower() for name, _ in self._fields)
        for name, value in reversed(self._fields):
            key = name.lower()
            if self._own.hold(key, value):
                self._editor.chgheader(key, left[key], "")
            left[key] -= 1

    def _change(self, copy: Copy, transaction: str) -> None:
        for name, value in reversed(with_id(copy.headers, self._own.prefix, transaction)):
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


def named_by(one: Judged) -> tuple[str, ...]:
    """The envelope's recipients by which a copy comes: its own, or aliases of several mailboxes."""
    return one.policy.via or (one.verdict.recipient,)


def addressed(one: Judged, recipients: Mapping[str, Recipient]) -> Recipient:
    """To whom a copy goes: as the client named it; or a mailbox behind an alias, of which notices to the sender tell by
    the alias's name (ORCPT)."""
    named = recipients.get(one.verdict.recipient)
    return named or Recipient(one.verdict.recipient, dsn_args(recipients[named_by(one)[0]]))


def redirection_addresses(
    outcome: Outcome, recipients: Sequence[Recipient], transaction: str, signer: RedirectionSigner
) -> list[str]:
    """Where recipients' copies of one transaction are sent instead, in their order."""
    return [signer.address(Redirection(one.as_given, transaction, str(outcome))) for one in recipients]


def note_of(
    copy: Copy, recipients: Sequence[Recipient], examined: Examined, judged: Judged, *, asks: bool = False
) -> Note:
    """What the desk should know of a copy: `judged` is the part of one of its recipients, who are told of each other
    alone (the message's others may be blind copies)."""
    return Note(
        copy.headers,
        copy.tag,
        judged.policy.terms.retention_days,
        verdict_data(judged.verdict),
        tuple(of_scopes(finding, judged.policy.scopes) for finding in examined.findings.values()),
        replace(examined.envelope, recipients=tuple(recipients)),
        asks,
        judged.policy.mailbox,
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

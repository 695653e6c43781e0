"""The desk: takes the redirected copies from Postfix, and stores them or sends them back changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from tamis.base.errors import AddressError, ReinjectError, TamisError
from tamis.challenge.notices import language_of
from tamis.desk.held_answer import HeldAnswer
from tamis.desk.lmtp import LMTPReply, LMTPServer, Transaction
from tamis.desk.patience import Patience
from tamis.desk.peers import is_trusted, peer_of
from tamis.desk.redirection import Redirection, RedirectionSigner
from tamis.desk.redirection_notes import Note, Notes
from tamis.desk.reinjection import Reinjector
from tamis.desk.route import Proof, probe_sent_at, received_by
from tamis.judging.policy import Outcome
from tamis.judging.site import Site
from tamis.judging.suppression import is_authenticated
from tamis.judging.trace import own_fields
from tamis.message.address import unbracket
from tamis.message.envelope import Envelope, Recipient
from tamis.message.header_editing import NewFields, edit
from tamis.message.mail import Mail
from tamis.message.shown_from import shown_from
from tamis.message.subject import tagged_subject
from tamis.quarantine.records import HeldMessage
from tamis.settings import Settings
from tamis.store import Store

log = logging.getLogger(__name__)


Addressed = tuple[str, Sequence[str]]
"""A redirection address and the ESMTP arguments with which Postfix gives it to us."""
Group = Sequence[Addressed]
"""At least one; more are the copies of one message that are held for one mailbox."""


class Desk:
    """What is done with one copy. Its methods block: they run in threads."""

    def __init__(
        self, site: Callable[[], Site], signer: RedirectionSigner, notes: Notes, proof: Proof, store: Store
    ) -> None:
        self._site = site
        self._signer = signer
        self._notes = notes
        self._proof = proof
        self._store = store
        self._sending: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def check(self, address: str) -> LMTPReply:
        """Whether an address is one that we signed."""
        try:
            self._signer.read(address)
        except AddressError as error:
            log.error("the desk refuses %r: %s", address, error)
            return LMTPReply(ok=False, text=f"{error}; it stays in the queue")
        return LMTPReply(ok=True, text="recipient ok")

    def groups(self, recipients: Sequence[Addressed]) -> list[Group]:
        """What is dealt with at once: copies of one message that are held for one mailbox; every other alone."""
        held: dict[str, Redirection] = {}
        for address, _ in recipients:
            with contextlib.suppress(AddressError):
                redirection = self._signer.read(address)
                if redirection.outcome == Outcome.QUARANTINE:
                    held[address] = redirection
        mailboxes = self._site().book.mailboxes([one.recipient for one in held.values()])
        found: dict[tuple[str, ...], list[Addressed]] = {}
        for address, args in recipients:
            one = held.get(address)
            key = (address,) if one is None else (one.transaction, mailboxes[one.recipient])
            found.setdefault(key, []).append((address, args))
        return list(found.values())

    def is_probe(self, group: Group) -> bool:
        """Whether it is a probe of the route, which nobody waits for but us."""
        try:
            return bool(probe_sent_at(self._signer.read(group[0][0])))
        except AddressError:
            return False

    def take(self, group: Group, transaction: Transaction, content: bytes) -> LMTPReply:
        """Deal with a group's copies, which share their answer; on 250 they are safe elsewhere, on 451 Postfix keeps
        them."""
        address, args = group[0]
        try:
            redirection = self._signer.read(address)
            if sent_at := probe_sent_at(redirection):
                return self._noted(sent_at, content)
            if redirection.outcome == Outcome.QUARANTINE:
                text = self._hold(group, transaction, content)
            else:
                with self._alone(redirection):
                    text = self._send_back(address, redirection, args, transaction, content)
        except TamisError as error:
            log.warning("%s stays in the queue: %s", address, error)
            return LMTPReply(ok=False, text=f"kept in the queue: {error}")
        except Exception:
            log.exception("%s stays in the queue", address)
            return LMTPReply(ok=False, text="kept in the queue: internal error")
        for one, _ in group:
            self._notes.drop(one)
        return LMTPReply(ok=True, text=text)

    def _prolonged(self, note: Note, content: bytes) -> None:
        """A copy that came through Postfix shows that the route works; one that the milter handed over itself does
        not."""
        if note.asks:
            return
        try:
            self._proof.prolong(received_by(content))
        except OSError as error:
            log.error("the proof of the route can't be noted: %s", error)

    def _noted(self, sent_at: float, content: bytes) -> LMTPReply:
        """A probe is taken in any case: whoever sent it names the cause, and more of them would fill the queue."""
        try:
            self._proof.record(sent_at, received_by(content))
        except OSError as error:
            log.error("a probe of the route came back, but it can't be noted: %s", error)
            return LMTPReply(ok=True, text="probe not noted")
        return LMTPReply(ok=True, text="probe noted")

    def _hold(self, group: Group, transaction: Transaction, content: bytes) -> str:
        site = self._site()
        redirections = [self._signer.read(address) for address, _ in group]
        redirection = redirections[0]
        note = next(filter(None, (self._notes.read(address) for address, _ in group)), None)
        recipients = tuple(
            Recipient(one.recipient, tuple(args)) for one, (_, args) in zip(redirections, group, strict=True)
        )
        if note is not None:
            self._prolonged(note, content)
        original = edit(content, remove=own_fields(site.settings).hold)
        mail = Mail(original)
        envelope = note.envelope if note else _envelope(recipients, transaction)
        verdict = note.verdict if note else {}
        policy = site.book.policy(redirection.recipient)
        held = HeldMessage(
            transaction=redirection.transaction,
            recipients=recipients,
            mailbox=(note.mailbox if note else "") or policy.mailbox,
            envelope=envelope,
            return_path=None if note is not None and note.asks else unbracket(transaction.sender or ""),
            header_from=shown_from(mail.headers),
            subject=mail.subject or "",
            message_id=mail.message_id or "",
            decided_by=str(verdict.get("decided_by", "")),
            because=str(verdict.get("because", "the details of the examination are lost")),
            score=float(verdict.get("score", 0.0)),
            required=float(verdict.get("required", 0.0)),
            findings=[finding.to_dict() for finding in note.findings] if note else (),
            verdict=verdict,
            retention_days=note.retention_days if note else policy.terms.retention_days,
        )
        if note is not None and note.asks:
            findings = {finding.filter: finding for finding in note.findings}
            message, challenge = self._store.challenges.hold_asked(
                held,
                original,
                language=language_of(mail.headers, envelope.sender, policy.terms.language),
                authenticated=is_authenticated(findings, envelope.sender),
            )
            log.info("held %s for <%s>, challenge %s", message, redirection.recipient, challenge or "none")
            return HeldAnswer(message, challenge).encode()
        since = note.envelope.received_at if note else None
        message = self._store.quarantine.hold(held, original, since=since)
        if policy.terms.challenge == "reply":  # perhaps held before, with a reply that could not be given
            self._store.challenges.untold(message)
        log.info("held %s for <%s>", message, redirection.recipient)
        return HeldAnswer(message).encode()

    @contextlib.contextmanager
    def _alone(self, redirection: Redirection) -> Iterator[None]:
        """Postfix may deliver one copy twice at once (postsuper -r): the second waits in the queue for what comes of
        the first. Raises ReinjectError."""
        copy = (redirection.transaction, redirection.recipient)
        with self._lock:
            if copy in self._sending:
                raise ReinjectError("this copy is being sent back by another delivery of it")
            self._sending.add(copy)
        try:
            yield
        finally:
            with self._lock:
                self._sending.discard(copy)

    def _send_back(
        self,
        address: str,
        redirection: Redirection,
        args: Sequence[str],
        transaction: Transaction,
        content: bytes,
    ) -> str:
        """Re-inject the changed copy, once for each recipient as far as can be known (see docs/rooms/desk.md)."""
        if self._store.notes.is_done(redirection.transaction, redirection.recipient):
            return "was sent back before"
        site = self._site()
        note = self._notes.read(address) or self._without_note(redirection, site)
        self._prolonged(note, content)
        subject = None
        if note.tag:
            mail = Mail(content)
            raw = mail.headers.raw("subject")
            subject = tagged_subject(note.tag, raw[0] if raw else None, mail.subject)
        changed = edit(content, remove=own_fields(site.settings).hold, insert=note.headers, subject=subject)
        queue_id = Reinjector(site.settings.desk.reinject).send(
            transaction.sender or "", transaction.sender_args, [(redirection.recipient, tuple(args))], changed
        )
        try:
            self._store.notes.done(redirection.transaction, redirection.recipient, queue_id)
        except TamisError as error:  # the copy is delivered: saying 451 now would make it two
            log.warning("%s was sent back, but not noted: %s", address, error)
        return f"sent back as {redirection.outcome}"

    @staticmethod
    def _without_note(redirection: Redirection, site: Site) -> Note:
        policy = site.book.policy(redirection.recipient)
        prefix = site.settings.headers.prefix
        headers: NewFields = ((f"{prefix}Status", "Unknown, the details of the examination are lost"),)
        if redirection.outcome == Outcome.JUNK:
            headers = ((f"{prefix}Flag", "YES"), *headers)
        tag = policy.terms.tag if redirection.outcome == Outcome.TAG else ""
        return Note(headers, tag, policy.terms.retention_days, {}, (), Envelope())


def _envelope(recipients: tuple[Recipient, ...], transaction: Transaction) -> Envelope:
    return Envelope(
        sender=unbracket(transaction.sender or ""),
        sender_args=transaction.sender_args,
        recipients=recipients,
    )


async def run_desk(
    desk: Desk, listening: socket.socket, settings: Settings, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGUSR1; copies under way are finished first."""
    patience = Patience(settings.desk.concurrency, settings.desk.store_seconds)

    async def deliver(transaction: Transaction, content: bytes) -> Sequence[LMTPReply]:
        replies: dict[str, LMTPReply] = {}
        for group in await asyncio.to_thread(desk.groups, transaction.recipients):
            take = partial(desk.take, group, transaction, content)
            if desk.is_probe(group):  # it asks no store, and must not look lost because of one
                reply = await asyncio.to_thread(take)
            else:
                reply = await patience.reply(take)
            replies |= {address: reply for address, _ in group}
        return [replies[address] for address, _ in transaction.recipients]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = peer_of(writer)
        if is_trusted(peer, settings.milter.socket_group):
            await lmtp.serve(reader, writer)
            return
        log.error(
            "the desk speaks with root, Tamis and group %s, not with %s", settings.milter.socket_group, peer
        )
        writer.write(b"421 4.7.0 not for you\r\n")
        writer.close()

    lmtp = LMTPServer(
        desk.check, deliver, connections=settings.desk.connections, memory=settings.desk.max_memory
    )
    server = await asyncio.start_server(serve, sock=listening)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        loop.add_signal_handler(number, stopping.set)
    ready()
    await stopping.wait()
    server.close()
    await lmtp.idle.wait()

"""One connection from Postfix: libmilter's callbacks, gathered into transactions.

Every step but end-of-message goes without a reply (the one big gain that pymilter offers), so nothing is
decided before the end, where the road is walked and its plan applied. RCPT alone has a reply where some policy
has a filter on that defers single recipients.
"""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import Milter

from tamis.base.errors import RouteError, TamisError
from tamis.chain.road import Examined, Road
from tamis.desk.redirection import RedirectionSigner, new_transaction
from tamis.desk.redirection_notes import Notes
from tamis.desk.route import Route
from tamis.handover.listener_counts import ListenerCounts
from tamis.judging.policy import Outcome
from tamis.judging.site import Site
from tamis.judging.trace import failure_headers, own_fields
from tamis.message.address import unbracket
from tamis.message.envelope import Envelope, Recipient
from tamis.message.mail import Mail
from tamis.milter.application import Application
from tamis.milter.reply import Replies

log = logging.getLogger(__name__)


def guarded(callback: Callable[..., int]) -> Callable[..., int]:
    """A callback without reply can't refuse: what fails in it is remembered, and end of message answers 451.

    libmilter would take the exception for silence, and Postfix would deliver what we never saw.
    """

    @functools.wraps(callback)
    def wrapper(self: Session, *args: Any) -> int:
        try:
            return callback(self, *args)
        except Exception:
            log.exception("%s failed", callback.__name__)
            self.broken = True
            self.stranger = self.stranger or callback.__name__ in ("connect", "hello")
            return int(Milter.CONTINUE)

    return wrapper


class SessionWorker(Protocol):
    """What a session needs of its worker (tamis/milter/worker.py)."""

    site: Site
    """The policy of this moment."""
    signer: RedirectionSigner
    notes: Notes
    replies: Replies
    route: Route
    listeners: ListenerCounts

    def session_begins(self, session: object) -> None:
        """Count a connection as open."""

    def session_ends(self, session: object) -> None:
        """Count it no more."""

    def new_road(self) -> Road:
        """A transaction's road."""

    def foresee(self, recipient: str) -> None:
        """Begin to look up where a recipient's address leads."""

    def record(self, examined: Examined, mail: Mail) -> None:
        """Remember a message's findings and verdicts."""

    def count(self, examined: Examined, mail: Mail) -> None:
        """Remember what is counted and learnt of a message."""


class Session(Milter.Base):
    """libmilter makes one for each connection; `worker` is set on the class before the first."""

    worker: SessionWorker

    def __init__(self) -> None:
        self.stranger = False
        """Who connects was lost, for all messages of the connection."""
        self._connection: dict[str, str] = {}
        self._helo = ""
        self._live = False
        self._answers_recipients = False
        self._listener = ""
        self._in_data = False
        self._reset()

    def _reset(self) -> None:
        self.broken = self.stranger
        self._transaction = ""
        self._sender = ""
        self._sender_args: tuple[str, ...] = ()
        self._recipients: list[Recipient] = []
        self._ours = False
        self._fields: list[tuple[str, bytes]] = []
        self._chunks: list[bytes] = []
        self._left = 0
        self._complete = True
        self._size = 0
        self._road: Road | None = None
        self._changing = False

    def negotiate(self, opts: list[int]) -> int:
        """The connection's first step: from here on it counts as live."""
        self._live = True
        self.worker.session_begins(self)
        answer = int(super().negotiate(opts))
        if self.worker.site.defers_recipients:
            opts[1] &= ~Milter.P_NR_RCPT
            self._protocol &= ~Milter.P_NR_RCPT
        self._answers_recipients = not self._protocol & Milter.P_NR_RCPT
        return answer

    @Milter.noreply
    @guarded
    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        """Who connects. Macros speak of the client (XCLIENT and proxies included), the arguments of the socket."""
        peer = hostaddr[0] if isinstance(hostaddr, tuple) else ""
        name = self._macro("{client_name}") or hostname
        self._connection = {
            "ip": (self._macro("{client_addr}") or peer).removeprefix("IPv6:"),
            "name": "" if name in ("unknown", "") or name.startswith("[") else name,
            "ptr": self._macro("{client_ptr}").replace("unknown", ""),
        }
        self._listener = self._macro("{daemon_port}") or "unknown"
        return int(Milter.CONTINUE)

    @Milter.noreply
    @guarded
    @Milter.decode("replace")
    def hello(self, hostname: str) -> int:
        """HELO or EHLO."""
        self._helo = hostname
        return int(Milter.CONTINUE)

    @Milter.noreply
    @guarded
    def envfrom(self, f: str, *s: str) -> int:
        """MAIL FROM: a new transaction begins."""
        self._end_data(whole=False)
        self._reset()
        self._transaction = new_transaction()
        self._sender = unbracket(f)
        self._sender_args = s
        self._road = self.worker.new_road()
        self._left = self._road.site.settings.milter.max_examined
        self._road.mail_from(self._envelope())
        return int(Milter.CONTINUE)

    @Milter.noreply
    @guarded
    def envrcpt(self, to: str, *s: str) -> int:
        """RCPT TO: policy goes by the resolved address, Postfix's queue by the one that was given.

        Where a filter may defer single recipients, this step was negotiated to have a reply.
        """
        recipient = Recipient(self._macro("{rcpt_addr}") or unbracket(to), s, spellings(to))
        if self.worker.signer.is_ours(
            recipient.as_given
        ):  # a content_filter's way back runs the milter again
            self._ours = True
            return int(Milter.CONTINUE)
        if self._answers_recipients and self._road is not None:
            reason = self._road.recipient(self._envelope(), recipient)
            if reason:
                log.info("to=<%s> deferred: %s", recipient.address, reason)
                return self._defer("4.7.1", reason, quiet=True)
        self.worker.foresee(recipient.address)
        self._recipients.append(recipient)
        return int(Milter.CONTINUE)

    @Milter.noreply
    @guarded
    def data(self) -> int:
        """DATA was accepted: a message should follow."""
        self._in_data = True
        return int(Milter.CONTINUE)

    @Milter.noreply
    @guarded
    @Milter.decode("bytes")
    def header(self, field: str, value: bytes) -> int:
        """One header field, with the white space behind its colon and its folds."""
        self._fields.append((field, value))
        self._size += len(field) + len(value) + 3
        return int(Milter.CONTINUE)

    @Milter.noreply
    @guarded
    def body(self, blk: bytes) -> int:
        """A piece of the body; what lies beyond the examination's bound is only counted."""
        self._size += len(blk)
        self._complete = self._complete and len(blk) <= self._left
        if self._left > 0:
            self._chunks.append(blk[: self._left])
            self._left -= len(self._chunks[-1])
        return int(Milter.CONTINUE)

    def eom(self) -> int:
        """The end of the message: examine, plan, apply. Whatever fails here, the mail is not lost."""
        try:
            self._end_data(whole=True)
            if self._ours and not self._recipients and not self.broken:
                return int(Milter.CONTINUE)  # every copy was judged, and its address says where it goes
            if self.broken or not self._recipients or self._road is None:
                if self._observes():
                    return int(Milter.CONTINUE)
                return self._defer("4.3.0", "mail filter lost track of the dialogue")
            return self._finish(self._envelope(), self._road)
        except RouteError as error:
            return self._defer("4.3.5", f"mail filter not ready: {error}", quiet=True)
        except Exception as error:
            log.exception("%s: not examined", self._macro("i"))
            return self._after_failure(error)
        finally:
            self._reset()

    @guarded
    def abort(self) -> int:
        """The transaction ended early; the connection may go on."""
        self._end_data(whole=False)
        road = self._road
        self._reset()
        if road is not None:
            road.abandon()
        return int(Milter.CONTINUE)

    @guarded
    def close(self) -> int:
        """The connection ended."""
        self._end_data(whole=False)
        if self._live:
            self._live = False
            self.worker.session_ends(self)
        return int(Milter.CONTINUE)

    def _end_data(self, *, whole: bool) -> None:
        """Count a message that DATA announced, once: one that came whole, or one of which nothing was shown."""
        if self._in_data:
            self._in_data = False
            (self.worker.listeners.came if whole else self.worker.listeners.lost)(self._listener)

    def _finish(self, envelope: Envelope, road: Road) -> int:
        mail = self._mail()
        examined = road.end_of_message(envelope, mail, self.progress)
        if examined.plan.defer:
            self._remember(examined, mail)
            return self._defer("4.7.1", examined.plan.defer, quiet=True)
        application = self._application(road, mail)
        plan = application.fitting(examined)
        if plan.asks:  # under an id by which the desk knows the copies that it may have
            replies, settings = self.worker.replies, road.site.settings
            examined = examined.named(replies.transaction(envelope, mail))
            asked = replies.hold(examined, mail, settings, self._macro("j"))
            if asked:
                self._remember(examined, mail)
                return self._ask(asked)
        if plan.redirected:
            self.worker.route.ensure(self.progress, self._macro("j"), self._listener)
        self._changing = True
        application.apply(plan, examined, self.worker.signer, self.worker.notes)
        self._remember(examined, mail)
        return int(Milter.CONTINUE)

    def _ask(self, lines: Sequence[str]) -> int:
        """Refuse the message, which the desk holds, with what its sender can do about it."""
        log.info("%s: 550, its sender is asked", self._macro("i"))
        self.setreply("550", "5.7.1", *(line.replace("%", "%%") for line in lines))
        return int(Milter.REJECT)

    def _remember(self, examined: Examined, mail: Mail) -> None:
        try:
            self.worker.record(examined, mail)
            self.worker.count(examined, mail)
            self._log(examined)
        except Exception:  # the outcome stands; only its story and count are lost
            log.exception("%s: not recorded or counted", examined.envelope.queue_id)

    def _application(self, road: Road, mail: Mail) -> Application:
        return Application(self, self._fields, mail, own_fields(road.site.settings))

    def _after_failure(self, error: Exception) -> int:
        """Defer, unless every recipient's policy would rather have the mail unexamined and nothing is changed yet."""
        if not self._changing and self._observes():
            return int(Milter.CONTINUE)
        if self._changing or self._road is None or isinstance(error, TamisError):
            return self._defer("4.3.0", "mail filter failed")
        site = self._road.site
        try:
            policies = site.book.policies([r.address for r in self._recipients])
            if all(one.terms.on_error == "deliver" for one in policies):
                self._changing = True
                self._application(self._road, Mail(b"")).remove_own()
                for name, value in failure_headers(site.settings.headers.prefix):
                    self.addheader(name, " " + value, 0)
                return int(Milter.CONTINUE)
        except Exception:
            log.exception("%s: on_error could not be honoured", self._macro("i"))
        return self._defer("4.3.0", "mail filter failed")

    def _observes(self) -> bool:
        """Whether all recipients are only observed, so that a failure of ours is no reason to touch their mail."""
        try:
            return self.worker.site.observes([one.address for one in self._recipients])
        except Exception:
            log.exception("%s: policy could not be looked up", self._macro("i"))
            return False

    def _defer(self, enhanced: str, text: str, *, quiet: bool = False) -> int:
        if not quiet:
            text = f"{text}, reference {secrets.token_hex(4)}"
        log.warning("%s: 451 %s", self._macro("i"), text)
        reply = "".join(c if " " <= c <= "~" else "?" for c in text)[:400].replace("%", "%%")
        self.setreply("451", enhanced, reply)
        return int(Milter.TEMPFAIL)

    def _envelope(self) -> Envelope:
        recipients: dict[str, Recipient] = {}
        for one in self._recipients:  # named twice, perhaps in two spellings: one recipient
            known = recipients.get(one.address, one)
            recipients[one.address] = replace(known, spellings=known.spellings | one.spellings)
        return Envelope(
            client_ip=self._connection.get("ip", ""),
            client_name=self._connection.get("name", ""),
            client_ptr=self._connection.get("ptr", ""),
            helo=self._helo,
            sender=self._sender,
            sender_args=self._sender_args,
            recipients=tuple(recipients.values()),
            queue_id=self._macro("i"),
            login=self._macro("{auth_authen}"),
            tls=self._macro("{tls_version}"),
            transaction=self._transaction,
        )

    def _mail(self) -> Mail:
        """The octets as they stand in the message: libmilter gives folds with bare LF."""
        lines = [name.encode("ascii", "replace") + b":" + value + b"\r\n" for name, value in self._fields]
        header = b"".join(lines)
        if header.count(b"\n") != header.count(b"\r\n"):
            header = header.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        raw = b"".join((header, b"\r\n", *self._chunks))
        return Mail(raw, complete=self._complete, size=self._size)

    def _macro(self, name: str) -> str:
        try:
            value = self.getsymval(name)
        except UnicodeDecodeError:  # Postfix passes octets on that are no UTF-8
            return ""
        return value if isinstance(value, str) else ""

    def _log(self, examined: Examined) -> None:
        for one in examined.judged:
            log.info(
                "%s: to=<%s> outcome=%s decided=%s score=%.1f",
                examined.envelope.queue_id,
                one.verdict.recipient,
                f"{Outcome.INBOX} (observed: {one.outcome})" if one.observed else one.outcome,
                one.verdict.decided_by or "-",
                one.verdict.score,
            )


def spellings(argument: str) -> frozenset[str]:
    """The forms under which Postfix may have queued the recipient of a RCPT TO argument.

    It strips brackets, comments and source routes (RFC 5321 4.1.2), but keeps case and missing domains, and
    deletes a recipient only under that form.
    """
    forms = {argument.strip("<> "), unbracket(argument), argument.rpartition("<")[2].partition(">")[0]}
    forms |= {form.partition(":")[2] for form in forms if form.startswith("@")}
    return frozenset(forms - {""})


Session = Milter.enable_protocols(Session, Milter.P_HDR_LEADSPC)  # type: ignore[misc]

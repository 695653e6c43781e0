"""Asking a sender in the SMTP reply: the copies go to the desk at once, and the answer is 550 with a link.

The one case in which Postfix keeps nothing. So it is taken only where the plan asks (`Plan.asks`), and 550 is said
only when the desk has all copies on disk. Whatever goes wrong before that, the recipients are redirected as usual,
under the same transaction id, so that the desk knows the copies that it has. That id is made of sender and content:
when the sender's server did not get our answer and tries again, it is told the same link, and nothing is held twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import smtplib
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from email.utils import format_datetime

from tamis.base.errors import ReinjectError
from tamis.base.tokens import Tokens
from tamis.chain.road import Examined
from tamis.challenge.links import challenge_link
from tamis.challenge.notices import language_of
from tamis.desk.held_answer import HeldAnswer
from tamis.desk.redirection import RedirectionSigner
from tamis.desk.redirection_notes import Notes
from tamis.desk.reinjection import RawSMTP
from tamis.judging.policy import Outcome
from tamis.language.translation import LANGUAGES, translations
from tamis.message.envelope import Envelope
from tamis.message.mail import Mail
from tamis.milter.application import addressed, dsn_args, note_of, redirection_addresses
from tamis.settings import Settings, SocketAddress

log = logging.getLogger(__name__)

DESK_SECONDS = 20.0
"""How long the desk may take for each step; Postfix waits longer (milter_content_timeout)."""

_MAX_LINE = 480  # RFC 5321 4.5.3.1.5: 512 octets with the codes and the line end


class Replies:
    """One worker's way of asking in the reply."""

    def __init__(self, signer: RedirectionSigner, notes: Notes, tokens: Tokens) -> None:
        self._signer = signer
        self._notes = notes
        self._tokens = tokens

    def transaction(self, envelope: Envelope, mail: Mail) -> str:
        """The id under which the desk knows this message whenever it comes."""
        sender = envelope.sender.encode("utf-8", "surrogateescape")
        return self._signer.transaction_of(sender, hashlib.sha256(mail.raw).digest())

    def hold(self, examined: Examined, mail: Mail, settings: Settings, host: str) -> tuple[str, ...]:
        """Have the desk hold every copy; the lines of the reply, none when the recipients must be redirected."""
        envelope = examined.envelope
        recipients = {one.address: one for one in envelope.recipients}
        judged = {one.verdict.recipient: one for one in examined.judged}
        addresses: list[tuple[str, Sequence[str]]] = []
        for copy in examined.plan.redirected:  # all of them, as `Plan.asks` says
            whose = [addressed(judged[who], recipients) for who in copy.recipients]
            ours = redirection_addresses(Outcome.QUARANTINE, whose, envelope.transaction, self._signer)
            note = note_of(copy, whose, examined, judged[copy.recipients[0]], asks=True)
            self._notes.write(ours, note)
            addresses += [(address, dsn_args(one)) for address, one in zip(ours, whose, strict=True)]
        content = received(envelope, host) + mail.raw
        try:
            answers = deliver(SocketAddress.parse(settings.desk.socket), envelope, addresses, content)
        except ReinjectError as error:
            log.warning("%s: the sender can't be asked in the reply: %s", envelope.queue_id, error)
            return ()
        held = [HeldAnswer.decode(answer) for answer in answers]
        challenges = {one.challenge if one else "" for one in held}
        if len(challenges) != 1 or not (challenge := challenges.pop()):
            return ()
        language = language_of(mail.headers, envelope.sender, examined.judged[0].policy.terms.language)
        days = max(one.policy.terms.retention_days for one in examined.judged)
        expires = envelope.received_at + timedelta(days=days)
        return lines(challenge_link(settings, self._tokens, challenge, expires), language)


def lines(url: str, language: str) -> tuple[str, ...]:
    """The text of the reply, one language after the other, the link between them. ASCII, as SMTP wants it."""
    told = []
    for one in (language, *(other for other in LANGUAGES if other != language)):
        _ = translations(one).gettext
        told.append(
            _ascii(
                _(
                    "Your message is on hold: our spam filter is not sure about it. To have it "
                    "delivered, confirm it here:"
                )
            )
        )
        told.append(url)
    return tuple(line[:_MAX_LINE] for line in told)


def received(envelope: Envelope, host: str) -> bytes:
    """The trace field that Postfix would have put on top (RFC 5321 4.4)."""
    name = envelope.client_name or "unknown"
    text = (
        f"Received: from {_ascii(envelope.helo) or 'unknown'} ({_ascii(name)} [{_ascii(envelope.client_ip)}])\r\n"
        f"\tby {_ascii(host) or 'localhost'} (Tamis) with ESMTP id {_ascii(envelope.queue_id) or 'unknown'};\r\n"
        f"\t{format_datetime(envelope.received_at)}\r\n"
    )
    return text.encode("ascii")


def _ascii(text: str) -> str:
    """Text without accents, and with ? for what else is no printable ASCII; at most a line of a reply."""
    plain = unicodedata.normalize("NFKD", text[:_MAX_LINE].replace("\u2019", "'").replace("\u00a0", " "))
    return "".join(c if " " <= c <= "~" else "?" for c in plain if not unicodedata.combining(c))[:_MAX_LINE]


class _LMTP(RawSMTP, smtplib.LMTP):
    """LMTP (RFC 2033) in the octets in which the addresses came."""


def deliver(
    desk: SocketAddress, envelope: Envelope, recipients: Sequence[tuple[str, Sequence[str]]], content: bytes
) -> list[str]:
    """Hand one message to the desk for all recipients; what it answered for each. Raises ReinjectError unless it has
    taken every copy."""
    try:
        lmtp = _LMTP(desk.path or desk.host, desk.port, local_hostname="localhost", timeout=DESK_SECONDS)
        with contextlib.closing(lmtp):
            lmtp.ehlo_or_helo_if_needed()
            _expect(lmtp.docmd("MAIL", f"FROM:<{envelope.sender}> SIZE={len(content)}"))
            for address, args in recipients:
                fit = "".join(f" {arg}" for arg in args if arg.isprintable() and " " not in arg)
                _expect(lmtp.docmd("RCPT", f"TO:<{address}>{fit}"))
            answers = [lmtp.data(content), *(lmtp.getreply() for _ in recipients[1:])]
            return [_expect(answer) for answer in answers]
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise ReinjectError(f"the desk at {desk} did not take the message: {error}") from error


def _expect(answer: tuple[int, bytes]) -> str:
    code, text = answer
    said = text.decode("ascii", "replace")
    if not 200 <= code < 300:
        raise ReinjectError(f"the desk answered {code} {said}")
    return said.partition(" ")[2]  # behind the enhanced status code (RFC 2034 4)

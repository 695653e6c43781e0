"""Sending a message back to Postfix, through its listener without milter (synchronous: call it in a thread)."""

from __future__ import annotations

import contextlib
import re
import smtplib
from collections.abc import Sequence
from typing import Any

from tamis.base.errors import ReinjectError

_MAIL_PARAMETERS = frozenset({"ENVID", "RET"})
_RCPT_PARAMETERS = frozenset({"NOTIFY", "ORCPT"})
_HELO = "localhost"
_QUEUED = re.compile(r"queued as ([0-9A-Za-z]{1,40})\b")  # Postfix's short and long queue ids


class RawSMTP(smtplib.SMTP):
    """Commands go out in the octets in which the addresses came, whatever they are."""

    def send(self, s: Any) -> None:
        """Text as UTF-8, with the octets that were none."""
        super().send(s.encode("utf-8", "surrogateescape") if isinstance(s, str) else s)


class Reinjector:
    """Postfix's listener at `address` ("IP:PORT" or "[IPv6]:PORT"); `timeout` is in seconds for each reply.

    It keeps nothing open between two messages, so it may be shared by threads and needs no closing.
    """

    def __init__(self, address: str, timeout: float = 60.0) -> None:
        host, _, port = address.rpartition(":")
        self._address, self._timeout = address, timeout
        self._host, self._port = host.removeprefix("[").removesuffix("]"), int(port)

    def send(
        self,
        sender: str,
        sender_args: Sequence[str],
        recipients: Sequence[tuple[str, Sequence[str]]],
        content: bytes,
    ) -> str:
        """Hand over one message for all `recipients`, or for none: raises ReinjectError when Postfix refuses
        any of them or the content, or can't be spoken with. Its queue id there; "" when Postfix does not say.

        `sender` is "" for the null reverse-path. `content` goes out octet for octet, with dots stuffed. Of
        the ESMTP arguments those of DSN (RFC 3461) and SMTPUTF8 are passed on where Postfix offers them: to
        add SMTPUTF8 would make next hops without it bounce. BODY follows from what is sent.
        """
        try:
            # own name given: the library would ask the DNS for it
            smtp = RawSMTP(self._host, self._port, local_hostname=_HELO, timeout=self._timeout)
            with contextlib.closing(smtp):
                queue_id = self._transact(smtp, sender, sender_args, recipients, content)
                # Postfix has it: what happens to the connection from here on is of no interest
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    smtp.quit()
        except (OSError, smtplib.SMTPException) as error:
            raise ReinjectError(f"Postfix at {self._address} did not take the message: {error}") from error
        except ValueError as error:  # a line break, or letters that need SMTPUTF8, inside an address
            raise ReinjectError(f"the envelope can't be sent to {self._address}: {error}") from error
        return queue_id

    def _transact(
        self,
        smtp: smtplib.SMTP,
        sender: str,
        sender_args: Sequence[str],
        recipients: Sequence[tuple[str, Sequence[str]]],
        content: bytes,
    ) -> str:
        smtp.ehlo_or_helo_if_needed()
        options = _kept(smtp, sender_args, _MAIL_PARAMETERS)
        if "SMTPUTF8" in map(str.upper, sender_args) and smtp.has_extn("smtputf8"):
            options += " SMTPUTF8"
        if not content.isascii() and smtp.has_extn("8bitmime"):
            options += " BODY=8BITMIME"
        self._expect(smtp, "MAIL", f"FROM:<{sender}>{options}")
        for address, args in recipients:
            self._expect(smtp, "RCPT", f"TO:<{address}>{_kept(smtp, args, _RCPT_PARAMETERS)}")
        queued = _QUEUED.search(self._check("the message", smtp.data(content)))
        return queued[1] if queued else ""

    def _expect(self, smtp: smtplib.SMTP, verb: str, argument: str) -> None:
        self._check(f"{verb} {argument}", smtp.docmd(verb, argument))

    def _check(self, what: str, reply: tuple[int, bytes]) -> str:
        code, text = reply
        said = text.decode("utf-8", "replace")
        if not 200 <= code < 300:
            raise ReinjectError(
                f"Postfix at {self._address} answered {what} with {code} {said}", permanent=code >= 500
            )
        return said


def _kept(smtp: smtplib.SMTP, args: Sequence[str], names: frozenset[str]) -> str:
    """The arguments of these names, each after a space, where the server knows DSN."""
    if not smtp.has_extn("dsn"):
        return ""
    fit = (arg for arg in args if arg.isprintable() and " " not in arg)
    return "".join(f" {arg}" for arg in fit if arg.partition("=")[0].upper() in names)

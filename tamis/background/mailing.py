"""Mails to mailboxes: digests at their times, quota notices when the mail store asks for one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tamis.background.putting_off import PutOff
from tamis.base.errors import ReinjectError, TamisError
from tamis.base.tokens import Tokens
from tamis.challenge.links import action_link, guide_link
from tamis.judging.flip import FlipSender
from tamis.judging.promise import why_held_despite
from tamis.judging.site import Site
from tamis.letters import digests, quota
from tamis.letters.mailings import MailingKind
from tamis.quarantine.content import Send
from tamis.quarantine.records import HeldState, Summary
from tamis.store import Store

log = logging.getLogger(__name__)

_AGAIN = 600.0
"""Seconds before a digest that Postfix did not take is tried again."""


class Digesting:
    """Sends the digests that are due. What is told is noted after Postfix has the mail: a crash in between sends the
    same digest twice, and never loses one."""

    def __init__(
        self, site: Callable[[], Site], store: Store, tokens: Tokens, send: Callable[[], Send]
    ) -> None:
        self._site = site
        self._store = store
        self._tokens = tokens
        self._send = send
        self._put_off = PutOff(_AGAIN, _AGAIN)

    def step(self, until: float, now: datetime | None = None) -> bool:
        """Send what is due, until the monotonic clock says `until`; whether everything was sent, or is another host's
        to send."""
        if not any(terms.digest for terms in self._site().book.all_terms()):
            return True
        with self._store.mailings.turn() as ours:
            return not ours or self._send_due(until, now or datetime.now(UTC))

    def _send_due(self, until: float, now: datetime) -> bool:
        book = self._site().book
        for untold in self._store.mailings.untold():
            if time.monotonic() > until:
                return False
            if self._put_off.waits(untold.mailbox):
                continue
            policy = book.policy(untold.mailbox)
            terms = policy.terms
            try:
                if policy.forward:  # its links would go to another host, with the right to act here
                    continue
                if digests.due(terms.digest, terms.time_zone, untold.since, now):
                    self._tell(untold.mailbox, now)
            except TamisError:  # the store's, which nobody's digest goes without
                raise
            except Exception:  # one mailbox that nobody foresaw must not cost all others theirs
                log.exception("the digest for %s failed", untold.mailbox)
                self._put_off.failed(untold.mailbox)
        return True

    def _tell(self, mailbox: str, now: datetime) -> None:
        settings, terms = self._site().settings, self._site().book.policy(mailbox).terms
        untold = self._store.mailings.untold_of(mailbox)
        found = self._store.quarantine.several(untold[: digests.MOST_LISTED])
        messages = [one for one in found if one.state is HeldState.HELD]
        if not messages:  # released since
            return
        ends = {one.id: one.expires_at for one in messages}

        def link(message: str, verb: str) -> str:
            return action_link(settings, self._tokens, message, verb, ends[message])

        digest = digests.Digest(
            mailbox=mailbox,
            messages=messages,
            count=len(untold),
            link=link,
            home=f"{settings.web.url}/",
            filters=self._site().filters,
            language=terms.language,
            time_zone=terms.time_zone,
            from_local=settings.notices.sender,
            guide=guide_link(settings, terms.language),
            despite=self._despite,
        )
        try:
            self._send()("", (), [(mailbox, ())], digests.compose(digest, now=now))
        except ReinjectError as error:
            log.warning("the digest for %s waits: %s", mailbox, error)
            self._put_off.failed(mailbox)
            return
        self._store.mailings.told(mailbox, untold, now=now)

    def _despite(self, message: Summary) -> str:
        """Why "always allow" would not be enough for mail like a message; "" where it would, or it is gone by now."""
        record = self._store.quarantine.get(message.id)
        if record is None:
            return ""
        site = self._site()
        own = frozenset({*site.settings.platform.domains, message.domain})
        sender = FlipSender(message.sender, message.header_from, own)
        return why_held_despite(record.findings, site.book.policy(message.mailbox), sender, site.filters)


def notify_of_quota(site: Site, store: Store, send: Send, mailbox: str, percent: int) -> bool:
    """Tell a mailbox that it is nearly full, unless it was told in the last 24 hours; whether it was told now.

    Raises ReinjectError when Postfix does not take the mail; then the next call may try again.
    """
    now = datetime.now(UTC)
    if not store.mailings.claim(mailbox, MailingKind.QUOTA, quota.EVERY, now=now):
        return False
    notice = quota.QuotaNotice(
        mailbox=mailbox,
        percent=percent,
        language=site.book.policy(mailbox).terms.language,
        from_local=site.settings.notices.sender,
    )
    try:
        send("", (), [(mailbox, ())], quota.compose(notice, now=now))
    except ReinjectError:
        store.mailings.withdraw(mailbox, MailingKind.QUOTA)
        raise
    return True

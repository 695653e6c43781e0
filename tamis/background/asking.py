"""Asking senders: decides about held copies, mails the notices, and does what right answers leave to do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from tamis.background.putting_off import PutOff
from tamis.base.errors import ReinjectError
from tamis.base.tokens import Tokens
from tamis.challenge.answers import terms_of
from tamis.challenge.challenge_records import (
    AnswerProof,
    Challenge,
    ChallengeDecision,
    PageState,
    SenderPage,
    Undecided,
)
from tamis.challenge.links import challenge_link, guide_link
from tamis.challenge.notices import Notice, compose, language_of
from tamis.contract.service_protocols import SharedState
from tamis.desk.reinjection import Reinjector
from tamis.desk.release import delivery_by_answer
from tamis.handover.sender_events import publish
from tamis.judging.site import Site
from tamis.judging.suppression import Case, is_authenticated, why_not
from tamis.message.address import domain_of
from tamis.message.mail import Mail
from tamis.settings import Settings
from tamis.store import Store

log = logging.getLogger(__name__)

_BATCH = 100
_SOLVED = 1000
"""Answered challenges that are looked at in one turn: more than there are copies that can't go."""
_AGAIN, _AGAIN_AT_MOST = 2.0, 600.0
"""Seconds before something that Postfix did not take is tried again."""


class Asking:
    """The background process's part. Each method does what there is to do and raises TamisError where it can't."""

    def __init__(self, site: Callable[[], Site], store: Store, tokens: Tokens) -> None:
        self._site = site
        self._store = store
        self._tokens = tokens
        self._put_off = PutOff(_AGAIN, _AGAIN_AT_MOST)
        self.counts: Counter[tuple[str, str]] = Counter()
        """(asked, suppressed, mailed, refused or solved; the reason of a suppression) -> challenges since the start."""

    def decide(self, until: float) -> None:
        """Whether senders of held copies may be asked, for all that were held long enough, oldest first, until the
        monotonic clock says `until`."""
        site = self._site()
        notices = site.settings.notices
        while True:
            now = datetime.now(UTC)
            found = self._store.challenges.undecided(
                held_before=now - timedelta(seconds=notices.wait), limit=_BATCH
            )
            decisions = [decision(site, copy, now) for copy in found]
            made = self._store.challenges.decide(decisions, notices, now=now) if decisions else {}
            for reason, number in made.items():
                self.counts["suppressed" if reason else "asked", reason] += number
            if len(found) < _BATCH or time.monotonic() > until:
                return

    def mail(self) -> None:
        """The notices that are due. What Postfix can't take now is tried again until it is too late, and so is what
        would bear a link to nowhere, since web.url was changed."""
        self._store.challenges.lose_interrupted()
        for challenge in self._store.challenges.pending():
            if self._put_off.waits(challenge.id):
                continue
            site = self._site()
            page = self._store.answers.open(challenge.id, terms_of(site))
            late = challenge.at < datetime.now(UTC) - timedelta(hours=site.settings.notices.within_hours)
            if late or page is None or page.state is not PageState.OPEN:
                self._store.challenges.give_up(challenge.id)
            elif site.settings.web.is_for_strangers and self._store.challenges.claim(challenge.id):
                self._send(site.settings, challenge, page)

    def _send(self, settings: Settings, challenge: Challenge, page: SenderPage) -> None:
        sender = f"{page.sender.rpartition('@')[0]}@{domain_of(page.sender)}"  # its domain in A-labels
        notice = Notice(
            challenge=challenge.id,
            sender=sender,
            recipients=page.recipients,
            subject=page.subject,
            message_id=f"<{page.message_id}>",
            sent_at=page.sent_at,
            held_until=page.held_until,
            whitelists=page.whitelists and page.ways[0] is AnswerProof.CODE,
            link=challenge_link(settings, self._tokens, challenge.id, challenge.expires_at),
            language=page.language,
            time_zone=page.time_zone,
            from_local=settings.notices.sender,
            guide=partial(guide_link, settings, of_sender=True),
        )
        content = compose(notice, now=datetime.now(UTC))
        try:
            Reinjector(settings.desk.reinject).send("", (), [(sender, ())], content)
        except ReinjectError as error:
            if not error.permanent:
                self._put_off.failed(
                    challenge.id
                )  # perhaps it is only this one: the next turn begins behind it
                self._store.challenges.unsent(challenge.id)
                raise
            self.counts["refused", ""] += 1
            log.warning("challenge %s: <%s> can't be asked: %s", challenge.id, page.sender, error)
            return  # it stays "sending" and is lost: nobody has the link
        self._store.challenges.sent(challenge.id)
        self.counts["mailed", ""] += 1
        log.info("challenge %s: asked <%s>", challenge.id, page.sender)

    def finish(self, run: asyncio.Runner, state: SharedState) -> None:
        """What right answers left to do: copies that could not go at once, and what the senders earned."""
        for challenge in self._store.answers.solved(_SOLVED):
            if self._put_off.waits(challenge.id):
                continue
            site = self._site()
            deliver = delivery_by_answer(site.settings, challenge.proof)
            if not self._store.answers.finish(challenge, terms_of(site), deliver):
                self._put_off.failed(
                    challenge.id
                )  # a copy that nobody takes is there until its retention ends
                continue
            earned = self._store.senders.find(domain=challenge.domain, address=challenge.sender)
            run.run(publish(state, earned))
            self._store.answers.close(challenge)
            self.counts["solved", ""] += 1
            log.info("challenge %s: solved by <%s>", challenge.id, challenge.sender)


def decision(site: Site, copy: Undecided, now: datetime) -> ChallengeDecision:
    """What becomes of an undecided copy under the policy and the settings of a site."""
    terms = site.book.policy(copy.recipient).terms
    headers = Mail(copy.head, complete=False).headers
    age = (now - copy.held_at).total_seconds() / 3600
    has_page = site.settings.web.is_for_strangers
    case = Case(copy.sender, copy.recipient, copy.findings, site.filters, headers, terms, has_page, age)
    return ChallengeDecision(
        copy,
        why_not(case, site.settings.notices),
        language_of(headers, copy.sender, terms.language),
        is_authenticated(copy.findings, copy.sender),
    )

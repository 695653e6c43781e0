"""From envelope and message to verdicts and plan: the road that the milter and `tamis scan` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tamis.chain.examination import Examination, Pulse
from tamis.contract.filter import Message, Stage
from tamis.contract.finding import Finding
from tamis.contract.memos import OF_ENVELOPE, Memos
from tamis.contract.recording import Recording
from tamis.contract.service_protocols import Services
from tamis.judging.authentication import METHODS, authentication_results
from tamis.judging.plan import Judged, Plan, SenderQuestion, outcome_of, plan
from tamis.judging.policy import Policy
from tamis.judging.site import Site, defers_early
from tamis.judging.trace import common_headers, own_headers
from tamis.judging.verdict import Verdict, judge, judge_each
from tamis.message.address import domain_of
from tamis.message.envelope import Envelope, Recipient
from tamis.message.header_editing import NewFields
from tamis.message.mail import Mail
from tamis.services.runner import Runner


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of one transaction: the findings, each recipient's part, and the plan for all."""

    envelope: Envelope
    findings: Mapping[str, Finding]
    judged: tuple[Judged, ...]
    plan: Plan

    def named(self, transaction: str) -> Examined:
        """The same under another transaction id."""
        return replace(self, envelope=replace(self.envelope, transaction=transaction))


RECIPIENT_SECONDS = 2.0
"""How long the answer to one RCPT may take: libmilter has few threads for all sessions."""

_NOTHING = Mail(b"")  # what is known of the content while the envelope is being told


class Road:
    """One transaction's way. `mail_from` starts what can start early; `end_of_message` ends it."""

    def __init__(
        self,
        site: Site,
        runner: Runner,
        services: Services | None = None,
        *,
        recording: Recording | None = None,
    ) -> None:
        """`recording`, if any, gets what filters ask and are answered."""
        self.site = site
        """The Site under which the whole transaction goes."""
        self._runner = runner
        self._services = services or Services()
        self._recording = recording
        self._examination: Examination | None = None
        self._early: Memos = {}

    def mail_from(self, envelope: Envelope) -> None:
        """The client and the envelope sender are known: filters that need no more can start their waiting."""
        message = self.message(envelope, _NOTHING, ())
        self._early = message.memos
        self._begun(envelope).begin(Stage.MAIL, message)

    def recipient(self, envelope: Envelope, recipient: Recipient) -> str:
        """Why a recipient is to be asked for again later; "" when it may be taken. Bounded by RECIPIENT_SECONDS.

        Only filters that defer are asked, and those that may overrule them; what does not answer in time defers nobody.
        """
        if envelope.login:
            return ""
        policies = self.site.book.policies((recipient.address,))
        platform = self.site.settings.platform
        rules = {rule.filter.name: rule for policy in policies for rule in policy.rules}.values()
        deferring = [
            rule.filter for policy in policies for rule in policy.rules if defers_early(rule, platform)
        ]
        if not deferring:
            return ""
        overruling = frozenset[str]().union(*(one.yields_to for one in deferring))
        asked = [
            *dict.fromkeys(deferring),
            *(rule.filter for rule in rules if rule.filter.name in overruling),
        ]
        alone = replace(envelope, recipients=(recipient,))
        findings = self._begun(envelope).now(
            asked, self.message(alone, _NOTHING, policies), seconds=RECIPIENT_SECONDS
        )
        return self._examined(alone, findings, policies, traced=False).plan.defer

    def end_of_message(self, envelope: Envelope, mail: Mail, pulse: Pulse = lambda: None) -> Examined:
        """Examine, judge for every recipient, and plan.

        An authenticated sender's mail is not examined (O8), except by filters for outgoing mail, under the sender's
        own policy; what our users send carries no trace of ours, for it may leave the platform.
        """
        policies = self.site.book.policies([r.address for r in envelope.recipients])
        own = self.site.book.policy(envelope.sender) if envelope.login else None
        message = self.message(envelope, mail, policies)
        message.memos |= {key: work for key, work in self._early.items() if key in OF_ENVELOPE}
        findings = self._begun(envelope).finish(message, policies if own is None else (own,), pulse)
        question = self._question(envelope, mail, findings)
        return self._examined(envelope, findings, policies, own=own, traced=own is None, question=question)

    def _examined(
        self,
        envelope: Envelope,
        findings: Mapping[str, Finding],
        policies: Sequence[Policy],
        *,
        own: Policy | None = None,
        traced: bool,
        question: SenderQuestion | None = None,
    ) -> Examined:
        """What findings mean for each recipient, under the recipient's policy or one for all (`own`), and what is done.

        The one door between examining and judging, at RCPT and at the end of the message.
        """
        if own is None:
            verdicts = judge_each(findings, policies)
        else:
            verdict = judge(findings, own)
            verdicts = [replace(verdict, recipient=one.recipient) for one in policies]
        headers = self._headers(envelope, findings, policies) if traced else lambda _, __: ()
        judged = tuple(
            Judged(verdict, policy, headers(verdict, policy), (own or policy).observes)
            for verdict, policy in zip(verdicts, policies, strict=True)
        )
        return Examined(envelope, findings, judged, plan(judged, question))

    def abandon(self) -> None:
        """The transaction ended early: stop what is under way."""
        if self._examination is not None:
            self._examination.abandon()

    def _begun(self, envelope: Envelope) -> Examination:
        if self._examination is None:
            seconds = self.site.settings.milter.message_deadline
            active = self.site.book.active
            filters = [
                one
                for one in self.site.filters
                if one.name in active and (one.outgoing or not envelope.login)
            ]
            self._examination = Examination(filters, self._runner, seconds=seconds, recording=self._recording)
        return self._examination

    def message(self, envelope: Envelope, mail: Mail, policies: Sequence[Policy]) -> Message:
        """What filters are given; `policies` are the recipients'."""
        return Message(
            envelope=envelope,
            mail=mail,
            platform=self.site.settings.platform,
            lists=self.site.lists,
            services=self._services,
            rules=self.site.rules,
            knowledge=self.site.knowledge,
            scopes=frozenset(scope for one in policies for scope in one.scopes),
        )

    def _question(
        self, envelope: Envelope, mail: Mail, findings: Mapping[str, Finding]
    ) -> SenderQuestion | None:
        if envelope.login or not mail.complete:
            return None
        settings = self.site.settings
        return SenderQuestion(
            envelope.sender,
            mail.headers,
            findings,
            self.site.filters,
            settings.notices,
            settings.web.is_for_strangers,
        )

    def _headers(
        self, envelope: Envelope, findings: Mapping[str, Finding], policies: Sequence[Policy]
    ) -> Callable[[Verdict, Policy], NewFields]:
        """What makes the trace headers of a recipient's verdict; what recipients share of them is made once."""
        settings = self.site.settings
        results = authentication_results(shared(findings, policies), envelope, settings.authserv_id)
        prefix = settings.headers.prefix
        known: dict[tuple[Any, ...], NewFields] = {}

        def headers(verdict: Verdict, policy: Policy) -> NewFields:
            outcome = outcome_of(verdict, policy)
            # the opinions live as long as the verdicts: equal ids are the same ones
            key = (id(verdict.opinions), verdict.required, outcome, domain_of(verdict.recipient))
            common = known.get(key)
            if common is None:
                common = known[key] = common_headers(
                    verdict, findings, envelope, prefix=prefix, outcome=outcome, results=results
                )
            return common + own_headers(verdict, prefix)

        return headers


def shared(findings: Mapping[str, Finding], policies: Sequence[Policy]) -> Mapping[str, Finding]:
    """The findings of the authentication filters that every recipient has: what all may read, and the same for all."""
    rules = {id(policy.rules): policy.rules for policy in policies}
    names = METHODS.intersection(*({rule.filter.name for rule in one} for one in rules.values()))
    return {name: findings[name] for name in names if name in findings}

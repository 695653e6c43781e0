"""From envelope and message to verdicts and plan: the road that the milter and `tamis scan` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tamis.envelope import Envelope
from tamis.filter import Message, Stage
from tamis.filters.chain import Examination, Pulse
from tamis.filters.runner import Runner
from tamis.finding import Finding
from tamis.mail import Mail
from tamis.plan import Judged, Plan, outcome_of, plan
from tamis.policy import Policy
from tamis.services import Services
from tamis.site import Site
from tamis.trace import trace_headers
from tamis.verdict import judge


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of one transaction: the findings, each recipient's part, and the plan for all."""

    envelope: Envelope
    findings: Mapping[str, Finding]
    judged: tuple[Judged, ...]
    plan: Plan


_NOTHING = Mail(b"")  # what is known of the content while the envelope is being told


class Road:
    """One transaction's way. `mail_from` starts what can start early; `end_of_message` ends it."""

    def __init__(self, site: Site, runner: Runner, services: Services | None = None) -> None:
        self.site = site
        """The Site under which the whole transaction goes."""
        self._runner = runner
        self._services = services or Services()
        self._examination: Examination | None = None

    def mail_from(self, envelope: Envelope) -> None:
        """The client and the envelope sender are known: filters that need no more can start their waiting."""
        self._begun().begin(Stage.MAIL, self._message(envelope, _NOTHING))

    def end_of_message(self, envelope: Envelope, mail: Mail, pulse: Pulse = lambda: None) -> Examined:
        """Examine, judge for every recipient, and plan. An authenticated sender's mail is not examined (O8)."""
        policies = tuple(self.site.book.policy(r.address) for r in envelope.recipients)
        findings: Mapping[str, Finding] = {}
        if not envelope.login:
            findings = self._begun().finish(self._message(envelope, mail), policies, pulse)
        judged = tuple(self._judged(findings, policy, envelope) for policy in policies)
        return Examined(envelope, findings, judged, plan(judged))

    def abandon(self) -> None:
        """The transaction ended early: stop what is under way."""
        if self._examination is not None:
            self._examination.abandon()

    def _begun(self) -> Examination:
        if self._examination is None:
            seconds = self.site.settings.milter.message_deadline
            self._examination = Examination(self.site.filters, self._runner, seconds=seconds)
        return self._examination

    def _message(self, envelope: Envelope, mail: Mail) -> Message:
        return Message(
            envelope=envelope,
            mail=mail,
            platform=self.site.settings.platform,
            lists=self.site.lists,
            services=self._services,
            rules=self.site.rules,
            scopes=frozenset(s for r in envelope.recipients for s in self.site.book.policy(r.address).scopes),
        )

    def _judged(self, findings: Mapping[str, Finding], policy: Policy, envelope: Envelope) -> Judged:
        verdict = judge(findings, policy)
        if envelope.login:  # what our users send carries no trace of ours: it may leave the platform
            return Judged(verdict, policy, ())
        outcome = outcome_of(verdict, policy)
        prefix = self.site.settings.headers.prefix
        return Judged(
            verdict, policy, trace_headers(verdict, findings, envelope, prefix=prefix, outcome=outcome)
        )

"""S5: the Sender Policy Framework (RFC 7208)."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field as Option

from tamis.contract.filter import Filter, FilterOptions, Message, NoChallenge, Opinion, Scopes, Stage
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks
from tamis.filters.shared.clients import no_stranger, text_of
from tamis.filters.signing.spf_check import check_envelope, identity_of
from tamis.language.translation import marked
from tamis.message.names import is_host_name

_SENTENCES = {
    "pass": marked("pass: {ip} may send for {domain}"),
    "fail": marked("fail: {ip} may not send for {domain}"),
    "softfail": marked("softfail: {ip} should not send for {domain}"),
    "neutral": marked("neutral: {domain} does not say whether {ip} may send for it"),
    "none": marked("none: {domain} has no SPF record"),
    "permerror": marked("permerror: the SPF record of {domain} is wrong: {problem}"),
    "temperror": marked("temperror: no answer about {domain}: {problem}"),
}
_HITS = frozenset({"fail", "softfail", "permerror"})


class SPFOptions(FilterOptions):
    """Which results are hits, besides fail."""

    softfail: bool = Option(False, description="softfail is also a hit")
    permerror: bool = Option(False, description="an SPF record that can't be interpreted is also a hit")


class SPF(Filter[SPFOptions]):
    """Takes a message for spam when its client may not send for the domain of its MAIL FROM (RFC 7208).

    `fail` is a hit; `softfail` and `permerror` are optional hits; `pass`, `neutral` and `none` are not. A DNS
    failure is never a hit. Bounces have no sender: for them the HELO name is checked. Own networks, own users and
    private addresses are not checked. Put hosts that forward mail to you into `platform.networks`, because SPF
    fails behind them. No challenge is ever sent for a message that failed.
    """

    name = "spf"
    spec_id = "S5"
    summary = "client may not send for the sender's domain"
    plain_reason = marked("the server it came from may not send for the sender's domain (SPF)")
    forbids_challenge = NoChallenge.SPF
    asks = ("dns",)
    stage = Stage.MAIL
    options = SPFOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """The result of the check, of MAIL FROM or, for bounces, of HELO (RFC 7208 2.4)."""
        told = no_stranger(self, message)
        if told is not None:
            return told
        whom = identity_of(message.envelope)
        if not is_host_name(whom.domain):
            return self.clear("nothing to check", result="none", identity=whom.name)
        result, problem = yield from check_envelope(message)
        facts = {
            "result": result,
            "identity": whom.name,
            "domain": whom.domain,
            "ip": message.envelope.ip and text_of(message.envelope.ip),
            "problem": problem,
        }
        sentence = _SENTENCES[result]
        if result == "temperror":
            return self.unavailable(sentence, **facts)
        if result in _HITS:
            return self.hit(sentence, **facts)
        return self.clear(sentence, **facts)

    def judge(self, finding: Finding, options: SPFOptions, scopes: Scopes) -> Opinion:
        """Fail is a hit, softfail and permerror where the recipient wants it."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        wanted = {"fail": True, "softfail": options.softfail, "permerror": options.permerror}
        hit = wanted.get(finding.facts["result"], False)
        opinion = self.opinion(finding, options, hit=hit)
        return opinion if hit else replace(opinion, status=Status.CLEAR)

    def challenge_barred_by(self, finding: Finding) -> NoChallenge | None:
        """Only fail says that the sender is forged."""
        return self.forbids_challenge if finding.facts.get("result") == "fail" else None

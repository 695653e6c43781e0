"""S14: who writes to addresses that nobody knows."""

from __future__ import annotations

from pydantic import Field

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask
from tamis.contract.filter import Filter, FilterOptions, Message, NoChallenge, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, DistinctWithin, Put
from tamis.contract.state_keys import BLOCKED, client_key, hashed
from tamis.filters.shared.clients import confirming_names
from tamis.filters.signing.responsible import responsible_domain
from tamis.filters.temporary_blacklist import entry
from tamis.language.translation import marked
from tamis.message.address import domain_of
from tamis.message.domains import registered_domain
from tamis.message.envelope import IPAddress
from tamis.message.mail.programs import is_answer, is_automatic, is_of_a_list

_PROMPTED = {
    "bounce": marked("a honeypot's bounce, which its forged sender can have caused"),
    "program": marked("a program's mail to a honeypot, which anybody can have caused"),
    "list": marked("a list's mail to a honeypot, which anybody can have subscribed"),
    "answer": marked("an answer to a honeypot, which anybody can have asked for"),
}
"""What a stranger can have brought about, as people read it."""
_MOST_TRAPS = 20  # honeypots of a message that are named; beyond: not named, and it counts all the same


class HoneypotOptions(FilterOptions):
    """Adds for how many visits to the honeypot a client's other mail is taken for spam, too."""

    remember_from: int = Field(
        2,
        ge=0,
        le=10_000,
        description="senders that wrote to honeypots from a client within platform.honeypot_window from which its "
        "other mail is spam; 0: never",
    )


class Honeypot(Filter[HoneypotOptions]):
    """Takes a message for spam when one of its recipients is a honeypot: an address that nobody uses or hands out.

    The addresses are set in `platform.honeypots`. Hide them where only address harvesters read; never use an
    address that somebody once had. Their sub-addresses (`trap+x@…`) are honeypots, too, and so are aliases
    that lead to them ([aliases](aliases.md)).

    Strangers can make others write to a honeypot: by its address in a forged MAIL FROM, or in a form that mails a
    confirmation. So a message with a null sender, a bounce, and mail of programs, of lists and in answer to
    another counts only for the honeypot itself, not for the message's other recipients.

    The client is remembered for `platform.honeypot_window` seconds only where nobody else answers for the message: no
    SPF pass, no DKIM signature of the author's domain, and no host name that leads back to the client. It takes
    several sender domains: from `remember_from` of them, other mail of the client for which nobody answers is
    spam, and from `platform.honeypot_block_from` the client is put on the temporary blacklist (S2) for
    `platform.honeypot_block` seconds. `platform.honeypot_strict` also counts clients and senders that can be
    verified. Own clients and test messages are never counted ([who can accuse whom](trust.md)).
    """

    name = "honeypot"
    spec_id = "S14"
    summary = "addressed to a honeypot"
    plain_reason = marked("it was also sent to an address that nobody uses")
    forbids_challenge = NoChallenge.HONEYPOT
    asks = ("state", "dns")
    options = HoneypotOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """Whether this message goes to a honeypot, whether that speaks against it, and what is known of the client."""
        platform = message.platform
        if not platform.honeypots or message.is_own:
            return self.clear("no honeypots, or one of our own clients")
        traps = sorted(message.mailboxes & platform.honeypot_keys)
        prompted = prompted_by(message) if traps else ""
        writers, answered = 0, False
        try:
            counts = bool(traps) and not prompted and not message.asked
            writers = yield from self._writers(message, counts=counts)
            if writers and not counts:
                answered = (yield from responsible_domain(message)) != ""
        except ServiceError:
            if not traps:  # what the envelope says needs no memory
                raise
        facts = {"traps": traps[:_MOST_TRAPS], "prompted": prompted, "writers": writers, "answered": answered}
        if not traps and not writers:
            return self.clear("no honeypot")
        if not traps:
            return self.hit("{writers} senders wrote to honeypots from this client", **facts)
        if prompted:
            return self.hit(_PROMPTED[prompted], **facts)
        return self.hit("written to a honeypot", **facts)

    def _writers(self, message: Message, *, counts: bool) -> Asks[int]:
        """How many sender domains speak against the client, this message's included where it counts."""
        ip, platform = message.envelope.ip, message.platform
        if ip is None:
            return 0
        client = client_key(ip)
        members: tuple[str, ...] = ()
        if counts and (platform.honeypot_strict or (yield from _stands_alone(message, ip))):
            sender = message.envelope.sender
            members = (hashed("", registered_domain(domain_of(sender)) or sender)[:16],)
        window = platform.honeypot_window
        (writers,) = yield from ask(DistinctWithin(f"honeypot:{client}", members, (window,)))
        if members and writers >= platform.honeypot_block_from:
            why = f"{writers} senders wrote to honeypots"
            yield from ask(Put(BLOCKED + client, entry(why, self.name), platform.honeypot_block))
        return writers

    def judge(self, finding: Finding, options: HoneypotOptions, scopes: Scopes) -> Opinion:
        """A hit for a message to a honeypot, and for those that nobody answers for of a client that is known."""
        facts = finding.facts
        traps, prompted = facts.get("traps", ()), facts.get("prompted", "")
        trapped = bool(traps) and (not prompted or any(scope in traps for scope in scopes))
        known = options.remember_from and facts.get("writers", 0) >= options.remember_from
        hit = trapped or bool(known and not prompted and not facts.get("answered"))
        return self.opinion(finding, options, hit=finding.status is Status.HIT and hit)

    def challenge_barred_by(self, finding: Finding) -> NoChallenge | None:
        """Only a message to a honeypot that speaks against its sender."""
        return self.forbids_challenge if is_evidence(finding) else None


def is_evidence(finding: Finding) -> bool:
    """Whether the message was written to a honeypot of its sender's own accord."""
    facts = finding.facts
    return finding.status is Status.HIT and bool(facts.get("traps")) and not facts.get("prompted")


def prompted_by(message: Message) -> str:
    """By what a stranger can have brought the message about (a key of _PROMPTED); "" for one that its sender began."""
    mail, sender = message.mail, message.envelope.sender
    if not sender:
        return "bounce"
    if mail.is_dsn or is_automatic(mail.headers, sender):
        return "program"
    if is_of_a_list(mail.headers):
        return "list"
    return "answer" if is_answer(mail.headers) else ""


def _stands_alone(message: Message, ip: IPAddress) -> Asks[bool]:
    """Whether there is nobody to hold the message against but its client. What can't be known speaks for it."""
    try:
        _, names = yield from confirming_names(message, ip)
        return not names and not (yield from responsible_domain(message))
    except ServiceError:
        return False

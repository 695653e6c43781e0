"""S16: sender domains that can't be replied to."""

from __future__ import annotations

from tamis.base.errors import ServiceError
from tamis.contract.ask import ask, ask_all
from tamis.contract.filter import Filter, Message, NoChallenge, Stage
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks, Lookup
from tamis.contract.service_protocols import Answer
from tamis.filters.shared.clients import confirm_denial, is_reachable
from tamis.language.translation import marked
from tamis.message.address import domain_of
from tamis.message.names import is_host_name

_MOST_TARGETS = 10  # mail servers of a domain that are looked up; beyond: taken to be there


class SenderMX(Filter):
    """Takes a message for spam when the domain of its MAIL FROM can't receive mail.

    That is: it does not exist; it accepts no mail (null MX, RFC 7505); it has neither MX nor address records; or
    its mail servers have no address, or only private, loopback or reserved ones. A domain with an address but no MX
    is valid (RFC 5321 5.1), and the trace says so. No answer is never a hit. Bounces have no sender domain and are
    not checked, and neither are own networks and users.
    """

    name = "sender_mx"
    spec_id = "S16"
    summary = "sender domain that can't receive mail"
    plain_reason = marked("the sender's domain can't receive answers")
    forbids_challenge = NoChallenge.UNREACHABLE
    asks = ("dns",)
    stage = Stage.MAIL

    def examine(self, message: Message) -> Asks[Finding]:
        """Where mail to the sender's domain would go."""
        if message.is_own:
            return self.clear("own network or user")
        domain = domain_of(message.envelope.sender)[:255]
        if not domain or domain.startswith("["):
            return self.clear("no sender domain")
        if not is_host_name(domain):
            return self.hit("{domain} is not a domain name", domain=domain)
        answer = yield from ask(Lookup(domain, "MX"))
        if not answer.exists:
            yield from confirm_denial()
            return self.hit("{domain} does not exist", domain=domain)
        if not answer.records:
            return (yield from self._without_mx(domain))
        pairs = [record.partition(" ")[::2] for record in answer.records]
        targets = [host for _, host in sorted(pairs, key=lambda pair: int(pair[0]))]
        if targets == ["."]:
            return self.hit("{domain} accepts no mail (null MX)", domain=domain)
        reachable, addresses = yield from self._addresses(targets[:_MOST_TARGETS])
        if reachable or len(targets) > _MOST_TARGETS:
            return self.clear("{domain} has a mail server", domain=domain, targets=targets[:_MOST_TARGETS])
        if not addresses:
            return self.hit(
                "the mail servers of {domain} have no address", domain=domain, targets=targets[:_MOST_TARGETS]
            )
        return self.hit(
            "the mail servers of {domain} can't be reached: {shown}",
            domain=domain,
            targets=targets[:_MOST_TARGETS],
            shown=", ".join(addresses[:5]),
        )

    def _without_mx(self, domain: str) -> Asks[Finding]:
        reachable, addresses = yield from self._addresses([domain])
        if reachable:
            return self.clear("{domain} has an address but no MX", domain=domain, a_only=True)
        if addresses:
            shown = ", ".join(addresses[:5])
            return self.hit("{domain} has no MX and can't be reached: {shown}", domain=domain, shown=shown)
        return self.hit("{domain} has neither MX nor address", domain=domain)

    @staticmethod
    def _addresses(hosts: list[str]) -> Asks[tuple[bool, list[str]]]:
        """Whether one of the hosts can be reached, and all addresses. Raises ServiceError if that is not known."""
        found: list[str] = []
        failures: list[ServiceError] = []
        for rdtype in ("A", "AAAA"):  # few have the second only
            asked = [Lookup(host, rdtype) for host in hosts if host != "."]
            for one in (yield from ask_all(asked)):
                if isinstance(one, Answer):
                    found += one.records
                else:
                    failures.append(one)
            if any(map(is_reachable, found)):
                return True, found
        if failures:
            raise failures[0]
        if not found:
            yield from confirm_denial()
        return False, found

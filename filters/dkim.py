"""S5b: DomainKeys Identified Mail (RFC 6376)."""

from __future__ import annotations

from pydantic import Field as Option

from tamis.contract.filter import Effect, Filter, FilterOptions, Message
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks
from tamis.filters.signing.dkim_check import Checked, has_signature, signatures
from tamis.language.translation import marked
from tamis.message.address import address_key


class DKIMOptions(FilterOptions):
    """The points are few: a broken signature is worth hardly less than none (RFC 6376 6.1)."""

    score: float = Option(
        0.5, ge=-100, le=100, description="points that a hit adds to the total when effect is score"
    )


class DKIM(Filter[DKIMOptions]):
    """Verifies the DKIM signatures of a message (RFC 6376; rsa-sha256 and ed25519-sha256, RFC 8301, RFC 8463).

    A hit is a signed message with no valid signature: it was modified in transit, as mailing lists do, or forged.
    That alone says little, so it adds half a point. Which domain a valid signature belongs to is what S5d looks at;
    the results are in the Authentication-Results header. Up to five signatures are verified, those of the author's
    domain first. A signature does not count if it leaves part of the body (l=) or a second From unsigned, is
    rsa-sha1, or has a key of less than 1024 bits. No answer from the DNS, and a message examined only in part
    (`milter.max_examined`), make no hit.
    """

    name = "dkim"
    spec_id = "S5b"
    summary = "signed, but no signature holds"
    plain_reason = marked("it was signed, and changed on its way or forged (DKIM)")
    asks = ("dns",)
    effect = Effect.SCORE
    options = DKIMOptions

    def examine(self, message: Message) -> Asks[Finding]:
        """What came of each signature."""
        if not has_signature(message.mail):
            return self.clear("not signed", signatures=[])
        checked = yield from signatures(message)
        authors = {address_key(one.address) for one in message.mail.from_addresses}
        facts = {
            "signatures": [one.to_fact() for one in checked],
            "shown": "; ".join(map(_shown, checked)),
            "author_is_sender": authors == {address_key(message.envelope.sender)},
        }
        results = {one.result for one in checked}
        if "pass" in results:
            return self.clear("{shown}", **facts)
        if "temperror" in results or not message.mail.complete:
            return self.unavailable("{shown}", **facts)
        return self.hit("{shown}", **facts)


def _shown(one: Checked) -> str:
    whose = f"{one.domain} ({one.selector})" if one.domain else "a signature"
    return f"{whose}: {one.result}" + (f", {one.reason}" if one.reason else "")

"""Limits on what one client network, or everybody about one thing, may do: counted in the shared state."""

from __future__ import annotations

from dataclasses import dataclass

from tamis.base.errors import TamisError
from tamis.contract.service_protocols import SharedState


class TooManyError(TamisError):
    """A limit is reached: the page says so and the client may come back later."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` in `seconds`, each for itself."""

    name: str
    most: int
    seconds: float

    async def count(self, state: SharedState, who: str, amount: int = 1) -> bool:
        """Count one more of somebody's; whether that is still within the limit. Raises ServiceError."""
        return await state.count(self._key(who), self.seconds, amount) <= self.most

    async def reached(self, state: SharedState, who: str) -> bool:
        """Whether one more would be too much. Raises ServiceError."""
        return await state.count(self._key(who), self.seconds, 0) >= self.most

    def _key(self, who: str) -> str:
        return f"web:{self.name}:{who[:150]}"


MAILS_TO_ADDRESS = Limit("mails-to", 3, 900)
"""Sign-in mails to one address: who asks for more gets the same answer, and no mail."""
MAILS_FOR_NETWORK = Limit("mails-for", 20, 3600)
FIRST_TO_MAILBOX = Limit("mails-first", 1, 3600)
"""Of a mailbox that Tamis knows: it goes whatever others ask for, so nobody can keep anybody out."""
MAILS_OF_DOMAIN = Limit("mails-of-domain", 50, 3600)
"""Further ones to known mailboxes of a domain: those of the others don't use them up."""
MAILS_IN_ALL = Limit("mails", 1000, 3600)
"""Further ones to known mailboxes, whatever their domain. Beyond: the answer is the same, and no mail goes."""
MAILS_TO_UNKNOWN = Limit("mails-unknown", 50, 3600)
"""To addresses of a domain of which Tamis knows no mail; those that the mail server refuses don't count."""
PASSWORDS_OF_ADDRESS = Limit("passwords-of", 10, 3600)
"""Wrong passwords for one address."""
PASSWORDS_FROM_NETWORK = Limit("passwords-from", 30, 3600)
PROOFS_OF_ADDRESS = Limit("proofs-of", 10, 3600)
"""Wrong sign-ins with password and code, or wrong codes, for one address from one network."""
PROOFS_OF_STRANGERS = Limit("proofs-strangers", 100, 3600)
"""The same from all networks together, without those who came by a link mailed to that address: they are not shut out
(beyond: strangers are, for an hour)."""
REFUSALS_NOTED = Limit("refusals", 200, 3600)
"""Refused pages of one person, or wrong sign-ins from one network, that the audit trail has (beyond: they are refused
all the same, and not written down)."""
INVITATIONS = Limit("invitations", 50, 3600)
"""Invitations that one person mails."""
CHANGES = Limit("changes-of", 120, 3600)
"""Changes of settings and lists by one person: each is a new snapshot for all processes."""
WRONG_TOKENS = Limit("tokens-from", 60, 3600)
"""Links that are not valid: enough for people with an old mail, too few for guessing at 256 bits."""

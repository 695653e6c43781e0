"""S2b: how much one client or one user may send in an hour."""

from __future__ import annotations

from pydantic import Field

from tamis.contract.ask import ask
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes, Stage, State
from tamis.contract.finding import Finding, Status
from tamis.contract.questions import Asks, Count
from tamis.contract.state_keys import client_key, hashed
from tamis.language.translation import marked

_WINDOW = 3600.0


class RateLimitOptions(FilterOptions):
    """Adds the limits."""

    client_messages: int = Field(
        0, ge=0, le=10_000_000, description="messages that one client may send in an hour; 0: no limit"
    )
    user_messages: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="messages that one authenticated user may send in an hour; 0: no limit",
    )


class RateLimit(Filter[RateLimitOptions]):
    """Answers 4xx to a client, or to an authenticated user, that exceeds its hourly limit.

    A mailbox whose password was stolen sends thousands of messages: `user_messages` slows that down until somebody
    looks. For a user's own mail the policy of the user's address applies. Refused attempts count too, so a client
    that continues at full speed stays out. Own networks without a login, and clients on a recipient's IP whitelist
    (S4), have no limit. Off by default, because the right numbers depend on the platform.
    """

    name = "rate_limit"
    spec_id = "S2b"
    summary = "too much mail in an hour"
    plain_reason = marked("too much mail came from the same place in a short time")
    asks = ("state",)
    stage = Stage.MAIL
    effect = Effect.DEFER
    state = State.OFF
    outgoing = True
    options = RateLimitOptions
    yields_to = frozenset({"ip_whitelist"})

    def examine(self, message: Message) -> Asks[Finding]:
        """How many messages this client or user began in the last hour, this one included."""
        login, ip = message.envelope.login, message.envelope.ip
        if login:
            key, kind = hashed("rate:user:", login), "user"
        elif ip is None or message.is_own:
            return self.clear("one of our own networks")
        else:
            key, kind = f"rate:client:{client_key(ip)}", "client"
        sent = yield from ask(Count(key, _WINDOW))
        return self.hit("{sent} messages of this {kind} in an hour", sent=sent, kind=kind)

    def judge(self, finding: Finding, options: RateLimitOptions, scopes: Scopes) -> Opinion:
        """A hit above the limit for its kind."""
        limit = options.user_messages if finding.facts.get("kind") == "user" else options.client_messages
        over = bool(limit) and finding.facts.get("sent", 0) > limit
        return self.opinion(finding, options, hit=finding.status is Status.HIT and over)

"""S2: clients that are refused for a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tamis.contract.ask import ask
from tamis.contract.filter import Effect, Filter, Message, NoChallenge, Stage
from tamis.contract.finding import Finding
from tamis.contract.questions import Asks, Get
from tamis.contract.state_keys import BLOCKED, client_key
from tamis.language.translation import marked

if TYPE_CHECKING:
    from tamis.settings import Platform


class TemporaryBlacklist(Filter):
    """Answers 4xx to clients that are blocked temporarily, by the honeypot (S14) or by an operator.

    `tamis blocked add 203.0.113.7 --for 1h` blocks a client on all hosts at once; `tamis blocked show` lists
    blocked clients and the reasons. An IPv6 client is blocked with its /64. A client on a recipient's IP whitelist
    (S4) is let through. If honeypots are configured, each recipient gets its own reply at RCPT TO; otherwise the
    whole message is answered at its end.
    """

    name = "temporary_blacklist"
    spec_id = "S2"
    summary = "client blocked temporarily"
    plain_reason = marked("the server it came from is blocked temporarily")
    forbids_challenge = NoChallenge.BLACKLIST
    asks = ("state",)
    stage = Stage.CONNECT
    effect = Effect.DEFER
    yields_to = frozenset({"ip_whitelist"})

    @classmethod
    def acts_early(cls, platform: Platform) -> bool:
        """Only where something fills the list by itself: the answer to each RCPT costs time."""
        return bool(platform.honeypots)

    def examine(self, message: Message) -> Asks[Finding]:
        """Whether the client is blocked now."""
        ip = message.envelope.ip
        if ip is None or message.is_own:
            return self.clear("no client to block, or one of our own")
        told = yield from ask(Get(BLOCKED + client_key(ip)))
        if told is None:
            return self.clear("not blocked")
        return self.hit(
            "client {client} is blocked temporarily: {why}", client=client_key(ip), why=reason(told)
        )


def entry(why: str, by: str) -> str:
    """What the state keeps of a blocked client."""
    return json.dumps({"why": why[:200], "by": by[:100]})


def reason(told: str) -> str:
    """Why a client is blocked, from what the state keeps."""
    try:
        return str(json.loads(told)["why"])
    except (ValueError, KeyError, TypeError):  # another version's
        return "no reason kept"

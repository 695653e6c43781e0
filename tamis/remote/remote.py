"""What a Tamis elsewhere has and does, in the same types as the store of one here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from tamis.base.errors import ReinjectError, RemoteError
from tamis.challenge.challenge_records import Challenge, ChallengeState
from tamis.contract.lists import Colour, ListEntry, Subject
from tamis.database.earned_senders import Sender
from tamis.database.history import KeptStory
from tamis.database.history_search import Wanted
from tamis.database.list_entries import Added, NewEntry
from tamis.database.policy_versions import PolicyVersion
from tamis.filters.signing.forgeable import Forgeable
from tamis.message.address import PLATFORM
from tamis.quarantine.records import Done, HeldState, Summary
from tamis.remote.transport import ApiTransport, step

T = TypeVar("T")

_PART = 200
_SUMMARIES = TypeAdapter(tuple[Summary, ...])
_ENTRIES = TypeAdapter(tuple[ListEntry, ...])
_VERSION = TypeAdapter(PolicyVersion)
_VERSIONS = TypeAdapter(tuple[PolicyVersion, ...])
_SENDERS = TypeAdapter(tuple[Sender, ...])
_CHALLENGES = TypeAdapter(tuple[Challenge, ...])


class Remote:
    """A Tamis elsewhere. Every method raises RemoteError when it refuses or does not answer."""

    def __init__(self, transport: ApiTransport) -> None:
        self._transport = transport

    # --- messages -------------------------------------------------------------------------------

    def messages(self, wanted: Wanted, limit: int) -> list[KeptStory]:
        """As `History.find`."""
        query = {
            "in": wanted.scope or PLATFORM,
            "sender": wanted.sender,
            "recipient": wanted.recipient,
            "subject": wanted.subject,
            "message_id": wanted.message_id,
            "queue_id": wanted.queue_id,
            "client": wanted.client_ip,
            "since": wanted.since.isoformat() if wanted.since else "",
            "verdict": wanted.decision,
            "decided_by": wanted.decided_by,
        }
        return [KeptStory.from_dict(one) for one in self._rows("/messages", query, limit)]

    def stories(self, name: str) -> list[dict[str, Any]]:
        """As `History.show`, as plain data, with what would come of each message now."""
        found = self._transport.get("/messages/named", name=name)
        return [dict(one) for one in found]

    # --- held mail ------------------------------------------------------------------------------

    def held(
        self,
        scope: str,
        *,
        state: HeldState | None = HeldState.HELD,
        text: str = "",
        limit: int,
        before: str | None = None,
    ) -> tuple[Summary, ...]:
        """As `Quarantine.list`."""
        query = {"in": scope, "state": state or "all", "search": text, "before": before}
        return _read(_SUMMARIES, list(self._rows("/held", query, limit)))

    def held_message(self, number: str) -> dict[str, Any] | None:
        """One held message as plain data; None when there is none."""
        try:
            told = self._transport.get(f"/held/{step(number)}")
            return dict(told["summary"]) | {
                name: told[name] for name in ("recipients", "return_path", "findings")
            }
        except RemoteError as error:
            if error.status == 404:
                return None
            raise

    def content(self, number: str) -> bytes | None:
        """The message, octet for octet; None when it is gone."""
        try:
            return self._transport.ask("GET", f"/held/{step(number)}/content")
        except RemoteError as error:
            if error.status == 404:
                return None
            raise

    def act(self, act: str, number: str, *, learn: bool = False) -> Done:
        """deliver, delete, spam or restore. Raises ReinjectError when Postfix there takes nothing now."""
        try:
            told = self._transport.send("POST", f"/held/{step(number)}/{act}", {"learn": learn})
        except RemoteError as error:
            if error.status == 404:
                return Done.UNKNOWN
            raise
        if told["result"] == "left":
            raise ReinjectError("the mail server takes nothing now; the message is held as before")
        return Done(told["result"])

    # --- lists ----------------------------------------------------------------------------------

    def entries(
        self, *, scope: str | None = None, colour: Colour | None = None, subject: Subject | None = None
    ) -> tuple[ListEntry, ...]:
        """As `Lists.find`: all of them, oldest first."""
        query = {"in": scope, "colour": colour, "subject": subject}
        return _read(_ENTRIES, list(self._rows("/lists/entries", query, None)))[::-1]

    def add_entries(self, entries: Sequence[NewEntry], *, broad: bool) -> tuple[Added, Forgeable]:
        """As `Lists.add`, of entries that have all but their patterns in common; and which senders others can forge."""
        first = entries[0]
        body = {
            "colour": first.colour,
            "subject": first.subject,
            "patterns": [one.pattern for one in entries],
            "scope": first.scope,
            "note": first.note,
            "expires": first.expires.isoformat() if first.expires else None,
            "broad": broad,
        }
        told = self._transport.send("POST", "/lists/import", body)
        added = Added(told["new"], told["merged"], _read(_ENTRIES, told["replaced"]))
        return added, Forgeable(told.get("forgeable", {}), told.get("unasked", 0))

    def remove_entries(self, numbers: Sequence[int]) -> tuple[ListEntry, ...]:
        """As `Lists.remove`, of entries that are there."""
        there = {one.id: one for one in self.entries()}
        for number in numbers:
            self._transport.send("DELETE", f"/lists/entries/{number}")
        return tuple(there[number] for number in numbers if number in there)

    def senders(self, *, domain: str | None, address: str | None, limit: int) -> tuple[Sender, ...]:
        """As `Senders.find`."""
        query = {"domain": domain, "address": address}
        return _read(_SENDERS, list(self._rows("/senders", query, limit)))

    def forget_sender(self, domain: str, address: str) -> bool:
        """As `Senders.remove`."""
        try:
            self._transport.send("DELETE", f"/senders/{step(domain)}/{step(address)}")
        except RemoteError as error:
            if error.status == 404:
                return False
            raise
        return True

    # --- challenges -----------------------------------------------------------------------------

    def challenges(
        self,
        *,
        state: ChallengeState | None,
        reason: str | None,
        domain: str | None,
        sender: str | None,
        limit: int,
        before: str | None,
    ) -> tuple[Challenge, ...]:
        """As `Challenges.list`."""
        query = {"state": state, "reason": reason, "domain": domain, "sender": sender, "before": before}
        return _read(_CHALLENGES, list(self._rows("/challenges", query, limit)))

    def challenge(self, number: str) -> tuple[Challenge | None, list[str]]:
        """A challenge, None when there is none, and the held messages that it is about."""
        try:
            told = self._transport.get(f"/challenges/{step(number)}")
        except RemoteError as error:
            if error.status == 404:
                return None, []
            raise
        return _read(_CHALLENGES, [told["challenge"]])[0], list(told["messages"])

    # --- policy ---------------------------------------------------------------------------------

    def policy(self, scope: str) -> list[tuple[str, Any, str, str]]:
        """What is in force for a scope: key, value, the scope that sets it, and default, store or file."""
        told = self._transport.get(f"/policy/{step(scope)}")
        return [(one["key"], one["value"], one["set_by"], one["source"]) for one in told["settings"]]

    def change_policy(self, scope: str, changes: Mapping[str, Any], note: str) -> PolicyVersion | None:
        """As `Overrides.change`, for one scope."""
        try:
            told = self._transport.send(
                "PATCH",
                f"/policy/{step(scope)}",
                {"set": dict(changes), "note": note},
                headers={"if-match": "*"},
            )
        except RemoteError as error:
            if error.status == 409:
                return None
            raise
        return _read(_VERSION, told)

    def policy_versions(self, scope: str, limit: int) -> tuple[PolicyVersion, ...]:
        """As `PolicyVersions.find`."""
        return _read(_VERSIONS, list(self._rows("/policy/versions", {"in": scope}, limit)))

    def undo_version(self, number: int, note: str) -> PolicyVersion:
        """As `Overrides.undo`."""
        return _read(
            _VERSION, self._transport.send("POST", f"/policy/versions/{number}/undo", {"note": note})
        )

    # --- rules, learning, people ------------------------------------------------------------------

    def rules(self) -> dict[str, Any]:
        """The operator's rules, the proposals, and the text that the store keeps."""
        return dict(self._transport.get("/rules"))

    def try_rules(self, message: bytes) -> dict[str, Any]:
        """As `tamis.rules.matches.matches`."""
        sent = {"content-type": "message/rfc822"}
        return dict(self._transport.send("POST", "/rules/test", message, headers=sent))

    def take_rules(self, names: Sequence[str], act: str) -> list[str]:
        """accept, shadow or forget proposed rules; those that are none."""
        unknown = []
        for name in names:
            try:
                self._transport.send("POST", f"/rules/proposed/{step(name)}/{act}")
            except RemoteError as error:
                if error.status != 404:
                    raise
                unknown.append(name)
        return unknown

    def learning(self) -> dict[str, Any]:
        """What the statistical filter has learned, promises and achieves."""
        return dict(self._transport.get("/learning"))

    def suspend(self, address: str, *, suspended: bool) -> bool:
        """As `People.suspend`."""
        wanted = address.strip().casefold()
        known = next((one for one in self._rows("/people", {}, None) if one["address"] == wanted), None)
        if known is None or known["suspended"] is suspended:
            return False
        self._transport.send("PATCH", f"/people/{known['id']}", {"suspended": suspended})
        return True

    # --- sums -----------------------------------------------------------------------------------

    def today(self, scope: str, since: datetime | None) -> dict[str, Any]:
        """What came, and what is held now; of the platform, where the token may read it, its health as well."""
        told: dict[str, Any] = dict(
            self._transport.get(
                "/statistics/today", **{"in": scope, "since": since.isoformat() if since else ""}
            )
        )
        if scope == PLATFORM:
            try:
                told |= self._transport.get("/health")
            except RemoteError as error:
                if error.status not in (403, 404):
                    raise
        return told

    def _rows(self, path: str, query: Mapping[str, object], limit: int | None) -> Iterator[Any]:
        """The rows of a list, in parts, at most so many."""
        left, before = limit, query.get("before")
        while left is None or left > 0:
            many = _PART if left is None else min(left, _PART)
            told = self._transport.get(path, **(dict(query) | {"limit": many, "before": before}))
            yield from told["items"]
            left = None if left is None else left - len(told["items"])
            before = told["next"]
            if before is None:
                return


def _read(kind: TypeAdapter[T], told: Any) -> T:
    try:
        return kind.validate_python(told)
    except ValidationError as error:
        raise RemoteError(
            200, f"the answer is of another version of Tamis: {error.error_count()} faults"
        ) from error

"""The one exception tree: everything Tamis raises on purpose is a TamisError."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable


class TamisError(Exception):
    """Root of the tree; a caller that handles it handles everything Tamis raises on purpose."""


class ConfigError(TamisError):
    """A setting that can't be used: names the source, the key, the value and the nearest valid name.

    `source` is a file name or "store"; `key` is dotted; `nearest` is "" when nothing comes close.
    """

    def __init__(
        self, source: str, key: str, problem: str, *, value: object = None, nearest: str = ""
    ) -> None:
        self.source, self.key, self.problem, self.value, self.nearest = source, key, problem, value, nearest
        shown = f" (value {_short(value)})" if value is not None else ""
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        where = f"{source}: {key}: " if key else f"{source}: "
        super().__init__(f"{where}{problem}{shown}{hint}")


class ChangedSinceError(TamisError):
    """A change that was made of something older: `keys` were set by somebody else meanwhile, and stay as they are."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = tuple(keys)
        super().__init__(f"changed since by somebody else: {', '.join(self.keys)}; nothing was changed now")


class AddressError(TamisError):
    """Text that is no usable mail address, or a redirection address whose signature is not ours."""


class StoreError(TamisError):
    """The durable store can't answer now; the caller keeps the mail and tries again (4xx)."""


class SchemaError(StoreError):
    """The durable store has tables that this version of Tamis can't go on with: waiting does not mend it."""


class RouteError(TamisError):
    """Postfix's way to the desk is not proven, so nothing may be sent along it."""


class ReinjectError(TamisError):
    """Postfix did not take a message back; the copy stays where it is and is tried again.

    `permanent` says that Postfix answered 5xx, so that what need not arrive at any cost is better given up.
    """

    def __init__(self, problem: str, *, permanent: bool = False) -> None:
        super().__init__(problem)
        self.permanent = permanent


class ServiceError(TamisError):
    """A service that filters wait on (DNS, shared state) has no answer: the finding is `unavailable`."""


class QueueFullError(ServiceError):
    """So many jobs wait already that another would wait in vain."""


class LeftOutError(ServiceError):
    """A part that kept failing, last for a `reason`, and is not asked until a time (Unix seconds); nothing new is
    known of it."""

    def __init__(self, part: str, until: float, failures: int, reason: str) -> None:
        self.part, self.until, self.failures, self.reason = part, until, failures, reason
        clock = time.strftime("%H:%M:%S", time.localtime(until))
        super().__init__(f"{part} left out until {clock} after {times(failures)}: {reason}")


class RemoteError(TamisError):
    """What a Tamis elsewhere refused, with the HTTP status; 0 when there was no answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class SignatureError(TamisError):
    """A DKIM or ARC signature that does not hold, or its key: the text says why.

    `result` is the word of RFC 8601 2.7.1: fail, neutral, policy, permerror or temperror, which says that the key of
    `domain` got no answer.
    """

    def __init__(self, result: str, reason: str, domain: str = "") -> None:
        self.result, self.domain = result, domain
        super().__init__(reason)


class FeedError(ServiceError):
    """A list from elsewhere that is no good; the last good one stays in force."""


class TokenError(TamisError):
    """A link's token that is forged, damaged, over, or meant for something else: nobody is told which."""


class PluginError(TamisError):
    """A filter that breaks the contract: its package and the rule it breaks are named."""


def anew(error: Exception) -> Exception:
    """An error to raise once more: one that is kept for many must not collect the frames of each of them."""
    if not isinstance(error, TamisError):
        return error
    one = type(error).__new__(type(error), *error.args)
    one.__dict__.update(error.__dict__)
    return one


def times(failures: int) -> str:
    """A number of failures in words."""
    return "1 failure" if failures == 1 else f"{failures} failures"


def nearest_name(name: str, valid: Iterable[str]) -> str:
    """The valid name that looks most like `name`, or "" when none is close."""
    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return found[0] if found else ""


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"

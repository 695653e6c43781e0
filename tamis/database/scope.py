"""Where a list entry or an override stands: the platform, a domain, or a mailbox."""

from __future__ import annotations

from tamis.base.errors import ConfigError, nearest_name
from tamis.judging.stored_policy import scope_key
from tamis.message.address import PLATFORM


def parse_scope(text: str) -> str:
    """A scope in its comparing form. Raises ConfigError on what is no scope.

    A domain needs a dot, so that a mistyped "platform" is not taken for one.
    """
    scope = scope_key(text.strip())
    local, at, domain = scope.rpartition("@")
    good = scope == PLATFORM or ("." in domain and bool(local) is bool(at))
    if not good or not scope.isprintable() or any(c.isspace() for c in scope):
        raise ConfigError(
            "store",
            "scope",
            'must be "platform", a domain or a mailbox',
            value=text,
            nearest=nearest_name(scope, [PLATFORM]),
        )
    return scope

"""Kinds of arguments that several commands take; a wrong one is refused with the forms that are allowed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from tamis.base.errors import ConfigError, nearest_name
from tamis.cli.terminal import printable
from tamis.database.scope import parse_scope
from tamis.judging.alias_targets import mailbox_behind
from tamis.message.address import PLATFORM

_SPAN = re.compile(r"([0-9]{1,4})(min|[hdwy])")
_UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}


class ScopeType(click.ParamType[str]):
    """ "platform", a domain or a mailbox, in the comparing form."""

    name = "scope"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As click asks for it."""
        try:
            return parse_scope(value)
        except ConfigError as error:
            hint = f"; did you mean {error.nearest!r}?" if error.nearest else ""
            self.fail(f"{value!r}: {error.problem}{hint}", param, ctx)


class OwnScopeType(ScopeType):
    """A scope to set something for: a domain or mailbox of another than the platform's domains is a slip of the pen."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As click asks for it."""
        scope = super().convert(value, param, ctx)
        own = ctx.obj.file.settings.platform.domains if ctx is not None and not ctx.obj.remote else ()
        domain = scope.rpartition("@")[2]
        if scope != PLATFORM and own and domain not in own:
            nearest = nearest_name(domain, own)
            hint = f"; did you mean {scope.removesuffix(domain) + nearest!r}?" if nearest else ""
            self.fail(f"{value!r}: {domain} is none of platform.domains{hint}", param, ctx)
        return scope


class MailboxType(ScopeType):
    """A scope to look at: an alias means the mailbox that it leads to, which is said."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As click asks for it."""
        scope = super().convert(value, param, ctx)
        if "@" not in scope or ctx is None or ctx.obj.remote:
            return scope
        delimiter = ctx.obj.file.settings.platform.recipient_delimiter
        mailbox = mailbox_behind(scope, ctx.obj.directory, delimiter)
        if mailbox != scope:
            click.echo(printable(f"{scope} leads to {mailbox}"), err=True)
        return mailbox


class MomentType(click.ParamType[datetime]):
    """A moment to come: a span (30min, 12h, 30d, 2w, 1y) from now, or a date or time of ISO 8601, UTC by itself."""

    name = "when"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """As click asks for it."""
        if isinstance(value, datetime):
            return value
        now = datetime.now(UTC)
        if span := _SPAN.fullmatch(value):
            return now + int(span[1]) * _UNITS[span[2]]
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a span like 30d nor a date like 2030-12-31", param, ctx)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment <= now:
            self.fail(f"{value!r} is over already", param, ctx)
        return moment


class PastType(click.ParamType[datetime]):
    """A moment that is over: a span (30min, 12h, 30d, 2w, 1y) ago, or a date or time of ISO 8601, UTC by itself."""

    name = "when"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """As click asks for it."""
        if isinstance(value, datetime):
            return value
        if span := _SPAN.fullmatch(value):
            return datetime.now(UTC) - int(span[1]) * _UNITS[span[2]]
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a span like 7d nor a date like 2026-01-31", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class SpanType(click.ParamType[float]):
    """A span of time (30min, 12h, 30d, 2w, 1y), in seconds."""

    name = "span"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click asks for it."""
        if isinstance(value, float):
            return value
        span = _SPAN.fullmatch(str(value))
        if span is None or not int(span[1]):
            self.fail(f"{value!r} is not a span like 30min, 12h, 30d, 2w or 1y", param, ctx)
        return int(span[1]) * _UNITS[span[2]].total_seconds()


SPAN = SpanType()
SCOPE = ScopeType()
OWN_SCOPE = OwnScopeType()
MAILBOX = MailboxType()
PAST = PastType()
MOMENT = MomentType()

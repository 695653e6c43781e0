"""`tamis replay`: where past messages would have gone under another policy."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import click

from tamis.base.errors import ConfigError
from tamis.cli.context import Context, json_option
from tamis.cli.history import narrow
from tamis.cli.parameters import MAILBOX, PAST
from tamis.cli.terminal import print_json, printable, table
from tamis.database.history_search import Wanted
from tamis.database.overrides import parse_value
from tamis.database.replaying import ReplayResult, run
from tamis.database.scope import parse_scope
from tamis.judging.nearest_keys import refused_override
from tamis.judging.policy import PolicyBook
from tamis.judging.site import policy_book
from tamis.judging.stored_policy import Override, with_changes
from tamis.message.address import PLATFORM


class OverrideType(click.ParamType[Override]):
    """KEY=VALUE, or SCOPE:KEY=VALUE."""

    name = "[SCOPE:]KEY=VALUE"

    def convert(
        self, value: str | Override, param: click.Parameter | None, ctx: click.Context | None
    ) -> Override:
        """As click asks for it."""
        if isinstance(value, Override):
            return value
        left, equals, right = value.partition("=")
        scope, _, key = left.strip().rpartition(":")
        if not equals or not key:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        try:
            return Override(parse_scope(scope or PLATFORM), key, parse_value(right.strip()))
        except ConfigError as error:
            self.fail(f"{value!r}: {error.problem}", param, ctx)


@click.command()
@click.option(
    "--set",
    "overrides",
    type=OverrideType(),
    multiple=True,
    help="A setting of that policy, as for `tamis policy set`, e.g. required=6 or "
    "example.com:filters.cyrillic.state=on. Can be repeated; without it, the policy in force.",
)
@click.option(
    "--since",
    type=PAST,
    default=lambda: datetime.now(UTC) - timedelta(days=7),
    help="Since then: a span like 7d, or a date [default: 7d].",
)
@click.option("--domain", "scope", type=MAILBOX, help="Only for this domain or mailbox.")
@click.option(
    "--limit", type=click.IntRange(0, 100_000), default=20, help="Show this many changes [default: 20]."
)
@json_option
@click.pass_obj
def replay(
    context: Context,
    overrides: tuple[Override, ...],
    since: datetime,
    scope: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show where past mail would have gone under another policy.

    The recorded findings are judged again; no message is examined again. What a filter would have seen that was off, or
    was skipped because the verdict was decided, is unknown: such filters are listed with the number of copies.
    """
    wanted = Wanted(narrow(scope), since=since)
    with context.store() as store:
        stored = [one.override for one in store.overrides.list()]
    book = policy_book(context.file, context.filters, stored, context.directory)
    other = _other(context, stored, overrides) if overrides else None
    url, hidden = context.file.settings.store_url, not sys.stderr.isatty()
    with click.progressbar(length=1, file=sys.stderr, label="replay", hidden=hidden) as bar:

        def progress(_result: ReplayResult, _done: int, total: int) -> None:
            bar.length = total
            bar.update(1)

        result = run(url, book, other, wanted, limit, progress=progress)
    if as_json:
        print_json(result.plain())
    elif not result.read:
        about = f" for {scope}" if wanted.scope else ""
        click.echo(
            f"Nothing is recorded{about} since {since:%Y-%m-%d %H:%M} UTC; `tamis history list` shows what is."
        )
    else:
        click.echo("\n".join(_told(result, changed=bool(overrides))))


def _other(context: Context, stored: Sequence[Override], overrides: Sequence[Override]) -> PolicyBook:
    """The policy in force with these settings on top. Raises ConfigError, naming the one that can't be used."""
    for number, one in enumerate(overrides, 1):
        try:
            on_top = with_changes(stored, overrides[:number])
            book = policy_book(context.file, context.filters, on_top, context.directory)
        except ConfigError as error:
            raise refused_override(one, error, context.filters) from error
    return book


def _told(result: ReplayResult, *, changed: bool) -> Iterator[str]:
    otherwise = result.read - result.same
    same_place = "to the same place, with another score or for another reason"
    if result.same == result.read and not result.changes:
        yield f"{result.read} copies, and all would have gone where they went, for the same reasons."
    elif not changed:
        yield f"{result.read} copies, under the policy in force now:"
        yield f"  {result.same} as recorded"
        if otherwise > result.earlier:
            yield f"  {otherwise - result.earlier} {same_place}"
        for (was, now), count in _summed(result, 0, 1):
            yield f"  {count} from {was} to {now}, because policy was changed since"
    else:
        yield f"{result.read} copies, of which {result.changes} would go elsewhere than under the policy in force:"
        for (now, then), count in _summed(result, 1, 2):
            yield f"  {count} from {now} to {then}"
        yield f"  {result.same} as recorded"
        if otherwise > result.changes and not result.earlier:
            yield f"  {otherwise - result.changes} {same_place}"
        if result.earlier:
            yield f"  {result.earlier} went elsewhere on their day: policy was changed since, which is no part of this"
    if result.known:
        yield (
            f"  {result.known} of them people spoke about: {result.mended} of {result.mistakes} mistakes mended, "
            f"{result.new_mistakes} new"
        )
    for name, count in sorted(result.unknown.items()):
        yield printable(
            f"  {count} perhaps otherwise: {name} did not look then, so what it would have seen is not known"
        )
    if result.changed:
        rows = [
            [
                str(one.copy.message),
                one.copy.recipient,
                f"{one.in_force.outcome} -> {one.would_be.outcome}",
                f"{one.in_force.score:.1f} -> {one.would_be.score:.1f}",
                one.would_be.decided_by or f"no longer {one.in_force.decided_by}",
            ]
            for one in result.changed
        ]
        yield ""
        yield table(["ID", "TO", "GOES -> WOULD GO", "SCORE", "BECAUSE OF"], rows, [0, 2, 0, 0, 1])
        if result.changes > len(rows):
            yield f"and {result.changes - len(rows)} more: --limit shows them"
        yield "`tamis history show ID` tells a message's story."


def _summed(result: ReplayResult, one: int, other: int) -> list[tuple[tuple[str, str], int]]:
    """Copies by two of the three places that a move has, where those differ."""
    found: Counter[tuple[str, str]] = Counter()
    for places, count in result.moves.items():
        if places[one] != places[other]:
            found[places[one], places[other]] += count
    return sorted(found.items())

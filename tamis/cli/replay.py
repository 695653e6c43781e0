"""`tamis replay`: where past messages would have gone under another policy."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import click

from tamis.base.errors import ConfigError
from tamis.cli.context import Context, json_option
from tamis.cli.history import narrow
from tamis.cli.parameters import MAILBOX, PAST, refused_override
from tamis.cli.terminal import print_json, printable, table
from tamis.database.history import History, Packed
from tamis.database.history_search import Wanted
from tamis.database.overrides import parse_value
from tamis.database.scope import parse_scope
from tamis.judging.policy import PolicyBook
from tamis.judging.replay import Replay
from tamis.judging.site import Override, policy_book
from tamis.judging.story import Told
from tamis.message.address import PLATFORM
from tamis.store import Store

_BATCH = 2000
_PART = 10_000
"""Messages that one process judges at a time."""


@dataclass
class ReplayResult:
    """What a replay found: `read` copies (a message for a recipient each), of which `same` have the verdict that was
    recorded, with the same score for the same reason; `moves` counts (where it went, where it would have gone)."""

    read: int = 0
    same: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    changed: list[tuple[Packed, Told]] = field(default_factory=list)
    changes: int = 0

    def add(self, part: ReplayResult, limit: int) -> None:
        """Take in the result of later messages; of what changed at most `limit` are kept."""
        self.read += part.read
        self.same += part.same
        self.changes += part.changes
        self.moves.update(part.moves)
        self.unknown.update(part.unknown)
        self.changed += part.changed[: limit - len(self.changed)]


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
    result = run(context.file.settings.store_url, _book(context, stored, overrides), wanted, limit)
    if as_json:
        print_json(_plain(result))
    elif not result.read:
        about = f" for {scope}" if wanted.scope else ""
        click.echo(
            f"Nothing is recorded{about} since {since:%Y-%m-%d %H:%M} UTC; `tamis history list` shows what is."
        )
    else:
        click.echo("\n".join(_told(result)))


def _book(context: Context, stored: Sequence[Override], overrides: Sequence[Override]) -> PolicyBook:
    """The policy in force with these settings on top. Raises ConfigError, naming the one that can't be used."""
    book, on_top = policy_book(context.file, context.filters, stored, context.directory), list(stored)
    for one in overrides:
        on_top = [other for other in on_top if (other.scope, other.key) != (one.scope, one.key)]
        on_top.append(one)
        try:
            book = policy_book(context.file, context.filters, on_top, context.directory)
        except ConfigError as error:
            raise refused_override(one, error, context.filters) from error
    return book


def run(url: str, book: PolicyBook, wanted: Wanted, limit: int) -> ReplayResult:
    """Judge all that is wanted in the store at `url`: in parts, by as many processes as there are processors."""
    with Store(url) as store:  # closed before the fork: no two processes may share its connections
        first, end = store.history.span(wanted)
    parts = [replace(wanted, numbers=(at, min(at + _PART, end))) for at in range(first, end, _PART)]
    result, share = ReplayResult(), partial(_judge_part, limit=limit)
    hidden = not sys.stderr.isatty()
    processes = min(len(parts), os.cpu_count() or 1)
    with ExitStack() as stack:
        if processes > 1:
            pool = multiprocessing.get_context("fork").Pool(processes, _begin, (url, book))
            found: Iterator[ReplayResult] = stack.enter_context(pool).imap(share, parts)
        else:
            _begin(url, book)
            found = map(share, parts)
        with click.progressbar(length=len(parts), file=sys.stderr, label="replay", hidden=hidden) as bar:
            for one in found:
                result.add(one, limit)
                bar.update(1)
    return result


_own: tuple[Store, Replay]
"""What a process judges with; what it remembers serves all of its parts."""


def _begin(url: str, book: PolicyBook) -> None:
    global _own  # noqa: PLW0603 # how a pool's processes keep what is theirs
    _own = Store(url), Replay(book)


def _judge_part(wanted: Wanted, limit: int) -> ReplayResult:
    store, judge = _own
    result = ReplayResult()
    gc.disable()  # it would look through all that is remembered again and again, and find no cycle
    try:
        copies = store.history.packed(wanted)
        while batch := list(islice(copies, _BATCH)):
            _judge(store.history, judge, batch, result, limit)
    finally:
        gc.enable()
        store.close()
    return result


def _judge(
    history: History, judge: Replay, batch: Sequence[Packed], result: ReplayResult, limit: int
) -> None:
    missing = judge.missing(one.findings for one in batch)
    if missing:
        judge.learn(history.contents(missing))
    judge.prepare(one.recipient for one in batch)
    for one in batch:
        try:
            told, unknown = judge.tell(one.recipient, one.findings, author=one.author)
        except KeyError:  # the clean-up took it while we were reading
            continue
        result.read += 1
        result.moves[one.told.outcome, told.outcome] += 1
        result.unknown.update(unknown)
        if told.says_as_much_as(one.told):
            result.same += 1
        elif told.outcome != one.told.outcome:
            result.changes += 1
            if len(result.changed) < limit:
                result.changed.append((one, told))


def _plain(result: ReplayResult) -> dict[str, Any]:
    return {
        "copies": result.read,
        "same": result.same,
        "moved": result.changes,
        "outcomes": [
            {"was": was, "would_be": now, "copies": count}
            for (was, now), count in sorted(result.moves.items())
        ],
        "unknown": dict(sorted(result.unknown.items())),
        "changed": [
            {
                "message": one.message,
                "recipient": one.recipient,
                "was": asdict(one.told),
                "would_be": asdict(told),
            }
            for one, told in result.changed
        ],
    }


def _told(result: ReplayResult) -> Iterator[str]:
    otherwise = result.read - result.same - result.changes
    if result.same == result.read:
        yield f"{result.read} copies, and all would have gone where they went, for the same reasons."
    else:
        yield f"{result.read} copies:"
        yield f"  {result.same} as recorded"
        if otherwise:
            yield f"  {otherwise} to the same place, with another score or for another reason"
        for (was, now), count in sorted(result.moves.items()):
            if was != now:
                yield f"  {count} from {was} to {now}"
    for name, count in sorted(result.unknown.items()):
        yield printable(
            f"  {count} perhaps otherwise: {name} did not look then, so what it would have seen is not known"
        )
    if result.changed:
        rows = [
            [
                str(one.message),
                one.recipient,
                f"{one.told.outcome} -> {told.outcome}",
                f"{one.told.score:.1f} -> {told.score:.1f}",
                told.decided_by or f"not {one.told.decided_by}",
            ]
            for one, told in result.changed
        ]
        yield ""
        yield table(["ID", "TO", "WENT -> WOULD GO", "SCORE", "BECAUSE OF"], rows, [0, 2, 0, 0, 1])
        if result.changes > len(rows):
            yield f"and {result.changes - len(rows)} more: --limit shows them"
        yield "`tamis history show ID` tells a message's story."

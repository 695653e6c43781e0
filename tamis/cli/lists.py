"""`tamis lists`: the white and black lists."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

import click

from tamis.base.errors import ConfigError, nearest_name
from tamis.cli.context import AT_ONCE, Context, by_option, fail, json_option
from tamis.cli.parameters import MOMENT, OWN_SCOPE, SCOPE
from tamis.cli.terminal import print_json, printable, table
from tamis.contract.lists import Colour, ListEntry, Subject, in_order, normalise_pattern
from tamis.database.list_entries import Added, NewEntry, allowed_senders
from tamis.message.address import PLATFORM, scopes_of

if TYPE_CHECKING:
    from tamis.filters.signing.forgeable import Forgeable
    from tamis.judging.policy import PolicyBook
    from tamis.judging.site import Site
    from tamis.quarantine.promises import EntryTried
    from tamis.store import Store

_COLOUR = click.Choice([str(colour) for colour in Colour])
_SUBJECT = click.Choice([str(subject) for subject in Subject])
_SHOWN_ERRORS = 5
_NOTHING: Mapping[str, EntryTried] = MappingProxyType({})

_scope = click.option(
    "--scope", type=OWN_SCOPE, default=PLATFORM, show_default=True, help='"platform", a domain or a mailbox.'
)
_note = click.option("--note", default="", help="Note; shown with the entry.")
_yes = click.option(
    "--yes",
    is_flag=True,
    help="Also add entries that cover very many or our own domains, where --note must say why; ask nothing.",
)
_expires = click.option(
    "--expires", type=MOMENT, help="30min, 12h, 30d, 2w, 1y or a date (UTC) [default: never]."
)


@click.group()
def lists() -> None:
    """White and black lists of senders and clients."""


@lists.command()
@click.option("--scope", type=SCOPE, help="Only of this scope.")
@click.option("--colour", type=_COLOUR, help="Only of this colour.")
@click.option("--subject", type=_SUBJECT, help="Only entries of this kind.")
@json_option
@click.pass_obj
def show(context: Context, scope: str | None, colour: str | None, subject: str | None, as_json: bool) -> None:
    """Show entries, oldest first."""
    wanted = Colour(colour) if colour else None
    about = Subject(subject) if subject else None
    if context.remote:
        found = context.remote.entries(scope=scope, colour=wanted, subject=about)
    else:
        with context.store() as store:
            found = store.lists.find(scope=scope, colour=wanted, subject=about)
    if as_json:
        print_json([_plain(entry) for entry in found])
    elif not found:
        click.echo("No entries.")
    else:
        heads = ["ID", "SCOPE", "COLOUR", "ABOUT", "PATTERN", "HITS", "EXPIRES", "NOTE"]
        click.echo(table(heads, [_row(entry) for entry in found], [0, 3, 0, 0, 4, 0, 0, 2]))


def _row(entry: ListEntry) -> list[str]:
    expires = entry.expires.strftime("%Y-%m-%d") if entry.expires else "never"
    shown = (
        entry.id,
        entry.scope,
        entry.colour,
        entry.subject,
        entry.pattern,
        entry.hits,
        expires,
        entry.note,
    )
    return [str(value) for value in shown]


def _plain(entry: ListEntry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in ListEntry.__dataclass_fields__}
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}


@lists.command()
@click.argument("sender", metavar="ADDRESS|IP")
@click.option("--to", "recipient", default="", help="Only what counts for mail to this address.")
@json_option
@click.pass_obj
def check(context: Context, sender: str, recipient: str, as_json: bool) -> None:
    """Show which entries meet an address, a domain or a client, in the order of their effect.

    The nearest scope's entry counts (mailbox, domain, platform), within one scope the white one.
    """
    from tamis.judging.list_effect import met_by  # noqa: PLC0415 # reads messages, as most of these commands don't

    if context.remote:
        found = context.remote.entries()
    else:
        with context.store() as store:
            found = store.lists.find()
    entries = {one.id: one for one in found}
    scopes = scopes_of(recipient) if recipient else tuple(dict.fromkeys(e.scope for e in entries.values()))
    nearest_first = sorted(scopes, key=lambda scope: ("@" not in scope, scope == PLATFORM))
    matches = in_order(met_by(sender, entries.values(), scopes), tuple(nearest_first))
    told = [entries[match.entry] for match in matches]
    if as_json:
        print_json([_plain(one) for one in told])
        return
    if not told:
        click.echo(f"No entry meets {printable(sender)}.")
        return
    rows = [[str(e.id), e.scope, str(e.colour), str(e.subject), e.pattern, str(e.hits)] for e in told]
    click.echo(table(["ID", "SCOPE", "COLOUR", "ABOUT", "PATTERN", "HITS"], rows, [0, 2, 0, 0, 3, 0]))
    if any(one.colour is Colour.WHITE and one.subject is Subject.SENDER for one in told):
        _tell_limits()


@lists.command()
@click.argument("colour", type=_COLOUR)
@click.argument("subject", type=_SUBJECT)
@click.argument("patterns", metavar="PATTERN...", nargs=-1, required=True)
@_scope
@_note
@_expires
@_yes
@by_option
@json_option
@click.pass_obj
def add(
    context: Context,
    colour: str,
    subject: str,
    patterns: tuple[str, ...],
    scope: str,
    note: str,
    expires: datetime | None,
    yes: bool,
    by: str,
    as_json: bool,
) -> None:
    """Add entries: an address or network in CIDR form (ip), or an address, a domain, *.domain or a
    wildcard pattern (sender). An existing entry gets the new note and expiry; one of the other colour is
    replaced."""
    entries = []
    for pattern in patterns:
        try:
            normal = normalise_pattern(Subject(subject), pattern)
        except ConfigError as error:
            raise click.BadParameter(f"{pattern!r}: {error.problem}", param_hint="PATTERN") from error
        entries.append(
            NewEntry(
                colour=Colour(colour),
                subject=Subject(subject),
                pattern=normal,
                scope=scope,
                author=by,
                note=note,
                expires=expires,
            )
        )
    added, doubted, despite = _added(context, entries, yes=yes, asks=not as_json)
    _tell(added, doubted, as_json=as_json, despite=despite)
    if allowed_senders(entries) and not as_json:
        _tell_limits()


def _tell_limits() -> None:
    from tamis.judging.promise import LIMITS  # noqa: PLC0415 # judges, as most of these commands don't

    click.echo(LIMITS)


def _held_despite(store: Store, site: Site, senders: Sequence[str], scope: str) -> dict[str, EntryTried]:
    """By pattern, the held mail that an entry would not let in."""
    from tamis.quarantine.promises import try_entry  # noqa: PLC0415 # judges, as most of these commands don't

    tried = {one: try_entry(store.quarantine, site, one, scope) for one in senders}
    return {pattern: one for pattern, one in tried.items() if one.held}


def _added(
    context: Context, entries: Sequence[NewEntry], *, yes: bool, asks: bool
) -> tuple[Added, Forgeable, Mapping[str, EntryTried]]:
    """What came of adding, which senders others can forge (before they are added somebody at a terminal is asked
    whether they are meant), and the held mail that the first senders would not let in, where the store is here."""
    if context.remote:
        return *context.remote.add_entries(entries, broad=yes), _NOTHING
    _confirm(context, entries, yes=yes)
    senders = allowed_senders(entries)
    with context.store() as store:
        if not senders:
            return store.lists.add(entries), _nobody(), _NOTHING
        site = context.site(store)  # slow to build: once for both questions
        doubted = _forgeable(context, site.book, senders, entries[0].scope)
        if doubted.why and asks and not yes and sys.stdin.isatty():
            _tell_forgeable(doubted)
            click.confirm("Add them all the same?", abort=True, err=True)
            doubted = type(doubted)()
        added = store.lists.add(entries)
        return added, doubted, _held_despite(store, site, senders[:_SHOWN_ERRORS], entries[0].scope)


def _nobody() -> Forgeable:
    from tamis.filters.signing.forgeable import Forgeable  # noqa: PLC0415 # asks, as most of these don't

    return Forgeable()


def _forgeable(context: Context, book: PolicyBook, senders: Sequence[str], scope: str) -> Forgeable:
    from tamis.chain.open_services import open_resolver  # noqa: PLC0415 # as below
    from tamis.filters.signing.forgeable import forgeable  # noqa: PLC0415 # asks, as most of these don't

    async def ask() -> Forgeable:
        dns = open_resolver(context.file.settings.dns)
        try:
            return await forgeable(dns, book, senders, scope)
        finally:
            dns.close()

    return asyncio.run(ask())


def _tell_forgeable(doubted: Forgeable) -> None:
    """To standard error: lists must work without a DNS, so nothing that a script reads depends on it."""
    shown = list(doubted.why.items())[:_SHOWN_ERRORS]
    for pattern, why in shown:
        click.echo(f"take care: {printable(pattern)}: {why}", err=True)
    if len(doubted.why) > len(shown):
        click.echo(f"and {len(doubted.why) - len(shown)} more like these", err=True)
    if doubted.unasked:
        click.echo(f"{doubted.unasked} more domains were not looked at", err=True)


def _confirm(context: Context, entries: Sequence[NewEntry], *, yes: bool) -> None:
    """End the command where broad entries are not wanted expressly, with a reason."""
    from tamis.contract.breadth import SENTENCES, breadth  # noqa: PLC0415 # knows the base of knowledge

    own = context.file.settings.platform.domains
    broad = [
        (one.pattern, found)
        for one in entries
        if (found := breadth(one.subject, one.pattern, own, one.scope))
    ]
    if not broad or (yes and entries[0].note):
        return
    shown = [f"{printable(pattern)}: {SENTENCES[found]}" for pattern, found in broad[:_SHOWN_ERRORS]]
    more = [f"and {len(broad) - _SHOWN_ERRORS} more"] if len(broad) > _SHOWN_ERRORS else []
    how = "if that is meant, give --yes, and say why with --note"
    fail("\n".join(["nothing was added:", *shown, *more, how]), os.EX_DATAERR)


@lists.command()
@click.argument("which", metavar="ID|PATTERN...", nargs=-1, required=True)
@click.option("--scope", type=SCOPE, help="Scope of the patterns (needed for patterns, not for ids).")
@click.option("--colour", type=_COLOUR, help="Only of this colour.")
@by_option
@json_option
@click.pass_obj
def remove(
    context: Context, which: tuple[str, ...], scope: str | None, colour: str | None, by: str, as_json: bool
) -> None:
    """Remove entries, by id or by pattern and scope; all of them or none."""
    if context.remote:
        removed = context.remote.remove_entries(_meant(context.remote.entries, which, scope, colour))
    else:
        with context.store() as store:
            removed = store.lists.remove(_meant(store.lists.find, which, scope, colour), by=by)
    if as_json:
        print_json({"removed": [_plain(entry) for entry in removed]})
        return
    for entry in removed:
        click.echo(f"removed {entry.id}: {entry.colour} {entry.subject} {entry.pattern} of {entry.scope}")
    click.echo(AT_ONCE)


_Find = Callable[..., Sequence[ListEntry]]
"""What finds entries by scope, colour and subject."""


def _meant(find: _Find, which: Sequence[str], scope: str | None, colour: str | None) -> list[int]:
    """The ids of the entries that are meant. Ends the command where one is not there."""
    ids: list[int] = []
    for one in which:
        if one.isdecimal():
            if int(one) not in {entry.id for entry in find()}:
                fail(f"there is no entry with the id {one}", os.EX_NOINPUT)
            ids.append(int(one))
        elif scope is None:
            raise click.UsageError(f"{printable(one)!r} is a pattern: give its scope with --scope")
        else:
            ids += [entry.id for entry in _standing(find, one, scope, colour)]
    return ids


def _standing(find: _Find, text: str, scope: str, colour: str | None) -> list[ListEntry]:
    """The entries of a scope with this pattern. Ends the command, naming the nearest one, when there are none."""
    here = find(scope=scope, colour=Colour(colour) if colour else None)
    wanted = set()
    for subject in Subject:
        try:
            wanted.add((subject, normalise_pattern(subject, text)))
        except ConfigError:  # a sender is no network, and the other way round
            continue
    found = [entry for entry in here if (entry.subject, entry.pattern) in wanted]
    if not found:
        nearest = nearest_name(text, {entry.pattern for entry in here})
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        fail(f"there is no entry {text!r} in {scope}{hint}", os.EX_NOINPUT)
    return found


@lists.command("import")
@click.argument("colour", type=_COLOUR)
@click.argument("subject", type=_SUBJECT)
@click.argument("file", type=click.File("r", encoding="utf-8", errors="replace"), default="-")
@_scope
@_note
@_expires
@_yes
@by_option
@json_option
@click.pass_obj
def import_(
    context: Context,
    colour: str,
    subject: str,
    file: TextIO,
    scope: str,
    note: str,
    expires: datetime | None,
    yes: bool,
    by: str,
    as_json: bool,
) -> None:
    """Add entries from FILE (or standard input): one pattern per line, "#" starts a comment. If a line
    is wrong, nothing is imported."""
    lines = list(_patterns(file))
    wrong: list[str] = []
    entries: list[NewEntry] = []
    with click.progressbar(lines, file=sys.stderr, label="import", hidden=not sys.stderr.isatty()) as bar:
        for number, text in bar:
            try:
                pattern = normalise_pattern(Subject(subject), text)
            except ConfigError as error:
                wrong.append(f"{file.name}:{number}: {text!r}: {error.problem}")
                continue
            entries.append(
                NewEntry(
                    colour=Colour(colour),
                    subject=Subject(subject),
                    pattern=pattern,
                    scope=scope,
                    origin="import",
                    author=by,
                    note=note,
                    expires=expires,
                )
            )
    if wrong:
        more = len(wrong) - _SHOWN_ERRORS
        rest = [f"and {more} more"] if more > 0 else []
        fail("\n".join(["nothing was imported:", *wrong[:_SHOWN_ERRORS], *rest]), os.EX_DATAERR)
    added, doubted, despite = _added(context, entries, yes=yes, asks=not (as_json or file.isatty()))
    _tell(added, doubted, as_json=as_json, despite=despite)


def _patterns(file: TextIO) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, start=1):
        text = line.removeprefix("\ufeff").partition("#")[0].strip()
        if text:
            yield number, text


def _tell(
    added: Added, doubted: Forgeable, *, as_json: bool, despite: Mapping[str, EntryTried] = _NOTHING
) -> None:
    _tell_forgeable(doubted)
    if as_json:
        told: dict[str, Any] = {"new": added.new, "merged": added.merged}
        if added.replaced:
            told["replaced"] = [_plain(entry) for entry in added.replaced]
        if doubted.why:
            told["forgeable"] = dict(doubted.why)
        if despite:
            told["held_despite"] = {pattern: [m.id for m in one.held] for pattern, one in despite.items()}
        print_json(told)
    else:
        for entry in added.replaced[:_SHOWN_ERRORS]:
            click.echo(f"replaces the {entry.colour} entry {entry.id}: {printable(entry.pattern)}")
        if len(added.replaced) > _SHOWN_ERRORS:
            click.echo(f"and {len(added.replaced) - _SHOWN_ERRORS} more entries of the other colour")
        click.echo(f"{added.new} added, {added.merged} brought up to date. {AT_ONCE}")
        for pattern, tried in despite.items():
            click.echo(
                f"{printable(pattern)}: of {tried.tried} held, {len(tried.held)} would be held all the same, "
                f"the newest because {tried.reason} (tamis quarantine show {tried.held[0].id})"
            )

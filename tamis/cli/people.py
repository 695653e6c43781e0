"""`tamis people`: who may do what in the console and by the API."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from tamis.cli.context import Context, by_option, fail, json_option
from tamis.cli.parameters import MOMENT
from tamis.cli.terminal import print_json, printable, table
from tamis.message.address import address_key, is_plain
from tamis.people.rights import BUNDLES

if TYPE_CHECKING:
    from tamis.store import Store

_expires = click.option(
    "--expires", type=MOMENT, help="30min, 12h, 30d, 2w, 1y or a date (UTC) [default: never]."
)
_NEVER = "never"


@click.group()
def people() -> None:
    """People who may do more than open their own mailbox, and what each was granted.

    Whoever web.administrators names in the settings file owns those domains as well; that can't be taken away here.
    """


@people.command()
@click.argument("address", required=False)
@json_option
@click.pass_obj
def show(context: Context, address: str | None, as_json: bool) -> None:
    """Show people, what each may do, who granted it, and how each signs in."""
    administrators = context.file.settings.web.administrators
    with context.store() as store:
        known = store.people.list() if address is None else filter(None, [store.people.find(address)])
        found = [
            {
                "address": one.address,
                "suspended": one.suspended,
                "enrolled": one.is_enrolled,
                "grants": [
                    {
                        "id": given.id,
                        "scope": given.grant.scope,
                        "rights": sorted(given.grant.rights),
                        "by": given.by,
                        "at": given.at.isoformat(timespec="seconds"),
                        "expires": given.expires.isoformat(timespec="seconds") if given.expires else None,
                    }
                    for given in one.grants
                ],
            }
            for one in known
        ]
    wanted = address_key(address) if address else ""
    fixed = {one: scopes for one, scopes in administrators.items() if wanted in ("", one)}
    if as_json:
        print_json({"people": found, "settings": {one: list(scopes) for one, scopes in fixed.items()}})
        return
    rows = [row for one in found for row in _rows(one)]
    rows += [
        ["", one, scope, "owner", "settings", _NEVER, ""] for one, scopes in fixed.items() for scope in scopes
    ]
    if not rows:
        click.echo("Nobody. The first: tamis people add root@example.com --owner platform")
        return
    heads = ["ID", "ADDRESS", "SCOPE", "MAY", "GIVEN BY", "EXPIRES", ""]
    click.echo(table(heads, rows, [0, 2, 1, 2, 1, 0, 0]))


def _rows(one: dict[str, Any]) -> list[list[str]]:
    state = "suspended" if one["suspended"] else "" if one["enrolled"] else "not enrolled"
    return [
        [
            str(given["id"]),
            one["address"],
            given["scope"],
            bundle_of(given["rights"]),
            given["by"],
            (given["expires"] or _NEVER)[:10],
            state,
        ]
        for given in one["grants"]
    ] or [["", one["address"], "", "nothing", "", "", state]]


def bundle_of(rights: list[str]) -> str:
    """The name of the bundle that these rights are, or the rights."""
    return next((name for name, of in BUNDLES.items() if of == frozenset(rights)), ", ".join(rights))


@people.command()
@click.argument("address")
@click.option(
    "--owner", "owned", metavar="SCOPE", multiple=True, help="Own the platform, a domain or a mailbox."
)
@_expires
@by_option
@click.pass_obj
def add(context: Context, address: str, owned: tuple[str, ...], expires: datetime | None, by: str) -> None:
    """Add a person, who then signs in by a mailed link and chooses a password and an app for codes.

    The first one: tamis people add root@example.com --owner platform
    """
    with context.store() as store:
        key = _mailbox(context, store, address)
        store.people.add(key, by=by)
        for scope in owned:
            store.people.grant(key, scope, BUNDLES["owner"], by=by, expires=expires)
    url = context.file.settings.web.url
    click.echo(printable(f"{key} can sign in at {url}/admin, first by a mailed link."))


@people.command()
@click.argument("address")
@click.argument("scope")
@click.argument("rights", nargs=-1, required=True)
@_expires
@by_option
@click.pass_obj
def grant(
    context: Context, address: str, scope: str, rights: tuple[str, ...], expires: datetime | None, by: str
) -> None:
    """Grant RIGHTS in SCOPE ("platform", a domain or a mailbox) and in all below it.

    RIGHTS are bundles (observer, helper, manager, owner) or single rights: statistics, history, held, content,
    release, lists.read, lists, policy.read, policy, learn, people, platform.
    """
    from tamis.database.granted_people import parse_rights  # noqa: PLC0415 # the store is slow to load

    given = parse_rights(rights)
    with context.store() as store:
        key = _mailbox(context, store, address)
        done = store.people.grant(key, scope, given, by=by, expires=expires)
    named = bundle_of(sorted(done.grant.rights))
    click.echo(printable(f"granted {done.id}: {key} may do in {done.grant.scope}: {named}"))


@people.command()
@click.argument("grants", metavar="ID...", nargs=-1, required=True, type=click.IntRange(1))
@by_option
@click.pass_obj
def revoke(context: Context, grants: tuple[int, ...], by: str) -> None:
    """Take grants back, by the ids that `tamis people show` has."""
    with context.store() as store:
        for number in grants:
            gone = store.people.revoke(number, by=by)
            if gone is None:
                fail(f"there is no grant {number}", os.EX_NOINPUT)
            named = bundle_of(sorted(gone.grant.rights))
            click.echo(printable(f"revoked {number}: {named} in {gone.grant.scope}"))


@people.command()
@click.argument("address")
@click.option("--end", is_flag=True, help="End the suspension.")
@by_option
@click.pass_obj
def suspend(context: Context, address: str, end: bool, by: str) -> None:
    """Let nothing count that a person was granted, and end all sessions. What the settings file says stays."""
    if context.remote:
        changed = context.remote.suspend(address, suspended=not end)
    else:
        with context.store() as store:
            changed = store.people.suspend(_mailbox(context, store, address), by=by, suspended=not end)
    if not changed:
        fail(f"{address} is nobody here, or so already", os.EX_NOINPUT)
    click.echo(printable(f"{address} is {'no longer ' if end else ''}suspended"))


@people.command("reset-factors")
@click.argument("address")
@by_option
@click.pass_obj
def reset_factors(context: Context, address: str, by: str) -> None:
    """Forget a person's password, codes and recovery codes, and end all sessions. The next sign-in is by a mailed link,
    and new ones are chosen."""
    with context.store() as store:
        if not store.factors.reset(_mailbox(context, store, address), by=by):
            fail(f"{address} has neither password nor codes", os.EX_NOINPUT)
    click.echo(printable(f"{address} signs in by a mailed link and chooses anew"))


@people.command()
@click.argument("address")
@by_option
@click.pass_obj
def remove(context: Context, address: str, by: str) -> None:
    """Forget a person with everything granted, and end all sessions."""
    with context.store() as store:
        if not store.people.remove(_mailbox(context, store, address), by=by):
            fail(f"{address} is nobody here", os.EX_NOINPUT)
    click.echo(printable(f"{address} may open the own mailbox and nothing else"))


def _mailbox(context: Context, store: Store, address: str) -> str:
    """The mailbox of an address: whose sign-in counts."""
    from tamis.web.person import is_served  # noqa: PLC0415 # the pages are slow to load

    site = context.site(store)
    key = site.book.policy(address_key(address)).mailbox
    if not is_plain(key) or not is_served(key, site):
        fail(f"{address} is not a mailbox of this platform", os.EX_NOUSER)
    return key

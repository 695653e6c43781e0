"""`tamis token`: what programs send to the API to be let in."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import click

from tamis.base.errors import ConfigError
from tamis.cli.context import Context, by_option, fail, json_option
from tamis.cli.parameters import MAILBOX, SCOPE
from tamis.cli.terminal import print_json, table
from tamis.message.address import PLATFORM
from tamis.people.token_scopes import Token, TokenScope


@click.group()
def token() -> None:
    """Tokens of the API. A token may do what its maker may, by its scopes, within its domains."""


@token.command()
@click.option(
    "--for",
    "maker",
    type=MAILBOX,
    metavar="ADDRESS",
    required=True,
    help="The person whose rights it has at most.",
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([*map(str, TokenScope)]),
    multiple=True,
    required=True,
    help="What it is for. Can be repeated.",
)
@click.option(
    "--domain",
    "domains",
    type=SCOPE,
    multiple=True,
    default=(PLATFORM,),
    show_default=True,
    help='Where it counts: "platform", a domain or a mailbox. Can be repeated.',
)
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True, help="How long it lasts.")
@click.option("--name", default="", help="What it is used for; shown with it.")
@by_option
@json_option
@click.pass_obj
def make(
    context: Context,
    maker: str,
    scopes: tuple[str, ...],
    domains: tuple[str, ...],
    days: int,
    name: str,
    by: str,
    as_json: bool,
) -> None:
    """Make a token and print it. It is shown this once: the store keeps only a hash of it."""
    if "@" not in maker:
        raise click.BadParameter(f"{maker!r} is no mailbox", param_hint="--for")
    wanted = [TokenScope(one) for one in scopes]
    with context.store() as store:
        try:
            made, secret = store.api_tokens.make(
                maker, wanted, domains, name=name, lasting=timedelta(days=days), by=by
            )
        except ConfigError as error:
            raise click.BadParameter(error.problem, param_hint=f"--{error.key}") from error
    if as_json:
        print_json(_plain(made) | {"token": secret})
    else:
        click.echo(secret)
        click.echo(f"Until {made.expires_at:%Y-%m-%d}. It is not shown again.", err=True)


@token.command()
@click.option("--for", "maker", type=MAILBOX, metavar="ADDRESS", help="Only this person's.")
@json_option
@click.pass_obj
def show(context: Context, maker: str | None, as_json: bool) -> None:
    """Show tokens, the newest first, without their secrets."""
    with context.store() as store:
        found = store.api_tokens.list(maker)
    if as_json:
        print_json([_plain(one) for one in found])
    elif not found:
        click.echo("No tokens.")
    else:
        rows = [
            [
                one.id,
                one.maker,
                " ".join(sorted(one.scopes)),
                " ".join(one.domains),
                f"{one.expires_at:%Y-%m-%d}",
                f"{one.used_at:%Y-%m-%d}" if one.used_at else "never",
                one.name,
            ]
            for one in found
        ]
        heads = ["ID", "FOR", "SCOPES", "DOMAINS", "UNTIL", "USED", "NAME"]
        click.echo(table(heads, rows, [0, 2, 3, 2, 0, 0, 1]))


@token.command()
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@by_option
@click.pass_obj
def revoke(context: Context, numbers: tuple[str, ...], by: str) -> None:
    """End tokens, at once."""
    with context.store() as store:
        unknown = [one for one in numbers if not store.api_tokens.revoke(one, by=by)]
    if unknown:
        fail(f"no token: {', '.join(unknown)}; `tamis token show` lists them", os.EX_NOINPUT)
    click.echo("revoked")


def _plain(one: Token) -> dict[str, Any]:
    return {
        "id": one.id,
        "for": one.maker,
        "name": one.name,
        "scopes": sorted(one.scopes),
        "domains": list(one.domains),
        "created": one.created_at.isoformat(),
        "expires": one.expires_at.isoformat(),
        "used": one.used_at.isoformat() if one.used_at else None,
    }

"""`tamis blocked`: clients that are refused for a time (S2). What is ordered here stands in the store as well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from tamis.base.errors import ConfigError
from tamis.cli.context import Context, by_option, json_option
from tamis.cli.parameters import SPAN
from tamis.cli.terminal import print_json, table
from tamis.contract.service_protocols import SharedState
from tamis.contract.state_keys import BLOCKED, parse_client
from tamis.database.blocked_clients import BlockedClient
from tamis.filters.temporary_blacklist import entry, reason
from tamis.handover.sender_events import lift_blocks, publish_blocks
from tamis.services.state.opening import open_state

T = TypeVar("T")


def on_state(context: Context, work: Callable[[SharedState], Awaitable[T]]) -> T:
    """Do something with the shared state of the installation. Raises ServiceError."""

    async def opened() -> T:
        state = open_state(context.file.settings)
        try:
            return await work(state)
        finally:
            await state.close()

    return asyncio.run(opened())


class _ClientType(click.ParamType[str]):
    name = "ip"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """A client's key; a network only where it is the /64 of IPv6 clients."""
        try:
            return parse_client(value)
        except ConfigError as error:
            self.fail(f"{value!r}: {error.problem}", param, ctx)


CLIENT = _ClientType()


@click.group()
def blocked() -> None:
    """Clients that get a 4xx reply for a time: blocked by honeypots (S14) or by hand."""


@blocked.command()
@click.argument("clients", metavar="IP...", nargs=-1, required=True, type=CLIENT)
@click.option(
    "--for", "seconds", type=SPAN, default="1h", show_default=True, help="30min, 12h, 30d, 2w or 1y."
)
@click.option("--why", default="blocked by an operator", help="Reason; the client sees it.")
@by_option
@click.pass_obj
def add(context: Context, clients: tuple[str, ...], seconds: float, why: str, by: str) -> None:
    """Block clients; an IPv6 client with its /64. Takes effect at once."""

    now = datetime.now(UTC)
    expires = now + timedelta(seconds=seconds)
    blocks = [BlockedClient(client, entry(why, by), expires) for client in clients]
    with context.store() as store:
        store.blocked.add(blocks, by=by)
    on_state(context, lambda state: publish_blocks(state, blocks, now))
    for client in clients:
        click.echo(f"blocked {client} for {seconds / 3600:g} hours")


@blocked.command()
@click.argument("clients", metavar="IP...", nargs=-1, required=True, type=CLIENT)
@by_option
@click.pass_obj
def remove(context: Context, clients: tuple[str, ...], by: str) -> None:
    """Unblock clients, and forget their messages to honeypots."""
    with context.store() as store:
        store.blocked.remove(clients, by=by)
    lifted = on_state(context, lambda state: lift_blocks(state, clients))
    for client, was_there in zip(clients, lifted, strict=True):
        click.echo(f"{client} is blocked no more" if was_there else f"{client} was not blocked")


@blocked.command()
@json_option
@click.pass_obj
def show(context: Context, as_json: bool) -> None:
    """Show blocked clients, for how long and why."""
    found = on_state(context, lambda state: state.find(BLOCKED, 10_000))
    rows = [_plain(one.key.removeprefix(BLOCKED), one.value, one.seconds) for one in found]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("Nobody is blocked.")
    else:
        cells = [[row["client"], f"{row['seconds'] / 60:.0f}", row["by"], row["why"]] for row in rows]
        click.echo(table(["CLIENT", "MINUTES", "BY", "WHY"], cells, [0, 0, 0, 1]))


def _plain(client: str, value: str, seconds: float) -> dict[str, Any]:
    try:
        by = str(json.loads(value)["by"])
    except (ValueError, KeyError, TypeError):  # another version's
        by = ""
    return {"client": client, "seconds": round(seconds), "by": by, "why": reason(value)}

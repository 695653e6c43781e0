"""`tamis senders`: what senders have earned with a domain (S7)."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import click

from tamis.base.errors import ServiceError
from tamis.cli.blocked import on_state
from tamis.cli.context import Context, by_option, fail, json_option
from tamis.cli.terminal import print_json, table
from tamis.contract.service_protocols import SharedState
from tamis.database.earned_senders import Sender
from tamis.handover.sender_events import forget, publish

_domain = click.option("--domain", required=True, help="The recipients' domain.")


@click.group()
def senders() -> None:
    """The automatic whitelist: the weight senders have earned with each domain."""


@senders.command()
@click.argument("address", required=False)
@click.option("--domain", help="Only for this domain.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@json_option
@click.pass_obj
def show(context: Context, address: str | None, domain: str | None, limit: int, as_json: bool) -> None:
    """Show entries: validations, proofs of work, complaints, and who in the domain wrote to the address."""
    if context.remote:
        found = list(context.remote.senders(domain=domain, address=address, limit=limit))
    else:
        with context.store() as store:
            found = store.senders.find(domain=domain, address=address, limit=limit)
    if as_json:
        print_json([asdict(one) for one in found])
    elif not found:
        click.echo("No entries.")
    else:
        heads = ["DOMAIN", "ADDRESS", "VALIDATIONS", "WORKS", "COMPLAINTS", "WRITTEN TO BY", "LAST"]
        click.echo(table(heads, [_row(one) for one in found], [1, 2, 0, 0, 0, 1, 0]))


def _row(one: Sender) -> list[str]:
    last = one.at.strftime("%Y-%m-%d")
    return [
        one.domain,
        one.address,
        str(one.validations),
        str(one.works),
        str(one.complaints),
        one.author,
        last,
    ]


@senders.command()
@click.argument("address")
@_domain
@by_option
@click.pass_obj
def validate(context: Context, address: str, domain: str, by: str) -> None:
    """Count a manual validation of an address."""
    with context.store() as store:
        changed = store.senders.validate(domain, address, by=by)
    _tell(context, changed)


@senders.command()
@click.argument("address")
@_domain
@by_option
@click.pass_obj
def complain(context: Context, address: str, domain: str, by: str) -> None:
    """Count a complaint about an address."""
    with context.store() as store:
        changed = store.senders.complain(domain, address, by=by)
    _tell(context, changed)


@senders.command()
@click.argument("address")
@_domain
@by_option
@click.pass_obj
def remove(context: Context, address: str, domain: str, by: str) -> None:
    """Forget what an address earned."""
    if context.remote:
        gone = context.remote.forget_sender(domain, address)  # it publishes that itself
    else:
        with context.store() as store:
            gone = store.senders.remove(domain, address, by=by)
    if not gone:
        fail(f"{address} has earned nothing with {domain}", os.EX_NOINPUT)
    if not context.remote:
        _published(context, lambda state: forget(state, domain, address))
    click.echo(f"{address} starts from zero with {domain}")


def _tell(context: Context, one: Sender) -> None:
    _published(context, lambda state: publish(state, [one]))
    written = f", written to by {one.author}" if one.author else ""
    click.echo(
        f"{one.address} with {one.domain}: {one.validations} validations, {one.works} proofs of work, "
        f"{one.complaints} complaints{written}"
    )


def _published(context: Context, work: Callable[[SharedState], Awaitable[None]]) -> None:
    """Bring a change into force at once. Without the shared state it comes into force within a day of its return."""
    try:
        on_state(context, work)
    except ServiceError as error:
        click.echo(f"tamis: in force later, the shared state is lost: {error}", err=True)

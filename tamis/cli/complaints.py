"""`tamis complaints`: abuse reports about clients, and what is decided (S15)."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import click

from tamis.background.abuse_mailbox import fetch as read_mailbox
from tamis.base.errors import ServiceError
from tamis.cli.blocked import CLIENT, on_state
from tamis.cli.context import Context, by_option, fail, json_option
from tamis.cli.messages import read_messages
from tamis.cli.terminal import print_json, table
from tamis.contract.service_protocols import SharedState
from tamis.contract.state_keys import client_key
from tamis.filters.ip_complaints import CONDEMNED
from tamis.handover.sender_events import publish_condemned
from tamis.message.abuse_report import reported_client
from tamis.message.mail import Mail


@click.group()
def complaints() -> None:
    """Clients that others complained about, and operators' decisions about them."""


@complaints.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE|DIR|MBOX|-...")
@json_option
@click.pass_obj
def ingest(context: Context, sources: tuple[str, ...], as_json: bool) -> None:
    """Count abuse reports (ARF, RFC 5965) against the clients they name. Other messages are skipped."""
    limit = context.file.settings.milter.max_examined
    clients: list[str] = []
    others = 0
    for _, octets in (found for source in sources for found in read_messages(source)):
        ip = reported_client(Mail(octets[:limit], complete=len(octets) <= limit, size=len(octets)))
        if ip is None or context.file.settings.platform.is_own_network(ip):
            others += 1
        else:
            clients.append(client_key(ip))
    with context.store() as store:
        found = store.complaints.report(clients)
    if as_json:
        print_json(
            {"reports": len(clients), "passed_over": others, "clients": [asdict(one) for one in found]}
        )
    else:
        click.echo(f"{len(clients)} reports about {len(found)} clients, {others} other messages passed over")


@complaints.command()
@json_option
@click.pass_obj
def fetch(context: Context, as_json: bool) -> None:
    """Read the abuse mailbox now: count its reports and move every message. The daemon does this at intervals.

    Exit status: 0 done, 69 the server does not answer, 78 no such mailbox or its password can't be read.
    """
    settings = context.file.settings
    if not settings.abuse_mailbox.host:
        fail(f"{context.file.source}: abuse_mailbox.host: is not set", os.EX_CONFIG)
    with context.store() as store:
        try:
            found = read_mailbox(settings, store.complaints)
        except ServiceError as error:
            fail(str(error), os.EX_UNAVAILABLE)
    if as_json:
        print_json(asdict(found))
    else:
        left = f", {found.left} wait for the next reading" if found.left else ""
        click.echo(f"{found.reports} reports, {found.others} other messages{left}")


@complaints.command()
@click.option("--condemned", is_flag=True, help="Only condemned clients.")
@json_option
@click.pass_obj
def show(context: Context, condemned: bool, as_json: bool) -> None:
    """Show clients, those with the most reports first."""
    with context.store() as store:
        found = store.complaints.find(condemned=True if condemned else None)
    if as_json:
        print_json([asdict(one) for one in found])
    elif not found:
        click.echo("No complaints.")
    else:
        rows = [
            [c.client, str(c.reports), c.at.strftime("%Y-%m-%d"), c.why or "not condemned"] for c in found
        ]
        click.echo(table(["CLIENT", "REPORTS", "LAST", "DECISION"], rows, [0, 0, 0, 1]))


@complaints.command()
@click.argument("clients", metavar="IP...", nargs=-1, required=True, type=CLIENT)
@click.option("--why", default="complaints", show_default=True, help="Reason; shown with the finding.")
@by_option
@click.pass_obj
def condemn(context: Context, clients: tuple[str, ...], why: str, by: str) -> None:
    """Treat all mail from clients as spam, until the matter is settled."""
    with context.store() as store:
        done = [store.complaints.condemn(client, why, by=by) for client in clients]
    _published(context, lambda state: publish_condemned(state, done))
    for client in clients:
        click.echo(f"{client} is condemned: {why}")


@complaints.command()
@click.argument("clients", metavar="IP...", nargs=-1, required=True, type=CLIENT)
@by_option
@click.pass_obj
def settle(context: Context, clients: tuple[str, ...], by: str) -> None:
    """Forget the complaints about clients: the matter is settled."""
    with context.store() as store:
        unknown = [client for client in clients if not store.complaints.settle(client, by=by)]

    async def work(state: SharedState) -> None:
        for client in clients:
            await state.drop(CONDEMNED + client)

    _published(context, work)
    if unknown:
        fail(f"nothing was known about {', '.join(unknown)}", os.EX_NOINPUT)
    click.echo("settled")


def _published(context: Context, work: Callable[[SharedState], Awaitable[None]]) -> None:
    try:
        on_state(context, work)
    except ServiceError as error:
        click.echo(f"tamis: in force later, the shared state is lost: {error}", err=True)

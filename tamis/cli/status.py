"""`tamis status`: today at a glance."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from tamis.cli.context import Context, json_option
from tamis.cli.parameters import OWN_SCOPE, PAST
from tamis.cli.status_lines import lines
from tamis.cli.terminal import print_json
from tamis.handover.glance import look
from tamis.message.address import PLATFORM


@click.command()
@click.option("--domain", "scope", type=OWN_SCOPE, default=PLATFORM, help="Only this domain's mail.")
@click.option("--since", type=PAST, help="Since then: a span like 7d, or a date [default: midnight, UTC].")
@json_option
@click.pass_obj
def status(context: Context, scope: str, since: datetime | None, as_json: bool) -> None:
    """Show today at a glance: what came and where it went, what decided, what could not be asked, what is held and
    waits, what was learned, how much disk is left, which hosts work.

    With --domain, mail and quarantine are that domain's; the queue, learning, disk and hosts are always the platform's.
    What passes through is counted about two seconds later.
    """
    if "@" in scope:
        raise click.BadParameter(f"{scope!r} is a mailbox, not a domain", param_hint="--domain")
    now = datetime.now(UTC)
    start = (since or now.replace(hour=0, minute=0, second=0, microsecond=0)).astimezone(UTC)
    if context.remote:
        told = context.remote.today(scope, start)
    else:
        with context.store() as store:
            domain = "" if scope == PLATFORM else scope
            told = look(store, context.file.settings, domain, start, now).to_dict()
    if as_json:
        print_json(told)
    else:
        click.echo("\n".join(lines(told)))

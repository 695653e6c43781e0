"""`tamis status`: today at a glance."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import click

from tamis.base.errors import ServiceError
from tamis.challenge.challenge_records import OPEN
from tamis.cli.context import Context, json_option
from tamis.cli.model import model_state
from tamis.cli.parameters import OWN_SCOPE, PAST
from tamis.cli.status_lines import Disk, Glance, LearnedSoFar, lines
from tamis.cli.terminal import print_json
from tamis.handover.part_states import left_out, read_parts
from tamis.installation.paths import Paths
from tamis.message.address import PLATFORM
from tamis.services.postfix.desk_queue import DeskQueue, desk_queue
from tamis.settings import Settings


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
    glance = _glance(context, "" if scope == PLATFORM else scope, start, now)
    if as_json:
        print_json(glance.to_dict())
    else:
        click.echo("\n".join(lines(glance)))


def _glance(context: Context, domain: str, since: datetime, now: datetime) -> Glance:
    settings = context.file.settings
    with context.store() as store:
        traffic = store.today.traffic(since, domain)
        unavailable = store.today.unavailable(since, domain)
        held = store.today.held(OPEN, now, domain)
        hosts = store.hosts.all()
    learned = model_state(settings)
    space = shutil.disk_usage(settings.state_directory)
    return Glance(
        since,
        now,
        domain,
        traffic,
        unavailable,
        left_out(read_parts(Paths(settings))),
        held,
        _queue(settings),
        LearnedSoFar(learned["ham"], learned["spam"], learned["needed"], learned["deciding"]),
        Disk(str(settings.state_directory), space.free, space.total),
        hosts,
    )


def _queue(settings: Settings) -> DeskQueue | None:
    try:
        return desk_queue(settings.postfix.config_directory)
    except ServiceError:  # no Postfix here, or not for this user: the line says that it is unknown
        return None

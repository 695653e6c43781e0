"""`tamis hosts`: the hosts that work on one store (docs/scale.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import click

from tamis.cli.checks import CheckResult, error, ok, warning
from tamis.cli.context import Context, json_option
from tamis.cli.terminal import print_json, table
from tamis.database.hosts import SIGNING_KEY, Host, Hosts
from tamis.installation.signing_key import fingerprint, signing_key
from tamis.settings import Settings

_APART = 5.0
"""Seconds between two clocks from which on doctor says so."""


@click.group()
def hosts() -> None:
    """The hosts that share this store: their versions, clocks and the key that they sign with."""


@hosts.command("list")
@json_option
@click.pass_obj
def list_hosts(context: Context, as_json: bool) -> None:
    """Show the hosts that told of themselves within the last week, and by how much each one's clock differs from the
    database's."""
    with context.store() as store:
        found = store.hosts.all()
    if as_json:
        print_json([{**asdict(one), "seen_at": one.seen_at.isoformat()} for one in found])
        return
    rows = [
        (one.name, one.version, one.seen_at.strftime("%Y-%m-%d %H:%M"), f"{one.ahead:+.1f}", one.web_url)
        for one in found
    ]
    click.echo(table(("host", "version", "seen (UTC)", "clock, s", "web.url"), rows, (0, 0, 0, 0, 1)))


@hosts.command()
@click.confirmation_option(
    prompt="Links in mails and copies in Postfix's queue that were signed with the former key are then worth nothing, "
    "and every other host needs a copy of this one. Go on?"
)
@click.pass_obj
def rekey(context: Context) -> None:
    """Make this host's signing key that of the store; one is made if there is none.

    For a store whose key no host has any more. Copy the file to the other hosts before you start them again.
    """
    path = context.file.settings.key_file
    with context.store() as store:
        store.hosts.settle(SIGNING_KEY, fingerprint(signing_key(path)))
    click.echo(f"{path} is the key of this store now: copy it to every other host, then restart Tamis there")


def host_checks(settings: Settings, store: Hosts, *, shared: bool) -> Iterator[CheckResult]:
    """What `tamis doctor` says of the hosts of a store."""
    if not shared:
        return
    known, path = store.agreed(SIGNING_KEY), settings.key_file
    if known and path.exists() and fingerprint(signing_key(path)) != known:
        yield error(
            "signing key of the hosts",
            f"{path} is not the key of the store's other hosts: links and copies of one are worth nothing on another",
            "copy the file from one of them, with its owner and mode, and restart Tamis",
        )
    found = store.all()
    if len(found) > 1:
        yield from _compared(found)


def _compared(found: Sequence[Host]) -> Iterator[CheckResult]:
    names = ", ".join(one.name for one in found)
    differing = False
    for what, values in (
        ("version", {one.name: one.version for one in found}),
        ("web.url", {one.name: one.web_url for one in found}),
    ):
        if len(set(values.values())) > 1:
            differing = True
            yield warning(
                f"{what} of the hosts",
                ", ".join(f"{name}: {value}" for name, value in values.items()),
                "upgrade the others as well" if what == "version" else "set the same web.url everywhere",
            )
    for one in found:
        if abs(one.ahead) > _APART:
            differing = True
            yield warning(
                f"clock of {one.name}",
                f"{one.ahead:+.0f} s from the database's",
                "let NTP set the clocks of all hosts",
            )
    if not differing:
        last = max((datetime.now(UTC) - one.seen_at).total_seconds() for one in found)
        yield ok("hosts", f"{names}; the one that was silent longest told of itself {last:.0f} s ago")

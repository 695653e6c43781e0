"""`tamis mailbox`: cleaning Junk (O5), and telling people that their mailbox is nearly full (O6)."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict, dataclass

import click

from tamis.base.errors import AddressError, ServiceError, TamisError
from tamis.cli.context import Context, fail, json_option
from tamis.cli.terminal import print_json, printable, table
from tamis.desk.reinjection import Reinjector
from tamis.message.address import address_key, is_plain
from tamis.settings import DovecotSettings

_WILD = frozenset("*?")
"""doveadm takes a user with one of these for a pattern that fits many."""


@click.group()
def mailbox() -> None:
    """Services around mailboxes: Junk cleaning, quota notices."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What came of one mailbox: messages in Junk older than `days`; `error` is "" when all went well."""

    mailbox: str
    days: int
    messages: int
    error: str = ""


@mailbox.command()
@click.argument("mailboxes", metavar="[MAILBOX]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@json_option
@click.pass_obj
def clean(context: Context, mailboxes: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Remove old messages from Junk, by `junk_days` of each mailbox's policy (0: none are removed).

    Without arguments: every mailbox that Dovecot knows. A message's age counts from when it arrived in Junk. Run it
    once a day: deploy/systemd has a timer.
    """
    doveadm = Doveadm(context.file.settings.dovecot)
    with context.store() as store:
        book = context.site(store).book
    names = mailboxes or doveadm.users()
    results = []
    hidden = as_json or not sys.stderr.isatty()
    with click.progressbar(names, file=sys.stderr, label="clean", hidden=hidden) as todo:
        for name in todo:
            days = book.policy(name).terms.junk_days
            if days:
                results.append(_cleaned(doveadm, name, days, dry_run=dry_run))
    if as_json:
        print_json([asdict(one) for one in results])
    elif not results:
        click.echo("No mailbox has junk_days set: `tamis policy set platform junk_days 30` sets it for all.")
    else:
        did = "WOULD GO" if dry_run else "REMOVED"
        rows = [[one.mailbox, str(one.days), str(one.messages), one.error] for one in results]
        click.echo(table(["MAILBOX", "DAYS", did, ""], rows, [3, 0, 0, 4]))
    if any(one.error for one in results):
        raise click.exceptions.Exit(os.EX_UNAVAILABLE)


def _cleaned(doveadm: Doveadm, name: str, days: int, *, dry_run: bool) -> Cleaned:
    """One mailbox; what fails in it is no reason to leave the others."""
    try:
        count = doveadm.count_junk(name, days)
        if count and not dry_run:
            doveadm.expunge_junk(name, days)
    except TamisError as error:
        return Cleaned(name, days, 0, str(error))
    return Cleaned(name, days, count)


class Doveadm:
    """Dovecot's own tool, by the command that the settings name; it knows where mailboxes are and locks them."""

    def __init__(self, settings: DovecotSettings) -> None:
        self._command = settings.doveadm
        self._seconds = settings.seconds
        self._folder = settings.junk

    def users(self) -> list[str]:
        """Every user. Raises ServiceError where the user database can't list them."""
        return sorted(self._run("user", "*").split())

    def count_junk(self, user: str, days: int) -> int:
        """How many messages came into Junk more than `days` ago. Raises AddressError or ServiceError."""
        return len(self._run("search", *self._old(user, days)).splitlines())

    def expunge_junk(self, user: str, days: int) -> None:
        """Remove them. Raises AddressError or ServiceError."""
        self._run("expunge", *self._old(user, days))

    def _old(self, user: str, days: int) -> list[str]:
        if _WILD & set(user) or not user.isprintable() or user.startswith("-"):
            raise AddressError(f"{user!r} is not a mailbox name")
        return ["-u", user, "mailbox", self._folder, "savedbefore", f"{days}d"]

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 # no shell; the command is the operator's
                [*self._command, *arguments], capture_output=True, timeout=self._seconds, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServiceError(f"doveadm: {error}") from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
            raise ServiceError(f"doveadm {arguments[0]} ended with {done.returncode}: {said}")
        return done.stdout.decode("utf-8", "replace")


@mailbox.command()
@click.argument("percent", type=click.IntRange(1, 1000))
@click.argument("mailbox_", metavar="MAILBOX")
@click.pass_obj
def quota(context: Context, percent: int, mailbox_: str) -> None:
    """Notify a mailbox that PERCENT of it is in use, at most once in 24 hours.

    For Dovecot's quota warnings (90-tamis-quota.conf in deploy/dovecot/2.3 and deploy/dovecot/2.4).
    """
    from tamis.background.mailing import notify_of_quota  # noqa: PLC0415 # the store is slow to load
    from tamis.web.person import is_served  # noqa: PLC0415

    key = address_key(mailbox_)
    if not is_plain(key):
        fail(f"{mailbox_!r} is not an address", os.EX_USAGE)
    send = Reinjector(context.file.settings.desk.reinject).send
    with context.store() as store:
        site = context.site(store)
        # whoever may ask for it: the mail goes to our own people only, and in one spelling of their address
        key = site.book.policy(key).mailbox
        if not is_served(key, site):
            fail(f"{key} is not a mailbox of this platform", os.EX_NOUSER)
        told = notify_of_quota(site, store, send, key, percent)
    click.echo(printable(f"{key} " + ("is told" if told else "was told in the last 24 hours")))

"""What the commands share: the settings file and the store, opened when first wanted, and options."""

from __future__ import annotations

import getpass
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tamis.base.errors import ConfigError
from tamis.base.loading import loading
from tamis.cli.terminal import printable

if TYPE_CHECKING:
    from tamis.contract.filter import Filter
    from tamis.judging.site import Site
    from tamis.remote.remote import Remote
    from tamis.services.postfix.aliases import PostfixDirectory
    from tamis.settings import SettingsFile
    from tamis.store import Store

AT_ONCE = "In force within seconds; nothing needs a restart."
"""What a command says after a change of lists or policy."""


NOT_ELSEWHERE = (
    "this works on the machine that it runs on; "
    "with --url there are challenges list and show, history, lists, model status, people suspend, "
    "policy (all but check), quarantine, rules, senders show and remove, and status"
)


class Context:
    """What `click.pass_obj` hands to a command. `config` is the settings file that --config named, `remote` the Tamis
    elsewhere that --url named."""

    def __init__(self, config: Path | None = None, remote: Remote | None = None) -> None:
        self.config = config
        self.remote = remote

    @cached_property
    def file(self) -> SettingsFile:
        """The settings file. Raises ConfigError, and UsageError with --url: then nothing here is meant."""
        if self.remote is not None:
            raise click.UsageError(NOT_ELSEWHERE)
        with loading():
            from tamis.settings import read_settings  # noqa: PLC0415 # much of what a start costs

        return read_settings(self.config)

    @cached_property
    def filters(self) -> tuple[Filter[Any], ...]:
        """Every filter. Raises PluginError."""
        with loading():
            from tamis.chain.registry import load_filters  # noqa: PLC0415 # most commands don't need it

        return load_filters()

    def store(self, *, migrate: bool = True) -> Store:
        """The store, for a `with` block; its tables are made or upgraded first. Raises ConfigError or StoreError."""
        with loading():
            from tamis.store import Store  # noqa: PLC0415 # most commands don't need it

        try:
            store = Store(self.file.settings.store_url)
        except ConfigError as error:  # the store knows its URL, not the file that it stands in
            raise ConfigError(self.file.source, error.key, error.problem) from error
        if migrate:
            store.migrate()
        return store

    def site(self, store: Store) -> Site:
        """The file with what the store says of policy and lists: what is in force. Raises ConfigError or StoreError."""
        from tamis.judging.site import Site  # noqa: PLC0415 # most commands don't need it

        return Site.build(self.file, self.filters, store.snapshot(), self.directory)

    @cached_property
    def directory(self) -> PostfixDirectory:
        """Where addresses lead. Raises ConfigError."""
        from tamis.services.postfix.aliases import PostfixDirectory  # noqa: PLC0415 # most commands don't need it

        return PostfixDirectory(self.file.settings, wait=60.0)  # nobody's mail waits


def fail(message: str, status: int) -> NoReturn:
    """End the command with a message on standard error and an exit status of sysexits(3) (os.EX_...)."""
    for line in message.splitlines():
        click.echo(f"tamis: {printable(line)}", err=True)
    raise click.exceptions.Exit(status)


def login_user() -> str:
    """Who runs the command, for the audit trail."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"uid {os.getuid()}"


by_option = click.option(
    "--by",
    metavar="NAME",
    default=login_user,
    help="Who does this, for the audit trail [default: login user].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

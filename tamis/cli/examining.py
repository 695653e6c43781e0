"""Stored messages examined as the daemon would, for commands: the site as it is in force, and who sends to whom."""

from __future__ import annotations

import os

import click

from tamis.base.errors import StoreError
from tamis.chain.registry import load_filters
from tamis.cli.context import Context
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.message.address import unbracket
from tamis.message.mail import Mail


def site_in_force(context: Context) -> Site:
    """Policy and lists as the daemon has them; without a store, those of the settings file."""
    file = context.file
    snapshot = Snapshot()
    url = file.settings.store_url
    if not url.startswith("sqlite") or os.path.exists(url.removeprefix("sqlite:///")):  # noqa: PTH110
        try:
            with context.store() as store:
                snapshot = store.snapshot()
        except StoreError as error:
            click.echo(f"tamis: lists and overrides are left out: {error}", err=True)
    return Site.build(file, load_filters(), snapshot, context.directory)


def sender_of(mail: Mail) -> str:
    """The Return-Path that a mail store wrote at delivery (RFC 5321 4.4), else the first author."""
    returned = mail.headers.first("return-path")
    if returned is not None and ("@" in returned or "<>" in returned):
        return unbracket(returned)
    return mail.from_addresses[0].address if mail.from_addresses else ""


def default_recipient(site: Site) -> str:
    """Postmaster of the platform's first domain."""
    domains = site.settings.platform.domains
    return f"postmaster@{domains[0] if domains else 'localhost'}"

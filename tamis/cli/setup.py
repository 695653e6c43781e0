"""`tamis setup`: the settings, Postfix's lines and Dovecot's files, shown before they are written; and the way back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tamis.base.errors import ServiceError
from tamis.cli.context import Context, fail
from tamis.cli.doctor import doctor
from tamis.cli.serve import supervisor_pid
from tamis.cli.setup_undo import RECORD, reload_dovecot, said, show, take_back
from tamis.cli.terminal import printable
from tamis.cli.try_message import try_message
from tamis.database.scope import parse_scope
from tamis.installation.dovecot_files import SCRIPT, form, junk_files, missing_parts
from tamis.installation.file_changes import ChangeRecord, FileChange, read_file
from tamis.installation.postfix_changes import PostfixBefore, PostfixFiles
from tamis.installation.settings_text import with_values
from tamis.services.postfix.listeners import read_settings as postfix_settings
from tamis.settings import DEFAULT_FILE, Settings, SettingsFile

_DOMAINS = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains")
_UNITS = ("tamis.socket", "tamis-desk.socket", "tamis.service")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the administrator wants; None and () leave things as they are."""

    domains: tuple[str, ...]
    url: str
    dns: tuple[str, ...]
    postfix: bool
    dovecot: bool

    def values(self) -> dict[str, Any]:
        """By their keys in the settings file."""
        given = {"platform.domains": list(self.domains), "web.url": self.url, "dns.servers": list(self.dns)}
        return {key: value for key, value in given.items() if value}


@click.command()
@click.option(
    "--domain", "domains", multiple=True, metavar="DOMAIN", help="Whose mailboxes are here; several times."
)
@click.option("--url", default="", help="Where people reach the pages, such as https://mail.example.com.")
@click.option(
    "--dns", multiple=True, metavar="IP[:PORT]", help="Recursive DNS servers [default: /etc/resolv.conf's]."
)
@click.option("--postfix/--no-postfix", default=None, help="Whether to put the lines into Postfix.")
@click.option("--dovecot/--no-dovecot", default=None, help="Whether to set up Junk folders in Dovecot.")
@click.option(
    "--dovecot-config",
    type=click.Path(path_type=Path),
    default=Path("/etc/dovecot"),
    show_default=True,
    help="Dovecot's configuration folder.",
)
@click.option(
    "--to", default="", metavar="ADDRESS", help="Where the test message goes [default: postmaster]."
)
@click.option(
    "--smtp", default="127.0.0.1:25", show_default=True, metavar="IP:PORT", help="Postfix's listener, for it."
)
@click.option("--no-test", is_flag=True, help="Send no test message.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--undo", is_flag=True, help="Take back what was set up.")
@click.option("--keep-settings", is_flag=True, help="With --undo: leave the settings file as it is.")
@click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    default=60.0,
    show_default=True,
    help="With --undo: seconds that queued copies have to be delivered.",
)
@click.pass_obj
def setup(
    context: Context,
    domains: tuple[str, ...],
    url: str,
    dns: tuple[str, ...],
    postfix: bool | None,
    dovecot: bool | None,
    dovecot_config: Path,
    to: str,
    smtp: str,
    no_test: bool,
    yes: bool,
    dry_run: bool,
    undo: bool,
    keep_settings: bool,
    wait: float,
) -> None:
    """Connect Tamis to Postfix and Dovecot: asks, shows every change, makes it, sends a test message.

    Nothing is written before the whole difference was shown and agreed to. --undo takes everything back, in an order
    in which nothing bounces.

    Exit status: 0 done, or nothing to do; 1 the test message went elsewhere; 69 it did not arrive, or `tamis doctor`
    found errors; 75 copies still wait in Postfix's queue for Tamis, so that the way there stays.
    """
    if os.geteuid() != 0:
        fail("only root may change the files of Postfix and Dovecot", os.EX_NOPERM)
    if not yes and not dry_run and not sys.stdin.isatty():
        fail("there is nobody to ask: --yes takes the options as they are, --dry-run only shows", os.EX_USAGE)
    file = _settings_file(context)
    agreed = (lambda: False) if dry_run else (lambda: yes or click.confirm("Make these changes?"))
    if undo:
        take_back(file, context.file.settings, agreed, wait, keep_settings=keep_settings)
        return
    wanted = _asked(
        context.file.settings,
        _Wanted(domains, url, dns, postfix is not False, dovecot is not False),
        yes=yes or dry_run,
    )
    if not _made(file, context, wanted, dovecot_config, agreed):
        return
    _tried(file, to, smtp, send=not no_test)


def _settings_file(context: Context) -> Path:
    source = context.file.path
    return source or DEFAULT_FILE


# --- what is wanted ----------------------------------------------------------------------------


def _asked(settings: Settings, given: _Wanted, *, yes: bool) -> _Wanted:
    """What was not given by options: asked for, or as it follows from Postfix."""
    domains = given.domains or tuple(settings.platform.domains) or _postfix_domains(settings)
    url, dns = given.url, given.dns
    if not yes:
        if not given.domains:
            said = click.prompt("Your domains", default=" ".join(domains), show_default=True)
            domains = tuple(said.replace(",", " ").split())
        if not url:
            here = settings.web.url if "url" in settings.web.model_fields_set else ""
            url = click.prompt("Where people reach the pages (empty: not yet)", default=here)
        if not dns:
            here = " ".join(map(str, settings.dns.servers))
            dns = tuple(click.prompt("DNS servers (empty: those of /etc/resolv.conf)", default=here).split())
    for one in domains:
        if "." not in one or "@" in parse_scope(one):
            raise click.BadParameter(f"{one!r} is no domain", param_hint="--domain")
    return _Wanted(domains, url, dns, given.postfix, given.dovecot)


def _postfix_domains(settings: Settings) -> tuple[str, ...]:
    """The domains that Postfix's settings name one by one; what is in tables must be given."""
    try:
        told = postfix_settings(settings.postfix.config_directory, _DOMAINS)
    except (OSError, subprocess.SubprocessError):
        return ()
    words = " ".join(told.values()).replace(",", " ").split()
    return tuple(
        dict.fromkeys(
            one.lower()
            for one in words
            if "." in one and not set(one) & set(":/${}[]") and not one.startswith("localhost")
        )
    )


# --- the changes ---------------------------------------------------------------------------------


def _made(
    file: Path, context: Context, wanted: _Wanted, dovecot_config: Path, agreed: Callable[[], bool]
) -> bool:
    """Show and make the changes; False when they are not wanted."""
    text = read_file(file)
    new = with_values((text or b"").decode("utf-8"), str(file), wanted.values())
    settings = SettingsFile(file, new).settings  # refuses what can't be
    changes = [FileChange(file, text, new.encode())] if wanted.values() else []
    postfix, lines, before = PostfixFiles(settings), None, PostfixBefore()
    if wanted.postfix:
        lines = postfix.lines()
        before = postfix.before(lines)
        changes += postfix.with_lines(lines)
    with_dovecot = wanted.dovecot and _has_dovecot()
    if with_dovecot:
        changes += junk_files(dovecot_config, form(said("dovecot", "--version")))
    changes = [one for one in changes if one.is_one]
    for note in lines.left if lines else ():
        click.echo(f"left as it is: {printable(note)}")
    if not changes:
        click.echo("nothing to change")
        return True
    show(changes)
    if not agreed():
        click.echo("nothing was changed")
        return False
    record = ChangeRecord(file.with_name(RECORD))
    kept, noted = record.kept, record.noted
    earlier = PostfixBefore.of(noted.get("postfix"))
    record.add(changes, {"postfix": earlier.under(before).told(), "dovecot": str(dovecot_config)})
    try:
        _write(changes)
        if wanted.postfix:
            postfix.check()
        if with_dovecot:
            said("sievec", str(dovecot_config / SCRIPT))
            said("doveconf", "-c", str(dovecot_config / "dovecot.conf"), "-n")
    except (OSError, ServiceError) as problem:
        for one in reversed(changes):
            one.take_back()
        record.put_back(kept, noted)
        fail(f"{problem}\nall changes were taken back", os.EX_UNAVAILABLE)
    if wanted.postfix:
        postfix.reload()
    if with_dovecot:
        reload_dovecot()
    click.echo("`tamis setup --undo` takes these changes back")
    return True


def _write(changes: Sequence[FileChange]) -> None:
    for one in changes:
        one.make()


def _has_dovecot() -> bool:
    missing = missing_parts()
    if missing and missing != "dovecot-core":
        click.echo(f"Dovecot is left as it is: {missing} is not installed")
    return not missing


# --- trying --------------------------------------------------------------------------------------


def _tried(file: Path, to: str, smtp: str, *, send: bool) -> None:
    """Have the daemon read its settings; a test message; what is still missing."""
    click.echo()
    context = Context(file)
    settings = context.file.settings
    if not _daemon_has_read(settings):
        fail(
            "the daemon does not run, so nothing was tried: start it, and call `tamis setup` again",
            os.EX_UNAVAILABLE,
        )
    click.get_current_context().obj = context
    domains = settings.platform.domains
    recipient = to or (f"postmaster@{domains[0]}" if domains else "")
    status = 0
    if send and recipient:
        status = _status(try_message, recipient=recipient, smtp=smtp)
    elif send:
        click.echo("no test message: there is no domain yet; --to names an address")
    click.echo()
    worse = _status(doctor)
    if status or worse:
        raise click.exceptions.Exit(worse or status)


def _status(command: click.Command, **options: Any) -> int:
    """Another command's exit status."""
    try:
        told = click.get_current_context().invoke(command, **options)
    except click.exceptions.Exit as ended:
        return int(ended.exit_code)
    return told if isinstance(told, int) else 0


def _daemon_has_read(settings: Settings) -> bool:
    """Whether a daemon runs, with the settings as they are now; systemd is asked to start one."""
    pid = supervisor_pid(settings)
    if pid:
        os.kill(pid, signal.SIGHUP)
        return True
    if not Path("/run/systemd/system").is_dir() or not shutil.which("systemctl"):
        return False
    try:
        said("systemctl", "start", *_UNITS)
    except ServiceError as problem:
        click.echo(printable(str(problem)))
        return False
    return True

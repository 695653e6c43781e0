"""`tamis doctor`: what stands between this installation and mail that flows, each finding with its mend."""

from __future__ import annotations

import asyncio
import grp
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import click

from tamis.base.errors import ConfigError, RouteError, TamisError, times
from tamis.chain.registry import load_filters
from tamis.cli.checks import CheckResult, Health, error, ok, warning
from tamis.cli.context import Context
from tamis.cli.doctor_content import content_services
from tamis.cli.doctor_lists import list_checks
from tamis.cli.doctor_postfix import postfix_checks
from tamis.cli.doctor_reports import report_checks
from tamis.cli.hosts import host_checks
from tamis.handover.listener_counts import read_listener_counts, unseen
from tamis.handover.part_states import left_out, read_parts
from tamis.installation.paths import Paths
from tamis.judging.site import Site
from tamis.judging.stored_policy import Snapshot
from tamis.settings import Settings, SettingsFile, SocketAddress


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def doctor(context: Context, as_json: bool) -> int:
    """Check settings, store, sockets, permissions and Postfix, and say how to fix what is wrong.

    Exit status: 0 if nothing stops mail from flowing, 69 otherwise.
    """
    logging.disable()  # each result says what the log would
    click.get_current_context().call_on_close(lambda: logging.disable(logging.NOTSET))
    results: list[CheckResult] = []
    for result in examine(context):
        results.append(result)
        if not as_json:
            mark = {Health.OK: "ok     ", Health.WARNING: "WARNING", Health.ERROR: "ERROR  "}[result.health]
            click.echo(f"{mark} {result.check}: {result.found}")
            if result.mend:
                click.echo(f"        -> {result.mend}")
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
    return os.EX_UNAVAILABLE if any(r.health is Health.ERROR for r in results) else os.EX_OK


def examine(context: Context) -> Iterator[CheckResult]:
    """All checks in turn; without good settings the others have nothing to look at."""
    try:
        file = context.file
        Site.build(file, load_filters(), Snapshot(), context.directory)
    except TamisError as problem:
        yield error("settings", str(problem), "fix that file; `tamis policy check` checks it again")
        return
    yield ok("settings", file.source)
    settings = file.settings
    store, notices = _store(context, file), _notices(file)
    looks = (
        _directories,
        store,
        _state,
        _clock,
        _listeners,
        _dns,
        postfix_checks,
        _route,
        _content,
        report_checks,
        _left_out,
        _unseen,
        notices,
    )
    for checks in looks:
        yield from checks(settings)


def _notices(file: SettingsFile) -> Callable[[Settings], Iterator[CheckResult]]:
    def check(settings: Settings) -> Iterator[CheckResult]:
        from tamis.cli.doctor_notices import notice_checks  # noqa: PLC0415 - needs the resolver only here

        yield from notice_checks(settings, file.layers)

    return check


def _content(settings: Settings) -> Iterator[CheckResult]:
    for look in content_services(settings):
        yield warning(look.check, look.found, look.mend) if look.mend else ok(look.check, look.found)


def _left_out(settings: Settings) -> Iterator[CheckResult]:
    """What the running daemon leaves out because it kept failing (docs/operations.md)."""
    told = read_parts(Paths(settings))
    parts = left_out(told)
    for name, states in sorted(parts.items()):
        last = max(states, key=lambda one: one.left_out_until)
        until = time.strftime("%H:%M:%S", time.localtime(last.left_out_until))
        yield warning(
            name,
            f"left out by {len(states)} of {len(told)} processes until {until} after "
            f"{times(last.failures_in_a_row)}: {last.reason}",
            "see why it does not answer; the daemon tries it again by itself",
        )
    if told and not parts:
        yield ok("external parts", "the daemon leaves none out")


def _unseen(settings: Settings) -> Iterator[CheckResult]:
    """Whether Postfix shows the daemon what comes in, whatever its configuration seems to say."""
    lost = unseen(read_listener_counts(Paths(settings)).values())
    for port, count in sorted(lost.items()):
        yield error(
            f"messages at listener {port}",
            f"of the last {count} messages that began there, Postfix showed Tamis nothing after DATA",
            "look for smtpd_proxy_filter in main.cf and master.cf; single clients that hang up are normal",
        )
    if not lost:
        yield ok("messages", "what begins comes to Tamis whole")


def _directories(settings: Settings) -> Iterator[CheckResult]:
    for name in ("state_directory", "run_directory"):
        path: Path = getattr(settings, name)
        if not path.is_dir():
            yield error(name, f"{path} does not exist", f"create it for the daemon's user, or set {name}")
        elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            yield error(
                name, f"{path} can't be written by uid {os.geteuid()}", "give it to the daemon's user"
            )
        elif path.stat().st_mode & 0o022:
            yield error(name, f"{path} can be written by others", f"chmod go-w {path}")
        else:
            yield ok(name, str(path))
    yield from _owners(settings.state_directory)
    key = settings.key_file
    if key.exists():
        if key.stat().st_mode & 0o077:
            yield error("signing key", f"{key} can be read by others", f"chmod 600 {key}")
        else:
            yield ok("signing key", str(key))


def _owners(folder: Path) -> Iterator[CheckResult]:
    """What is not the daemon's in its own folder: copied there by hand, or made by an older version's commands."""
    if not folder.is_dir():
        return
    owner = folder.stat().st_uid
    files = (Path(place, name) for place, inner, names in os.walk(folder) for name in (*inner, *names))
    foreign = [path for path in islice(files, _MOST_FILES) if _owner(path) not in (owner, None)]
    if foreign:
        yield error(
            "owners below state_directory",
            f"{len(foreign)} are not of uid {owner}, which {folder} belongs to: {foreign[0]}",
            f"chown -R --no-dereference --from=root {owner} {folder}: the daemon can't go on with them",
        )
    else:
        yield ok("owners below state_directory", f"all of uid {owner}")


_MOST_FILES = 200_000
"""Files whose owner is looked at; beyond: they are not."""


def _owner(path: Path) -> int | None:
    """None for a file that went meanwhile, or that can't be looked at."""
    try:
        return path.lstat().st_uid
    except OSError:
        return None


def _store(context: Context, file: SettingsFile) -> Callable[[Settings], Iterator[CheckResult]]:
    def check(settings: Settings) -> Iterator[CheckResult]:
        kind = settings.store_url.partition(":")[0]
        try:
            with context.store() as store:
                snapshot, entries = store.snapshot(), store.lists.find()
                full = store.quotas.full(settings.quarantine)
                hosts = list(host_checks(settings, store.hosts, shared=store.is_shared))
            site = Site.build(file, load_filters(), snapshot)
        except ConfigError as problem:
            yield error("store", str(problem), "tamis policy unset takes an override back")
        except TamisError as problem:
            yield error("store", str(problem), "start the database, or fix store.url")
        else:
            yield ok("store", f"{kind}, revision {site.revision}, {len(entries)} list entries")
            yield from list_checks(entries, settings.platform.domains)
            yield from hosts
            for one in full:
                yield warning(
                    "quota",
                    f"{one.usage.scope} holds {one.usage.copies} messages of {one.usage.octets:,} octets, more than "
                    f"its quota of {one.quota:,}",
                    "the oldest go with the next clean-up, except those within quarantine.guaranteed_days; see "
                    "`tamis quarantine usage`",
                )

    return check


def _state(settings: Settings) -> Iterator[CheckResult]:
    """Whether the shared state answers, as the filters ask it."""
    from tamis.services.state.opening import open_state  # noqa: PLC0415 - needs the backend only here

    named = _LOGIN.sub("", settings.state.url) or str(settings.state_file)

    async def ask() -> float:
        state = open_state(settings)
        try:
            begun = time.monotonic()
            await state.get("doctor")
            return time.monotonic() - begun
        finally:
            await state.close()

    try:
        seconds = asyncio.run(ask())
    except TamisError as problem:
        yield warning(
            "shared state",
            f"{named}: {problem}",
            "start it, or mend state.url; meanwhile greylisting, counts and blocks are unavailable and nobody is asked "
            "to confirm",
        )
    else:
        yield ok("shared state", f"{named} answers in {1000 * seconds:.0f} ms")


_LOGIN = re.compile(r"(?<=//)[^/@]*@")
"""User and password of a URL."""


def _clock(_: Settings) -> Iterator[CheckResult]:
    """A clock that stands before this release was made makes expiry dates and DKIM times worthless."""
    if time.time() < _RELEASED:
        yield error("clock", time.ctime(), "set the clock (NTP)")
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


_RELEASED = 1_790_000_000  # 2026-09-21, Unix seconds


def _listeners(settings: Settings) -> Iterator[CheckResult]:
    """Where Postfix connects; one cause is told once, so a daemon that does not run is no matter of its sockets."""
    wanted = {"milter": settings.milter.socket, "desk": settings.desk.socket}
    heard = {name: answers(SocketAddress.parse(text)) for name, text in wanted.items()}
    if not any(heard.values()):
        found = f"it does not run: nothing answers at {' and '.join(wanted.values())}"
        yield error("daemon", found, "systemctl start tamis, or tamis serve; its log says why it ended")
    for name, text in wanted.items():
        if heard[name]:
            yield ok(f"{name} socket", f"{text} answers")
        elif any(heard.values()):
            mend = f"see the daemon's log, and what [{name}] names as its socket"
            yield error(f"{name} socket", f"nothing answers at {text}", mend)
        yield from _access(name, SocketAddress.parse(text), settings.milter.socket_group)


def _access(name: str, address: SocketAddress, group: str) -> Iterator[CheckResult]:
    """Who on this machine may connect: the milter believes what it is told of clients, the desk takes signed mail."""
    check = f"access to the {name} socket"
    if not address.path:
        yield warning(
            check,
            f"every user of this machine can connect to {address}, pass for any client, and be handed addresses that "
            "the desk takes",
            f'socket = "unix:/var/spool/postfix/tamis/{name}" under [{name}] (docs/operations.md); keep the port only '
            "where nobody else has an account",
        )
        return
    try:
        found = Path(address.path).stat()
    except OSError:
        return
    owner = grp.getgrgid(found.st_gid).gr_name if _has_group(found.st_gid) else str(found.st_gid)
    mode = found.st_mode & 0o777
    if mode & 0o007:
        yield error(check, f"mode {mode:o}: everybody may connect", 'socket_mode = "0660" under [milter]')
    elif mode & 0o060 != 0o060 or owner != group:
        yield error(
            check,
            f"group {owner}, mode {mode:o}: Postfix may not connect",
            f"chgrp {group or 'postfix'} {address.path} and chmod 660, or socket_group under [milter]",
        )
    else:
        yield ok(check, f"group {owner} and root")


def _has_group(number: int) -> bool:
    try:
        grp.getgrgid(number)
    except KeyError:
        return False
    return True


def answers(address: SocketAddress) -> bool:
    """Whether something listens there."""
    import socket  # noqa: PLC0415 - only here

    family = socket.AF_UNIX if address.path else socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(3)
        try:
            sock.connect(address.path or (address.host, address.port))
        except OSError:
            return False
        return True


def _dns(settings: Settings) -> Iterator[CheckResult]:
    from tamis.cli.doctor_dns import dns_checks  # noqa: PLC0415 - needs the resolver only here

    yield from dns_checks(settings)


def _route(settings: Settings) -> Iterator[CheckResult]:
    """Send a probe along the whole way, as the daemon does before it rewrites a recipient."""
    from tamis.desk.redirection import RedirectionSigner  # noqa: PLC0415 - needs the daemon's parts only here
    from tamis.desk.reinjection import Reinjector  # noqa: PLC0415
    from tamis.desk.route import Proof, Route  # noqa: PLC0415
    from tamis.installation.signing_key import signing_key  # noqa: PLC0415

    if not answers(SocketAddress.parse(settings.desk.socket)):
        return  # the cause is told already
    if not settings.key_file.exists():  # the daemon makes it, as its own user
        yield error("route to the desk", "there is no signing key yet", "start the daemon: tamis serve")
        return
    try:
        signer = RedirectionSigner(signing_key(settings.key_file))
        proof = Proof(Paths(settings).proof)
        Route(settings, signer, Reinjector(settings.desk.reinject, settings.desk.proof_wait), proof).ensure()
    except RouteError as problem:
        yield error(
            "route to the desk", str(problem), "until then, such mail gets 451 and is retried by its sender"
        )
    except TamisError as problem:
        yield error("route to the desk", str(problem), "fix what is named")
    else:
        yield ok("route to the desk", "a probe came back")

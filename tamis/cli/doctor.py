"""`tamis doctor`: what stands between this installation and mail that flows, each finding with its mend."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import click

from tamis.base.breaker import PartState
from tamis.base.errors import ConfigError, RouteError, TamisError, times
from tamis.chain.registry import load_filters
from tamis.cli.checks import Health, Result, error, ok, warning
from tamis.cli.context import Context
from tamis.cli.doctor_content import content_services
from tamis.handover.part_states import read_parts
from tamis.installation.paths import Paths
from tamis.judging.site import Site, Snapshot
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
    results: list[Result] = []
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


def examine(context: Context) -> Iterator[Result]:
    """All checks in turn; without good settings the others have nothing to look at."""
    try:
        file = context.file
        Site.build(file, load_filters(), Snapshot())
    except TamisError as problem:
        yield error("settings", str(problem), "mend the file named; `tamis policy check` looks at it again")
        return
    yield ok("settings", file.source)
    settings = file.settings
    store, notices = _store(context, file), _notices(file)
    looks = (_directories, store, _clock, _listeners, _dns, _postfix, _route, _content, _left_out, notices)
    for checks in looks:
        yield from checks(settings)


def _notices(file: SettingsFile) -> Callable[[Settings], Iterator[Result]]:
    def check(settings: Settings) -> Iterator[Result]:
        from tamis.cli.doctor_notices import notice_checks  # noqa: PLC0415 - needs the resolver only here

        yield from notice_checks(settings, file.layers)

    return check


def _content(settings: Settings) -> Iterator[Result]:
    for look in content_services(settings):
        yield warning(look.check, look.found, look.mend) if look.mend else ok(look.check, look.found)


def _left_out(settings: Settings) -> Iterator[Result]:
    """What the running daemon leaves out because it kept failing (docs/operations.md)."""
    told = read_parts(Paths(settings))
    parts: dict[str, list[PartState]] = {}
    for states in told.values():
        for one in states:
            if one.left_out_until:
                parts.setdefault(one.part, []).append(one)
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


def _directories(settings: Settings) -> Iterator[Result]:
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
    key = settings.key_file
    if key.exists():
        if key.stat().st_mode & 0o077:
            yield error("signing key", f"{key} can be read by others", f"chmod 600 {key}")
        else:
            yield ok("signing key", str(key))


def _store(context: Context, file: SettingsFile) -> Callable[[Settings], Iterator[Result]]:
    def check(settings: Settings) -> Iterator[Result]:
        kind = settings.store_url.partition(":")[0]
        try:
            with context.store() as store:
                snapshot = store.snapshot()
            site = Site.build(file, load_filters(), snapshot)
        except ConfigError as problem:
            yield error("store", str(problem), "tamis policy unset takes an override back")
        except TamisError as problem:
            yield error("store", str(problem), "start the database, or mend store.url")
        else:
            yield ok("store", f"{kind}, revision {site.revision}, {site.lists.count} list entries")

    return check


def _clock(_: Settings) -> Iterator[Result]:
    """A clock that stands before this release was made makes expiry dates and DKIM times worthless."""
    if time.time() < _RELEASED:
        yield error("clock", time.ctime(), "set the clock (NTP)")
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


_RELEASED = 1_790_000_000  # 2026-09-21, Unix seconds


def _listeners(settings: Settings) -> Iterator[Result]:
    wanted = {"milter": settings.milter.socket, "desk": settings.desk.socket}
    for name, text in wanted.items():
        address = SocketAddress.parse(text)
        if answers(address):
            yield ok(f"{name} socket", f"{text} answers")
        else:
            yield error(f"{name} socket", f"nothing answers at {text}", "start the daemon: tamis serve")
        if address.path and Path(address.path).exists():
            mode = Path(address.path).stat().st_mode & 0o777
            if not mode & 0o060 and os.geteuid() != 0:
                yield warning(
                    f"{name} socket", f"mode {mode:o}", "Postfix's user must be able to write to it"
                )


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


def _dns(settings: Settings) -> Iterator[Result]:
    from tamis.cli.doctor_dns import dns_checks  # noqa: PLC0415 - needs the resolver only here

    yield from dns_checks(settings)


_CONNECT_MACROS = ("{client_addr}", "{client_name}", "{client_ptr}", "{client_port}", "{daemon_port}")


def _postfix(settings: Settings) -> Iterator[Result]:
    folder = settings.postfix.config_directory
    try:
        values = postconf(folder)
    except (OSError, subprocess.SubprocessError) as problem:
        yield warning(
            "Postfix",
            f"postconf -c {folder} failed: {problem}",
            "set postfix.config_directory, or run as root",
        )
        return
    milters = values.get("smtpd_milters", "")
    forms = postfix_forms(SocketAddress.parse(settings.milter.socket), values.get("queue_directory", ""))
    if forms & set(milters.replace(",", " ").split()):
        yield ok("smtpd_milters", milters)
    else:
        yield error("smtpd_milters", milters or "empty", f"postconf -e 'smtpd_milters = {max(forms)}'")
    action = values.get("milter_default_action", "")
    if action == "tempfail":
        yield ok("milter_default_action", action)
    else:
        yield error(
            "milter_default_action",
            f"{action}: while Tamis is away mail would pass unfiltered, or a crash could undo an outcome",
            "postconf -e milter_default_action=tempfail",
        )
    macros = values.get("milter_connect_macros", "")
    missing = [name for name in _CONNECT_MACROS if name not in macros.replace("$", "")]
    if missing:
        mend = f"postconf -e 'milter_connect_macros = {macros} {' '.join(missing)}'"
        yield error("milter_connect_macros", f"lacks {' '.join(missing)}", mend)
    else:
        yield ok("milter_connect_macros", "complete")
    timeout = seconds(values.get("milter_content_timeout", "300s"))
    if timeout <= settings.milter.message_deadline:
        yield error(
            "milter_content_timeout",
            f"{timeout:g} s, not above milter.message_deadline ({settings.milter.message_deadline:g} s)",
            "postconf -e milter_content_timeout=300s",
        )
    else:
        yield ok("milter_content_timeout", f"{timeout:g} s")
    yield from _transport(values, settings)


def postfix_forms(address: SocketAddress, queue_directory: str) -> frozenset[str]:
    """How Postfix may name a socket: below its queue directory also relative, or as seen from its chroot."""
    if not address.path:
        hosts = {address.bracketed} | ({"localhost"} if address.host in ("127.0.0.1", "::1") else set())
        return frozenset(f"inet:{host}:{address.port}" for host in hosts)
    forms = {f"unix:{address.path}"}
    if queue_directory and address.path.startswith(f"{queue_directory}/"):
        relative = address.path.removeprefix(f"{queue_directory}/")
        forms |= {f"unix:{relative}", f"unix:/{relative}"}
    return frozenset(forms)


def _transport(values: dict[str, str], settings: Settings) -> Iterator[Result]:
    folder = settings.postfix.config_directory
    query = f"doctor@example.com.{'a' * 20}.{'b' * 20}.quarantine.tamis.invalid".partition("@")[2]
    found = ""
    # transport(5) looks a domain up, then its parent domains with a leading dot
    parents = [query] + ["." + query.split(".", n)[-1] for n in range(1, query.count(".") + 1)]
    for name in parents:
        found = found or postmap(folder, values.get("transport_maps", ""), name)
    if found:
        yield ok("transport of .tamis.invalid", found)
    else:
        desk = SocketAddress.parse(settings.desk.socket)
        place = f"unix:{desk.path}" if desk.path else f"[{desk.host}]:{desk.port}"
        yield error(
            "transport of .tamis.invalid",
            "no entry in transport_maps: copies for tag, Junk and quarantine get 451",
            f"main.cf: transport_maps = inline:{{ {{.tamis.invalid = tamis:{place}}} }} and the tamis lines of "
            "deploy/postfix/master.cf, then postfix reload",
        )
    if "tamis" in values.get("default_delivery_status_filter", ""):
        yield ok("default_delivery_status_filter", "keeps queued copies should the transport get lost")
    else:
        yield warning(
            "default_delivery_status_filter",
            "not set: copies that are queued when the transport line gets lost would bounce",
            "take the line from deploy/postfix/main.cf",
        )


def _route(settings: Settings) -> Iterator[Result]:
    """Send a probe along the whole way, as the daemon does before it rewrites a recipient."""
    from tamis.desk.detour import DetourSigner  # noqa: PLC0415 - needs the daemon's parts only here
    from tamis.desk.reinjection import Reinjector  # noqa: PLC0415
    from tamis.desk.route import Proof, Route  # noqa: PLC0415
    from tamis.installation.signing_key import signing_key  # noqa: PLC0415

    if not settings.key_file.exists():  # the daemon makes it, as its own user
        yield error("route to the desk", "there is no signing key yet", "start the daemon: tamis serve")
        return
    try:
        signer = DetourSigner(signing_key(settings.key_file))
        proof = Proof(Paths(settings).proof)
        Route(settings, signer, Reinjector(settings.desk.reinject, settings.desk.proof_wait), proof).ensure()
    except RouteError as problem:
        yield error(
            "route to the desk", str(problem), "until then, such mail gets 451 and is retried by its sender"
        )
    except TamisError as problem:
        yield error("route to the desk", str(problem), "mend what is named")
    else:
        yield ok("route to the desk", "a probe came back")


def postconf(folder: Path) -> dict[str, str]:
    """Postfix's main.cf settings in force. Raises OSError or SubprocessError when postconf fails."""
    output = subprocess.run(  # noqa: S603 - a fixed program, no shell
        [program("postconf"), "-c", str(folder)], capture_output=True, text=True, timeout=20, check=True
    ).stdout
    pairs = (line.partition(" = ") for line in output.splitlines())
    return {name.rstrip(" ="): value for name, _, value in pairs}


def postmap(folder: Path, maps: str, key: str) -> str:
    """What the first of some lookup tables says of a key, or ""."""
    for table in split_maps(maps):
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [program("postmap"), "-c", str(folder), "-q", key, table],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    return ""


def split_maps(maps: str) -> list[str]:
    """The tables of a list such as transport_maps; blanks and commas inside braces belong to a table."""
    tables, depth, current = [], 0, ""
    for character in maps:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0 and character in ", \t":
            tables.append(current)
            current = ""
        else:
            current += character
    return [table for table in (*tables, current) if table]


def program(name: str) -> str:
    """A Postfix program's path: an ordinary user's PATH often lacks sbin."""
    places = [Path(place) / name for place in ("/usr/sbin", "/usr/local/sbin", "/usr/bin")]
    return str(next((place for place in places if place.exists()), name))


def seconds(text: str) -> float:
    """A time of Postfix's, such as 300s, 5m or 1h, in seconds."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    text = text.strip()
    return float(text[:-1]) * units[text[-1]] if text[-1:] in units else float(text or 0)

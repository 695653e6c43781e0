"""What `tamis doctor` finds in Postfix: every listener of every instance, and the way to the desk."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tamis.base.errors import ServiceError
from tamis.cli.checks import CheckResult, error, ok, warning
from tamis.services.postfix.aliases import AliasLook, alias_maps
from tamis.services.postfix.listeners import Instance, Listener, milters, read_instance
from tamis.services.postfix.lookup_tables import ask, split_maps
from tamis.services.postfix.notation import destination, postfix_forms, preferred_form, seconds
from tamis.settings import Settings, SocketAddress

_MACROS = {
    "milter_connect_macros": (
        "{client_addr}",
        "{client_name}",
        "{client_ptr}",
        "{client_port}",
        "{daemon_port}",
    ),
    "milter_helo_macros": ("{tls_version}",),
    "milter_mail_macros": ("{auth_authen}",),
    "milter_rcpt_macros": ("{rcpt_addr}",),
    "milter_end_of_data_macros": ("i",),
}
"""What the session asks Postfix for; each but the first is in Postfix's own default."""

_STRANGERS = ("192.0.2.1", "198.51.100.77", "203.0.113.200", "2001:db8::1")
"""Clients that stand for all others (RFC 5737, RFC 3849)."""
RECIPIENTS = 100
"""RFC 5321 4.5.3.1.8: what every server takes; who has more recipients sends the message again (4.5.3.1.10)."""


def postfix_checks(settings: Settings) -> Iterator[CheckResult]:
    """Everything about Postfix that postconf(1) and postmap(1) can tell."""
    try:
        main = read_instance(settings.postfix.config_directory)
        instances = [main, *(read_instance(folder) for folder in main.others)]
    except (OSError, subprocess.SubprocessError) as problem:
        yield warning(
            "Postfix",
            f"postconf failed: {problem}",
            "set postfix.config_directory, or run as root",
        )
        return
    for one in instances:
        for listener in one.listeners:
            where = listener.label if one is main else f"{one.directory}: {listener.label}"
            yield from listener_checks(listener, where, settings, one.settings.get("queue_directory", ""))
        if one is main or _has_tamis(one, settings):
            yield from _transport(one, settings, "" if one is main else f"{one.directory}: ")
    yield _aliases(settings)


def _aliases(settings: Settings) -> CheckResult:
    """Whether the maps can be asked that say whose mail an address gets."""
    try:
        maps = alias_maps(settings)
        look = AliasLook(settings.postfix.config_directory, maps, settings.platform.recipient_delimiter)
        look(
            [
                f"postmaster@{domain}"
                for domain in sorted({*maps.own, *settings.platform.domains, "example.com"})
            ]
        )
    except (OSError, subprocess.SubprocessError, ServiceError) as problem:
        return warning(
            "alias maps",
            f"{problem}: mail to an alias goes by its domain's policy, not by its owner's",
            "the daemon's user must be able to ask every map: `postmap -q ADDRESS TYPE:NAME` as that user",
        )
    return ok("alias maps", ", ".join(maps.tables) or "none")


def _has_tamis(instance: Instance, settings: Settings) -> bool:
    address = SocketAddress.parse(settings.milter.socket)
    queue = instance.settings.get("queue_directory", "")
    forms = postfix_forms(address, queue) | postfix_forms(address, queue, chroot=True)
    return any(
        entry.socket in forms for one in instance.listeners for entry in milters(one.value("smtpd_milters"))
    )


def listener_checks(
    listener: Listener, where: str, settings: Settings, queue_directory: str
) -> Iterator[CheckResult]:
    """Whether Tamis sees what comes in at one listener, whole, and whether a failure of Tamis lets nothing pass."""
    address = SocketAddress.parse(settings.milter.socket)
    forms = postfix_forms(address, queue_directory, chroot=listener.chroot)
    if listener.name == settings.desk.reinject:
        yield from _reinjection(listener, where, forms)
        return
    entry = next((one for one in milters(listener.value("smtpd_milters")) if one.socket in forms), None)
    hidden = postfix_forms(address, queue_directory) - forms
    if entry is None and any(one.socket in hidden for one in milters(listener.value("smtpd_milters"))):
        yield error(
            where,
            f"smtpd runs in a chroot here and does not see {address}: all mail is deferred",
            f"smtpd_milters = {preferred_form(address, queue_directory)}"
            if forms
            else f'under [milter] socket = "unix:{queue_directory}/tamis/milter", smtpd_milters = unix:tamis/milter',
        )
        return
    if entry is None or "no_milters" in listener.value("receive_override_options"):
        yield _unseen(listener, where, preferred_form(address, queue_directory))
        return
    proxy = listener.value("smtpd_proxy_filter")
    if proxy:
        yield error(
            where,
            f"smtpd_proxy_filter = {proxy}: Postfix shows a milter no content then, so nothing is examined",
            "use content_filter, or put the milter on the listener behind the proxy",
        )
        return
    problems = [*_settings(listener, entry.settings, settings)]
    for found, mend in problems:
        yield error(where, found, mend)
    excepted = listener.value("smtpd_milter_maps")
    if excepted:
        yield _excepted(settings.postfix.config_directory, excepted, where)
    elif not problems:
        yield ok(where, "all mail goes through Tamis")
    if _tells_strangers(listener):
        yield warning(
            where,
            "offers DSN (RFC 3461): a spammer's NOTIFY=SUCCESS is answered with the scores on the delivered copy",
            "smtpd_discard_ehlo_keywords = silent-discard, dsn (and empty on the listeners for submission)",
        )
    if _takes_many(listener):
        yield warning(
            where,
            f"a stranger's message may name {listener.value('smtpd_recipient_limit')} recipients; each "
            "that is redirected costs",
            f"smtpd_recipient_limit = {RECIPIENTS} (and more on the listeners for submission)",
        )


def _reinjection(listener: Listener, where: str, forms: frozenset[str]) -> Iterator[CheckResult]:
    if any(one.socket in forms for one in milters(listener.value("smtpd_milters"))):
        yield error(
            where,
            "the way back from the desk runs the milter again",
            "take its lines from deploy/postfix/master.cf",
        )
    else:
        yield ok(where, "takes copies back from the desk, without the milter")


def _excepted(directory: Path, maps: str, where: str) -> CheckResult:
    """Whether clients have other milters than smtpd_milters, or none (smtpd_milter_maps, Postfix 3.2)."""
    mend = "take the clients out of smtpd_milter_maps that are not your own"
    try:
        told = first_found(directory, maps, _STRANGERS)
    except ServiceError as problem:
        return error(where, str(problem), "Postfix defers all mail meanwhile: mend it")
    if told:
        return error(where, f"smtpd_milter_maps = {maps}: strangers get {told} instead of Tamis", mend)
    return warning(
        where, f"smtpd_milter_maps = {maps}: mail of the clients in it does not go through Tamis", mend
    )


def _unseen(listener: Listener, where: str, form: str) -> CheckResult:
    found = "mail that comes in here does not go through Tamis"
    mend = f"smtpd_milters = {form} in main.cf, and no other value for it in master.cf"
    if listener.is_submission:
        return warning(where, f"{found}: users' own mail is neither limited nor learned from", mend)
    if listener.is_local:
        return warning(where, f"{found}; right where it is the way back of a content_filter", mend)
    return error(where, found, mend)


def _settings(listener: Listener, own: Mapping[str, str], settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with a listener's settings for its milters, and the mend. `own` are those of Tamis's entry."""
    action = own.get("default_action", listener.value("milter_default_action"))
    if action.partition(" ")[0] != "tempfail":
        yield (
            f"milter_default_action = {action}: while Tamis is away mail would pass unfiltered, or a crash could undo "
            "an outcome",
            "milter_default_action = tempfail",
        )
    timeout = seconds(own.get("content_timeout", listener.value("milter_content_timeout")) or "300s")
    if timeout <= settings.milter.message_deadline:
        yield (
            f"milter_content_timeout = {timeout:g} s, not above milter.message_deadline "
            f"({settings.milter.message_deadline:g} s)",
            "milter_content_timeout = 300s",
        )
    for name, wanted in _MACROS.items():
        given = listener.value(name)
        words = given.replace("$", " ").replace(",", " ").split()
        missing = [one for one in wanted if one not in words]
        if missing:
            yield f"{name} lacks {' '.join(missing)}", f"{name} = {given} {' '.join(missing)}"


def _tells_strangers(listener: Listener) -> bool:
    """Whether anybody outside can ask for a success notice (RFC 3461 4.1)."""
    if listener.is_submission or listener.is_local:
        return False
    if listener.value("smtpd_discard_ehlo_keyword_address_maps"):
        return False
    return "dsn" not in listener.value("smtpd_discard_ehlo_keywords").lower().replace(",", " ").split()


def _takes_many(listener: Listener) -> bool:
    """Whether a stranger's message may name more recipients than a server has to take (RFC 5321 4.5.3.1.8)."""
    if listener.is_submission or listener.is_local:
        return False
    limit = listener.value("smtpd_recipient_limit")
    return limit.isdigit() and int(limit) > RECIPIENTS


def _transport(instance: Instance, settings: Settings, where: str) -> Iterator[CheckResult]:
    values = instance.settings
    query = f"doctor@example.com.{'a' * 20}.{'b' * 20}.quarantine.tamis.invalid".partition("@")[2]
    # transport(5) looks a domain up, then its parent domains with a leading dot
    parents = [query] + ["." + query.split(".", n)[-1] for n in range(1, query.count(".") + 1)]
    try:
        found = first_found(instance.directory, values.get("transport_maps", ""), parents)
    except ServiceError as problem:
        yield error(
            f"{where}transport of .tamis.invalid", str(problem), "Postfix defers all mail meanwhile: mend it"
        )
        return
    if found:
        yield ok(f"{where}transport of .tamis.invalid", found)
    else:
        place = destination(SocketAddress.parse(settings.desk.socket), values.get("queue_directory", ""))
        yield error(
            f"{where}transport of .tamis.invalid",
            "no entry in transport_maps: copies for tag, Junk and quarantine get 451",
            f"main.cf: transport_maps = inline:{{ {{.tamis.invalid = tamis:{place}}} }} and the tamis lines of "
            "deploy/postfix/master.cf, then postfix reload",
        )
    if "tamis" in values.get("default_delivery_status_filter", ""):
        yield ok(
            f"{where}default_delivery_status_filter", "keeps queued copies should the transport get lost"
        )
    else:
        yield warning(
            f"{where}default_delivery_status_filter",
            "not set: copies that are queued when the transport line gets lost would bounce",
            "take the line from deploy/postfix/main.cf",
        )


def first_found(folder: Path, maps: str, keys: Sequence[str]) -> str:
    """What the first of some lookup tables says of the first of some keys that it has, or "". Raises ServiceError."""
    for table in split_maps(maps):
        told = ask(folder, table, keys)
        for key in keys:
            if told.get(key):
                return told[key]
    return ""

"""The lines of deploy/postfix, put into a Postfix that has settings of its own. Pure but for the two that read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tamis.services.postfix.listeners import Listener, milters
from tamis.services.postfix.notation import destination, postfix_forms, preferred_form, seconds
from tamis.settings import Settings, SocketAddress

DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "postfix"
_SUBMISSION = {"smtpd_discard_ehlo_keywords": "", "smtpd_recipient_limit": "1000"}
"""What strangers are denied and users who submit mail are not."""
REDIRECTED = ".tamis.invalid"
"""What the addresses of copies for the desk end in (tamis/desk/redirection.py makes them)."""
NAMES = (
    *("smtpd_milters", "milter_default_action", "milter_content_timeout", "milter_connect_macros"),
    *(
        "transport_maps",
        "default_delivery_status_filter",
        "smtpd_discard_ehlo_keywords",
        "smtpd_recipient_limit",
    ),
)
"""The settings of main.cf that are changed."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What to change: settings of main.cf, services of master.cf (by NAME/TYPE, as postconf -M names them), single
    settings there (by NAME/TYPE/SETTING); and what is left as it is, for the administrator to look at."""

    main: Mapping[str, str]
    services: Mapping[str, str]
    overrides: Mapping[str, str]
    left: tuple[str, ...] = ()


def deployed_settings(text: str) -> dict[str, str]:
    """The settings of a main.cf, by their names."""
    return dict(re.findall(r"(?m)^(\w+) = (.*)$", text))


def deployed_services(text: str) -> dict[str, str]:
    """The services of a master.cf, each in one line."""
    bare = re.sub(r"(?m)^#.*\n", "", text)
    found = (" ".join(entry.split()) for entry in re.findall(r"(?m)^\S.*\n(?:[ \t]+.*\n)*", bare))
    return {"/".join(entry.split()[:2]): entry for entry in found}


def wanted(
    settings: Settings, now: Mapping[str, str], own: Mapping[str, str], listeners: tuple[Listener, ...]
) -> Lines:
    """What to change in a Postfix whose main.cf says `now`, and whose services are `own` (each in one line)."""
    queue = now.get("queue_directory", "")
    milter, desk = (SocketAddress.parse(one.socket) for one in (settings.milter, settings.desk))
    forms = postfix_forms(milter, queue) | postfix_forms(milter, queue, chroot=True)
    deployed = deployed_settings((DEPLOYED / "main.cf").read_text(encoding="utf-8"))
    deployed["smtpd_milters"] = preferred_form(milter, queue)
    deployed["transport_maps"] = deployed["transport_maps"].replace(
        "tamis:unix:tamis/desk", f"tamis:{destination(desk, queue)}"
    )
    merge: Mapping[str, Callable[[str, str], str]] = {
        "smtpd_milters": lambda new, old: _milters(new, old, forms),
        "milter_content_timeout": lambda new, old: old if seconds(old or "300s") >= seconds(new) else new,
        "milter_connect_macros": _union,
        "transport_maps": lambda new, old: old if REDIRECTED in old else _joined(new, old),
        "default_delivery_status_filter": lambda new, old: old or new,
        "smtpd_discard_ehlo_keywords": lambda new, old: _union(new, old, separator=", ") if old else new,
        "smtpd_recipient_limit": lambda new, old: old if old.isdecimal() and int(old) <= int(new) else new,
    }
    merged = {
        name: merge[name](deployed[name], now.get(name, "")) if name in merge else deployed[name]
        for name in NAMES
    }
    services = deployed_services((DEPLOYED / "master.cf").read_text(encoding="utf-8"))
    renamed = {
        name.replace("127.0.0.1:8897", settings.desk.reinject): entry.replace(
            "127.0.0.1:8897", settings.desk.reinject
        )
        for name, entry in services.items()
    }
    return Lines(
        {name: value for name, value in merged.items() if value != now.get(name, "")},
        {name: entry for name, entry in renamed.items() if own.get(name) != entry},
        {
            f"{one.label}/{name}": value
            for one in listeners
            if one.is_submission
            for name, value in _SUBMISSION.items()
            if one.value(name) == now.get(name, "") and merged[name] != now.get(name, "")
        },
        _left(now),
    )


def _left(now: Mapping[str, str]) -> tuple[str, ...]:
    own = now.get("default_delivery_status_filter", "")
    if own and "tamis" not in own:
        return (
            f"default_delivery_status_filter = {own} stays: should the way to the desk be lost, queued copies bounce",
        )
    return ()


def _milters(new: str, old: str, forms: frozenset[str]) -> str:
    """Tamis first: one that changes a message before it would break the signatures that it verifies."""
    return old if any(one.socket in forms for one in milters(old)) else _joined(new, old)


def _joined(first: str, rest: str) -> str:
    return f"{first}, {rest}" if rest else first


def _union(new: str, old: str, separator: str = " ") -> str:
    has = old.replace(",", " ").split()
    return separator.join([*has, *(one for one in new.replace(",", " ").split() if one not in has)])


def without_transport(deployed: str, now: str) -> str:
    """transport_maps as it stands now, without the table that was put in front of others."""
    table = deployed.partition("} }")[0] + "} }"
    return now.replace(f"{table}, ", "").replace(table, "").strip()


def without_tamis(settings: Settings, now: Mapping[str, str]) -> str:
    """smtpd_milters as it stands, without Tamis's own entry."""
    queue = now.get("queue_directory", "")
    milter = SocketAddress.parse(settings.milter.socket)
    forms = postfix_forms(milter, queue) | postfix_forms(milter, queue, chroot=True)
    value = now.get("smtpd_milters", "")
    entries = re.findall(r"\{[^{}]*\}|[^\s,{}]+", value)
    kept = [one for one, read in zip(entries, milters(value), strict=True) if read.socket not in forms]
    return value if len(kept) == len(entries) else ", ".join(kept)

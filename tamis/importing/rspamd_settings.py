"""rspamd's modules that are settings here: thresholds, settings by user, DNS lists, greylisting, networks, signing."""

from __future__ import annotations

import ipaddress
import re
from types import MappingProxyType
from typing import Any

from tamis.base.toml_text import toml_value
from tamis.contract.lists import Colour, Subject
from tamis.importing.gathering import Fate
from tamis.importing.rspamd_tree import RspamdTree
from tamis.importing.rspamd_words import SCALE
from tamis.importing.ucl import Node, NodeKind
from tamis.settings.dns_lists import DNSBL, RHSBL, URIBL, DNSList

OWN_NETWORKS = ("127.0.0.0/8", "::1/128")
"""The default of platform.networks."""
_TIMES = {
    "": 1,
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
}
_NAME_SERVER = re.compile(r"^(?:[\w-]+:)?\[?([0-9.]+|[0-9A-Fa-f:]+?)\]?(?::\d+)*$")
OFF = frozenset(("false", "no", "off", "0"))


def set_told(tree: RspamdTree, node: Node, key: str, value: Any, *, scope: str = "", told: str = "") -> None:
    """Take a setting and account for its node."""
    problem = tree.into.set(key, value, scope=scope)
    if problem:
        tree.account(node, Fate.NONE, f"{key} can't be {toml_value(value)}: {problem}")
    else:
        whose = f" for {scope}" if scope else ""
        tree.account(node, Fate.OVER, f"{key} = {toml_value(value)}{whose}{'; ' + told if told else ''}")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e6 else None


def _seconds(text: str) -> float | None:
    """A span like `5min`."""
    found = re.fullmatch(r"([\d.]{1,12})\s*([a-z]*)", text.strip().lower())
    if found is None:
        return None
    unit = _TIMES.get(found[2].rstrip("s") if len(found[2]) > 1 else found[2])
    number = _number(found[1])
    return None if unit is None or number is None else number * unit


def actions(tree: RspamdTree, section: Node) -> None:
    """Thresholds."""
    section = unwrapped(section, "actions")
    for node in section.children:
        _threshold(tree, node)


def unwrapped(section: Node, name: str) -> Node:
    """A section whose keys stand in one more of its own name."""
    inner = [one for one in section.children if one.key == name and one.kind is NodeKind.OBJECT]
    return inner[0] if len(inner) == len(section.children) == 1 else section


def _threshold(tree: RspamdTree, node: Node, scope: str = "") -> None:
    name = node.key.lower().replace(" ", "_")
    number = _number(node.text)
    if name in ("add_header", "quarantine") and number is not None:
        told = f"{number:g} of a scale whose default is 6; Tamis's is 7.5, and so the points of rules"
        set_told(tree, node, "policy.required", round(number * SCALE, 2), scope=scope, told=told)
    elif name == "rewrite_subject":
        told = 'policy.outcome = "tag" puts policy.tag before the subject; its limit is policy.required'
        tree.account(node, Fate.ELSEWHERE, told)
    elif name == "subject":
        tag = node.text.replace("%s", "").replace("%d", "").rstrip() + " "
        set_told(tree, node, "policy.tag", tag, scope=scope, told='used where policy.outcome is "tag"')
    elif name == "reject":
        tree.account(
            node,
            Fate.ELSEWHERE,
            "nothing is refused: spam is held, filed or tagged (policy.outcome)",
        )
    elif name == "greylist":
        tree.account(
            node, Fate.ELSEWHERE, "filter greylisting, which goes before the content and knows no score"
        )
    elif name in ("grow_factor", "unknown_weight"):
        tree.account(node, Fate.NONE, "points are added as they are")
    else:
        tree.account(node, Fate.NONE, "an action that is none here")


def options(tree: RspamdTree, section: Node) -> None:
    """Networks and resolvers; the rest is how rspamd runs."""
    for node in unwrapped(section, "options").children:
        leaves = node.children if node.kind is NodeKind.ARRAY else [node]
        if node.key == "local_addrs":
            _networks(tree, node, leaves)
        elif node.key == "dns" and node.kind is NodeKind.OBJECT:
            for one in node.values("nameserver"):
                found = _NAME_SERVER.match(one.text)
                before = tree.into.settings.get("dns.servers", [])
                if found:
                    set_told(tree, one, "dns.servers", [*before, found[1]])
            tree.account(node, Fate.ELSEWHERE, "[dns]")
        else:
            tree.account(
                node, Fate.ELSEWHERE, "how the program runs: [milter], [dns], bounds (docs/bounds.md)"
            )


def _networks(tree: RspamdTree, node: Node, leaves: list[Node]) -> None:
    for one in leaves:
        try:
            network = ipaddress.ip_network(one.text, strict=False)
        except ValueError:
            tree.account(one, Fate.NONE, "no network, or a map elsewhere")
            continue
        if network.prefixlen == 0:
            tree.account(one, Fate.NONE, "it would trust everybody")
        elif problem := tree.into.extend("platform.networks", OWN_NETWORKS, str(network)):
            tree.account(one, Fate.NONE, problem)
        else:
            tree.account(one, Fate.OVER, f"platform.networks: {network}")
    tree.account(node, Fate.OVER, "platform.networks")


def settings(tree: RspamdTree, section: Node) -> None:
    """Settings by recipient, sender or client."""
    for node in unwrapped(section, "settings").children:
        if node.kind is not NodeKind.OBJECT:
            tree.account(node, Fate.NONE, "settings from elsewhere: name the file here")
            continue
        _setting(tree, node)
        came = any(map(tree.is_known, node.children))
        told = "policy of a domain or mailbox, and lists"
        tree.account(
            node, Fate.OVER if came else Fate.ELSEWHERE, told if came else f"{told}: `tamis policy set`"
        )


def _setting(tree: RspamdTree, node: Node) -> None:
    scopes = [scope_of_recipient(one.text) for one in node.values("rcpt")]
    wanted = any(node.get(key).lower() in ("yes", "true", "1") for key in ("want_spam", "whitelist"))
    others = [one for one in node.children if one.key in _OTHER_CONDITIONS]
    for one in others:
        tree.account(one, Fate.NONE, "policy goes by the recipient; for senders and clients there are lists")
    if node.all("authenticated"):
        tree.account(node, Fate.ELSEWHERE, "always so: mail of authenticated users is not examined (O8)")
        return
    if wanted and not others:
        for key, subject in (("from", Subject.SENDER), ("ip", Subject.IP)):
            for one in node.values(key):
                pattern = one.text.lstrip("@")
                problem = "policy is for recipients, lists are for senders: this names both" if scopes else ""
                problem = problem or tree.into.enter(Colour.WHITE, subject, pattern, note=node.key)
                tree.account(one, Fate.NONE if problem else Fate.OVER, problem or f"white {subject} entry")
        for leaf, scope in zip(node.values("rcpt"), scopes, strict=True):
            if scope and not node.all("from") and not node.all("ip"):
                set_told(tree, leaf, "policy.enabled", False, scope=scope)
            else:
                tree.account(leaf, Fate.NONE, "no mailbox or domain that policy can be for")
        return
    if others or node.all("from") or node.all("ip") or not scopes or not all(scopes):
        tree.account(node, Fate.NONE, "policy goes by recipients alone, each a mailbox or a domain")
        return
    for apply in node.all("apply") + node.all("apply_settings"):
        for one in apply.children:
            _applied(tree, one, [scope for scope in scopes if scope])
        tree.account(apply, Fate.OVER, "policy")


def _applied(tree: RspamdTree, node: Node, scopes: list[str]) -> None:
    if node.key == "actions" and node.kind is NodeKind.OBJECT:
        for one in node.children:
            for scope in scopes[1:]:
                number = _number(one.text)
                if one.key.lower().replace(" ", "_") == "add_header" and number is not None:
                    tree.into.set("policy.required", round(number * SCALE, 2), scope=scope)
            _threshold(tree, one, scopes[0])
        tree.account(node, Fate.OVER, "limits")
    elif node.key == "groups_disabled":
        for leaf in node.children if node.kind is NodeKind.ARRAY else [node]:
            filters = _GROUPS.get(leaf.text.lower(), ())
            for scope in scopes:
                for name in filters:
                    tree.into.set(f"policy.filters.{name}.state", "off", scope=scope)
            fate = Fate.OVER if filters else Fate.NONE
            tree.account(
                leaf, fate, ", ".join(f"filters.{name}.state = off" for name in filters) or "no such filters"
            )
        tree.account(node, Fate.OVER, "filters that are off")
    else:
        tree.account(
            node,
            Fate.ELSEWHERE,
            "state and score of filters, `points` of rules, by domain or mailbox",
        )


_OTHER_CONDITIONS = frozenset(("rcpt_mime", "request_header", "header", "selector", "user", "hostname"))
_GROUPS = MappingProxyType(
    {
        "rbl": ("dnsbl",),
        "surbl": ("uribl",),
        "spf": ("spf",),
        "dkim": ("dkim",),
        "dmarc": ("dmarc",),
        "arc": ("arc",),
        "hfilter": ("helo", "reverse_dns"),
        "phishing": ("link_text",),
        "mime_types": ("attachment_types",),
        "statistics": ("statistics",),
        "fuzzy": ("message_checksum",),
        "antivirus": ("antivirus",),
        "headers": ("malformed",),
    }
)


def scope_of_recipient(text: str) -> str:
    """A recipient of a setting as a scope: an address or a domain, "" for a pattern or a bare local part."""
    text = text.strip().lower()
    text = text.removeprefix("@")
    return text if re.fullmatch(r"(?:[^\s@/*?]+@)?[\w-]+(?:\.[\w-]+)+", text) else ""


def lists(tree: RspamdTree, section: Node) -> None:
    """`rbls { name { rbl = zone; checks = […]; returncodes {…} } }`, and surbl's `rules { name { suffix = zone } }`."""
    for part in unwrapped(section, "rbl").children:
        if part.key not in ("rbls", "rules") or part.kind is not NodeKind.OBJECT:
            tree.account(
                part, Fate.ELSEWHERE, "[policy.filters.dnsbl], [policy.filters.uribl] (docs/dns-lists.md)"
            )
            continue
        for node in part.children:
            tree.account(node, *_list(tree, node))
        tree.account(part, Fate.OVER, "DNS lists")


def _list(tree: RspamdTree, node: Node) -> tuple[Fate, str]:
    zone = (node.get("rbl") or node.get("suffix")).strip(".").lower()
    if node.get("enabled", "true").lower() in OFF or node.get("disabled", "false").lower() not in OFF:
        return Fate.SILENT, "not enabled; platform.dnsbl and uribl are what is asked here"
    if not zone:
        return (
            Fate.ELSEWHERE,
            "a list that rspamd knows: platform.dnsbl and platform.uribl have those of Tamis",
        )
    if node.get("is_whitelist", "false").lower() not in OFF:
        return Fate.NONE, "lists of welcome clients are not asked"
    if node.all("hash"):
        return Fate.NONE, "lists of hashes are not asked"
    checks = {one.text.lower() for one in node.values("checks")}
    checks |= {one.key for one in node.children if one.text == "true"}
    defaults: tuple[str, ...]
    if node.get("suffix") or checks & {"urls", "dkim", "content_urls"}:
        key, defaults = "platform.uribl", URIBL
    elif checks & {"emails", "replyto", "helo", "rdns"} and not checks & {"from", "received"}:
        key, defaults = "platform.rhsbl", RHSBL
    else:
        key, defaults = "platform.dnsbl", DNSBL
    if any(DNSList.parse(one).zone == zone for one in defaults):
        return Fate.OVER, f"{zone} is one of the lists that Tamis asks by default ({key})"
    codes = _codes(node)
    text = zone + (f"={','.join(codes)}" if codes else "")
    problem = tree.into.extend(key, defaults, text)
    if problem:
        return Fate.NONE, f"{key} can't have {text}: {problem}"
    return (
        Fate.OVER,
        f"{text} in {key}: a hit is what half of the lists say, not points for each (share, least)",
    )


def _codes(node: Node) -> list[str]:
    found: list[str] = []
    for part in node.all("returncodes"):
        for one in part.children:
            for leaf in one.children if one.kind is NodeKind.ARRAY else [one]:
                found += [leaf.text] if re.fullmatch(r"127(?:\.\d{1,3}){3}", leaf.text) else []
    for part in node.all("returnbits") + node.all("bits"):
        found += [f"&{one.text}" for one in part.children if one.text.isdecimal() and 0 < int(one.text) < 256]
    return list(dict.fromkeys(found))


def greylist(tree: RspamdTree, section: Node) -> None:
    """On or off, and how long."""
    section = unwrapped(section, "greylist")
    off = section.get("enabled", "true").lower() in OFF
    for node in section.children:
        seconds = _seconds(node.text)
        if node.key == "timeout" and seconds is not None and not off:
            set_told(tree, node, "policy.filters.greylisting.delay", int(seconds))
        elif node.key == "enabled":
            set_told(tree, node, "policy.filters.greylisting.state", "off" if off else "on")
        else:
            tree.account(
                node, Fate.ELSEWHERE, "filter greylisting (S3); who is on a white list is not greylisted"
            )

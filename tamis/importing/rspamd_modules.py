"""What rspamd's modules beside rules become: a table by module, and the hints for a signer, scanners, Redis."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tamis.importing.gathering import Fate
from tamis.importing.rspamd_settings import (
    OFF,
    actions,
    greylist,
    lists,
    options,
    set_told,
    settings,
    unwrapped,
)
from tamis.importing.rspamd_tree import RspamdTree
from tamis.importing.ucl import Node, NodeKind


def milter_headers(tree: RspamdTree, section: Node) -> None:
    """Headers are fixed here."""
    known = {
        "x-spamd-bar": "<prefix>Status",
        "x-spam-level": "<prefix>Status",
        "x-spam-status": "<prefix>Status",
        "x-spamd-result": "<prefix>Status",
        "spam-header": "<prefix>Flag",
        "authentication-results": "Authentication-Results",
        "fuzzy-hashes": "",
        "x-virus": "<prefix>Status",
        "x-rspamd-queue-id": "",
        "x-rspamd-server": "",
        "remove-headers": "fields of our names are removed first",
    }
    for node in unwrapped(section, "milter_headers").children:
        for leaf in node.values("") if node.key != "use" else (node.children or [node]):
            near = known.get(leaf.text.lower(), "")
            told = f"{near}: always written" if near else "no such header; `tamis history show` tells more"
            tree.account(leaf, Fate.ELSEWHERE if near else Fate.NONE, told)
        tree.account(node, Fate.ELSEWHERE, "headers are always written; headers.prefix changes their names")


def signing(tree: RspamdTree, section: Node) -> None:
    """Tamis signs nothing: what the signer beside it needs is told as a hint."""
    section = unwrapped(section, section.key)
    selector, path = section.get("selector", "dkim"), section.get("path")
    keys = [("$domain", selector, path)] if path else []
    for domains in section.all("domain"):
        for domain in domains.children:
            inner = [one for part in domain.all("selectors") for one in part.children] or [domain]
            keys += [(domain.key, one.get("selector", selector), one.get("path", path)) for one in inner]
    for signed, name, file in keys:
        hint = (
            f"OpenDKIM: KeyTable {name}._domainkey.{signed} {signed}:{name}:{file}; SigningTable *@{signed}"
        )
        tree.into.hints.append(hint)
    for node in section.children:
        told = "Tamis signs nothing: OpenDKIM beside it, with the same keys (docs/guides/signing.md)"
        tree.account(node, Fate.ELSEWHERE, told)


def antivirus(tree: RspamdTree, section: Node) -> None:
    """Scanners over clamd's protocol."""
    for node in unwrapped(section, "antivirus").children:
        socket = node.get("servers") if node.kind is NodeKind.OBJECT else ""
        kind = node.get("type", node.key).lower()
        if kind != "clamav" or not socket:
            tree.account(
                node, Fate.NONE, "scanners over clamd's protocol alone are asked ([antivirus] engines)"
            )
            continue
        where = f"unix:{socket}" if socket.startswith("/") else f"inet:{socket.split(',')[0]}"
        before = list(tree.into.settings.get("antivirus.engines", []))
        name = re.sub(r"[^a-z0-9_-]", "", node.key.lower()) or "clamav"
        set_told(tree, node, "antivirus.engines", [*before, {"name": name, "socket": where}])


def redis(tree: RspamdTree, section: Node) -> None:
    """A Redis that hosts share."""
    section = unwrapped(section, "redis")
    for node in section.children:
        server = (node.children[0].text if node.children else node.text).split(",")[0].strip()
        if node.key in ("servers", "write_servers") and server and "state.url" not in tree.into.settings:
            url = f"unix://{server}" if server.startswith("/") else f"redis://{server}/1"
            set_told(tree, node, "state.url", url, told="a database of its own beside rspamd's")
        else:
            tree.account(node, Fate.ELSEWHERE, "state.url; a password stands in it")


def switched(name: str) -> Callable[[RspamdTree, Node], None]:
    """A module that is a filter here: `enabled` is its state."""

    def handler(tree: RspamdTree, section: Node) -> None:
        for node in section.children:
            if node.key == "enabled":
                set_told(
                    tree, node, f"policy.filters.{name}.state", "off" if node.text.lower() in OFF else "on"
                )

    return handler


SETTINGS: Mapping[str, Callable[[RspamdTree, Node], None]] = MappingProxyType(
    {
        "actions": actions,
        "options": options,
        "settings": settings,
        "rbl": lists,
        "surbl": lists,
        "greylist": greylist,
        "milter_headers": milter_headers,
        "dkim_signing": signing,
        "sign_dkim": signing,
        "antivirus": antivirus,
        "redis": redis,
        "mx_check": switched("sender_mx"),
        "spf": switched("spf"),
        "dkim": switched("dkim"),
        "dmarc": switched("dmarc"),
        "phishing": switched("link_text"),
    }
)
"""By module: what takes its keys; what is left of them is told by the table of modules."""

"""The console's pages over HTTP, on a store that is filled: every page that one gets by its address, as the owner of
the platform and as the administrator of a domain see it.
store -> Pages (the web process, served in this one) -> GET, `rounds` times -> milliseconds of each answer
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.console_store import BUSY, DOMAIN, DOMAINS, QUIET
from tests.web.pages import Pages, Visitor

ROOT, ADMIN = "root@domain0.example", f"admin@{DOMAIN}"
_SLOWEST = 150.0
"""Milliseconds of a page for which no other bound is said."""
_FASTER = {"/messages/77": 100.0, "/held": 100.0}

_OF_ALL = (
    *("", "/messages", "/held", "/replay", "/suggest", "/policy", "/policy/dnsbl", "/policy/versions"),
    *("/policy/review?set=required%3D9", "/lists", "/knowledge", "/learning", "/challenges", "/mailboxes"),
    *(f"/mailboxes/{BUSY}", f"/mailboxes/{QUIET}", "/people", "/audit", "/jobs", "/api", "/me"),
    *("/messages?q=devis+facture", "/messages?q=from:a77@d1.example.net", "/messages?q=is:held"),
)
_OF_THE_PLATFORM = ("/messages/77", "/rules", "/rules/edit", "/clients", "/fingerprints", "/health")


@contextmanager
def pages(url: str) -> Iterator[dict[str, tuple[Callable[[], object], float]]]:
    """Each page by its name, with its bound in milliseconds."""
    settings = {
        "store": {"url": url},
        "platform": {"domains": [f"domain{n}.example" for n in range(DOMAINS)]},
        "web": {"administrators": {ROOT: ["platform"], ADMIN: [DOMAIN]}},
    }
    with (
        tempfile.TemporaryDirectory(prefix="tamis-console-") as folder,
        Pages(Path(folder), settings) as served,
    ):
        root, admin = served.visitor(ROOT), served.visitor(ADMIN)
        yield {
            f"page {path or '(first)'}{'' if scope == 'platform' else ', a domain'}": (
                _asking(visitor, f"/admin{path}{'&' if '?' in path else '?'}in={scope}"),
                _FASTER.get(path, _SLOWEST),
            )
            for visitor, scope, paths in (
                (root, "platform", (*_OF_ALL, *_OF_THE_PLATFORM)),
                (admin, DOMAIN, _OF_ALL),
            )
            for path in paths
        }


def _asking(visitor: Visitor, path: str) -> Callable[[], object]:
    def ask() -> object:
        answer = visitor.get(path)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {answer.text[:500]}")
        return answer

    return ask

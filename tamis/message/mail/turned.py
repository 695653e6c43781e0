"""Text that a page shows from right to left against its letters: as the controls of Unicode say it (UAX 9, RLO)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.hints import Hints

_OVERRIDE = Hints([(f"{name}-override", f"{name}-override") for name in ("bidi", "isolate")])
_RULE = re.compile(r"([^{}]{1,200})\{([^{}]*+)\}")
_TURNED = ("bdo[dir=rtl]", "bdo[dir=RTL]", '[style*="-override"]')
_MOST = 200  # elements that are turned round; beyond: as they are written, `html_truncated`
_RIGHT_TO_LEFT = "\u202e"
_END = "\u202c"
TURNS = {ord(_RIGHT_TO_LEFT): None, ord(_END): None}
"""The controls that are put in, for ``str.translate`` to take them out."""


def turn(
    tree: LexborHTMLParser, markup: str, sheets: Iterable[str], report: DefectReport, where: str
) -> list[LexborNode]:
    """Put what an element's override of direction says around its text; gives the elements."""
    elements: list[LexborNode] = []
    if not _OVERRIDE.are_in(markup) and "<bdo" not in markup.lower():
        return elements
    selectors = [*_TURNED, *(selector for sheet in sheets for selector in _overriding(sheet))]
    turned: set[int] = set()
    for selector in selectors:
        try:
            nodes = tree.css(selector)
        except SelectolaxError:
            continue
        if len(nodes) > _MOST:
            report.add(DefectKind.HTML_TRUNCATED, len(nodes), where)
        for node in nodes[:_MOST]:
            first = node.first_child
            style = (node.attributes.get("style") or "").lower()
            if first is None or node.mem_id in turned or ("-override" in style and "rtl" not in style):
                continue
            turned.add(node.mem_id)
            elements.append(node)
            node.insert_child(_END)
            first.insert_before(_RIGHT_TO_LEFT)
    return elements


def _overriding(sheet: str) -> Iterable[str]:
    for found in _RULE.finditer(sheet):
        if _OVERRIDE.are_in(found[2]) and "rtl" in found[2].lower():
            yield found[1].strip()

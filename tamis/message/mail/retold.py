"""Links whose text shows otherwise than it is written: parts of it are hidden, or turned round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from selectolax.lexbor import LexborNode

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.references import LINK_TEXT, Link
from tamis.message.mail.turned import TURNS

_MOST = 2000  # elements whose links are looked for; beyond: links as written, `html_truncated`
_ABOVE = 30  # elements around one of them; beyond: as written: no mail program nests a link so deep
_NODES = 300  # nodes of one link's text; beyond: cut: no web address that people could read has so many


def retold(
    links: Iterable[Link],
    turned: Sequence[LexborNode],
    hidden: Sequence[LexborNode],
    report: DefectReport,
    where: str,
) -> tuple[Link, ...]:
    """The links with the text that a reader sees: without the nodes that are ``hidden``, and with the controls that
    now stand around what is ``turned``."""
    gone = {node.mem_id for node in hidden}
    seen = dict(_told((*turned, *hidden), gone, report, where))
    return tuple(
        replace(link, text=seen.get((link.href, link.text), link.text)) if link.tag == "a" else link
        for link in links
    )


def _told(
    changed: Iterable[LexborNode], gone: set[int], report: DefectReport, where: str
) -> Iterator[tuple[tuple[str, str], str]]:
    """((address, text as written), text as seen) of the links around nodes, each once."""
    done: set[int] = set()
    for number, node in enumerate(changed):
        if number >= _MOST:
            report.add(DefectKind.HTML_TRUNCATED, "hidden text in links", where)
            return
        link = _around(node)
        if link is None or link.mem_id in done:
            continue
        done.add(link.mem_id)
        written: list[str] = []
        shown: list[str] = []
        for _, inner in zip(range(_NODES), link.traverse(include_text=True), strict=False):
            if inner.tag != "-text":
                continue
            text = inner.text_content or ""
            written.append(text.translate(TURNS))
            if inner.mem_id not in gone:
                shown.append(text)
        yield (link.attributes.get("href") or "", _line(written)), _line(shown)


def _around(node: LexborNode) -> LexborNode | None:
    """The link that a node is in, or is; None where there is none near."""
    above: LexborNode | None = node
    for _ in range(_ABOVE):
        if above is None or above.tag == "a":
            return above
        above = above.parent
    return None


def _line(pieces: list[str]) -> str:
    return " ".join("".join(pieces)[: 4 * LINK_TEXT].split())[:LINK_TEXT]

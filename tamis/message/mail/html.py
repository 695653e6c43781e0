"""HTML bodies: visible text and links, by a real parser that is fed only what it can read in linear time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from tamis.base.derived import derived
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.limits import Limits
from tamis.message.mail.markup import FORMATTING, RENAMED, rewrite
from tamis.message.mail.references import Link, conditional_markup, data_of, references, scripts_in
from tamis.message.mail.text import guess

# Elements before and after which a reader sees a line or a cell end; the patterns take in some neighbours.
_BLOCK = re.compile(
    r"<(?=/?(?:[pP][\s>]|[bB][rRlL]|[dD][iItTdD]|[tT][rRdDhHaAi]|[lL][iI]|[uUoO][lL]|[hH][1-6rR]|"
    r"[cC][eE]|[fF][oO][rR]|[pP][rR]|[oO][pP]))"
)
_INVISIBLE = ["head", "script", "style", "template", "noframes", "iframe", "noembed", "title", "textarea"]
_TAG = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)")
_HIDES = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?![.\d]*[1-9])",
    re.IGNORECASE,
)
_STYLE_CHARACTERS = 2000
"""Characters of one style attribute that are read. Beyond: not read: it hides nothing."""
_NESTED = 3  # documents within attributes of documents; beyond: not read
_DOCUMENTS = 20  # documents in attributes of one page; beyond: not read
# Within these the parser's worst case, which is quadratic, is some milliseconds (see markup.py).
_DIRECT_CHARACTERS = 65_536
_DIRECT_TAGS = 3000
_FORMATTING_TAGS = 800


@dataclass(slots=True)
class Budget:
    """What may still be parsed of one message's HTML; the parts draw on it in their order."""

    characters: int
    tags: int
    direct_characters: int = _DIRECT_CHARACTERS
    direct_tags: int = _DIRECT_TAGS


class Html:
    """One HTML part.

    ``source`` is what was parsed; ``text`` is its visible text, lines stripped, empty lines left out;
    ``hidden`` counts elements left out of the text because their style hides them.
    """

    def __init__(self, source: str, text: str, links: tuple[Link, ...], hidden: int) -> None:
        self.source = source
        self.text = text
        self.links = links
        self.hidden = hidden

    @derived
    def tags(self) -> Mapping[str, int]:
        """How often each element's start tag occurs in the source, names lower-cased."""
        counts: Counter[str] = Counter()
        for name, number in Counter(_TAG.findall(self.source)).items():
            counts[name.lower()] += number
        return counts

    def __repr__(self) -> str:
        return f"Html({len(self.source)} characters, {len(self.links)} links)"


def parse_html(source: str, budget: Budget, limits: Limits, report: DefectReport, where: str) -> Html:
    """Parse one HTML part once; what exceeds the budget is left out or only stripped of its tags."""
    if len(source) > budget.characters:
        report.add(DefectKind.HTML_TRUNCATED, len(source), where)
        source = source[: budget.characters]
    budget.characters -= len(source)
    markup = _harmless(source, budget, report, where)
    tree = LexborHTMLParser(_BLOCK.sub("\n<", markup.replace("\x00", " ")))
    links = _links(tree, source, budget, limits, report, where)
    try:
        tree.strip_tags(_INVISIBLE)
        low = markup.lower()
        hidden = _hide(tree) if "none" in low or "hid" in low or "font-size" in low else 0
        body = tree.body
        text = body.text() if body is not None else ""
    except SelectolaxError as error:  # a tree without a root: a frameset, or nothing at all
        report.add(DefectKind.HTML_TRUNCATED, error, where)
        text, hidden = "", 0
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    return Html(source, "\n".join(lines), links, hidden)


def _harmless(source: str, budget: Budget, report: DefectReport, where: str) -> str:
    """The source as the parser can take it in linear time."""
    tags = source.count("<")
    if len(source) <= budget.direct_characters and tags <= budget.direct_tags:
        budget.direct_characters -= len(source)
        budget.direct_tags -= tags
        # Past some number, elements that the parser opens again in every block would multiply.
        return FORMATTING.sub(RENAMED, source) if tags > _FORMATTING_TAGS else source
    markup, used = rewrite(source, budget.tags)
    if used > budget.tags:
        report.add(DefectKind.HTML_TRUNCATED, tags, where)
    budget.tags = max(0, budget.tags - used)
    return markup


def _links(
    tree: LexborHTMLParser, source: str, budget: Budget, limits: Limits, report: DefectReport, where: str
) -> tuple[Link, ...]:
    """The references of markup, of what Outlook takes for markup in comments, and of documents within attributes."""
    links = list(references(tree, limits, report, where))
    links += (Link(code, "", "script") for code in scripts_in(source))
    waiting = [(conditional_markup(source), 1), *((markup, 1) for markup in _documents(links))]
    number = 0
    while waiting:
        markup, depth = waiting.pop(0)
        if not markup:
            continue
        number += 1
        if number > _DOCUMENTS or depth > _NESTED or not budget.characters:
            report.add(DefectKind.HTML_TRUNCATED, number, where)
            break
        piece = markup[: budget.characters]
        budget.characters -= len(piece)
        inner = LexborHTMLParser(_harmless(piece, budget, report, where).replace("\x00", " "))
        found = [
            *references(inner, limits, report, where),
            *(Link(code, "", "script") for code in scripts_in(piece)),
        ]
        links += found
        waiting += ((document, depth + 1) for document in (conditional_markup(piece), *_documents(found)))
    return tuple(links)


def _documents(links: Iterable[Link]) -> Iterator[str]:
    """The documents that stand within references: srcdoc, and data: URLs of markup."""
    for link in links:
        if link.tag == "html":
            yield link.href
        elif link.href[:5].lower() == "data:" and (data := data_of(link.href)) is not None:
            kind, octets = data
            if kind.startswith("text/") or "html" in kind or "xml" in kind:
                yield guess(octets)


def _hide(tree: LexborHTMLParser) -> int:
    """Take elements whose own style hides them out of the tree; returns how many."""
    hidden: list[LexborNode] = []
    for node in tree.css("[style],[hidden]"):
        if node.tag in {"html", "body"}:
            continue
        attributes = node.attributes
        style = attributes.get("style")
        if "hidden" in attributes or (style and _HIDES.search(style[:_STYLE_CHARACTERS])):
            hidden.append(node)
    for node in hidden:
        node.decompose(recursive=False)
    return len(hidden)

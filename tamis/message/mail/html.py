"""HTML bodies: visible text and links, by a real parser that is fed only what it can read in linear time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from tamis.base.derived import derived
from tamis.message.mail.arranged import arranged
from tamis.message.mail.blocks import EDGE, joined
from tamis.message.mail.css import Room
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.limits import LIMITS, Limits
from tamis.message.mail.markup import FORMATTING, RENAMED, left_over, rewrite
from tamis.message.mail.references import (
    DATA_CHARACTERS,
    Link,
    conditional_markup,
    data_of,
    references,
    scripts_in,
    unread_markup,
)
from tamis.message.mail.retold import retold
from tamis.message.mail.styles import divided, may_hide
from tamis.message.mail.text import guess
from tamis.message.mail.turned import turn

# Elements before and after which a reader sees a line or a cell end; the patterns take in some neighbours.
_BLOCK = re.compile(
    r"<(?=/?(?:[pP][\s>]|[bB][rRlL]|[dD][iItTdD]|[dD][eE][tT]|[tT][rRdDhHaA]|[lL][iIeE]|[uUoO][lL]|[hH][1-6rReE]|"
    r"[cC][eE]|[cC][aA][pP]|[fF][oO][rR]|[fF][iI]|[pP][rR]|[oO][pP]|[aA][rRsSdD]|[sS][eE]|[sS][uU][mM]|[nN][aA]|"
    r"[mM][aA][iI]|[rR][tT][\s>]))"
)
_INVISIBLE = ["head", "script", "style", "template", "noframes", "iframe", "noembed", "title"]
_UNSHOWN = "title,template,noframes,noembed,iframe"
_ZEROS = re.compile(r"(&#[xX]?)0+(?=[0-9a-fA-F])")
_ENDLESS = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{8,});?")
"""Numeric references beyond every character, which stand for U+FFFD (HTML Standard 13.2.5.80); Python gives up on
thousands of digits."""
_CODED = re.compile(
    r"&(?:#|(?:colon|semi|num|period|comma|[lr]par|percnt|bsol|tab|newline)\b)", re.IGNORECASE
)
"""Character references that may stand for anything in a style; "&nbsp;" and the like are in no style that holds."""


def _unescaped(markup: str) -> str:
    return unescape(_ENDLESS.sub("&#xfffd;", _ZEROS.sub(r"\1", markup)))


_UNSHOWN_TAG = re.compile(r"<(?:title|template|noframes|noembed|iframe)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2}")
_TAG = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)")
_NESTED = 3  # documents within attributes of documents; beyond: not read, `html_truncated`
_DOCUMENTS = 20  # documents in attributes of one page; beyond: not read, `html_truncated`
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
    styles: Room = field(default_factory=lambda: Room(LIMITS.style_characters))


class Html:
    """One HTML part.

    ``source`` is what was parsed; ``text`` is its visible text, lines stripped, empty lines left out. ``hidden`` is
    what its style hides from the reader, ``unshown`` the text of elements that are not shown. ``other_text`` is what
    some readers may see otherwise, where that is not ``text``: who take no notice of a style sheet or have images
    off, for whom what is in doubt is hidden; ``across`` are the words that blocks may make side by side.
    """

    def __init__(
        self,
        source: str,
        text: str,
        links: tuple[Link, ...],
        hidden: str,
        unshown: str,
        other_text: str,
        across: str,
    ) -> None:
        self.source = source
        self.text = text
        self.links = links
        self.hidden = hidden
        self.unshown = unshown
        self.other_text = other_text
        self.across = across

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
    beyond = ""
    if len(source) > budget.characters:
        report.add(DefectKind.HTML_TRUNCATED, len(source), where)
        beyond = "".join(left_over(source, budget.characters))
        source = source[: budget.characters]
    budget.characters -= len(source)
    markup = _harmless(_without_controls(source), budget, report, where) + beyond
    tree = LexborHTMLParser(_BLOCK.sub(f"{EDGE}<", markup.replace("\x00", " ")))
    links, inner = _links(tree, source, budget, limits, report, where)
    seen = hidden = unshown = across = ""
    others: list[str] = []
    try:
        sheets = [node.text() for node in tree.css("style")] if "<style" in markup.lower() else []
        sheets += _sheets_in(links)
        if _UNSHOWN_TAG.search(markup):
            unshown = "\n".join([node.text() for node in tree.css(_UNSHOWN)]).strip()
        tree.strip_tags(_INVISIBLE)
        # style attributes are written with character references as well (HTML Standard 13.5)
        written = _unescaped(markup) if _CODED.search(markup) else markup
        turned = turn(tree, written, sheets, report, where)
        gone: tuple[LexborNode, ...] = ()
        if may_hide(written) or any(map(may_hide, sheets)):
            texts = divided(tree, sheets, budget.styles, limits, report, where)
            seen, hidden, gone = texts.seen, texts.hidden, texts.nodes
            others += (texts.with_doubtful, texts.certain)
        elif tree.body is not None:
            seen = tree.body.text()
        if turned or gone:
            links = retold(links, turned, gone, report, where)
        across = "\n".join(joined(text, report, where) for text in dict.fromkeys((seen, *others)))
        others += (*inner, *_in_attributes(tree), *arranged(tree, written, sheets, report, where))
        others += _spelled_by_images(tree)
    except SelectolaxError as error:  # a tree without a root: a frameset, or nothing at all
        report.add(DefectKind.HTML_TRUNCATED, error, where)
    other = "\n".join(_lines(text) for text in dict.fromkeys(others) if text and text != seen)
    return Html(source, _lines(seen), links, hidden.strip(), unshown, other, across.strip())


_BETWEEN_TAGS = re.compile(r">[^<>]+")
_UNSEEN_CONTROLS = "\x00\x1c\x1d\x1e\x1f"
_WITHOUT = dict.fromkeys(map(ord, _UNSEEN_CONTROLS))


def _without_controls(source: str) -> str:
    """Markup without the controls in its text that nobody sees: browsers leave NUL out there (HTML Standard
    13.2.6.4.7), and not within tags."""
    if not any(control in source for control in _UNSEEN_CONTROLS):
        return source
    return _BETWEEN_TAGS.sub(lambda found: found[0].translate(_WITHOUT), source)


def shown_markup(source: str) -> str:
    """The markup of a page's body without the text that its style hides, for people to look at."""
    report = DefectReport(0)
    budget = Budget(len(source), LIMITS.html_tags)
    tree = LexborHTMLParser(_harmless(source, budget, report, "").replace("\x00", " "))
    sheets = [node.text() for node in tree.css("style")]
    tree.strip_tags(_INVISIBLE)
    try:
        divided(tree, sheets, budget.styles, LIMITS, report, "", removes=True)
    except SelectolaxError:
        return ""
    tree.unwrap_tags(["noscript"])  # a mail program runs no scripts, so it shows what is within
    return (tree.body.html or "") if tree.body is not None else ""


def _sheets_in(links: Iterable[Link]) -> Iterator[str]:
    """The style sheets within references."""
    for link in links:
        if link.href[:20].lstrip().lower().startswith("data:text/css") and (data := data_of(link.href)):
            yield guess(data[1])


_LETTERS_OF_IMAGE = 3
_IMAGES_OF_WORD = 3


def _spelled_by_images(tree: LexborHTMLParser) -> Iterator[str]:
    """The text with images' texts in their places, where several are single letters; it changes the tree."""
    images = [
        (node, text)
        for node in tree.css("img[alt]")
        if (text := node.attributes.get("alt") or "") and len(text) <= _LETTERS_OF_IMAGE
    ]
    if len(images) < _IMAGES_OF_WORD or tree.body is None:
        return
    for node, text in images:
        node.insert_before(text)
    yield tree.body.text()


_SHOWN_VALUES = frozenset({None, "", "text", "button", "submit", "reset", "email", "search", "tel", "url"})


def _in_attributes(tree: LexborHTMLParser) -> Iterator[str]:
    """What stands in the place of images that are not loaded, and in fields and on buttons."""
    for node in tree.css("img[alt], input[value], input[placeholder], option[label], optgroup[label]"):
        attributes = node.attributes
        if node.tag == "img":
            yield attributes.get("alt") or ""
        elif node.tag != "input":
            yield attributes.get("label") or ""
        elif (attributes.get("type") or "").lower() in _SHOWN_VALUES:
            yield attributes.get("value") or ""
            yield attributes.get("placeholder") or ""


def _lines(text: str) -> str:
    return "\n".join([line for line in map(str.strip, text.splitlines()) if line])


def _harmless(source: str, budget: Budget, report: DefectReport, where: str) -> str:
    """The source as the parser can take it in linear time."""
    tags = source.count("<")
    if len(source) <= budget.direct_characters and tags <= budget.direct_tags:
        budget.direct_characters -= len(source)
        budget.direct_tags -= tags
        # Past some number, elements that the parser opens again in every block would multiply.
        return FORMATTING.sub(RENAMED, source) if tags > _FORMATTING_TAGS else source
    markup, used, is_cut = rewrite(source, budget.tags)
    if is_cut:
        report.add(DefectKind.HTML_TRUNCATED, tags, where)
    budget.tags = max(0, budget.tags - used)
    return markup


def _links(
    tree: LexborHTMLParser, source: str, budget: Budget, limits: Limits, report: DefectReport, where: str
) -> tuple[tuple[Link, ...], list[str]]:
    """The references of markup, of what Outlook takes for markup in comments, and of documents within attributes; and
    what is to be read in those."""
    texts: list[str] = []
    links = list(references(tree, source, limits, report, where))
    links += (Link(code, "", "script") for code in scripts_in(source, report, where))
    waiting = [
        (conditional_markup(source, report, where), 1),
        (unread_markup(source, report, where), 1),
        *((markup, 1) for markup in _documents(links, report, where)),
    ]
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
            *references(inner, piece, limits, report, where),
            *(Link(code, "", "script") for code in scripts_in(piece, report, where)),
        ]
        links += found
        texts += _inner_text(inner)
        waiting += (
            (document, depth + 1)
            for document in (conditional_markup(piece, report, where), *_documents(found, report, where))
        )
    return tuple(links), texts


def _inner_text(tree: LexborHTMLParser) -> Iterator[str]:
    """What is to be read in markup within comments and attributes; Outlook draws the strings of VML."""
    yield from (node.attributes["string"] or "" for node in tree.css("[string]"))
    tree.strip_tags([*_INVISIBLE, "xml"])
    text = tree.body.text() if tree.body is not None else ""
    if _WORD.search(text):
        yield text


def _documents(links: Iterable[Link], report: DefectReport, where: str) -> Iterator[str]:
    """The documents that stand within references: srcdoc, and data: URLs of markup."""
    for link in links:
        if link.tag == "html":
            yield link.href
        elif link.href[:5].lower() == "data:" and (data := data_of(link.href)) is not None:
            kind, octets = data
            if len(link.href) > DATA_CHARACTERS:
                report.add(DefectKind.HTML_TRUNCATED, len(link.href), where)
            if kind.startswith("text/") or "html" in kind or "xml" in kind:
                yield guess(octets)

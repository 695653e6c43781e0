"""Where markup can lead a reader or load something from: every element, every attribute, what hides in comments.

Markup is read as readers' programs do it, Outlook among them, which takes conditional comments and VML for real.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.limits import Limits

_NAMES = (
    # HTML Standard, attributes that hold a URL; "xlink:href" is found as "href" (SVG 2, 16.2)
    *("href", "src", "action", "formaction", "background", "data", "poster", "srcset", "imagesrcset", "ping"),
    *(
        "srcdoc",
        "longdesc",
        "cite",
        "manifest",
        "classid",
        "codebase",
        "archive",
        "code",
        "profile",
        "usemap",
    ),
    # once in use, still followed somewhere
    *("lowsrc", "dynsrc", "icon", "folder", "o\\:href", "xlink\\:href", "v\\:href", "style"),
    # followed by scripts of webmail, or kept there by who rewrote a link: they say where it leads
    *(
        "data-href",
        "data-url",
        "data-link",
        "data-src",
        "data-original",
        "data-saferedirecturl",
        "originalsrc",
    ),
)
# SVG 2, 16.2, SMIL Animation 4: they give another element's attribute its value, an address as well
_ANIMATED = frozenset({"to", "from", "by", "values"})
_SELECTOR = ",".join(
    [
        *(f"[{name}]" for name in _NAMES),
        *(
            "meta[content]",
            "param[value]",
            "style",
            "set[to]",
            "animate[values]",
            "animate[from]",
            "animate[to]",
        ),
    ]
)
_HANDLER = re.compile(
    r"[\s\"'/][oO][nN][a-zA-Z]{0,30}\s{0,9}=|action-xhr|\[(?:href|src|srcset|action-xhr)\]\s{0,9}="
)
"""Attributes that hold code, and those of AMP (AMP for Email, amp-bind): selectors don't name them all."""
_PAINT = re.compile(r"=\s{0,9}[\"']?\s{0,9}[uU][rR][lL]\(")
"""Attributes of drawings that are CSS (SVG 2, 6.6): selectors don't name them either."""
_KEPT = ("data-", "originalsrc")
"""What attributes begin with that no program follows by itself."""
_VALUES = frozenset(name.replace("\\", "") for name in _NAMES)
LINK_TEXT = 300
"""Characters of a link's visible text. Beyond: cut: no web address that people could read is longer."""
_LINK_TEXTS = 262_144  # characters of all links' visible text; beyond: links without text, `html_truncated`
_OF_PAGES = frozenset(
    {"iframe", "frame", "object", "embed", "applet", "meta", "portal", "fencedframe", "param"}
)
_REFRESH = re.compile(r"^[\s\d.;,]*(?:url\s*=?)?\s*[\"']?", re.IGNORECASE)
_CONDITIONAL = re.compile(r"<!--\s{0,9}\[if[^\]>]{0,200}\]>?", re.IGNORECASE)
_CONDITIONAL_END = re.compile(r"<!\s{0,9}\[endif\]|-->", re.IGNORECASE)
_CSS_URL = re.compile(r"url\(\s{0,9}(\"[^\"]{0,4096}\"?|'[^']{0,4096}'?|[^)\s]{0,4096})", re.IGNORECASE)
_CSS_SET = re.compile(r"image-set\(\s{0,9}[\"']([^\"']{1,4096})", re.IGNORECASE)
_CSS_IMPORT = re.compile(r"@import\s{0,9}[\"']([^\"']{1,4096})", re.IGNORECASE)
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})[ \t\r\n]?|\\([^0-9a-fA-F\r\n])")
_CSS_CHARACTERS = 262_144  # characters of one style sheet; beyond: not searched for links, `html_truncated`
_COMMENTS = 200  # comments, scripts or links of a style sheet; beyond: not looked at, `html_truncated`
_CANDIDATES = 20  # images to choose from in one attribute; beyond: left out, `html_truncated`
_SCRIPT = re.compile(r"<script\b[^>]{0,2000}>", re.IGNORECASE)
_SCRIPT_END = re.compile(r"</script", re.IGNORECASE)
_DATA = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE | re.DOTALL)
DATA_CHARACTERS = 1_048_576
"""Characters of one data: reference. Beyond: not decoded; `html_truncated`."""
EDGES = "".join(map(chr, range(0x21))) + "\u00a0\u2000\u2003\u2028\u2029\u3000\ufeff`"
"""What clients strip from both ends of a reference (URL Standard 4.4), and blanks and quotes that some of them do."""


@dataclass(frozen=True, slots=True)
class Link:
    """A reference in markup: as written (entities decoded), the visible text within it, and what it is.

    ``tag`` is "a" for what a click follows, "form" for where a form goes, "page" for what is loaded as a page or leads
    to one by itself, "script" for code, "html" for markup within an attribute, "base", and else the name of the element
    that shows what is loaded.
    """

    href: str
    text: str
    tag: str


def references(
    tree: LexborHTMLParser, source: str, limits: Limits, report: DefectReport, where: str
) -> tuple[Link, ...]:
    """The references of markup and its tree, in their order, at most ``Limits.links``."""

    def cut() -> None:
        report.add(DefectKind.HTML_TRUNCATED, "references", where)

    links: list[Link] = []
    room = _LINK_TEXTS
    is_painted = "<svg" in source and _PAINT.search(source)
    selector = "*" if is_painted or _HANDLER.search(source) else _SELECTOR
    for node in tree.css(selector):
        tag = node.tag or ""
        text = ""
        attributes = node.attributes
        # Links may lie within each other, each with the text of all: the sum is bounded.
        if tag == "a" and room <= 0:
            cut()
        elif tag == "a":
            text = node.text()
            room -= len(text) + 64
            text = " ".join(text[: 4 * LINK_TEXT].split())[:LINK_TEXT]
            if not text and (image := node.css_first("img[alt]")) is not None:  # shown where images are not
                text = _stated(image.attributes)
        elif tag in {"img", "area", "input"}:
            text = _stated(attributes)
        for href, kind in _of(node, tag, attributes, cut):
            if len(links) >= limits.links:
                report.add(DefectKind.HTML_TRUNCATED, limits.links, where)
                return tuple(links)
            if len(href) > limits.url_characters and not _holds_more(href, kind):
                report.add(DefectKind.URL_LIMIT, len(href), where)
                links.append(Link(href[: limits.url_characters], text, kind))
            else:
                links.append(Link(href, text, kind))
    return tuple(links)


def _stated(attributes: dict[str, str | None]) -> str:
    """The text that stands for an image."""
    return " ".join((attributes.get("alt") or "")[: 4 * LINK_TEXT].split())[:LINK_TEXT]


def _holds_more(href: str, kind: str) -> bool:
    """Whether a reference is no address but a document or code, which has bounds of its own."""
    return kind in {"script", "html"} or href.lstrip(EDGES)[:5].lower() == "data:"


def _of(
    node: LexborNode, tag: str, attributes: dict[str, str | None], cut: Callable[[], None]
) -> Iterator[tuple[str, str]]:
    """The references of one element and what they are; `cut` is called where some are left out."""
    if tag == "style":
        for href in css_links(node.text(), cut):
            yield href, "style"
    for name, value in attributes.items():
        if not value:
            continue
        if name == "style":
            if "(" in value:
                for href in css_links(value, cut):
                    yield href, "style"
        elif name in {"srcset", "imagesrcset"}:
            for candidate in _few(value.split(","), cut):
                yield candidate.split()[0] if candidate.strip() else "", "img"
        elif name == "srcdoc":
            yield value, "html"
        elif name == "content":
            if tag == "meta" and "refresh" in (attributes.get("http-equiv") or "").lower():
                yield _REFRESH.sub("", value, count=1).rstrip("\"'"), "page"
        elif name == "value":
            if tag == "param":
                yield value, "page"
        elif name in {"action", "formaction", "action-xhr"}:
            yield value, "form"
        elif name.startswith("["):
            yield value, "script"
        elif name in _ANIMATED:
            if tag in {"set", "animate"}:
                yield from ((one.strip(), "a") for one in _few(value.split(";"), cut))
        elif name in _VALUES:
            yield value, _kind(tag, name)
        elif name.startswith("on"):
            yield value, "script"
        elif value[:16].lstrip()[:4].lower() == "url(":
            for href in css_links(value, cut):
                yield href, "style"


def _few(values: list[str], cut: Callable[[], None]) -> list[str]:
    if len(values) > _CANDIDATES:
        cut()
    return values[:_CANDIDATES]


def _kind(tag: str, name: str) -> str:
    if tag == "base":
        return "base"
    if name.startswith(_KEPT):
        return "kept"
    if name.endswith("href") and tag not in {"image", "use", "link", "feimage"}:
        return "a"  # whatever the element: a, area, SVG, VML, MathML
    if tag in _OF_PAGES or tag == "script":
        return "page"
    return tag


def conditional_markup(source: str, report: DefectReport, where: str) -> str:
    """What stands in conditional comments, which Outlook shows and everybody else takes for comments."""
    if "[if" not in source and "[IF" not in source:
        return ""
    found: list[str] = []
    at = 0
    for _ in range(_COMMENTS):
        begin = _CONDITIONAL.search(source, at)
        if begin is None:
            break
        end = _CONDITIONAL_END.search(source, begin.end())
        at = end.end() if end else len(source)
        found.append(source[begin.end() : end.start() if end else at])
    else:
        report.add(DefectKind.HTML_TRUNCATED, _COMMENTS, where)
    return "\n".join(found)


_RAW = re.compile(r"<(title|noembed|noframes|template|iframe)\b", re.IGNORECASE)
_RAW_LINK = re.compile(r"<[^>]{0,200}?[\s\"'/](?:href|src|action)", re.IGNORECASE)
_OPEN_END = re.compile(r"<[a-zA-Z][^<>\"']{0,2000}=\s{0,9}([\"'])[^\"']{4,4000}\Z")
_OPEN_CHARACTERS = 8192
"""Characters at the end of markup where a tag may lack its end. Beyond: not looked for: no attribute is so long."""


def unread_markup(source: str, report: DefectReport, where: str) -> str:
    """Markup that browsers take for text, or for nothing, and programs that know less of HTML for markup: within
    elements of raw text (HTML Standard 13.2.5), and a last tag that is never closed."""
    found: list[str] = []
    low = source.lower() if _RAW.search(source) else ""
    at = 0
    while low and (begin := _RAW.search(low, at)) is not None:
        if len(found) >= _COMMENTS:
            report.add(DefectKind.HTML_TRUNCATED, _COMMENTS, where)
            break
        end = low.find(f"</{begin[1]}", begin.end())
        at = end if end >= 0 else len(low)
        inside = low.find(">", begin.end(), at)
        if inside >= 0 and _RAW_LINK.search(source, inside + 1, at):
            found.append(source[inside + 1 : at])
    quote = max(source.rfind('"'), source.rfind("'"))
    if source[max(0, quote - 10) : max(0, quote)].rstrip().endswith("="):
        tag = source.rfind("<", max(0, len(source) - _OPEN_CHARACTERS), quote)
        if tag >= 0 and (last := _OPEN_END.match(source, tag)):
            found.append(f"{last[0]}{last[1]}>")
    return "\n".join(found)


def css_links(style: str, cut: Callable[[], None]) -> Iterator[str]:
    """The addresses in a style sheet; `cut` is called when some are left out."""
    if len(style) > _CSS_CHARACTERS:
        cut()
        style = style[:_CSS_CHARACTERS]
    style = css_unescaped(style)
    for pattern in (_CSS_URL, _CSS_IMPORT, _CSS_SET):
        for number, found in enumerate(pattern.finditer(style)):
            if number >= _COMMENTS:
                cut()
                break
            yield found[1].strip("\"'")


def css_unescaped(text: str) -> str:
    """A piece of CSS, escapes undone (CSS Syntax 4.3.7)."""
    return _CSS_ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    if match[2]:
        return match[2]
    number = int(match[1], 16)
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


def scripts_in(source: str, report: DefectReport, where: str) -> Iterator[str]:
    """The code between script tags as it stands, wherever they are."""
    at = 0
    for _ in range(_COMMENTS):
        begin = _SCRIPT.search(source, at)
        if begin is None:
            return
        end = _SCRIPT_END.search(source, begin.end())
        at = end.end() if end else len(source)
        if code := source[begin.end() : end.start() if end else at].strip():
            yield code
    report.add(DefectKind.HTML_TRUNCATED, _COMMENTS, where)


def data_of(href: str) -> tuple[str, bytes] | None:
    """The media type, lower-cased, and the content of a data: URL (RFC 2397), within bounds; None when it is none."""
    found = _DATA.match(href.strip(EDGES)[:DATA_CHARACTERS])
    if found is None:
        return None
    kind, *parameters = [piece.strip().lower() for piece in found[1].split(";")]
    octets = unquote_to_bytes(href.strip(EDGES)[found.end() : DATA_CHARACTERS])
    if "base64" in parameters:
        letters = re.sub(rb"[^A-Za-z0-9+/_-]", b"", octets).replace(b"-", b"+").replace(b"_", b"/")
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        try:
            octets = base64.b64decode(letters + b"=" * (-len(letters) % 4))
        except binascii.Error:
            return kind, b""
    return kind or "text/plain", octets

"""A held message as it can be looked at without danger. Pure: nothing is loaded, nothing is run."""

from __future__ import annotations

import re
from dataclasses import dataclass

import nh3

from tamis.language.display_text import plain, plain_lines
from tamis.message.mail import Mail
from tamis.message.mail.html import shown_markup
from tamis.message.mail.visible import canonical_lines

MAX_TEXT = 200_000
"""Characters of text that are shown."""
MAX_HTML = 500_000
"""Characters of HTML that are cleaned."""
MAX_TAGS = 5_000
"""Tags that are cleaned: the parser's time grows with the square of their depth (0.2 s for this many)."""
MAX_ATTACHMENTS = 50
_NAME = 120
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,8})\s*\Z")

_TAGS = {
    *(
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "center",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "div",
        "dl",
    ),
    *(
        "dt",
        "em",
        "font",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "ins",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "s",
    ),
    *(
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
    ),
    *("u", "ul"),
}
_SILENT = {
    *(
        "script",
        "style",
        "title",
        "head",
        "template",
        "noscript",
        "iframe",
        "object",
        "embed",
        "svg",
        "math",
        "form",
    ),
    *("audio", "video", "select", "textarea", "button"),
}
"""Whose content goes with them."""
_ATTRIBUTES = {
    "*": {"style", "dir", "lang"},
    "td": {"align", "valign", "bgcolor", "colspan", "rowspan", "width"},
    "th": {"align", "valign", "bgcolor", "colspan", "rowspan", "width"},
    "table": {"align", "bgcolor", "border", "cellpadding", "cellspacing", "width"},
    "font": {"color", "size"},
    "div": {"align"},
    "p": {"align"},
}
_STYLES = {
    *(
        "background-color",
        "border",
        "border-collapse",
        "border-color",
        "border-style",
        "border-width",
        "color",
    ),
    *("font-size", "font-style", "font-weight", "line-height", "padding", "text-align", "text-decoration"),
    *("vertical-align", "width", "max-width"),
}
"""No property that can hold an address, take things out of their place, or move."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is attached: names are shown, never followed."""

    name: str
    ending: str
    """What its name ends in, in capitals ("PDF"), which says more to people than a media type; "" for none."""
    octets: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown: `text` as most readers' programs open with it, in canonical form; `html` says whether there is
    formatting to look at."""

    text: str
    cut: bool
    html: bool
    to: str
    reply_to: str
    attachments: tuple[Attachment, ...]
    more_attachments: int


def preview(content: bytes) -> Preview:
    """Look at a message. Never raises, whatever it is."""
    mail = Mail(content)
    attached = mail.attachments
    text = canonical_lines(mail.displayed.strip() or mail.text)
    return Preview(
        plain_lines(text, MAX_TEXT).strip("\n"),
        len(text) > MAX_TEXT,
        bool(mail.html),
        plain(mail.headers.first("to") or ""),
        plain(mail.headers.first("reply-to") or ""),
        tuple(
            Attachment(plain(part.filename or "", _NAME), ending(part.filename or ""), part.size)
            for part in attached[:MAX_ATTACHMENTS]
        ),
        max(0, len(attached) - MAX_ATTACHMENTS),
    )


def ending(name: str) -> str:
    """What a file's name ends in, in capitals; "" where that is no short word of ASCII."""
    found = _ENDING.search(name)
    return found[1].upper() if found else ""


def formatted(content: bytes) -> str:
    """The HTML of a message without anything that runs, loads, links or moves, nor what its style hides: for a
    sandboxed frame."""
    source = "<hr>".join(html.source for html in Mail(content).html)[:MAX_HTML]
    *tags, _beyond = source.split("<", MAX_TAGS)
    return nh3.clean(
        shown_markup("<".join(tags) if len(tags) == MAX_TAGS else source),
        tags=_TAGS,
        clean_content_tags=_SILENT,
        attributes=_ATTRIBUTES,
        filter_style_properties=_STYLES,
        url_schemes=set(),
        link_rel=None,
    )

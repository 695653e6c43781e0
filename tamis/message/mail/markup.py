"""Large markup rewritten so that a conforming HTML parser stays linear on it.

The HTML Standard's tree construction is quadratic, in time or in space, in the depth of open elements, in
the attributes of one tag and in formatting elements that are opened again in every block. What is rewritten
has no attributes but the few that matter, no formatting elements and a bounded number of tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FORMATTING = re.compile(
    r"<(/?)(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE
)
"""Tags of the formatting elements (HTML Standard 13.2.4.3) but <a>, of which one is open at most."""
RENAMED = r"<\1x-f"
"""What ``FORMATTING`` is replaced with: an element that means nothing, so attributes stay."""

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
# Possessive: an attribute list is read once, and a quote that never ends swallows the rest, as in browsers.
_REST = re.compile(r"(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+(>?)")
_ATTRIBUTE = re.compile(
    r"\b(href|srcset|srcdoc|src|formaction|action|background|style|hidden|alt|data|poster|content|http-equiv|value"
    r"|class|id|color|bgcolor|dir|label|on[a-z]{2,20}|action-xhr)"
    r"(?=[\s=/>\"']|$)(?:\s{0,9}=\s{0,9}(\"[^\"]*+\"|'[^']*+'|[^\s>\"']*+))?",
    re.IGNORECASE,
)
_VALUE_CHARACTERS = 65_536  # characters of one attribute's value; beyond: cut, `html_truncated`
_ATTRIBUTES_CHARACTERS = 131_072
"""Characters of a tag that are searched for attributes. Beyond: left out; `html_truncated`."""
_RAW_TEXT = frozenset(
    {"script", "style", "iframe", "noembed", "noframes", "xmp", "title", "textarea", "template"}
)
_NESTING_PUZZLES = frozenset(
    {"select", "option", "optgroup", "svg", "math", "frameset", "plaintext", "template"}
)
_REFERENCE = re.compile(
    r"\b(?:href|src|action|formaction|background)\s{0,9}=\s{0,9}(\"[^\"]*+\"|'[^']*+'|[^\s>\"']++)",
    re.IGNORECASE,
)
_LEFT_OVER = 3000
_STRIPPED = re.compile(r"<[^<>]*+>")


class Rewritten(NamedTuple):
    """Markup that a parser reads in linear time, the number of its tags, and whether some of it was left out."""

    markup: str
    tags: int
    is_cut: bool


def rewrite(source: str, tags: int) -> Rewritten:
    """``source`` with at most ``tags`` tags; one more is counted if it has more.

    Linear in time: nothing is read more than a fixed number of times.
    """
    out: list[str] = []
    position = 0
    used = 0
    missing: set[str] = set()
    is_cut = False
    while True:
        at = source.find("<", position)
        if at < 0:
            out.append(source[position:])
            return Rewritten("".join(out), used, is_cut)
        out.append(source[position:at])
        if used >= tags:
            out.append(_STRIPPED.sub(" ", source[at:]).replace("<", "&lt;"))
            out += left_over(source, at)
            return Rewritten("".join(out), used + 1, is_cut=True)
        used += 1
        tag = _TAG.match(source, at)
        if tag is None:
            position = _declaration(source, at, out)
            continue
        rest = _REST.match(source, tag.end())
        if rest is None or not rest[1]:
            return Rewritten("".join(out), used, is_cut)
        position = rest.end()
        is_cut |= position - tag.end() > _VALUE_CHARACTERS
        closing, name = tag[1], tag[2].lower()
        if name in {"iframe", "script"} and not closing:
            list_end = min(position - 1, tag.end() + _ATTRIBUTES_CHARACTERS)
            if attributes := _attributes(source, tag.end(), list_end):
                out.append(f"<embed{attributes}>")
        if name in _RAW_TEXT:
            if not closing and name not in missing:
                end = re.compile(rf"</{name}", re.IGNORECASE).search(source, position)
                if end is None:
                    missing.add(name)
                else:
                    if name == "style":  # what it hides is to be known
                        out.append(f"<style>{source[position : end.start()]}</style>")
                    position = end.start()
            continue
        if name in _NESTING_PUZZLES:
            continue
        if FORMATTING.match(source, at):
            name = "x-f"
        if closing:
            out.append(f"</{name}>")
        else:
            list_end = min(position - 1, tag.end() + _ATTRIBUTES_CHARACTERS)
            out.append(f"<{name}{_attributes(source, tag.end(), list_end)}>")


def left_over(source: str, at: int) -> Iterator[str]:
    """The references beyond the tags or characters that are read, without what is around them."""
    for _, found in zip(range(_LEFT_OVER), _REFERENCE.finditer(source, at), strict=False):
        value = found[1].strip("\"'")[:_VALUE_CHARACTERS].replace('"', "&quot;")
        yield f'<a href="{value}"></a>'


def _declaration(source: str, at: int, out: list[str]) -> int:
    """Where a comment, a declaration or a lone '<' at ``at`` ends; the latter stays, as text."""
    if source.startswith("<!--", at):
        end = source.find("-->", at + 2)
        return end + 3 if end >= 0 else len(source)
    if source.startswith(("<!", "<?", "</"), at):
        end = source.find(">", at)
        return end + 1 if end >= 0 else len(source)
    out.append("&lt;")
    return at + 1


def _attributes(source: str, start: int, end: int) -> str:
    """The attributes that matter, quoted anew."""
    if end <= start:
        return ""
    kept: dict[str, str] = {}  # the first of a name counts
    for attribute in _ATTRIBUTE.finditer(source, start, end):
        value = (attribute[2] or "").strip("\"'")[:_VALUE_CHARACTERS].replace('"', "&quot;")
        kept.setdefault(attribute[1].lower(), value)
    return "".join(f' {name}="{value}"' for name, value in kept.items())

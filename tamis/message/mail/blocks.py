"""Blocks that a reader may see side by side: words that go on in the next one, by style or in cells of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.message.mail.defects import DefectKind, DefectReport

EDGE = "\x1e"
"""Stands for the edge of a block in a page's text: white space, which style may take away."""

_JOINT = re.compile(rf"(?<=[^\W\d_]){EDGE}+(?=[^\W\d_])")
_NEAR = 60  # characters of a block on each side of an edge; beyond: no word is so long
_BLOCKS = 24  # blocks that make one word or name; beyond: not joined: no word has so many
_CHARACTERS = 16_384  # characters of all words joined; beyond: not joined, `html_truncated`


def joined(text: str, report: DefectReport, where: str) -> str:
    """The words that blocks make that have no white space between them, a line for each way to take them together."""
    if not _JOINT.search(text):
        return ""
    found: list[str] = []
    room = _CHARACTERS
    for line in text.split("\n"):
        if EDGE not in line:
            continue
        for word in _words([block.replace(EDGE, " ") for block in _JOINT.split(line)]):
            room -= len(word)
            if room < 0:
                report.add(DefectKind.HTML_TRUNCATED, "words of several blocks", where)
                return "\n".join(found)
            found.append(word)
    return "\n".join(found)


def _words(blocks: list[str]) -> Iterator[str]:
    """Every run of neighbours, as far as the first is short enough to be the beginning of a word."""
    for first, block in enumerate(blocks[:-1]):
        word = block[-_NEAR:]
        for following in blocks[first + 1 : first + _BLOCKS]:
            # "Price" and "Total" side by side are two words
            if word[-1:].islower() and following[:1].isupper():
                break
            yield word + following[:_NEAR]
            if len(following) > _NEAR:
                break
            word += following

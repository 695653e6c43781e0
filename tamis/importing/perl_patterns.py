"""Perl's and PCRE's regular expressions, as SpamAssassin, rspamd and PMG write them, for RE2."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLOSING = {"{": "}", "(": ")", "[": "]", "<": ">"}
_FLAGS = re.compile(r"[A-Za-z{}]*")
_LOOKS = re.compile(r"\\.|\(\?(?:<?[=!]|#[^)]*\)|>|\|)|[+*?}]\+", re.DOTALL)
_SIMPLE = {
    r"\Z": r"\z",
    r"\h": r"[ \t]",
    r"\R": r"(?:\r\n|\n)",
    r"\e": r"\x1b",
    r"\/": "/",
    r"\@": "@",
    r"\#": "#",
}


class NoPatternError(ValueError):
    """Text that is no pattern, or one that RE2 can't have: the message says why."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A pattern for RE2. `wider` says that it can match more than the original did."""

    text: str
    ignore_case: bool
    wider: bool = False


def quoted(text: str) -> tuple[str, str]:
    """What stands between the delimiters of `/…/flags` or `m{…}flags`, and the flags. Raises NoPatternError."""
    text = text.strip()
    if text[:1] == "m" and text[1:2] and not text[1].isalnum() and not text[1].isspace():
        text = text[1:]
    elif text[:1] != "/":
        raise NoPatternError("no pattern between slashes")
    end = text.rfind(_CLOSING.get(text[0], text[0]))
    if end <= 0:
        raise NoPatternError("the pattern has no end")
    flags = text[end + 1 :].strip()
    if not _FLAGS.fullmatch(flags):
        raise NoPatternError("something stands behind the pattern")
    return text[1:end], flags


def converted(body: str, flags: str = "") -> Converted:
    """A pattern's body and flags for RE2. Raises NoPatternError where there is no equal."""
    if "x" in flags:
        body = _without_blanks(body)
    wider = False
    made: list[str] = []
    at = 0
    for found in _LOOKS.finditer(body):
        made.append(body[at : found.start()])
        at = found.end()
        sign = found[0]
        if sign.startswith("\\"):
            if re.fullmatch(r"\\[1-9]|\\[gk]", sign):
                raise NoPatternError("it refers back to a group (RE2 has no such references)")
            made.append(_SIMPLE.get(sign, sign))
        elif sign.startswith("(?#"):
            continue
        elif sign == "(?>":
            made.append("(?:")
            wider = True
        elif sign.startswith("(?"):
            raise NoPatternError("it looks around (RE2 has neither (?= nor (?!): write two rules and logic")
        else:  # possessive: never gives back what it took, and so matches less
            made.append(sign[0])
            wider = True
    made.append(body[at:])
    letters = "".join(sorted(set("sm") & set(flags)))
    return Converted((f"(?{letters})" if letters else "") + "".join(made), "i" in flags, wider)


def parsed(text: str) -> Converted:
    """A whole `/…/flags`. Raises NoPatternError."""
    return converted(*quoted(text))


def _without_blanks(body: str) -> str:
    """A pattern written with /x: blanks and comments outside of classes are for the eye."""
    return re.sub(
        r"(\\.|\[(?:\\.|[^\]\\])+\])|\s+|#[^\n]*", lambda found: found[1] or "", body, flags=re.DOTALL
    )


def host_pattern(glob: str) -> str:
    """What matches the URLs, one a line, of a host and of all below it; `*` and `?` stand for any characters of it."""
    host = re.escape(glob.lower().strip(".")).replace(r"\*", "[^/?#]*").replace(r"\?", "[^/?#]")
    return rf"(?m)^(?:[a-z][a-z0-9+.-]*:(?://)?)?(?:[^/?#]*[@.])?{host}(?:[/:?#]|$)"

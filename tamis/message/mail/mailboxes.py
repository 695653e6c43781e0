"""Mailboxes of an address field (RFC 5322 3.4), as well as they can be had from what senders write."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.words import decode_words

# Each branch begins with a character of its own and consumes: linear. A quoted string or an angle address
# may lack its end.
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*+"?|<(?:[^<>"]|"(?:[^"\\]|\\.)*+")*+>?|[(),:;\\]|[^"<(),:;\\]+',
    re.DOTALL,
)
_COMMENT = re.compile(r"[^()\\]+|\\.?|[()]", re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_ADDRESS_CHARACTERS = 1000  # characters of one address; beyond: `bad_address`
_DISPLAY_CHARACTERS = 2000  # characters of one display name; beyond: cut: nobody sees so much


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: the name shown, decoded, and ``local@domain`` with the domain lower-cased ('' if none)."""

    display: str
    address: str

    @property
    def local(self) -> str:
        """What is before the last at sign, as written."""
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """What is after the last at sign, lower-cased; '' if there is none."""
        return self.address.rpartition("@")[2]


def parse_addresses(value: str, limit: int, report: DefectReport, where: str) -> tuple[Address, ...]:
    """The mailboxes of an unfolded address field whose encoded words are not yet decoded.

    Group syntax, comments, quoted strings and routes are understood; of garbage the best is made. At most
    ``limit`` mailboxes, in linear time; never raises.
    """
    found: list[Address] = []
    phrase: list[str] = []
    comments: list[str] = []
    angle: str | None = None
    position = 0
    end = len(value)

    def flush() -> None:
        nonlocal angle
        if phrase or comments or angle is not None:
            mailbox = _mailbox(phrase, comments, angle, report, where)
            if mailbox is not None:
                found.append(mailbox)
            phrase.clear()
            comments.clear()
            angle = None

    while position < end:
        token = _TOKEN.match(value, position)
        if token is None:
            break
        text = token[0]
        position = token.end()
        first = text[0]
        if first == "(":
            comment, position = _comment(value, position)
            comments.append(comment)
        elif first == "<":
            angle = text[1:].removesuffix(">") if angle is None else angle
        elif first in ",;":
            flush()
        elif first == ":":
            if angle is None:
                # A group's name (RFC 5322 3.4) is no mailbox; what stands before "mailto:" is none either.
                phrase.clear()
                comments.clear()
        elif not text.isspace():
            phrase.append(text)
        if len(found) >= limit:
            report.add(DefectKind.TOO_MANY_ADDRESSES, limit, where)
            return tuple(found)
    flush()
    return tuple(found)


def _comment(value: str, position: int) -> tuple[str, int]:
    """A comment's text, and where it ends; comments nest (RFC 5322 3.2.2)."""
    depth = 1
    pieces: list[str] = []
    while depth:
        token = _COMMENT.match(value, position)
        if token is None:
            break
        position = token.end()
        text = token[0]
        depth += (text == "(") - (text == ")")
        if depth:
            pieces.append(text)
    return "".join(pieces), position


def _mailbox(
    phrase: list[str], comments: list[str], angle: str | None, report: DefectReport, where: str
) -> Address | None:
    """One mailbox from its tokens; ``None`` when they are only white space and comments."""
    if angle is None:
        spec = _bare_spec(phrase)
        shown = "".join(phrase).replace(spec, "", 1) if spec else "".join(phrase)
        shown = " ".join(shown.split()) or " ".join(comments)
    else:
        spec = angle
        shown = "".join(phrase)
        if not shown.strip():
            shown = " ".join(comments)
    display = _display(shown, report, where)
    address = _addr_spec(spec)
    if not address:
        if not display:
            return None
        if angle != "":
            report.add(DefectKind.BAD_ADDRESS, display, where)
    return Address(display, address)


def _bare_spec(phrase: list[str]) -> str:
    """The address among tokens without angle brackets: unquoted, or with a quoted local part; else ''."""
    for number, token in enumerate(phrase):
        if not token.startswith('"'):
            if token.startswith("@") and number and phrase[number - 1].startswith('"'):
                return phrase[number - 1] + token.split(None, 1)[0]
            for word in token.split():
                if "@" in word:
                    return word
    return next((token.strip('"') for token in phrase if "@" in token), "")


def _display(shown: str, report: DefectReport, where: str) -> str:
    """A display name without quotes, quoted pairs and encoding."""
    shown = shown[:_DISPLAY_CHARACTERS].strip()
    if '"' in shown:
        if "\\" in shown:
            shown = _QUOTED_PAIR.sub(lambda pair: "\x00" if pair[1] == '"' else pair[1], shown)
        shown = shown.replace('"', "").replace("\x00", '"')
    # Encoded words within quoted strings are none (RFC 2047 5), but readers decode them all the same.
    return _CONTROLS.sub(" ", decode_words(shown, report, where)).strip()


def _addr_spec(spec: str) -> str:
    """``local@domain`` of what is between the angle brackets, or ''."""
    spec = _CONTROLS.sub("", spec).strip()[:_ADDRESS_CHARACTERS]
    if spec.startswith("@") and ":" in spec:  # a route, obs-route, RFC 5322 4.4
        spec = spec.rpartition(":")[2]
    if spec[:7].lower() == "mailto:":
        spec = spec[7:]
    local, at, domain = spec.rpartition("@")
    local = local.strip()
    domain = "".join(domain.split()).lower().strip(".'")
    if not (at and local and domain):
        return ""
    if not local.startswith('"'):
        local = "".join(local.split()).lstrip("'")
    return f"{local}@{domain}" if local else ""

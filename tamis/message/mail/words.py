"""Encoded words (RFC 2047) and parameters of structured fields (RFC 2045 5.1, RFC 2231)."""

from __future__ import annotations

import binascii
import re
from itertools import islice
from urllib.parse import unquote_to_bytes

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.text import codec, decode, guess, is_utf_7, utf_7

# RFC 2047 2; white space within the text is forbidden but common. RFC 2231 5 adds *language.
_WORD = re.compile(r"=\?([!->@-~]{0,80})\?([bBqQ])\?([^?\r\n]*)(?:\?=|\??\Z)")
"""Also without a charset, and the last one without its end: some programs read those."""
_PARAMETER = re.compile(
    r""";\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*+"?|'[^';]{0,250};[^']{0,250}'(?=\s*(?:;|\Z))|[^;]*)""",
    re.DOTALL,
)
# A name with no semicolon before it: readers differ in whether they take it.
_LOOSE_NAME = re.compile(
    r'(?<![^\s"])((?:file)?name)\*?\s*=\s*("(?:[^"\\]|\\.)*+"?|[^\s;]++)', re.IGNORECASE | re.DOTALL
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_COMMENT = re.compile(r"\s*\([^()]*\)")
_FOLD = re.compile(r"\r?\n")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_NAMES = frozenset({"name", "filename"})
_MOST_WORDS = 1000
"""Encoded words of one value that are decoded: more can't be had in a field of 64 KiB but by words of a few letters.
Beyond: as they stand; `header_too_long`."""
MOST_PARAMETERS = 100
"""Parameters of one field. Beyond: left out; `too_many_parameters`."""
_SECTIONS = 100  # sections of one parameter (RFC 2231 3); beyond: left out, `too_many_parameters`


def unfold(value: bytes) -> bytes:
    """A field's value without folding (RFC 5322 2.2.3), and without white space at its ends."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.strip()


def _octets(encoding: str, text: str) -> bytes | None:
    """What an encoded word's text stands for, or ``None`` when it is not of its encoding."""
    raw = text.encode("utf-8")
    if encoding in "qQ":
        return binascii.a2b_qp(raw.replace(b"_", b" "), header=False)
    letters = _NOT_BASE64.sub(b"", raw)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    if not letters and text.strip("= "):
        return None
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def decode_words(value: str, report: DefectReport, where: str) -> str:
    """``value`` with its encoded words decoded; those that are none stay as they are, with a defect.

    Octets of adjacent words in one charset are joined first: senders split multi-octet characters, which
    RFC 2047 5 forbids. White space between adjacent words goes (RFC 2047 6.2). Linear in time; words after the
    first _MOST_WORDS stay as they are, too.
    """
    if "=?" not in value:
        return value
    pieces: list[str] = []
    pending: list[bytes] = []
    pending_charset = ""
    position = 0

    def flush() -> None:
        if not pending:
            return
        octets = b"".join(pending)
        # refused for text, where it would hide markup; in a word most programs still decode it
        pieces.append(
            utf_7(octets) if is_utf_7(pending_charset) else decode(octets, pending_charset, report, where)
        )
        pending.clear()

    words = list(islice(_WORD.finditer(value), _MOST_WORDS))
    for word in words:
        between = value[position : word.start()]
        if not (pending and (not between or between.isspace())):
            flush()
            pieces.append(between)
        charset = word[1].partition("*")[0].lower()
        octets = _octets(word[2], word[3])
        if not word[0].endswith("?="):
            report.add(DefectKind.UNDECODABLE_WORD, word[0], where)
        if octets is None or codec(charset) is None:
            report.add(
                DefectKind.UNDECODABLE_WORD if octets is None else DefectKind.UNKNOWN_CHARSET, word[0], where
            )
        if octets is None:
            flush()
            pieces.append(word[0])
        else:
            if charset != pending_charset:
                flush()
                pending_charset = charset
            pending.append(octets)
        position = word.end()
    flush()
    rest = value[position:]
    pieces.append(rest)
    if len(words) == _MOST_WORDS and "=?" in rest:
        report.add(DefectKind.HEADER_TOO_LONG, _MOST_WORDS, where)
    elif position == 0 or "=?" in rest:
        report.add(DefectKind.UNDECODABLE_WORD, rest, where)
    return "".join(pieces)


def parameters(value: str) -> dict[str, str]:
    """The parameters of a structured field's value: of several that have one name, the one most readers take."""
    return {name: values[0] for name, values in all_parameters(value).items()}


def has_too_many_parameters(value: str) -> bool:
    """Whether a structured field has more parameters, or sections of one, than are read; cheap."""
    return (
        value.count(";") >= MOST_PARAMETERS and sum(1 for _ in _PARAMETER.finditer(value)) > MOST_PARAMETERS
    )


def all_parameters(value: str) -> dict[str, list[str]]:
    """The parameters of a structured field's value, names lower-cased, each with its distinct values: RFC 2231
    sections joined first, then plain ones in their order, last names of files that no semicolon stands before.

    Encoded words are left: ``decode_words`` is the caller's. At most 100 parameters, of at most 100 sections.
    """
    plain: dict[str, list[str]] = {}
    sections: dict[str, dict[int, tuple[bool, str]]] = {}
    between: list[str] = []
    position = 0
    for number, match in enumerate(_PARAMETER.finditer(value)):
        between.append(value[position : match.start()])
        position = match.end()
        if number >= MOST_PARAMETERS:
            break
        name = match[1].lower()
        text = _unquoted(match[2])
        if not match[2].startswith('"'):
            # senders leave names with spaces in them unquoted
            text = text.rstrip() if name in _NAMES else text.split(None, 1)[0] if text else ""
        if "*" in name:
            base, _, section = name.partition("*")
            encoded = section.endswith("*") or not section
            index = section.rstrip("*") or "0"
            if index.isascii() and index.isdigit() and len(index) < 4 and int(index) < _SECTIONS:
                known = sections.setdefault(base, {})
                if int(index) in known:
                    plain.setdefault(base, []).append(_joined({0: (encoded, text)}))
                else:
                    known[int(index)] = (encoded, text)
                continue
        plain.setdefault(name, []).append(text)
        if name in _NAMES and match[2] == '""':  # quotes in quotes, of which some programs take away all
            inner = value[match.end() :].partition(";")[0].replace('"', "").strip()
            plain[name] += [inner] * bool(inner)
        if name in _NAMES and "(" in text and not match[2].startswith('"'):
            plain[name].append(_COMMENT.sub("", text).strip())
    between.append(value[position:])
    found = {base: [_joined(numbered)] for base, numbered in sections.items()}
    for name, values in plain.items():
        found.setdefault(name, []).extend(values)
    if "name" in (rest := " ".join(between).lower()) and "=" in rest:
        for match in islice(_LOOSE_NAME.finditer(" ".join(between)), MOST_PARAMETERS):
            found.setdefault(match[1].lower(), []).append(_unquoted(match[2]))
    return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    text = text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:]
    return _QUOTED_PAIR.sub(r"\1", text) if "\\" in text else text


def _joined(numbered: dict[int, tuple[bool, str]]) -> str:
    """The value of a parameter in sections (RFC 2231 3 and 4)."""
    charset = None
    octets = b""
    for position, (_, (encoded, text)) in enumerate(sorted(numbered.items())):
        if not encoded:
            octets += text.encode("utf-8")
        elif position == 0 and text.count("'") >= 2:
            charset, _, extended = text.split("'", 2)
            octets += unquote_to_bytes(extended)
        else:
            octets += unquote_to_bytes(text)
    name = codec(charset) if charset else None
    return octets.decode(name, "replace") if name and name != "ascii" else guess(octets)

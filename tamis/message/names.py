"""Host names for comparing: UTS 46 (non-transitional) and IDNA 2008, as browsers and name servers have them.

What browsers drop from a host is dropped (soft hyphen, zero-width characters, variation selectors: UTS 46 "ignored"),
what they map is mapped (capitals, full-width letters, ideographic dots), and `ß`, `ς` and joiners are letters of their
own. What is no name by these rules is told as a problem and still gets a key, so that it can be compared.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna

from tamis.message.unseen import BLANK, is_invisible

_LABEL = 63
_NAME = 253
_MOST = 1000
"""Characters of a name that are mapped; the DNS has 253 octets (RFC 1035 2.3.4). Beyond: no name: `unusable_author`,
`invalid_host`."""
_END = ". \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
_LONG = "a label of more than 63 octets"
LIKE_DOTS = dict.fromkeys(map(ord, "\u3002\uff0e\uff61\u2024\ufe52"), ".")
"""What people read as a dot, for str.translate."""
_JOINERS = "\u200c\u200d"
_LIKE_A_BLANK = re.compile(f"[{BLANK}]")
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


@dataclass(frozen=True, slots=True)
class HostName:
    """A name's comparing form, and what is wrong with it as an internationalised name ("" if nothing)."""

    key: str
    problem: str = ""


@lru_cache(maxsize=4096)
def host_name(text: str) -> HostName:
    """The comparing form of a host or mail domain: ASCII, lower case, A-labels, no trailing dot. Never raises.

    A character that no name may have is left out where it can't be seen and kept where it can; either is a problem.
    """
    text = text.strip()
    if text.isascii():
        key = text.rstrip(_END).lower()
        bad = next((label for label in key.split(".") if label.startswith("xn--") and not _is_a(label)), "")
        return HostName(key, f"{bad[:_LABEL]} is no A-label" if bad else "")
    if len(text) > _MOST:
        return HostName(_spelled(text.lower()), f"{len(text)} characters")
    mapped, problem = _mapped(text)
    labels = []
    for label in mapped.lower().strip().rstrip(_END).split("."):
        made = _label(label)
        problem = problem or made.problem
        labels.append(made.key)
    return HostName(".".join(labels).rstrip(_END), problem)


@lru_cache(maxsize=4096)
def is_host_name(text: str) -> bool:
    """Whether a text is a full domain name in the form that the DNS has, lower case, with A-labels."""
    return _HOST.fullmatch(text) is not None and not text.rpartition(".")[2].isdecimal()


def u_label(label: str) -> str:
    """An A-label as the letters that it stands for; any other label as it is."""
    if not label.startswith("xn--") or len(label) > _NAME:
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _mapped(text: str) -> tuple[str, str]:
    """The UTS 46 mapping (section 4, step 1 and 2), and what it refuses."""
    if not _LIKE_A_BLANK.search(text):
        try:
            return idna.uts46_remap(text, std3_rules=False, transitional=False), ""
        except idna.IDNAError:
            pass
    kept, refused = [], ""
    for one in text:
        try:
            if _LIKE_A_BLANK.match(one):  # UTS 46 has it in some names, no reader sees it there
                refused = refused or f"U+{ord(one):04X} in it"
            else:
                kept.append(idna.uts46_remap(one, std3_rules=False, transitional=False))
        except idna.IDNAError:
            refused = refused or f"U+{ord(one):04X} in it"
            kept.append("" if is_invisible(one) else one)
    return unicodedata.normalize("NFC", "".join(kept)), refused


def _label(label: str) -> HostName:
    """A mapped label as an A-label, and what is wrong with it (UTS 46 4.1)."""
    if label.isascii():
        bad = label.startswith("xn--") and not _is_a(label)
        return HostName(label, f"{label[:_LABEL]} is no A-label" if bad else "")
    if len(label) > _LABEL:
        return HostName(_spelled(label), _LONG)
    problem = ""
    for joiner in _JOINERS:
        if joiner in label and not _joins(label, joiner):
            label = label.replace(joiner, "")  # some browsers drop it, others refuse the name
            problem = f"U+{ord(joiner):04X} out of its context"
    try:
        if label:
            idna.check_initial_combiner(label)
            idna.check_bidi(label)
    except idna.IDNAError as error:
        problem = problem or str(error)[:_NAME]
    if label.isascii():
        return HostName(label, problem)
    if label.startswith("xn--"):
        problem = problem or "an A-label with other letters"
    made = f"xn--{label.encode('punycode').decode('ascii')}"
    return HostName(made, problem) if len(made) <= _LABEL else HostName(_spelled(label), _LONG)


def _spelled(label: str) -> str:
    """A label that no A-label can be made of, in ASCII."""
    return label.encode("unicode_escape").decode("ascii").lower()


def _joins(label: str, joiner: str) -> bool:
    """Whether a joiner stands where it may, wherever it stands (RFC 5892 appendix A.1 and A.2)."""
    try:
        return all(idna.valid_contextj(label, at) for at, one in enumerate(label) if one == joiner)
    except (ValueError, idna.IDNAError):  # a neighbour that this Python's Unicode does not know
        return False


@lru_cache(maxsize=4096)
def _is_a(label: str) -> bool:
    """Whether a label that begins with xn-- stands for a label of the mapped form, and is the one that does."""
    try:
        shown = label[4:].encode("ascii").decode("punycode") if len(label) <= _LABEL else ""
    except UnicodeError:
        return False
    return not shown.isascii() and _mapped(shown) == (shown, "") and _label(shown) == HostName(label)

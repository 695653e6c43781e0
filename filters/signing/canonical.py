"""The canonical forms of DKIM (RFC 6376 3.4), which ARC shares. Pure, and linear in whatever a sender wrote."""

from __future__ import annotations

_END = b"\r\n"
_ENDS = _END * 512
_BLANKS = b" \t"


def relaxed_field(field: bytes) -> bytes:
    """A whole field in the relaxed form (3.4.2), with its line end."""
    name, _, value = field.partition(b":")
    return name.strip(_BLANKS).lower() + b":" + _single_blanks(value.replace(_END, b"")).strip(_BLANKS) + _END


def simple_body(body: bytes) -> bytes:
    """A body in the simple form (3.4.3): one line end at its end, also when it is empty."""
    return _without_end(body) + _END


def relaxed_body(body: bytes) -> bytes:
    """A body in the relaxed form (3.4.4); nothing of one that has only blanks and empty lines."""
    content = _without_end(_single_blanks(body).removesuffix(b" ").replace(b" \r\n", _END))
    return content + _END if content else b""


def _without_end(body: bytes) -> bytes:
    """Without the line ends at its end; a bare CR or LF is none."""
    end = len(body)
    while body.endswith(_ENDS, 0, end):
        end -= len(_ENDS)
    while body.endswith(_END, 0, end):
        end -= len(_END)
    return body[:end]


def _single_blanks(text: bytes) -> bytes:
    """Each run of blanks as one space. Halving the runs beats a regular expression by far."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text

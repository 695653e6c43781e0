"""The bounds within which a message is examined, as they stand in the code.

A bound is a number in capitals, of a module or a class, in the rooms that look at messages. Its docstring or the
comment behind it says what it bounds, and after the word "beyond:" what becomes of the rest and who says so.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tamis.message.mail import LIMITS

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("tamis/message", "tamis/rules", "tamis/services", "filters")
"""Where messages are looked at."""

_CLASSES = {"Limits", "Bounds"}
_WORD = "beyond:"
_LIKE_A_BOUND = re.compile(r"MAX|MOST|LIMIT|LARGEST|LONGEST|CHARACTERS|OCTETS|MEMORY")
NO_BOUNDS = {
    "filters/antivirus.py _NAME_CHARACTERS",  # of a name that is shown
    "filters/attachment_fingerprints.py _MAX_HASHES",  # shown
    "filters/credential_form.py _MAX_HOSTS",  # shown
    "filters/greylisting.py _LONGEST",  # a policy's range
    "filters/image_text.py _MAX_HOSTS",  # shown
    "filters/shared/on_dns_lists.py _MOST_CHARACTERS",  # shown
    "filters/shared/on_dns_lists.py _MOST_SHOWN",  # shown
    "tamis/message/domains.py _MAX_LABEL",  # RFC 1035 2.3.4
    "tamis/message/mail/defects.py _DETAIL_CHARACTERS",  # shown
    "tamis/message/mail/defects.py _WHERE_CHARACTERS",  # shown
    "tamis/message/mail/file_links.py _MOST_CONTROL",  # a share
    "tamis/message/mail/embedded.py _LINE_OCTETS",  # POSIX uuencode
    "tamis/message/mail/headers.py _LINE_OCTETS",  # RFC 5322 2.1.1
    "tamis/message/mail/headers.py _NAME_OCTETS",  # RFC 5322 2.1.1
    "tamis/message/mail/html.py _DIRECT_CHARACTERS",  # which of two ways is taken
    "tamis/message/mail/part.py _HEAD_OCTETS",  # where a file's mark stands
    "tamis/message/mail/mime.py _RFC2046_BOUNDARY_OCTETS",  # RFC 2046 5.1.1
    "tamis/services/dns/cache.py _CHARACTERS_PER_ENTRY",  # how a size becomes a number
    "tamis/services/dns/wire.py _LONGEST_TTL",  # RFC 2181 8
    "tamis/services/files/helper_main.py _MAX_JOBS",  # then a fresh process
    "tamis/services/files/unpacking.py _PATH_CHARACTERS",  # shown
    "tamis/services/scanners/clamd.py _MAX_SIGNATURE",  # shown
    "tamis/services/state/sqlite_state.py _MAX_OCTETS",  # of the process's cache
}
"""Numbers with a name like a bound's that cut nothing off a message."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number: where it stands, its value as it is written, what is said of it."""

    path: str
    name: str
    value: str
    said: str

    @property
    def key(self) -> str:
        """Its file and name."""
        return f"{self.path} {self.name}"

    @property
    def is_like_a_bound(self) -> bool:
        """Whether something must be said of it."""
        return not self.name.isupper() or _LIKE_A_BOUND.search(self.name) is not None

    @property
    def what(self) -> str:
        """What it bounds."""
        return _parts(self.said)[0]

    @property
    def beyond(self) -> str:
        """What becomes of the rest; "" where nothing is said."""
        return _parts(self.said)[1]


def numbers() -> Iterator[Number]:
    """Every number in capitals of the rooms."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield from _of_file(path)


def _of_file(path: Path) -> Iterator[Number]:
    text = path.read_text()
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    tree = ast.parse(text)
    bodies = [
        tree.body,
        *(one.body for one in tree.body if isinstance(one, ast.ClassDef) and one.name in _CLASSES),
    ]
    for body in bodies:
        for at, statement in enumerate(body):
            target = (
                statement.targets[0]
                if isinstance(statement, ast.Assign)
                else getattr(statement, "target", None)
            )
            value = getattr(statement, "value", None)
            if not isinstance(target, ast.Name) or value is None or not _is_number(value):
                continue
            if body is tree.body and not target.id.isupper():
                continue
            after = body[at + 1] if at + 1 < len(body) else None
            yield Number(
                str(path.relative_to(ROOT)),
                target.id,
                ast.unparse(value),
                _docstring(after) or comments.get(statement.end_lineno or 0, ""),
            )


def _is_number(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):
        return _is_number(value.left) and _is_number(value.right)
    if isinstance(value, ast.Attribute):
        return isinstance(value.value, ast.Name) and value.value.id == "LIMITS"
    return isinstance(value, ast.Constant) and type(value.value) in (int, float)


def _docstring(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return ""


def _parts(said: str) -> tuple[str, str]:
    at = said.lower().find(_WORD)
    if at < 0:
        return said.strip(" .;,"), ""
    return said[:at].strip(" .;,"), said[at + len(_WORD) :].strip(" .")


def table() -> Iterator[str]:
    """The rows of docs/bounds.md."""
    yield "| value | of what | the rest | where |"
    yield "|---|---|---|---|"
    for one in numbers():
        if one.beyond:
            name = one.name.strip("_").lower()
            what = one.what[0].upper() + one.what[1:]
            yield f"| {_shown(one.value)} | {what} | {one.beyond} | `{one.path}` {name} |"


def _shown(value: str) -> str:
    if value.startswith("LIMITS."):
        value = str(getattr(LIMITS, value.partition(".")[2]))
    number = eval(value, {"__builtins__": {}})
    return f"{number:,}"

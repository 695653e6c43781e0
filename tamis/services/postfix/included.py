"""Lists in files of their own, as aliases(5) names them: `:include:/file/name`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tamis.base.errors import ServiceError
from tamis.judging.alias_targets import entries
from tamis.services.postfix.lookup_tables import FileStamp, stamp

MAX_OCTETS = 64 * 1024
"""Of one included file. Beyond: the alias is a list, which is one mailbox of its own, under its own policy."""
MAX_NESTED = 5
"""Files that include each other, one in the other. Beyond: the alias is a mailbox of its own."""
_MARK = ":include:"


def is_followed(entry: str) -> bool:
    """Whether an entry is an address, not a command or a file that mail is written to."""
    return not entry.strip('"').startswith(("|", "/"))


def expanded(value: str, read: dict[Path, FileStamp], nested: int = 0) -> str:
    """A right-hand side with the files in it replaced by what they hold; `read` gets their names and stamps.

    Raises ServiceError where one can't be read or is too long.
    """
    found = []
    for entry in entries(value):
        plain = entry.strip('"')
        if plain.startswith(_MARK):
            if nested == MAX_NESTED:
                raise ServiceError(f"{plain}: files that include each other too often")
            path = Path(plain.removeprefix(_MARK))
            read[path] = stamp(path)
            found.append(expanded(_right_hand_side(path), read, nested + 1))
        else:
            found.append(entry)
    return ", ".join(one for one in found if one)


def _right_hand_side(path: Path) -> str:
    """What a file names: a right-hand side on each of its lines, those that begin with # left out."""
    try:
        # a pipe would be waited for
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ServiceError(f"{path} is not a file")
            content = file.read(MAX_OCTETS + 1)
    except (OSError, ValueError) as error:
        raise ServiceError(f"{path}: {error}") from error
    if len(content) > MAX_OCTETS:
        raise ServiceError(f"{path} is longer than {MAX_OCTETS} octets")
    lines = content.decode("utf-8", "surrogateescape").splitlines()
    return ", ".join(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))

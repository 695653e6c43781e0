"""The part of `tamis doctor` that looks at the reports that wait to be learned: may the daemon read them?"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from tamis.cli.checks import CheckResult, ok, warning
from tamis.models.reports import Spool
from tamis.settings import Settings


def report_checks(settings: Settings) -> Iterator[CheckResult]:
    """Whether the owner of the state directory, whom the daemon runs as, may read what waits."""
    spool = Spool(settings.spool_directory)
    try:
        uid = settings.state_directory.stat().st_uid
        waiting, folder = spool.names(), spool.folder.stat()
    except FileNotFoundError:  # nothing was ever reported
        return
    except OSError as problem:
        yield warning("reports", str(problem), "run `tamis doctor` as root")
        return
    groups = groups_of(uid)
    closed = [name for name in waiting if not _may_read(spool.folder / name, uid, groups)]
    if closed or not allows(folder, uid, groups, 0o7):
        yield warning(
            "reports",
            f"{len(closed)} of {len(waiting)} in {spool.folder} can't be read by uid {uid}"
            + (f", such as {closed[0]!r}; they stay there" if closed else ": nor can the folder be used"),
            "put the daemon's user into the group of the files, have the folder hand its group on (chmod 2770), and "
            "restart Tamis (docs/statistics.md, Dovecot)",
        )
    else:
        yield ok("reports", f"{len(waiting)} wait in {spool.folder}")


def groups_of(uid: int) -> frozenset[int]:
    """The groups that a process of a user has when it starts."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return frozenset()
    return frozenset(os.getgrouplist(user.pw_name, user.pw_gid))


def _may_read(path: Path, uid: int, groups: Collection[int]) -> bool:
    try:
        found = path.lstat()
    except OSError:  # it went meanwhile
        return True
    return not stat.S_ISDIR(found.st_mode) and allows(found, uid, groups, 0o4)


def allows(found: os.stat_result, uid: int, groups: Collection[int], wanted: int) -> bool:
    """Whether a file's mode gives a user all the wanted bits: as its owner, else by its group, else as anybody."""
    shift = 6 if found.st_uid == uid else 3 if found.st_gid in groups else 0
    return uid == 0 or found.st_mode >> shift & wanted == wanted

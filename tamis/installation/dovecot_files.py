"""The files of deploy/dovecot for the Dovecot that is installed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tamis.installation.file_changes import FileChange, read_file

DEPLOYED = Path(__file__).resolve().parents[1] / "deploy" / "dovecot"
SCRIPT = "sieve/tamis.sieve"
"""The Sieve script's place below Dovecot's configuration folder."""
_LMTP = Path("/usr/lib/dovecot/lmtp")


def form(version: str) -> str:
    """Which form of configuration a Dovecot reads, by what `dovecot --version` says: 2.4 has another than 2.3."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return "2.4" if found and (int(found[1]), int(found[2])) >= (2, 4) else "2.3"


def missing_parts() -> str:
    """The package of Debian's that Junk folders need and that is not installed, "" when all are."""
    if not shutil.which("dovecot"):
        return "dovecot-core"
    if not shutil.which("sievec"):
        return "dovecot-sieve"
    return "" if _LMTP.exists() else "dovecot-lmtpd"


def junk_files(folder: Path, of_form: str) -> Iterator[FileChange]:
    """What files marked mail into Junk, below Dovecot's configuration folder."""
    script = folder / SCRIPT
    lines = (DEPLOYED / of_form / "99-tamis.conf").read_text(encoding="utf-8")
    lines = lines.replace("/etc/dovecot/sieve/tamis.sieve", str(script))
    wanted = {
        folder / "conf.d" / "99-tamis.conf": lines.encode(),
        script: (DEPLOYED / "tamis.sieve").read_bytes(),
    }
    for path, content in wanted.items():
        yield FileChange(path, read_file(path), content)

"""Attachments and viruses, through Postfix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.attachments import PDF, PROGRAM, archive, eicar, letter
from tests.real import Client, wait_until
from tests.real.scanners import EICAR, PrivateClamd, SilentServer
from tests.road.installation import Installation

pytestmark = pytest.mark.real

ALICE = "alice@example.com"
STRANGER = Client("192.0.2.7")


def antivirus(socket: str) -> dict[str, Any]:
    """Settings with one engine."""
    return {"antivirus": {"seconds": 1.0, "engines": [{"name": "clamav", "socket": socket}]}}


def send(installation: Installation, raw: bytes) -> None:
    """One message to Alice, all the way."""
    assert installation.postfix.send(raw, to=[ALICE], client=STRANGER).accepted
    installation.postfix.wait_idle()


def test_a_virus_is_quarantined_and_the_reason_names_its_signature() -> None:
    with PrivateClamd() as clamd, Installation(settings=antivirus(clamd.unix)) as installation:
        send(installation, letter({"papers.zip": archive({"eicar.com": eicar()})}))
        (held,) = installation.held()
        assert held["decided_by"] == "antivirus"
        assert f"virus {EICAR}" in held["because"]
        assert installation.postfix.maildir(ALICE) == []
        clamd.stop()
        send(installation, letter({"papers.pdf": PDF}, number=2))  # without a scanner mail flows on
        (copy,) = installation.postfix.maildir(ALICE)
        assert b"X-Spam-Unavailable: antivirus" in copy


def test_a_scanner_that_never_answers_holds_no_mail_back() -> None:
    with SilentServer() as silent, Installation(settings=antivirus(silent.inet)) as installation:
        send(installation, letter({"papers.pdf": PDF}))
        assert len(installation.postfix.maildir(ALICE)) == 1


def test_attachments_by_type_and_by_fingerprint(installation: Installation, tmp_path: Path) -> None:
    """The base takes effect without a restart, and counts what it decided."""
    send(installation, letter({"papers.zip": archive({"invoice.pdf.exe": PROGRAM})}, number=10))
    (held,) = installation.held()
    assert held["decided_by"] == "attachment_types"
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(PDF)
    installation.tamis("fingerprint", "add", "attachment", str(bad))

    def caught() -> bool:
        send(installation, letter({"papers.zip": archive({"note.pdf": PDF})}, number=11))
        return any(one["decided_by"] == "attachment_fingerprints" for one in installation.held())

    wait_until(caught, timeout=60, what="the fingerprint to count")

    def counted() -> bool:
        shown = installation.tamis("fingerprint", "show", "attachment", "--json")
        return bool(shown[0]["hits"])

    wait_until(counted, timeout=60, what="the hit to be counted")
    installation.tamis("fingerprint", "remove", "attachment", str(bad))
    assert installation.tamis("fingerprint", "show", "attachment", "--json") == []

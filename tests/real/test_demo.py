"""`./run demo` shows what it promises and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.real.demo import POLICIES
from tests.real.support import REPOSITORY


@pytest.mark.real
def test_demo_tells_who_got_what() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "tests.real.demo", "--once"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for address in POLICIES:
        assert address in shown.stdout
    assert "a colleague's note: Minutes of Tuesday" in shown.stdout
    assert "In quarantine: 4\n" in shown.stdout, shown.stdout
    invoice = shown.stdout.partition("an invoice in a PDF:")[2].partition("\n\n")[0]
    assert "decided=keywords" in invoice
    assert "keywords: gift_cards (in an image or document)" in shown.stdout
    fraud = shown.stdout.partition("an advance-fee fraud:")[2].partition("In quarantine:")[0]
    assert "quarantine@example.org   held in quarantine" in fraud
    assert "X-Spam-Flag: YES" in fraud

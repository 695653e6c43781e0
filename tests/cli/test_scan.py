"""`tamis scan`: what would happen to a message, all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

EMPTY = "From: jean@example.net\nDate: Sun, 1 Mar 2026 12:00:00 +0000\nMessage-ID: <1@example.net>\n{}\n\n"
ASKED = "refused with 550: its sender is asked to confirm it in the SMTP reply"


@pytest.mark.parametrize(
    ("challenge", "field", "url", "asks"),
    [
        ("reply", "X-Test: x", "https://mail.example.com", True),
        ("reply", "X-Test: x", "http://127.0.0.1:8898", False),
        ("mail", "X-Test: x", "https://mail.example.com", False),
        ("reply", "List-Id: <x.example.net>", "https://mail.example.com", False),
    ],
)
def test_it_says_whether_the_sender_is_asked_in_the_reply(
    config: Path, run: Run, tmp_path: Path, challenge: str, field: str, url: str, asks: bool
) -> None:
    with config.open("a") as file:
        file.write(
            f'policy.challenge = "{challenge}"\npolicy.filters.empty.effect = "spam"\nweb.url = "{url}"\n'
        )
    (tmp_path / "empty.eml").write_text(EMPTY.format(field))
    scan = ("scan", "--rcpt", "marie@example.com", str(tmp_path / "empty.eml"))
    ended = run(*scan, "--json")
    assert (ended.status, ended.data["recipients"][0]["decided_by"]) == (1, "empty"), ended.err
    assert ended.data["asks"] is asks
    assert (ASKED in run(*scan).out) is asks

"""`tamis token`."""

from __future__ import annotations

from tests.cli.conftest import Run


def test_make_show_and_revoke(run: Run) -> None:
    made = run(
        "token", "make", "--for", "anne@example.com", "--scope", "held:read", "--domain", "example.com"
    )
    assert made.status == 0
    written = made.out.strip()
    assert written.startswith("tms_")
    assert "not shown again" in made.err
    shown = run("token", "show")
    assert "held:read" in shown.out
    assert written.rpartition("_")[2] not in shown.out
    number = run("token", "show", "--json").data[0]["id"]
    assert run("token", "revoke", number).status == 0
    assert run("token", "revoke", number).status == 66
    assert run("token", "show", "--for", "anne@example.com").out == "No tokens.\n"


def test_what_is_refused(run: Run) -> None:
    too_long = ("--scope", "people:admin", "--days", "2")
    assert "at most 1" in run("token", "make", "--for", "anne@example.com", *too_long).err
    assert run("token", "make", "--for", "example.com", "--scope", "held:read").status == 64
    assert run("token", "make", "--for", "anne@example.com", "--scope", "all").status == 64

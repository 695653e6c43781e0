"""The commands on the shared state: blocked clients, what senders earned, complaints."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

REPORT = """From: abuse@example.net
To: abuse@example.com
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b

This is an abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: test/1.0
Version: 1
Source-IP: {ip}

--b
Content-Type: message/rfc822

From: spammer@example.org
Subject: buy

--b--
"""


def test_block_and_unblock(run: Run) -> None:
    assert run("blocked", "show").out == "Nobody is blocked.\n"
    added = run(
        "blocked", "add", "203.0.113.7", "2001:db8:1:2::3", "--for", "2h", "--why", "visits", "--by", "me"
    )
    assert added.status == 0
    rows = run("blocked", "show", "--json").data
    assert [(row["client"], row["by"], row["why"]) for row in rows] == [
        ("2001:db8:1:2::/64", "me", "visits"),
        ("203.0.113.7", "me", "visits"),
    ]
    assert all(7100 < row["seconds"] <= 7200 for row in rows)
    assert "visits" in run("blocked", "show").out
    assert "blocked no more" in run("blocked", "remove", "203.0.113.7").out
    assert "was not blocked" in run("blocked", "remove", "203.0.113.7").out
    assert run("blocked", "add", "203.0.113.0/24").status == 64
    assert run("blocked", "add", "nobody").status == 64
    assert run("blocked", "add", "203.0.113.7", "--for", "0h").status == 64


def test_what_a_sender_earns(run: Run) -> None:
    assert run("senders", "show").out == "No entries.\n"
    told = run("senders", "validate", "Friend@example.net", "--domain", "example.com").out
    assert told == "friend@example.net with example.com: 1 validations, 0 proofs of work, 0 complaints\n"
    assert run("senders", "complain", "friend@example.net", "--domain", "example.com").status == 0
    (row,) = run("senders", "show", "--json").data
    assert (row["validations"], row["complaints"]) == (1, 1)
    assert run("senders", "validate", "own@example.com", "--domain", "example.com").status == 78
    assert run("senders", "remove", "friend@example.net", "--domain", "example.com").status == 0
    assert run("senders", "remove", "friend@example.net", "--domain", "example.com").status == 66


def test_complaints_are_counted_and_decided(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    for number, (kind, ip) in enumerate(
        [
            ("abuse", "203.0.113.7"),
            ("abuse", "203.0.113.7"),
            ("not-spam", "203.0.113.8"),
            ("abuse", "no address"),
            ("fraud", "127.0.0.1"),
        ]
    ):
        (folder / f"{number}.eml").write_text(REPORT.format(kind=kind, ip=ip))
    (folder / "9.eml").write_text("From: a@example.net\n\nno report\n")
    told = run("complaints", "ingest", str(folder), "--json").data
    assert (told["reports"], told["passed_over"]) == (2, 4)
    assert [(c["client"], c["reports"]) for c in told["clients"]] == [("203.0.113.7", 2)]
    (folder / "mail.eml").write_text(
        "From: a@example.org\nSubject: x\nDate: Sun, 1 Mar 2026 12:00:00 +0000\n\nx\n"
    )
    scan = ("scan", "--ip", "203.0.113.7", "--rcpt", "marie@example.com", str(folder / "mail.eml"))
    assert run(*scan).status == 0, "a report alone condemns nobody"
    assert run("complaints", "condemn", "203.0.113.7", "--why", "many").status == 0
    assert "many" in run("complaints", "show").out
    assert run(*scan).status == 1
    assert run("complaints", "settle", "203.0.113.7").status == 0
    assert run(*scan).status == 0
    assert run("complaints", "settle", "203.0.113.7").status == 66
    assert run("complaints", "show", "--condemned").out == "No complaints.\n"

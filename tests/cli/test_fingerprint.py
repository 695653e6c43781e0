"""`tamis fingerprint`: the base of bad attachments and images."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.attachments import PDF
from tests.cli.conftest import Run
from tests.services.files.test_images import picture, saved


def test_a_file_on_the_base_and_off_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.pdf"
    file.write_bytes(PDF)
    digest = hashlib.sha256(PDF).hexdigest()
    assert run("fingerprint", "add", "attachment", str(file), "--json").data == {
        "new": 1,
        "merged": 0,
        "fingerprints": [digest],
    }
    assert (
        run("fingerprint", "add", "attachment", digest.upper(), "--note", "again", "--json").data["merged"]
        == 1
    )
    (shown,) = run("fingerprint", "show", "attachment", "--json").data
    assert (shown["pattern"], shown["note"], shown["hits"]) == (digest, "again", 0)
    assert digest in run("fingerprint", "show", "attachment").out
    assert run("fingerprint", "remove", "attachment", str(file)).out.startswith("1 removed.")
    assert run("fingerprint", "show", "attachment").out == "No fingerprints.\n"


def test_an_image_has_two_fingerprints(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.png"
    file.write_bytes(saved(picture()))
    added = run("fingerprint", "add", "image", str(file), "--scope", "example.com", "--json").data
    assert [len(one) for one in added["fingerprints"]] == [64, 32]
    assert run("fingerprint", "show", "image", "--scope", "platform").out == "No fingerprints.\n"
    assert run("fingerprint", "remove", "image", str(file), "--scope", "example.com", "--json").data == {
        "removed": added["fingerprints"]
    }


LETTER = "From: Sales <sales@example.net>\nSubject: Offer\n\nCheap.\n"
TRACE = "Received: from a (a [203.0.113.9]) by mx.example.com\n"


def test_a_message_is_marked_and_marked_no_more(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "m.eml"
    file.write_text(TRACE + LETTER)
    (tmp_path / "copy.eml").write_text(LETTER.replace("Cheap.", "Cheap.  "))
    (added,) = run("fingerprint", "add", "message", str(file), "--json").data["fingerprints"]
    assert added.startswith("203.0.113.9 ")
    refused = run("fingerprint", "add", "message", str(tmp_path / "copy.eml"))
    assert (refused.status, "say --ip" in refused.err) == (65, True)
    again = run(
        "fingerprint", "add", "message", str(tmp_path / "copy.eml"), "--ip", "203.0.113.9", "--by", "other"
    )
    assert again.out.startswith("1 marked.")
    (shown,) = run("fingerprint", "show", "message", "--json").data
    assert (shown["fingerprint"], shown["scope"], shown["marks"]) == (added, "platform", 2)
    assert added in run("fingerprint", "show", "message").out
    assert run("fingerprint", "show", "message", "--scope", "example.com").out == "No messages are marked.\n"
    scanned = run("scan", "--json", "--ip", "203.0.113.9", "--rcpt", "marie@example.com", str(file))
    assert (scanned.status, scanned.data["recipients"][0]["decided_by"]) == (1, "marked_spam")
    assert run("fingerprint", "remove", "message", str(file)).out.startswith("1 no longer marked.")
    assert run("fingerprint", "remove", "message", str(file)).status == 66
    assert run("scan", "--ip", "203.0.113.9", "--rcpt", "marie@example.com", str(file)).status == 0
    assert run("fingerprint", "add", "message", str(file), "--ip", "nowhere").status == 64


def test_what_is_wrong_is_refused(run: Run, tmp_path: Path) -> None:
    ended = run("fingerprint", "add", "attachment", str(tmp_path / "not\nthere"))
    assert ended.status == 64
    assert "neither a file nor a hash" in ended.err
    ended = run("fingerprint", "remove", "attachment", "0" * 64)
    assert ended.status == 66
    assert "is not on the base of platform" in ended.err


def test_a_fingerprint_is_a_list_entry(run: Run) -> None:
    run("lists", "add", "white", "attachment", "AB" * 32, "--scope", "marie@example.com")
    (entry,) = run("lists", "show", "--json").data
    assert (entry["subject"], entry["pattern"]) == ("attachment", "ab" * 32)
    assert run("lists", "add", "black", "image", "12345").status == 64

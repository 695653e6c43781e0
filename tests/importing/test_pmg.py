"""Proxmox Mail Gateway: every row and line accounted for, from a folder, a backup and a dump; bounds."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tamis.base.errors import ConfigError
from tamis.contract.lists import Colour
from tamis.importing import pmg_dump
from tamis.importing.bounded_files import ReadingBudget
from tamis.importing.checking import setting_check
from tamis.importing.gathering import Account, Fate, Gathering
from tamis.importing.pmg_rules import read_pmg
from tests.builders import FILTERS
from tests.importing.conftest import HERE, NAMES, book_of, matching

FOLDER = HERE / "pmg"
DUMP = FOLDER / "Proxmox_ruledb.sql"


@pytest.fixture
def site(gathered: Gathering) -> Gathering:
    """Our gateway, read from a folder."""
    read_pmg(FOLDER, gathered, ReadingBudget())
    return gathered


def told(gathered: Gathering, text: str) -> Account:
    """What was said of the only line that begins so."""
    (found,) = [one for one in gathered.accounts if one.line.text.startswith(text)]
    return found


def archived(mode: str, files: dict[str, bytes]) -> bytes:
    """A tar archive."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload] # "w" or "w:gz"
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def backup() -> bytes:
    """What pmgbackup makes: the dump, and /etc/pmg in an archive of its own."""
    files = {
        f"etc/pmg/{path.relative_to(FOLDER)}": path.read_bytes()
        for path in FOLDER.rglob("*")
        if path.is_file() and path != DUMP
    }
    inner = archived("w", files)
    parts = {"./Proxmox_ruledb.sql": DUMP.read_bytes(), "./config_backup.tar": inner, "./version.txt": b"9\n"}
    return archived("w:gz", parts)


def test_every_row_and_line_is_accounted_for(site: Gathering) -> None:
    places = {one.line.place for one in site.accounts}
    for path in FOLDER.rglob("*"):
        name = path.relative_to(FOLDER).as_posix()
        if not path.is_file() or name.endswith(".private"):
            continue
        for number, text in enumerate(path.read_text().split("\n"), 1):
            around = text in ("", "\\.") or text.startswith("COPY ")
            assert around or f"{name}:{number}" in places, (name, number)
    assert told(site, "(the file)").line.place == "dkim/mail2026.private"
    for one in site.accounts:
        assert one.told or one.fate is Fate.SILENT, one


def test_lists_of_everybody_of_a_mailbox_and_of_users(site: Gathering) -> None:
    entries = {(one.scope, one.pattern): one.colour for one in site.entries.values()}
    assert entries == {
        ("platform", "pest@example.net"): Colour.BLACK,
        ("platform", "spammer.example"): Colour.BLACK,
        ("platform", "203.0.113.0/24"): Colour.BLACK,
        ("platform", "*@*.bad.example"): Colour.BLACK,
        ("platform", "friend@example.net"): Colour.WHITE,
        ("platform", "192.0.2.44"): Colour.WHITE,
        ("sales@example.com", "partner.example"): Colour.WHITE,
        ("marie@example.com", "aunt@example.net"): Colour.WHITE,
        ("marie@example.com", "*@club.example"): Colour.WHITE,
        ("marie@example.com", "shop@example.org"): Colour.BLACK,
    }


def test_levels_switches_and_files_are_settings(site: Gathering) -> None:
    assert site.policy["platform"] == {
        "required": 4.5,  # level 3 of 5 is 4.5 of 7.5
        "outcome": "quarantine",
        "tag": "SPAM: ",
        "filters.greylisting.state": "off",
        "filters.spf.state": "on",
        "filters.statistics.state": "off",
        "retention_days": 21,
    }
    assert site.policy["all.example.com"] == {"enabled": False}
    assert site.settings["platform.domains"] == ["example.com", "example.org"]
    assert site.settings["platform.networks"][2:] == ["192.0.2.0/24"]
    assert site.settings["platform.dnsbl"][-1] == "bl.example.net=127.0.0.2"
    assert any("*@example.com" in hint for hint in site.hints)


def test_content_is_rules(site: Gathering) -> None:
    book = book_of(site)
    assert matching(book, "Subject: cheap Swiss watches\n\nhello\n") == {"words"}
    attached = (
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/octet-stream\n"
        "Content-Disposition: attachment; filename=run.vbs\n\nx\n--b--\n"
    )
    assert matching(book, attached) == {"dangerous_files"}


def test_what_has_no_equal_says_why(site: Gathering) -> None:
    reasons = {
        "LDAP group": "LDAP",
        "time frame": "time of day",
        "header field 'subject:(?=bad)look'": "looks around",
        "disclaimer": "never changed",
        "rule 'Outgoing'": "outgoing",
        "rule 'Special'": "all match",
        "rule 'At night'": "time of day",
    }
    for text, reason in reasons.items():
        one = told(site, text)
        assert one.fate is Fate.NONE
        assert reason in one.told
    assert told(site, "rule 'Off'").fate is Fate.SILENT
    assert not [one for one in site.accounts if "hidden" in one.line.text]


def test_a_backup_says_the_same_as_the_folder(site: Gathering, tmp_path: Path) -> None:
    path = tmp_path / "pmg-backup.tgz"
    path.write_bytes(backup())
    other = Gathering(setting_check(FILTERS), NAMES)
    read_pmg(path, other, ReadingBudget())
    assert other.policy == site.policy
    assert other.settings == site.settings
    assert other.entries.keys() == site.entries.keys()
    assert other.rules == site.rules


def test_a_dump_alone_is_enough(gathered: Gathering, site: Gathering) -> None:
    other = Gathering(setting_check(FILTERS), NAMES)
    read_pmg(DUMP, other, ReadingBudget())
    assert other.entries.keys() == site.entries.keys()


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("COPY object (id, value) FROM stdin;\n1\tx\n2\n\\.\n", 3, "columns"),
        ("\nCOPY object (id, value) FROM stdin;\n1\tx", 2, "no end"),
        ("COPY object (id) FROM stdin;\na\0\n\\.\n", 2, "NUL"),
    ],
)
def test_a_broken_dump_is_refused_with_file_and_line(
    gathered: Gathering, tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = tmp_path / "rules.sql"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem) as refused:
        read_pmg(path, gathered, ReadingBudget())
    assert refused.value.source.endswith(f"rules.sql:{line}")


def test_hostile_backups_are_refused(
    gathered: Gathering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "backup.tgz"
    whole = backup()
    for octets in (b"", b"no archive at all", whole[:200], gzip.compress(b"x" * 1000)):
        path.write_bytes(octets)
        with pytest.raises(ConfigError):
            read_pmg(path, gathered, ReadingBudget())
    monkeypatch.setattr(pmg_dump, "MAX_UNPACKED", 100_000)
    path.write_bytes(archived("w:gz", {"zeros": bytes(10_000_000)}))
    with pytest.raises(ConfigError, match="octets"):
        read_pmg(path, gathered, ReadingBudget())
    monkeypatch.setattr(pmg_dump, "MAX_MEMBERS", 5)
    path.write_bytes(archived("w:gz", {f"f{number}": b"" for number in range(9)}))
    with pytest.raises(ConfigError, match="files"):
        read_pmg(path, gathered, ReadingBudget())


def test_names_in_a_backup_lead_nowhere(gathered: Gathering, tmp_path: Path) -> None:
    path = tmp_path / "backup.tgz"
    path.write_bytes(archived("w:gz", {"../../etc/evil": b"x", "Proxmox_ruledb.sql": DUMP.read_bytes()}))
    read_pmg(path, gathered, ReadingBudget())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup.tgz"]

"""Postfix's lookup tables, asked by its own tool: every type that is here, and what can't be asked."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tamis.base.errors import ServiceError
from tamis.services.postfix.listeners import program
from tamis.services.postfix.lookup_tables import ask, files_of, split_maps

pytestmark = pytest.mark.real

MARIE = "marie@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.7\n")
    (tmp_path / "master.cf").write_text("")
    dynamic = Path("/etc/postfix/dynamicmaps.cf")  # where Debian lists postfix-pcre
    if dynamic.exists():
        (tmp_path / "dynamicmaps.cf").write_text(dynamic.read_text())
    (tmp_path / "virtual").write_text(f"info@example.com {MARIE}\n@example.org {MARIE}\n")
    (tmp_path / "patterns").write_text(f"/^(sales|info)@example\\.com$/ {MARIE}\n/@example\\.org$/ {MARIE}\n")
    return tmp_path


@pytest.mark.parametrize(
    "kind",
    ["texthash", "hash", "btree", "lmdb", "cdb", "regexp", "pcre", "inline", "unionmap", "pipemap", "proxy"],
)
def test_each_type_answers(folder: Path, kind: str) -> None:
    known = subprocess.run(
        [program("postconf"), "-c", folder, "-m"], capture_output=True, text=True, check=True
    ).stdout.split()
    table = {
        "inline": f"inline:{{ {{ info@example.com = {MARIE} }}, {{ @example.org = {MARIE} }} }}",
        "unionmap": f"unionmap:{{texthash:{folder}/virtual}}",
        "pipemap": f"pipemap:{{texthash:{folder}/virtual}}",
        "proxy": f"proxy:texthash:{folder}/virtual",
        "regexp": f"regexp:{folder}/patterns",
        "pcre": f"pcre:{folder}/patterns",
    }.get(kind, f"{kind}:{folder}/virtual")
    if kind not in known:
        with pytest.raises(ServiceError, match=kind):
            ask(folder, table, ["info@example.com"])
        return
    if kind in ("hash", "btree", "lmdb", "cdb"):
        subprocess.run([program("postmap"), "-c", folder, table], check=True)
    keys = ["info@example.com", "@example.org", "paul@example.com", "", "a\nb@example.com", "x" * 2000]
    assert ask(folder, table, keys) == {"info@example.com": MARIE, "@example.org": MARIE}


@pytest.mark.parametrize(
    "table", ["hash:/nonexistent/virtual", "mysql:/nonexistent", "nonsense:x", "texthash:/nonexistent"]
)
def test_what_can_not_be_asked_is_no_answer(folder: Path, table: str) -> None:
    with pytest.raises(ServiceError, match=re.escape(table)):
        ask(folder, table, ["info@example.com"])


def test_a_table_that_hangs_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = folder / "postmap"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr("tamis.services.postfix.lookup_tables.program", lambda _: str(hanging))
    with pytest.raises(ServiceError, match="does not answer within"):
        ask(folder, "mysql:/etc/postfix/virtual.cf", ["info@example.com"], seconds=0.2)


def test_octets_that_are_no_text_come_through(folder: Path) -> None:
    (folder / "virtual").write_bytes(b"\xe9@example.com marie@example.com\n")
    (folder / "main.cf").write_text("compatibility_level = 3.7\nsmtputf8_enable = no\n")
    key = b"\xe9@example.com".decode("utf-8", "surrogateescape")
    assert ask(folder, f"texthash:{folder}/virtual", [key, "info@example.com"]) == {}


def test_which_files_stand_behind_tables() -> None:
    found = files_of(
        split_maps("hash:/etc/postfix/virtual, unionmap:{pcre:/etc/a,proxy:mysql:/etc/b} inline:{a=b}")
    )
    assert {str(one) for one in found if not one.suffix} == {"/etc/postfix/virtual", "/etc/a", "/etc/b"}
    assert Path("/etc/postfix/virtual.db") in found

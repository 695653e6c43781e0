"""`tamis --url`: the same commands on a Tamis elsewhere, by its API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tamis.cli import main
from tamis.database.granted_people import parse_rights
from tamis.handover.own_rules import write_own_rules
from tamis.people.token_scopes import TokenScope
from tests.cli.conftest import Ended
from tests.web.api.conftest import token_of
from tests.web.api.test_borders import MARK, Objects
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, MARIE, Pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The Tamis elsewhere."""
    people = {ADMIN: ["example.com"], PLATFORM_ADMIN: ["platform"]}
    with Pages(tmp_path_factory.mktemp("elsewhere"), {"web": {"administrators": people}}) as serving:
        yield serving


class There:
    """Runs `tamis --url` with the token of somebody."""

    def __init__(self, pages: Pages, maker: str, file: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self._pages, self._file, self._capfd = pages, file, capfd
        file.touch(0o600)
        file.write_text(token_of(pages, maker).token + "\n")

    def __call__(self, *arguments: str) -> Ended:
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--url", self._pages.url, "--token", str(self._file), *arguments])
        captured = self._capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)


@pytest.fixture
def there(
    pages: Pages, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> There:
    """An owner of example.com, elsewhere: there is no settings file here."""
    monkeypatch.setenv("TAMIS_CONFIG", str(tmp_path / "nothing.toml"))
    monkeypatch.setenv("COLUMNS", "200")
    return There(pages, ADMIN, tmp_path / "token", capfd)


@pytest.fixture
def objects(pages: Pages) -> Objects:
    """What is Marie's."""
    return Objects(pages, MARIE)


def test_held_mail(there: There, objects: Objects) -> None:
    first, second = objects.held(), objects.held()
    listed = there("quarantine", "list", "--mailbox", MARIE)
    assert listed.status == 0, listed.err
    assert first in listed.out
    assert {first, second} <= {one["id"] for one in there("quarantine", "list", "--json").data}
    shown = there("quarantine", "show", first)
    assert f"subject:    {MARK}" in shown.out
    assert "hit:        reverse_dns" in shown.out
    assert there("quarantine", "show", "--raw", first).out.startswith("From: a@example.net")
    assert f"{first} released" in there("quarantine", "release", first).out
    assert f"{first} released before" in there("quarantine", "release", first).out
    assert f"{second} deleted" in there("quarantine", "delete", second).out
    assert f"{second} restored" in there("quarantine", "restore", second).out
    unknown = there("quarantine", "delete", "unknown")
    assert (unknown.status, "is not a message in quarantine" in unknown.err) == (66, True)
    assert there("quarantine", "show", "unknown").status == 66


def test_history(there: There, objects: Objects) -> None:
    number = objects.message()
    assert number in there("history", "list", "--for", MARIE).out
    shown = there("history", "show", number)
    assert f"{MARIE}: spam -> quarantine" in shown.out
    assert there("history", "show", "--json", number).data[0]["recipients"][0]["now"]["outcome"]
    assert there("history", "show", "0").status == 66


def test_lists(there: There) -> None:
    added = there("lists", "add", "white", "sender", "friend@example.net", "--scope", MARIE, "--note", "n")
    assert "1 added" in added.out, added.err
    assert "friend@example.net" in there("lists", "show", "--scope", MARIE).out
    broad = there("lists", "add", "white", "sender", "example.com", "--scope", "example.com")
    assert (broad.status, "broad" in broad.err) == (65, True)
    met = there("lists", "check", "friend@example.net", "--to", MARIE)
    assert (met.status, "friend@example.net" in met.out) == (0, True)
    assert there("lists", "check", "other@example.net").out == "No entry meets other@example.net.\n"
    assert there("lists", "remove", "friend@example.net", "--scope", MARIE).status == 0
    assert there("lists", "show", "--scope", MARIE).out == "No entries.\n"


def test_policy(there: There, pages: Pages) -> None:
    assert there("policy", "set", "example.com", "retention_days", "12", "--note", "why").status == 0
    shown = {one["key"]: one for one in there("policy", "show", "example.com", "--json").data}
    told = shown["retention_days"]
    assert (told["value"], told["scope"], told["source"]) == (12, "example.com", "store")
    assert there("policy", "unset", "example.com", "retention_days").status == 0
    assert there("policy", "unset", "example.com", "retention_days").status == 66
    assert there("policy", "set", "example.com", "no.such", "1").status == 65
    assert there("policy", "set", "example.org", "retention_days", "1").status == 66


def test_versions_of_policy(there: There, pages: Pages) -> None:
    assert there("policy", "set", "example.com", "retention_days", "13", "--note", "why so").status == 0
    newest = there("policy", "versions", "example.com", "--limit", "1", "--json").data[0]
    assert (newest["note"], newest["changes"][0]["now"]) == ("why so", 13)
    assert "    example.com: retention_days: default -> 13" in there("policy", "versions", "example.com").out
    undone = there("policy", "undo", str(newest["id"]), "--json").data
    assert (undone["undoes"], undone["changes"][0]["now"]) == (newest["id"], None)
    assert there("policy", "undo", str(newest["id"])).status != 0
    pages.store.overrides.set("example.org", "retention_days", 3, by="test", check=pages.house.check)
    of_others = pages.store.overrides.versions.find(scope="example.org", limit=1)[0].id
    assert there("policy", "undo", str(of_others)).status == 66
    assert "example.org" not in there("policy", "versions").out


def test_senders(there: There, objects: Objects) -> None:
    domain, address = "example.com", objects.sender()
    assert address in there("senders", "show", "--domain", domain).out
    assert there("senders", "show", address, "--json").data[0]["domain"] == domain
    assert "starts from zero" in there("senders", "remove", address, "--domain", domain).out
    assert there("senders", "remove", address, "--domain", domain).status == 66
    assert there("senders", "show", "nobody@example.net").out == "No entries.\n"


def test_challenges(there: There, objects: Objects) -> None:
    number = objects.challenge()
    assert number in there("challenges", "list", "--domain", "example.com").out
    first = there("challenges", "list", "--limit", "1", "--json").data
    assert first[0]["id"] == number
    shown = there("challenges", "show", number, "--json").data
    assert (shown["id"], shown["link"], len(shown["messages"])) == (number, "", 1)
    assert there("challenges", "show", "unknown").status == 66


def test_status(there: There, pages: Pages, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mine = there("status", "--domain", "example.com")
    assert mine.status == 0, mine.err
    assert mine.out.startswith("example.com since ")
    assert "disk" not in mine.out
    everything = There(pages, PLATFORM_ADMIN, tmp_path / "other", capfd)("status")
    assert "disk:" in everything.out


def test_rules_learning_and_people(
    pages: Pages, tmp_path: Path, capfd: pytest.CaptureFixture[str], objects: Objects
) -> None:
    root = There(pages, PLATFORM_ADMIN, tmp_path / "token", capfd)
    write_own_rules(pages.settings, '[[rule]]\nname = "casino"\nmatch = "casino"\naction = "spam"\n')
    mail = tmp_path / "mail"
    mail.write_bytes(b"Subject: casino\r\n\r\nx\r\n")
    assert "casino" in root("rules", "test", str(mail)).out
    assert root("rules", "test", "--rules", str(mail), str(mail)).status == 64
    name = objects.rule()
    assert root("rules", "shadow", name).status == 0
    assert f"{name}  shadow" in root("rules", "taken").out
    assert root("rules", "forget", name).status == 0
    assert root("rules", "accept", "no_such_rule").status != 0
    assert "0 of 200 learned" in root("model", "status").out
    pages.store.people.grant("tina@example.com", "example.com", parse_rights(["helper"]), by="test")
    assert "is suspended" in root("people", "suspend", "tina@example.com").out
    assert root("people", "suspend", "tina@example.com").status != 0
    assert "no longer" in root("people", "suspend", "--end", "tina@example.com").out


def test_what_needs_the_machine_says_so(there: There) -> None:
    for command in (("scan", "x"), ("doctor",), ("quarantine", "usage"), ("challenges", "count")):
        refused = there(*command)
        assert refused.status == 64
        assert "the machine that it runs on" in refused.err


def test_where_a_token_may_stand(
    there: There,
    pages: Pages,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*arguments: str) -> Ended:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "quarantine", "list"])
        told = capfd.readouterr()
        return Ended(int(ended.value.code or 0), told.out, told.err)

    written = token_of(pages, ADMIN, TokenScope.HELD_READ).token
    monkeypatch.setenv("TAMIS_TOKEN", written)
    assert run("--url", pages.url).err == ""
    monkeypatch.delenv("TAMIS_TOKEN")
    assert run("--url", pages.url).status == 64
    assert "is seen by everybody" in run("--url", pages.url, "--token", written).err
    opened = tmp_path / "open"
    opened.write_text(written)
    opened.chmod(0o644)
    assert "can be read by others" in run("--url", pages.url, "--token", str(opened)).err
    assert run("--url", "http://mail.example.com", "--token", written).status == 78
    assert run("--url", "ftp://mail.example.com", "--token", written).status == 78
    assert run("--token", written).status == 64


def test_a_token_without_the_scope_is_told_which(there: There, pages: Pages, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token_of(pages, ADMIN, TokenScope.HISTORY_READ).token)
    refused = there("quarantine", "list")
    assert (refused.status, "held:read" in refused.err) == (77, True)
    (tmp_path / "token").write_text("tms_000000000000_" + "0" * 64)
    assert there("quarantine", "list").status == 77

"""Where addresses lead by a Postfix's own maps: reread when they change, never in the way of mail."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from tamis.base.errors import ConfigError, ServiceError
from tamis.judging.alias_targets import Destination
from tamis.services.postfix import aliases
from tamis.services.postfix.aliases import PostfixDirectory
from tamis.services.postfix.included import MAX_OCTETS
from tamis.services.postfix.listeners import program
from tamis.settings import Settings
from tests.real import wait_until

pytestmark = pytest.mark.real

MARIE, PAUL, FAN = "marie@example.com", "paul@example.com", "fan@example.net"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(aliases, "_LOOK", 0.0)  # every question looks at the files
    (tmp_path / "master.cf").write_text("")
    return tmp_path


def directory(folder: Path, main: str = "", **platform: Any) -> PostfixDirectory:
    config = (
        "compatibility_level = 3.7\nmyhostname = mx.example.com\nmydestination = mx.example.com, localhost\n"
    )
    (folder / "main.cf").write_text(f"{config}myorigin = mx.example.com\nalias_maps =\n{main}\n")
    given = {"domains": ["example.com", "example.org"], **platform}
    settings = {"platform": given, "postfix": {"config_directory": folder}}
    return PostfixDirectory(Settings.model_validate(settings), wait=60.0)


def table(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return f"texthash:{folder}/{name}"


def test_the_maps_of_postfix_itself_are_followed(folder: Path) -> None:
    (folder / "local").write_text(
        "root: marie@example.com\nteam: marie@example.com, bob\nbob: bob\nrun: |/bin/cat\n"
        "list: marie@example.com, paul@example.com\nowner-list: paul@example.com\n"
    )
    (folder / "main.cf").write_text("compatibility_level = 3.7\n")
    subprocess.run([program("postalias"), "-c", folder, f"hash:{folder}/local"], check=True)
    mapped = f"info@example.com {MARIE}\n@example.org shared@example.com\nt@example.com root\n"
    virtual = table(folder, "virtual", mapped)
    canonical = table(folder, "canonical", "old@example.com info@example.com\n")
    found = directory(
        folder,
        f"virtual_alias_maps = {virtual}\nrecipient_canonical_maps = {canonical}\nalias_maps = hash:{folder}/local\n",
    )
    leads = {
        "info@example.com": [MARIE],
        "Info+x@Example.com": ["marie+x@example.com"],
        "any@example.org": ["shared@example.com"],
        "old@example.com": [MARIE],
        "t@example.com": [MARIE],
        "root@mx.example.com": [MARIE],
        "team@mx.example.com": [MARIE, "bob@mx.example.com"],
        "run@mx.example.com": ["run@mx.example.com"],
        "list@mx.example.com": ["list@mx.example.com"],
        PAUL: [PAUL],
    }
    found.prepare(list(leads))
    for address, mailboxes in leads.items():
        one = found.destination(address)
        assert sorted({*one.mailboxes, *one.outside}) == sorted(mailboxes), address


def local_aliases(folder: Path, text: str) -> PostfixDirectory:
    (folder / "local").write_text(text)
    (folder / "main.cf").write_text("compatibility_level = 3.7\n")
    subprocess.run([program("postalias"), "-c", folder, f"hash:{folder}/local"], check=True)
    return directory(folder, f"alias_maps = hash:{folder}/local", domains=["example.com", "mx.example.com"])


def test_included_files_are_followed_and_watched(folder: Path) -> None:
    inner, outer = folder / "inner", folder / "the list"
    inner.write_text(f"# who is new\nPaul Example <{PAUL}>\n")
    outer.write_text(f"{MARIE}, bob (for a while)\n\n:include:{inner}\n")
    found = local_aliases(folder, f'team: ":include:{outer}"\none: :include:{inner}\n')
    assert found.destination("team@mx.example.com").mailboxes == (MARIE, "bob@mx.example.com", PAUL)
    assert found.destination("one@mx.example.com").mailboxes == (PAUL,)
    inner.write_text(f"{MARIE}\n")
    assert found.destination("one@mx.example.com").mailboxes == (MARIE,)
    assert found.destination("team@mx.example.com").mailboxes == (MARIE, "bob@mx.example.com")


def test_a_file_that_cannot_be_read_makes_no_wrong_address(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of these is a mailbox of its own, is told, and no other alias suffers."""
    (folder / "circle").write_text(f":include:{folder}/circle\n")
    (folder / "long").write_text(f"{MARIE}\n" * MAX_OCTETS)
    (folder / "command").write_text(f"{MARIE}\n|/bin/cat\n")
    (folder / "unclear").write_text("marie and paul\n")
    (folder / "empty").write_text("")
    os.mkfifo(folder / "pipe")
    names = ("circle", "long", "command", "unclear", "empty", "pipe", "nowhere")
    lines = "".join(f"{name}: :include:{folder}/{name}\n" for name in names)
    found = local_aliases(folder, f"{lines}half: {MARIE}, :include:{folder}/nowhere\nfine: {MARIE}\n")
    for name in (*names, "half"):
        address = f"{name}@mx.example.com"
        assert found.destination(address) == Destination((address,)), name
    assert found.destination("fine@mx.example.com").mailboxes == (MARIE,)
    assert {name for name in names if f"{folder}/{name}" in caplog.text} == {
        "circle",
        "long",
        "pipe",
        "nowhere",
    }
    assert [one for one in found.breakers.states() if one.reason] == []


def test_patterns_are_asked_for_whole_addresses_only(folder: Path) -> None:
    (folder / "patterns").write_text("/^(.+)@example\\.org$/ $1@example.com\n")
    found = directory(folder, f"virtual_alias_maps = regexp:{folder}/patterns")
    assert found.destination("marie+x@example.org").mailboxes == ("marie+x@example.com",)


def test_a_line_that_is_added_counts_without_a_reload(folder: Path) -> None:
    virtual = table(folder, "virtual", f"info@example.com {MARIE}\n")
    found = directory(folder, f"virtual_alias_maps = {virtual}")
    assert found.destination("info@example.com").mailboxes == (MARIE,)
    table(folder, "virtual", f"info@example.com {PAUL}\nnew@example.com {FAN}\n")
    assert found.destination("info@example.com").mailboxes == (PAUL,)
    assert found.destination("new@example.com") == Destination((), (FAN,))
    (folder / "main.cf").write_text((folder / "main.cf").read_text().replace(virtual, ""))
    assert found.destination("info@example.com").mailboxes == ("info@example.com",)


def test_the_settings_may_name_others(folder: Path) -> None:
    virtual = table(folder, "virtual", f"info@example.com {MARIE}\n")
    mine = table(folder, "mine", f"info@example.com {PAUL}\n@example.org {FAN}\n").removeprefix("texthash:")
    found = directory(folder, f"virtual_alias_maps = {virtual}", alias_maps=[mine])
    assert found.destination("info@example.com").mailboxes == (PAUL,)
    assert found.destination("other@example.org").outside == (FAN,)
    (folder / "mine").unlink()
    with pytest.raises(ConfigError, match=r"platform\.alias_maps"):
        directory(folder, alias_maps=[mine])


def test_without_postfix_each_address_is_its_own(tmp_path: Path) -> None:
    settings = Settings.model_validate({"postfix": {"config_directory": tmp_path / "none"}})
    before = threading.active_count()
    assert PostfixDirectory(settings).destination("Info@example.com") == Destination(("info@example.com",))
    assert threading.active_count() == before


Asked = Callable[..., Mapping[str, str]]


def answering(monkeypatch: pytest.MonkeyPatch, answer: Asked) -> list[Collection[str]]:
    """Stand for postmap; what was asked."""
    asked: list[Collection[str]] = []

    def ask(folder: Path, table: str, keys: Collection[str], *, seconds: float) -> Mapping[str, str]:
        asked.append(list(keys))
        return answer(keys)

    monkeypatch.setattr(aliases, "ask", ask)
    return asked


def test_a_map_that_fails_leaves_the_last_answer_and_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = False

    def answer(keys: Collection[str]) -> Mapping[str, str]:
        if fails:
            raise ServiceError("mysql:/x: no connection")
        return {"info@example.com": MARIE} if "info@example.com" in keys else {}

    answering(monkeypatch, answer)
    found = directory(folder, "virtual_alias_maps = mysql:/x")
    assert found.destination("info@example.com").mailboxes == (MARIE,)
    fails = True
    os.utime(folder / "main.cf", (1, 1))  # touched: all is to be asked for anew
    assert found.destination("info@example.com").mailboxes == (MARIE,)
    unknown = found.destination("new@example.com")
    assert (unknown.mailboxes, unknown.problem) == (("new@example.com",), "mysql:/x: no connection")
    (state,) = found.breakers.states()
    assert (state.part, state.reason) == ("alias maps", "mysql:/x: no connection")


def test_nobody_waits_long_for_a_map_that_hangs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def answer(keys: Collection[str]) -> Mapping[str, str]:
        assert release.wait(60)
        return {"info@example.com": MARIE}

    answering(monkeypatch, answer)
    found = directory(folder, "virtual_alias_maps = mysql:/x")
    monkeypatch.setattr(found, "_wait", 0.05)
    assert found.destination("info@example.com") == Destination(
        ("info@example.com",), problem="no answer yet"
    )
    release.set()
    wait_until(
        lambda: found.destination("info@example.com").mailboxes == (MARIE,), timeout=30, what="the answer"
    )


def test_many_addresses_cost_one_question(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, lambda keys: {"@example.org": MARIE})
    found = directory(folder, "virtual_alias_maps = mysql:/x")
    many = [f"a{n}@example.org" for n in range(400)]
    found.prepare(many)
    assert {found.destination(one).mailboxes for one in many} == {(MARIE,)}
    assert len(asked) == 2  # the addresses, and where they lead
    found.prepare(many)
    assert len(asked) == 2


def test_old_answers_serve_while_new_ones_are_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = MARIE
    answering(monkeypatch, lambda keys: {"info@example.com": owner} if "info@example.com" in keys else {})
    monkeypatch.setattr(aliases, "_FRESH", 0.0)
    found = directory(folder, "virtual_alias_maps = mysql:/x")
    assert found.destination("info@example.com").mailboxes == (MARIE,)
    owner = PAUL
    assert found.destination("info@example.com").mailboxes == (MARIE,)
    wait_until(
        lambda: found.destination("info@example.com").mailboxes == (PAUL,), timeout=30, what="the new answer"
    )


def test_what_is_remembered_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, lambda keys: {})
    monkeypatch.setattr(aliases, "MAX_KNOWN", 100)
    found = directory(folder, "virtual_alias_maps = mysql:/x")
    for start in range(0, 1000, 50):
        found.prepare([f"a{n}@example.com" for n in range(start, start + 50)])
    assert len(found._known) <= 100

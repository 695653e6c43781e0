"""`tamis doctor`'s readings of Postfix's own spellings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamis.cli.doctor_content import content_services
from tamis.services.files.images import installed_languages
from tamis.services.postfix.lookup_tables import split_maps
from tamis.services.postfix.notation import postfix_forms, preferred_form, seconds
from tamis.settings import Settings, SocketAddress
from tests.cli.conftest import Run

QUEUE = "/var/spool/postfix"


@pytest.mark.parametrize(
    ("socket", "named"),
    [
        ("inet:127.0.0.1:8895", "inet:localhost:8895"),
        ("inet:127.0.0.1:8895", "inet:127.0.0.1:8895"),
        ("inet6:[::1]:8895", "inet:[::1]:8895"),
        ("unix:/run/tamis/milter", "unix:/run/tamis/milter"),
        (f"unix:{QUEUE}/tamis/milter", "unix:tamis/milter"),
        (f"unix:{QUEUE}/tamis/milter", f"unix:{QUEUE}/tamis/milter"),
    ],
)
def test_a_socket_has_several_names(socket: str, named: str) -> None:
    assert named in postfix_forms(SocketAddress.parse(socket), QUEUE)


def test_in_a_chroot_a_socket_has_other_names() -> None:
    below, elsewhere = (
        SocketAddress.parse(f"unix:{QUEUE}/tamis/milter"),
        SocketAddress.parse("unix:/run/milter"),
    )
    assert postfix_forms(below, QUEUE, chroot=True) == {"unix:tamis/milter", "unix:/tamis/milter"}
    assert postfix_forms(elsewhere, QUEUE, chroot=True) == frozenset()
    assert preferred_form(below, QUEUE) == "unix:tamis/milter"
    assert preferred_form(elsewhere, QUEUE) == "unix:/run/milter"


def test_another_socket_is_not_ours() -> None:
    assert "inet:127.0.0.1:8896" not in postfix_forms(SocketAddress.parse("inet:127.0.0.1:8895"), QUEUE)


def test_tables_with_braces_stay_whole() -> None:
    maps = "inline:{ {.tamis.invalid = tamis:[127.0.0.1]:8896} }, hash:/etc/postfix/transport"
    assert split_maps(maps) == [
        "inline:{ {.tamis.invalid = tamis:[127.0.0.1]:8896} }",
        "hash:/etc/postfix/transport",
    ]


@pytest.mark.parametrize(("text", "number"), [("300s", 300), ("5m", 300), ("1h", 3600), ("20", 20)])
def test_times(text: str, number: float) -> None:
    assert seconds(text) == number


@pytest.mark.parametrize("url", ["", "redis://tamis:secret@127.0.0.1:9/0"])
def test_whether_the_shared_state_answers(run: Run, config: Path, url: str) -> None:
    with config.open("a") as file:
        file.write(f'state.url = "{url}"\n')
    (told,) = [one for one in run("doctor", "--json").data if one["check"] == "shared state"]
    assert told["health"] == ("warning" if url else "ok")
    assert ("127.0.0.1:9" if url else "state.sqlite") in told["found"]
    assert "secret" not in told["found"]


def _fake_tesseract(folder: Path, monkeypatch: pytest.MonkeyPatch, languages: str) -> None:
    """The only program in PATH is one that has these languages."""
    program = folder / "tesseract"
    program.write_text(f"#!/bin/sh\necho 'List of available languages in \"/x\" (1):'\necho '{languages}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("languages", "found", "is_well"),
    [
        ("eng", "reads eng; not installed: fra, rus, chi_sim", True),
        ("osd", "has none of images.languages", False),
        ("", "is not installed", False),
    ],
)
def test_that_ocr_reads_nothing_is_no_good_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, languages: str, found: str, *, is_well: bool
) -> None:
    if languages:
        _fake_tesseract(tmp_path, monkeypatch, languages)
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    installed_languages.cache_clear()
    (look,) = (one for one in content_services(Settings()) if one.check == "ocr")
    installed_languages.cache_clear()
    assert found in look.found
    assert (look.mend == "") is is_well


def test_disk_images_that_nobody_can_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {look.check: look for look in content_services(Settings())}
    assert found["disk images"].found.endswith("reads them")
    assert not found["disk images"].mend
    monkeypatch.setenv("PATH", str(tmp_path))
    told = {look.check: look for look in content_services(Settings())}["disk images"]
    assert "not installed" in told.found
    assert told.mend == "apt install 7zip"


def test_a_daemon_that_does_not_run_is_one_cause(run: Run, config: Path) -> None:
    places = [f"unix:{config.parent}/{name}" for name in ("milter", "desk")]
    with config.open("a") as file:
        file.write("".join(f'[{Path(one).name}]\nsocket = "{one}"\n' for one in places))
    told = {one["check"]: one for one in run("doctor", "--json").data}
    assert told["daemon"]["health"] == "error"
    assert all(one in told["daemon"]["found"] for one in places)
    assert told.keys().isdisjoint({"milter socket", "desk socket", "route to the desk"})

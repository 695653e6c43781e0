"""`tamis lists`."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tamis.contract.finding import Finding, Status
from tamis.filters.signing.forgeable import FORGEABLE, MOST_ASKED
from tamis.judging.promise import LIMITS
from tamis.store import Store
from tests.cli.conftest import Run
from tests.services.dns.resolving import WrittenDNS
from tests.web.samples import content, message


def test_add_show_remove(run: Run) -> None:
    ended = run("lists", "add", "white", "sender", "@Example.NET", "*.example.org", "--note", "friends")
    assert ended.out == (
        f"2 added, 0 brought up to date. In force within seconds; nothing needs a restart.\n{LIMITS}\n"
    )
    run(
        "lists",
        "add",
        "black",
        "ip",
        "192.0.2.0/24",
        "--scope",
        "Example.com",
        "--expires",
        "30d",
        "--by",
        "me",
    )
    shown = run("lists", "show").out
    assert [line.split()[:5] for line in shown.splitlines()] == [
        ["ID", "SCOPE", "COLOUR", "ABOUT", "PATTERN"],
        ["1", "platform", "white", "sender", "example.net"],
        ["2", "platform", "white", "sender", "*.example.org"],
        ["3", "example.com", "black", "ip", "192.0.2.0/24"],
    ]
    (only,) = run(
        "lists", "show", "--scope", "example.com", "--colour", "black", "--subject", "ip", "--json"
    ).data
    assert (only["pattern"], only["author"], only["hits"]) == ("192.0.2.0/24", "me", 0)
    assert only["expires"] > only["created"]
    removed = run("lists", "remove", "EXAMPLE.net", "2", "--scope", "platform")
    assert removed.out.splitlines()[0] == "removed 1: white sender example.net of platform"
    assert (
        run("lists", "remove", "192.0.2.0/24", "--scope", "example.com", "--json").data["removed"][0]["id"]
        == 3
    )
    assert run("lists", "show").out == "No entries.\n"


def test_import_from_a_file_and_from_standard_input(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "list.txt"
    file.write_text("\ufeff# friends\n\na@example.net  # Anna\n  *.example.org\r\nA@EXAMPLE.net\n")
    assert run("lists", "import", "white", "sender", str(file), "--json").data == {"new": 2, "merged": 0}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a@example.net\nb@example.net\n")))
    assert run("lists", "import", "white", "sender", "--json").data == {"new": 1, "merged": 1}
    assert {one["origin"] for one in run("lists", "show", "--json").data} == {"import"}


def test_an_import_with_a_bad_line_imports_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("192.0.2.1\n192.0.2.300\n# fine\n" + "x\x1b[31m\n" * 9)
    ended = run("lists", "import", "black", "ip", str(file))
    assert ended.status == 65
    assert f"{file}:2: '192.0.2.300': no IP address or network" in ended.err
    assert "and 5 more" in ended.err
    assert "\x1b" not in ended.err
    assert run("lists", "show", "--json").data == []


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("add", "white", "sender", "a b"), 64, "no address, domain or wildcard pattern"),
        (("add", "white", "sender", "*"), 64, "would match every sender"),
        (("add", "white", "ip", "192.0.2.1/24"), 64, "host bits set"),
        (("add", "grey", "ip", "192.0.2.1"), 64, "white"),
        (("add", "white", "ip"), 64, "PATTERN"),
        (("add", "white", "ip", "192.0.2.1", "--scope", "plattform"), 64, "did you mean 'platform'?"),
        (("add", "white", "ip", "192.0.2.1", "--expires", "soon"), 64, "neither a span like 30d"),
        (("add", "white", "ip", "192.0.2.1", "--expires", "2020-01-01"), 64, "over already"),
        (("remove", "7"), 66, "no entry with the id 7"),
        (("remove", "x.example.net"), 64, "--scope"),
        (("remove", "frends.example.net", "--scope", "platform"), 66, "did you mean 'friends.example.net'?"),
        (("import", "white", "ip", "/nowhere/list"), 64, "/nowhere/list"),
    ],
)
def test_mistakes_are_explained_and_change_nothing(
    run: Run, arguments: tuple[str, ...], status: int, says: str
) -> None:
    run("lists", "add", "white", "sender", "friends.example.net")
    ended = run("lists", *arguments)
    assert (ended.status, says in ended.err) == (status, True), ended
    assert len(run("lists", "show", "--json").data) == 1


def test_a_mistyped_scope_is_refused_with_the_nearest_one(run: Run, config: Path) -> None:
    config.write_text(config.read_text() + '[platform]\ndomains = ["boutique.example", "example.com"]\n')
    for scope, meant in (("boutique.exmaple", "boutique.example"), ("marie@exmple.com", "marie@example.com")):
        for command in (
            ("lists", "add", "white", "ip", "192.0.2.1", "--scope", scope),
            ("policy", "set", scope, "required", "5"),
        ):
            ended = run(*command)
            assert (ended.status, f"did you mean '{meant}'?" in ended.err) == (64, True), ended
    assert run("policy", "set", "marie@example.com", "required", "5").status == 0


def test_spans_and_dates(run: Run) -> None:
    for n, when in enumerate(("30min", "12h", "30d", "2w", "1y", "2099-12-31", "2099-12-31T12:00:00+02:00")):
        assert run("lists", "add", "white", "ip", f"192.0.2.{n}", "--expires", when).status == 0
    last = run("lists", "show", "--json").data[-1]
    assert last["expires"] == "2099-12-31T10:00:00+00:00"


@pytest.mark.parametrize(
    ("subject", "pattern", "why"),
    [
        ("ip", "0.0.0.0/0", "a whole network"),
        ("ip", "::/0", "a whole network"),
        ("ip", "10.0.0.0/8", "a whole network"),
        ("sender", "gmail.com", "a mail provider"),
        ("sender", "*@gmail.com", "a mail provider"),
        ("sender", "co.uk", "many owners"),
        ("sender", "*.com", "many owners"),
        ("sender", "example.com", "a whole domain of our own"),
    ],
)
def test_broad_entries_need_a_yes_and_a_reason_and_stand_in_doctor(
    run: Run, config: Path, subject: str, pattern: str, why: str
) -> None:
    config.write_text(config.read_text() + '[platform]\ndomains = ["example.com"]\n')
    refused = run("lists", "add", "white", subject, pattern)
    assert refused.status == 65
    assert why in refused.err
    assert run("lists", "add", "white", subject, pattern, "--yes").status == 65
    assert run("lists", "show").out == "No entries.\n"
    assert run("lists", "add", "white", subject, pattern, "--yes", "--note", "a test").status == 0
    told = [one for one in json.loads(run("doctor", "--json").out) if one["check"] == "lists"]
    assert [(why in one["found"], "(a test)" in one["found"], one["health"]) for one in told] == [
        (True, True, "warning")
    ]


def test_a_broad_line_stops_an_import(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("a@example.net\n*.org\n")
    refused = run("lists", "import", "black", "sender", str(file))
    assert (refused.status, "*.org: it covers everybody under" in refused.err) == (65, True)
    assert run("lists", "show").out == "No entries.\n"


def test_an_entry_takes_the_place_of_its_contrary(run: Run) -> None:
    run("lists", "add", "black", "sender", "a@example.net", "b@example.net")
    added = run("lists", "add", "white", "sender", "A@example.net")
    assert "replaces the black entry 1: a@example.net" in added.out
    assert [(one["colour"], one["pattern"]) for one in run("lists", "show", "--json").data] == [
        ("black", "b@example.net"),
        ("white", "a@example.net"),
    ]
    assert run("lists", "add", "white", "sender", "a@example.net", "--scope", "example.com").status == 0
    again = run("lists", "add", "black", "sender", "a@example.net", "--json").data
    assert [one["scope"] for one in again["replaced"]] == ["platform"]


def test_what_the_lists_say_of_a_sender_in_order_of_effect(run: Run) -> None:
    run("lists", "add", "black", "sender", "example.net")
    run("lists", "add", "white", "sender", "a@example.net", "--scope", "marie@example.com")
    run("lists", "add", "black", "sender", "*@example.net", "--scope", "example.com")
    run("lists", "add", "black", "ip", "192.0.2.0/24")
    found = run("lists", "check", "A@Example.net", "--json").data
    assert [(one["scope"], one["colour"]) for one in found] == [
        ("marie@example.com", "white"),
        ("example.com", "black"),
        ("platform", "black"),
    ]
    (only,) = run("lists", "check", "a@example.net", "--to", "x@example.org", "--json").data
    assert only["scope"] == "platform"
    assert LIMITS in run("lists", "check", "a@example.net").out
    assert "after SPF" not in run("lists", "check", "192.0.2.7").out
    assert run("lists", "check", "b@example.org").out == "No entry meets b@example.org.\n"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> str:
    """A sender whose domain has no DMARC record, as the DNS says; bank.example has one."""
    written = WrittenDNS({"_dmarc.bank.example TXT": ["v=DMARC1; p=reject"]})
    monkeypatch.setattr("tamis.chain.open_services.open_resolver", lambda _settings: written)
    return "marie@shop.example"


def test_a_sender_in_whose_name_others_can_write_is_told(run: Run, shop: str, tmp_path: Path) -> None:
    warned = f"take care: {shop}: {FORGEABLE}\n"
    ended = run("lists", "add", "white", "sender", shop, "bank.example")
    assert (ended.status, ended.err) == (0, warned)
    assert run("lists", "add", "white", "sender", shop, "--json").data["forgeable"] == {shop: FORGEABLE}
    file = tmp_path / "list.txt"
    file.write_text(f"{shop}\n" + "".join(f"a@shop{number}.example\n" for number in range(MOST_ASKED)))
    told = run("lists", "import", "white", "sender", str(file))
    assert (warned in told.err, "1 more domains were not looked at" in told.err) == (True, True)
    assert run("lists", "add", "black", "sender", shop).err == ""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "more", "is_added"), [("y\n", (), True), ("n\n", (), False), ("", ("--yes",), True)]
)
def test_somebody_at_a_terminal_is_asked_before_it_is_added(
    run: Run, shop: str, monkeypatch: pytest.MonkeyPatch, typed: str, more: tuple[str, ...], is_added: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(typed))
    ended = run("lists", "add", "white", "sender", shop, *more)
    assert ("Add them all the same?" in ended.err) is bool(typed)
    assert (ended.status == 0, shop in run("lists", "show").out) == (is_added, is_added)


def test_what_an_entry_would_not_let_in_is_said_at_once(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = replace(message(1), findings=[Finding("antivirus", Status.HIT, "a virus").to_dict()])
    held = [store.quarantine.hold(one, content()) for one in (forged, message(2))]
    garage = "contact@garage.example.net"
    ended = run("lists", "add", "white", "sender", garage)
    assert (
        f"{garage}: of 2 held, 1 would be held all the same, the newest because a virus scanner raised the alarm "
        f"(tamis quarantine show {held[0]})" in ended.out
    )
    assert run("lists", "add", "white", "sender", garage, "--json").data["held_despite"] == {garage: held[:1]}
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{garage}\n"))
    assert run("lists", "import", "white", "sender", "--json").data["held_despite"] == {garage: held[:1]}
    assert "held all the same, " not in run("lists", "add", "black", "sender", garage).out

"""Which recipients are relayed outside (O4), from virtual(5) alias files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamis.base.errors import ConfigError
from tamis.judging.forwards import outside_recipients
from tamis.judging.policy import Outcome
from tamis.settings import Platform
from tests.builders import site


def outside(
    tmp_path: Path, *files: str, domains: tuple[str, ...] = ("example.com", "example.org")
) -> set[str]:
    paths = []
    for number, text in enumerate(files):
        paths.append(tmp_path / str(number))
        paths[-1].write_text(text)
    found = outside_recipients(Platform(domains=domains, alias_maps=tuple(paths)))
    return {source for source, leads in found.items() if leads}


LONG = ", ".join(f"member{n}@example.com" for n in range(200))


@pytest.mark.parametrize(
    ("aliases", "expected"),
    [
        ("marie@example.com marie@example.net", {"marie@example.com"}),
        ("Marie@Example.COM  Marie@Example.NET", {"marie@example.com"}),
        ("marie@example.com paul@example.com", set()),
        ("marie@example.com paul@example.org", set()),
        ("marie@example.com marie@sub.example.com", {"marie@example.com"}),
        ("marie@example.com marie", set()),  # a local user
        ("marie@example.com paul@example.com, marie@example.net", {"marie@example.com"}),
        ("marie@example.com paul@example.com,marie@example.net", {"marie@example.com"}),
        ("marie@example.com\n  paul@example.com\n\n\tmarie@example.net", {"marie@example.com"}),
        ("# marie@example.com marie@example.net", set()),
        ("marie@example.com paul@example.com\n  # once marie@example.net\n", set()),
        ("\n   \nmarie@example.com marie@example.net\n", {"marie@example.com"}),
        ("@example.com @example.net", {"example.com"}),
        ("@example.com all@example.org\nall@example.org a@example.net", {"example.com", "all@example.org"}),
        ("a@example.com b@example.com\nb@example.com a@example.com", set()),  # a loop
        ("a@example.com a@example.com", set()),
        (
            "a@example.com b@example.com\nb@example.com a@example.com, c@example.com\nc@example.com x@example.net",
            {"a@example.com", "b@example.com", "c@example.com"},
        ),
        ("a@example.com x@example.org\n@example.org x@example.net", {"a@example.com", "example.org"}),
        (
            "a@example.com x@example.org\nx@example.org x@example.org\n@example.org x@example.net",
            {"example.org"},
        ),
        (f"list@example.com x@example.net, {LONG}", {"list@example.com"}),
        (f"list@example.com {LONG}, x@example.net", {"list@example.com"}),
        (f"list@example.com {LONG}", set()),
        ("lonely@example.com", set()),
        ("", set()),
    ],
)
def test_aliases(tmp_path: Path, aliases: str, expected: set[str]) -> None:
    assert outside(tmp_path, aliases) == expected


def test_files_are_read_together(tmp_path: Path) -> None:
    one, two = "a@example.com b@example.com", "b@example.com x@example.net"
    assert outside(tmp_path, one, two) == {"a@example.com", "b@example.com"}


def test_without_domains_nothing_is_outside(tmp_path: Path) -> None:
    assert outside(tmp_path, "a@example.com x@example.net", domains=()) == set()


def test_octets_that_are_no_text_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_bytes(b"\xe9@example.com x@example.com\na@example.com x@example.net\n")
    found = outside_recipients(Platform(domains=("example.com",), alias_maps=(path,)))
    assert [source for source, leads in found.items() if leads] == ["a@example.com"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(ConfigError, match=r"platform\.alias_maps") as refused:
        outside_recipients(Platform(domains=("example.com",), alias_maps=(missing,)))
    assert refused.value.value == str(missing)


def test_own_aliases_are_nearer_than_the_catch_all(tmp_path: Path) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("@example.com x@example.net\nmarie@example.com marie@example.com\n")
    made = site(
        f'[platform]\ndomains = ["example.com"]\nalias_maps = ["{aliases}"]\n[policy]\noutcome = "junk"\n'
    )
    forwards = {
        r: made.book.policy(r).forward
        for r in ("marie@example.com", "marie+x@example.com", "paul@example.com")
    }
    assert forwards == {"marie@example.com": False, "marie+x@example.com": False, "paul@example.com": True}
    assert made.book.policy("paul@example.com").outcome is Outcome.JUNK  # the plan makes quarantine of it

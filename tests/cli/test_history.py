"""`tamis history` and `tamis replay` where nothing is recorded, and where they are misunderstood."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run


def test_an_empty_history_says_so(run: Run) -> None:
    assert run("history", "list").out.startswith("No message that fits.")
    assert run("history", "list", "--json").data == []
    assert run("history", "show", "7").status == 66
    assert "Nothing is recorded for example.com since " in run("replay", "--domain", "example.com").out
    told = run("replay", "--set", "required=6", "--json").data
    assert (told["copies"], told["moved"], told["changed"]) == (0, 0, [])


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("replay", "--set", "requird=2"), 78, "policy.requird: no such setting; did you mean 'required'?"),
        (("replay", "--set", "cyrilic=off"), 78, "did you mean 'filters.cyrillic.state'?"),
        (("replay", "--set", "filters.cyrilic.state=off"), 78, "did you mean 'filters.cyrillic.state'?"),
        (("replay", "--set", "filters.dnsbl.shar=60"), 78, "did you mean 'filters.dnsbl.share'?"),
        (("replay", "--set", "filters.dnsbl.share=200"), 78, "less than or equal to 100 (value 200)"),
        (("replay", "--set", "required=6", "--set", "outcome=junck"), 78, "did you mean 'junk'?"),
        (("replay", "--set", "plattform:required=6"), 64, "domain or a mailbox"),
        (("replay", "--set", "required"), 64, "is not KEY=VALUE"),
        (("replay", "--since", "7x"), 64, "neither a span like 7d nor a date"),
        (("history", "list", "--decided-by", "cyrilic"), 64, "did you mean 'cyrillic'?"),
        (("history", "list", "--decided-by", "nonsense"), 64, "there is no filter 'nonsense'"),
    ],
)
def test_mistakes_are_explained(run: Run, arguments: tuple[str, ...], status: int, says: str) -> None:
    ended = run(*arguments)
    assert (ended.status, says in ended.err) == (status, True), ended.err

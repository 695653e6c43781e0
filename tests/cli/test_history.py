"""`tamis history` and `tamis replay` where nothing is recorded, and where they are misunderstood."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tamis.judging.story import Story, Told
from tamis.store import Store
from tests.cli.conftest import Run

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_an_empty_history_says_so(run: Run) -> None:
    assert run("history", "list").out.startswith("No message that fits.")
    assert run("history", "list", "--json").data == []
    assert run("history", "show", "7").status == 66
    assert "Nothing is recorded for example.com since " in run("replay", "--domain", "example.com").out
    told = run("replay", "--set", "required=6", "--json").data
    assert (told["copies"], told["moved"], told["changed"]) == (0, 0, [])
    assert "people said of 0 that they were wanted" in run("suggest").out
    assert run("suggest", "--domain", "example.com", "--json").data["scores"] == []


def test_a_message_is_found_and_shown_by_its_names(run: Run, store: Store) -> None:
    kept = Story(
        *(NOW, "4F2A91C0E7", "garage@example.net", "192.0.2.7", "mx", "", "<1@x>", 9, ()),
        (("marie@example.com", Told("ham", "tag", "", "", 0.0, 7.5, "")),),
        *("k3jx2", "Votre devis", "Garage <garage@example.net>", "mx1"),
    )
    store.history.add([("a:0", kept)])
    store.notes.done("k3jx2", "marie@example.com", "5A00000001", now=NOW)
    for arguments in (
        *(
            ("--sender", "Garage@example.net"),
            ("--recipient", "Marie@Example.com"),
            ("--subject", "devis votre"),
        ),
        *(("--message-id", "1@x"), ("--queue-id", "5A00000001"), ("--client", "192.0.2.7")),
    ):
        (found,) = run("history", "list", *arguments, "--json").data
        assert (found["subject"], found["side"], found["host"]) == ("Votre devis", "in", "mx1")
    assert "Votre devis" in run("history", "list").out
    assert run("history", "list", "--subject", "facture", "--json").data == []
    for name in ("5A00000001", "<1@x>", "k3jx2"):
        told = run("history", "show", name).out
        assert "tamis id:   k3jx2\n" in told
        assert "sent back as 5A00000001, 2026-03-02 12:00:00 UTC, for marie@example.com" in told
    assert run("history", "list", "--client", "mx").status == 64


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

"""What people type to find a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.database.history_search import Wanted
from tamis.database.search_words import MAX_QUERY, MAX_TERMS, STATES, Search, read_search
from tests.builders import FILTERS, PROPERTY

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=PARIS)
IDS = {one.name: one.spec_id for one in FILTERS}


def read(text: str) -> Search:
    return read_search(text, NOW, IDS)


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ("   ", {}),
        ("garage devis", {"words": "garage devis"}),
        ('"Votre devis" garage', {"words": "Votre devis garage"}),
        ("from:garage", {"author": "garage"}),
        ("de:garage De:martin", {"author": "garage martin"}),
        ("expéditeur:garage", {"author": "garage"}),
        ('from:"Garage Martin"', {"author": "Garage Martin"}),
        ("from:<>", {"sender": "<>"}),
        ("to:marie@example.com", {"to": "marie@example.com"}),
        ("à:Marie@Example.com", {"to": "marie@example.com"}),
        ("pour:example.org", {"to": "example.org"}),
        ("marie@", {"local": "marie@"}),
        ("to:Marie@", {"local": "marie@"}),
        ("contact@garage.example.net", {"party": "contact@garage.example.net"}),
        ("garage.example.net", {"words": "garage.example.net"}),
        ("objet:résultats", {"subject": "résultats"}),
        ("ip:192.0.2.7", {"client_ip": "192.0.2.7"}),
        ("ip:[2001:DB8::1]", {"client_ip": "2001:db8::1"}),
        ("is:held", {"outcome": "quarantine"}),
        ("est:retenu", {"outcome": "quarantine"}),
        ("is:HELD is:out", {"outcome": "quarantine", "words": ""}),
        ("is:sent", {"side": "out"}),
        ("est:envoyé", {"side": "out"}),
        ("is:observed", {"observed": True}),
        ("is:deferred", {"decision": "defer"}),
        ("by:spf", {"decided_by": "spf"}),
        ("par:S5", {"decided_by": "spf"}),
        ('by:"reverse dns"', {"decided_by": "reverse_dns"}),
        ("by:reverse-dns", {"decided_by": "reverse_dns"}),
        ("by:score", {"decided_by": "score"}),
        ("score>5", {"scores": ((">", 5.0),)}),
        ("score>=5,5 points<9", {"scores": ((">=", 5.5), ("<", 9.0))}),
        ("score>-2", {"scores": ((">", -2.0),)}),
        ("before:22/11", {"until": day(2026, 11, 22)}),
        ("avant:22/11/2025", {"until": day(2025, 11, 22)}),
        ("before:25/12", {"until": day(2025, 12, 25)}),
        ("depuis:2026-11-01", {"since": day(2026, 11, 1)}),
        ("après:hier", {"since": day(2026, 11, 29)}),
        ("after:today", {"since": day(2026, 11, 30)}),
        ("since:7d", {"since": NOW - timedelta(days=7)}),
        ("depuis:2s", {"since": NOW - timedelta(days=14)}),
        ("on:22.11", {"since": day(2026, 11, 22), "until": day(2026, 11, 23)}),
        ("le:25/10/2026", {"since": day(2026, 10, 25), "until": day(2026, 10, 26)}),
        ("id:4F2A91C0E7", {"named": "4F2A91C0E7"}),
        ("foo:bar", {"words": "foo:bar"}),
        ("http://shop.example/a", {"words": "http://shop.example/a"}),
        ("Re: devis", {"words": "Re: devis"}),
        ("score", {"words": "score"}),
        ("2>1", {"words": "2>1"}),
        ("marie@x@", {"words": "marie@x@"}),
        ("@", {"words": "@"}),
        ('"', {}),
        ('"from:garage"', {"words": "from:garage"}),
        ("\0 a", {"words": "\0 a"}),
    ],
)
def test_what_is_understood(text: str, wanted: dict[str, Any]) -> None:
    found = read(text)
    if "is:out" in text:
        assert found.problems
        return
    assert found.problems == ()
    assert found.wanted == Wanted(**wanted)
    again = read(found.text)
    assert (again.text, again.wanted) == (found.text, found.wanted)


def test_the_example_of_the_page() -> None:
    found = read('marie@ from:garage ip:192.0.2.7 is:held by:spf before:22/11 score>5 "votre devis"')
    assert found.problems == ()
    assert found.wanted == Wanted(
        local="marie@",
        author="garage",
        client_ip="192.0.2.7",
        outcome="quarantine",
        decided_by="spf",
        until=day(2026, 11, 22),
        scores=((">", 5.0),),
        words="votre devis",
    )
    assert [one.kind for one in found.terms] == ["to", "from", "ip", "is", "by", "before", "score", "word"]
    assert found.has_dates
    assert read(found.without(3)).wanted.outcome == ""
    assert found.without(7).endswith("score>5")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ip:foo", "“foo” is no IP address."),
        ("by:spff", "There is no filter “spff”. Did you mean “spf”?"),
        ("by:qqqqqq", "There is no filter “qqqqqq”."),
        ("is:foo", f"“foo” is none of: {', '.join(STATES)}."),
        (
            "before:99/99",
            "“99/99” is no date: write 22/11, 22/11/2026, 2026-11-22, yesterday, or 7d for a week ago.",
        ),
        ("before:29/02/2025", "“29/02/2025” is no date:"),
        ("since:2026-00-00", "“2026-00-00” is no date:"),
        ("score>much", "“score>much” is no number to compare the score with: write score>5."),
        ("score>", "“score>” is no number"),
        ("from:", "Something is missing behind “from:”."),
        ('to:""', "Something is missing behind “to:”."),
        ("x" * (MAX_QUERY + 1), "This is too long to search for: at most 500 characters and 20 words."),
        ("x " * (MAX_TERMS + 1), "This is too long to search for: at most 500 characters and 20 words."),
    ],
)
def test_what_is_wrong_is_said_kindly(text: str, said: str) -> None:
    problems = read(text).problems
    assert len(problems) == 1
    assert problems[0].text().startswith(said)


def test_every_state_has_a_name_that_is_understood() -> None:
    for one in STATES:
        assert read(f"is:{one}").text == f"is:{one}"


_NAMES = ("from:", "à:", "is:", "by:", "score>", "score<=", "before:", "id:", "x:")
_PIECES = st.sampled_from([*_NAMES, '"', " ", ":", "<", "@", "a@b.example", "22/11"])


@PROPERTY
@given(st.lists(_PIECES | st.text(max_size=8), max_size=12).map("".join))
def test_whatever_is_typed_is_read_and_reads_the_same_again(text: str) -> None:
    found = read(text)
    again = read(found.text)
    assert again.wanted == found.wanted
    assert again.text == found.text
    assert bool(again.problems) == bool(found.problems)
    assert all(one.text() for one in found.problems)
    assert len(found.terms) <= MAX_TERMS


@PROPERTY
@given(
    st.integers(2, 150_000).map(lambda days: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)),
    st.sampled_from(["on:29/2", "before:31/12", "le:1/1"]),
)
def test_a_day_is_never_one_to_come(now: datetime, text: str) -> None:
    found = read_search(text, now, IDS)
    at = found.wanted.since or found.wanted.until
    assert at is None or at <= now

"""A story as every face tells it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tamis.contract.finding import Finding, Status
from tamis.contract.lists import Colour, Match, MatchedField, Subject
from tamis.judging.story import Story, Told
from tamis.judging.telling import MAX_COPIES, chain, tell
from tests.builders import FILTERS, book, finding

MARIE, ANNE = "marie@example.com", "anne@example.org"
HELD = Told("spam", "quarantine", "empty", "seen", 0.0, 7.5, "empty=spam")
INBOX = Told("ham", "inbox", "", "", 0.0, 7.5, "")
LISTS = ("sender_whitelist", "sender_blacklist", "ip_whitelist", "ip_blacklist")


def story(*recipients: tuple[str, Told], login: str = "") -> Story:
    quiet = [finding(name, Status.CLEAR, "not on the list") for name in LISTS]
    return Story(
        datetime(2026, 3, 1, tzinfo=UTC),
        "Q1",
        "contact@garage.example.net",
        "192.0.2.7",
        "mx",
        login,
        "<1@x>",
        900,
        (*quiet, finding("empty")),
        recipients or ((MARIE, HELD), (ANNE, INBOX)),
    )


def test_each_copy_is_judged_by_the_policy_of_today() -> None:
    mild = book('[domains."example.com".filters.empty]\nstate = "off"\n')
    marie, anne = tell(story(), mild)
    assert (marie.told, marie.now.outcome, marie.stands) == (HELD, "inbox", False)
    assert (anne.told, anne.now.outcome, anne.stands) == (INBOX, "quarantine", False)
    assert [one.setting for one in anne.changes] == [
        "contact@garage.example.net on the white list",
        'filters.empty.state = "off"',
    ]
    assert {one.scope for one in anne.changes} == {ANNE}
    assert anne.to_dict()["otherwise_with"][1] == 'filters.empty.state = "off"'
    assert anne.to_dict()["changes"][1] == {
        "scope": ANNE,
        "key": "filters.empty.state",
        "value": "off",
        "sentence": "empty were switched off",
    }


def test_outgoing_mail_is_judged_by_its_author_policy() -> None:
    policy = book('[mailboxes."contact@garage.example.net".filters.empty]\nstate = "off"\n')
    (one,) = tell(story(("x@example.net", HELD), login="contact"), policy)
    assert one.now.decision == "ham"
    assert one.mailbox == "contact@garage.example.net"


def test_recipients_who_share_a_policy_share_the_search_and_keep_their_names() -> None:
    many = story(*((f"u{n}@example.com", HELD) for n in range(MAX_COPIES + 20)))
    copies = tell(many, book())
    assert len(copies) == MAX_COPIES
    assert [one.changes[-1].scope for one in copies] == [f"u{n}@example.com" for n in range(MAX_COPIES)]
    (last,) = tell(many, book(), recipients=many.recipients[-1:])
    assert last.recipient == f"u{MAX_COPIES + 19}@example.com"


def test_the_chain_says_nothing_of_entries_of_recipients_who_are_not_shown() -> None:
    secret = Match(
        7, ANNE, Colour.WHITE, Subject.SENDER, "*@garage.example.net", MatchedField.ENVELOPE
    ).to_fact()
    listed = finding("sender_whitelist", because="on the list", matches=[secret])
    one = story()
    one = replace(one, findings=(listed, *one.findings[1:]))
    marie, anne = tell(one, book())
    for shown, status, text in ((marie, Status.CLEAR, "not on the list"), (anne, Status.HIT, "on the list")):
        step = chain(one, FILTERS, [shown])[0]
        assert (step.name, step.finding.status, step.text()) == ("sender_whitelist", status, text)
        assert ("matches" in step.finding.facts) is (status is Status.HIT)


def test_the_chain_names_what_decided() -> None:
    one = story()
    steps = chain(one, FILTERS, tell(one, book())[:1])
    assert [step.name for step in steps if step.decided] == ["empty"]
    assert [step.name for step in steps if not step.is_quiet] == ["empty"]
    assert not any(step.decided for step in chain(one, FILTERS, tell(one, book())[1:]))
    assert all(step.spec_id for step in steps)


@pytest.mark.parametrize("facts", [{}, {"shown": 1}, {"ip": None}])
def test_a_finding_of_another_version_is_told_by_its_status(facts: dict[str, object]) -> None:
    odd = Finding("reverse_dns", Status.HIT, "{ip[0]} of {shown:d} {gone}", facts)
    one = replace(story(), findings=(odd,))
    (step,) = chain(one, FILTERS, ())
    assert step.text() == "hit"

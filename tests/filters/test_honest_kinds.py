"""Honest mail of many kinds gets no points from any filter."""

from __future__ import annotations

import pytest

from tamis.contract.filter import Effect
from tamis.filters.shared.attached import files_of
from tamis.message.mail import Mail
from tamis.services.files.attachments import inspect
from tests.filters.honest_kinds import FIRST_OCTETS, KINDS, NULL_SENDER, examined


@pytest.mark.parametrize("kind", KINDS)
def test_honest_mail_gets_no_points(kind: str) -> None:
    raw = KINDS[kind]
    (judged,) = examined(raw, "" if kind in NULL_SENDER else Mail(raw).from_addresses[0].address).judged
    spoke = [one for one in judged.verdict.opinions if one.effect not in (None, Effect.TAG, Effect.ACCEPT)]
    assert [(one.filter, one.points, one.text) for one in spoke] == []


def test_data_that_begins_like_a_program_is_none() -> None:
    """What libmagic takes for programs of DOS without a header, by their first octet."""
    found = inspect(files_of(Mail(KINDS["encrypted data by a name of one's own"])))
    assert len(found) == len(FIRST_OCTETS)
    assert [one for one in found if one["risks"]] == []


@pytest.mark.parametrize("kind", ["Safelinks in a reply", "URL Defense 3", "clicks counted by a service"])
def test_what_wraps_a_link_excuses_no_other_target(kind: str) -> None:
    raw = KINDS[kind].replace(b">https://www.firm.example", b">https://www.bank.example")
    raw = raw.replace(b">https://www.example.net/order", b">https://www.bank.example/order")
    found = examined(raw, "anna@example.net").findings
    assert found["link_text"].facts["pairs"].keys() == {"bank.example"}


def test_a_form_that_nobody_answers_for_is_no_excuse() -> None:
    """An author in the recipient's own domain, unsigned, whose replies go to a freemail address."""
    raw = KINDS["contact form of one's own site"].partition(b"From: ")
    found = examined(raw[1] + raw[2], "stranger@example.org").findings
    assert found["reply_to"].status == "hit"

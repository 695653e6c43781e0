"""What the whole chain does to honest mail: the SpamAssassin corpus' ham, and a DNS that speaks against nobody.

`benchmarks/ham` says which messages these are, and compares two checkouts.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tamis.chain.road import Road
from tamis.contract.service_protocols import Services
from tamis.judging.verdict import Decision
from tamis.message.mail import Mail
from tamis.services.files.attachments import AttachmentLooker
from tamis.services.runner import Runner
from tests.builders import STRANGER_IP, envelope, site
from tests.filters.golden import KNOWLEDGE, TAGS
from tests.message.mail.test_corpus import messages
from tests.services.dns.resolving import CLIENT_NAME, WrittenDNS

pytestmark = pytest.mark.corpus

MOST = {
    "attachment_types": 2,  # an attached .url, and an attached page (risky_name, by intention)
    "display_name": 2,  # a service that forwards under an address of its own
    "knowledge": 1600,  # graded points: what counts is that they are few, and reach nothing together
    "link_text": 2,  # clicks counted in newsletters that say nowhere that they are
    "malformed": 10,  # Content-Type without a type, base64 and dates that are none
    "reply_to": 4,  # one author with addresses at two freemail providers
}
"""Messages of 4,150 to which a filter does something; to none where it is not named. None of them is signed: nobody
answers for a list's header. Nothing was tuned on the spam."""


def test_hits_in_honest_mail() -> None:
    hits: Counter[str] = Counter()
    points, known, lost, number = 0.0, 0.0, 0, 0
    made, runner, services = (
        site(""),
        Runner(),
        Services(attachments=AttachmentLooker(), dns=WrittenDNS(client=STRANGER_IP)),
    )
    for name, raw in messages():
        if "-ham-" not in name:
            continue
        number += 1
        mail = Mail(raw)
        sender = mail.from_addresses[0].address if mail.from_addresses else "stranger@example.net"
        road = Road(made, runner, services)
        (judged,) = road.end_of_message(envelope(sender=sender, helo=CLIENT_NAME), mail).judged
        acting = [one for one in judged.verdict.opinions if one.effect is not None and one.filter != TAGS]
        hits.update(one.filter for one in acting)
        own = sum(one.points for one in acting if one.filter == KNOWLEDGE)
        known += own
        points += judged.verdict.score - own
        lost += judged.verdict.decision is not Decision.HAM
    assert number == 4150, hits
    assert {name: count for name, count in hits.items() if count > MOST.get(name, 0)} == {}
    assert hits["malformed"] > 0  # the chain did look
    assert points / number < 0.01
    assert known / number < 0.2
    assert lost == 0

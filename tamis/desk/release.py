"""How held mail goes to its recipient: back to Postfix, past the filters."""

from __future__ import annotations

import logging

from tamis.base.errors import TamisError
from tamis.challenge.challenge_records import AnswerProof
from tamis.desk.reinjection import Reinjector
from tamis.quarantine.content import redelivery
from tamis.quarantine.records import Deliver, HeldRecord
from tamis.settings import Settings

log = logging.getLogger(__name__)


def delivery(settings: Settings) -> Deliver:
    """As at every release."""
    return redelivery(Reinjector(settings.desk.reinject).send, settings)


def delivery_by_answer(settings: Settings, proof: str) -> Deliver:
    """How a message goes to its recipient because its sender answered: as at every release, and S27 learns from what a
    code proved; what programs can prove teaches nothing."""
    from tamis.models.reports import report_solved_challenge  # noqa: PLC0415 - loads numpy

    back = delivery(settings)
    if proof != AnswerProof.CODE:
        return back

    def deliver(record: HeldRecord, content: bytes) -> str:
        queue_id = back(record, content)
        try:
            report_solved_challenge(settings, record.envelope.sender, content)
        except (TamisError, OSError) as error:  # the mail has arrived; that is what counts
            log.warning("%s: nothing is learned from the sender's answer: %s", record.summary.id, error)
        return queue_id

    return deliver
